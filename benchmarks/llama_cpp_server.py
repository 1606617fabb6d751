"""A real llama.cpp server with a tiny model made here, asked through `Endpoint`: what it accepts, and what it answers.

    pip install xllamacpp gguf
    python benchmarks/llama_cpp_server.py

The model is a Llama of two layers with random weights over 256 bytes; it answers nothing of sense, but under a JSON
Schema the server turns into a grammar, whatever it says is an answer of the schema. The server runs in this process on
loopback.
"""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.generate import Request
from openmie.vlm.prompting.predict import predict
from openmie.vlm.prompting.schema import Schema, answer_json_schema

WIDTH, LAYERS, HEADS, CONTEXT = 64, 2, 4, 4096


def write_model(path: Path, seed: int = 0) -> None:
    """Write a Llama with random weights and a vocabulary of bytes as a GGUF file."""
    import gguf

    rng = np.random.default_rng(seed)
    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{i:02X}>".encode() for i in range(256))]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL, *[gguf.TokenType.BYTE] * 256]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")

    def tensor(name: str, *shape: int) -> None:
        ones = len(shape) == 1
        writer.add_tensor(name, np.ones(shape, np.float32) if ones else rng.normal(0, 0.3, shape).astype(np.float32))

    tensor("token_embd.weight", len(tokens), WIDTH)
    tensor("output.weight", len(tokens), WIDTH)
    tensor("output_norm.weight", WIDTH)
    for n in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"blk.{n}.{name}.weight", WIDTH, WIDTH)
        for name in ("attn_norm", "ffn_norm"):
            tensor(f"blk.{n}.{name}.weight", WIDTH)
        tensor(f"blk.{n}.ffn_gate.weight", 2 * WIDTH, WIDTH)
        tensor(f"blk.{n}.ffn_up.weight", 2 * WIDTH, WIDTH)
        tensor(f"blk.{n}.ffn_down.weight", WIDTH, 2 * WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def start(path: Path) -> Any:
    """A server with the model, on a port of its own."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.warmup = CONTEXT, 2, False
    params.cpuparams.n_threads = 1
    return xllamacpp.Server(params)


def report(name: str, started: float, answer: Any, told: list[Any]) -> None:
    """Print one request: what came, how long it took, what was refused."""
    refused = "; ".join(str(w.message) for w in told)
    found = (
        str(answer) if isinstance(answer, ErrorRecord) else f"{answer.finish}, {answer.tokens} tokens: {answer.text}"
    )
    print(f"{name}: {time.monotonic() - started:.1f} s, {found[:160]!r} {refused}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.gguf"
        write_model(path)
        started = time.monotonic()
        server = start(path)
        print(f"model of {path.stat().st_size >> 10} KiB; server at {server.listening_address} "
              f"in {time.monotonic() - started:.1f} s")  # fmt: skip
        address = f"{server.listening_address.rstrip('/')}/v1"
        schema = answer_json_schema(Schema.of(["PER", "LOC"], "summary,ner"))
        short = {"type": "object", "properties": {"a": {"type": "integer", "enum": [1, 2]}}, "required": ["a"]}
        for name, settings, asked in (
            ("text", {"max_tokens": 12}, Request(prompt="Who is there?")),
            ("schema", {"max_tokens": 64}, Request(prompt="Answer as JSON.", schema=short)),
            ("bounds", {"max_tokens": 64}, Request(prompt="Answer as JSON.", schema={
                "type": "object", "required": ["box"], "additionalProperties": False, "properties": {"box": {
                    "type": "array", "items": {"type": "integer", "enum": [1, 2]}, "minItems": 4, "maxItems": 4}}})),
            ("of extraction", {"max_tokens": 400, "retries": 0}, Request(prompt="Answer as JSON.", schema=schema)),
            ("stream", {"max_tokens": 12, "extra_body": {"stream": True}}, Request(prompt="Who is there?")),
            ("max_completion_tokens", {"max_tokens": None, "extra_body": {"max_completion_tokens": 5}},
             Request(prompt="Who is there?")),
            ("unknown field", {"max_tokens": 5, "extra_body": {"no_such_field": 1}}, Request(prompt="Who?")),
            ("too long", {"max_tokens": 5, "retries": 0}, Request(prompt="a" * (2 * CONTEXT))),
        ):  # fmt: skip
            began = time.monotonic()
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                (answer,) = Endpoint(address, "tiny", timeout=120, **settings).answers([asked])
            report(name, began, answer, told)
            if asked.schema is short:
                assert json.loads(answer.text)["a"] in (1, 2), answer
        backend = Endpoint(address, "tiny", timeout=120, max_tokens=600, retries=0)
        documents = [Document(id=f"d{n}", text=f"Ada saw Turin {n}") for n in range(4)]
        found = list(predict(backend, documents, labels=["PER", "LOC"], tasks="ner"))
        print(f"{len(found)} posts: {sum(len(d.mentions) for d in found)} mentions, of which "
              f"{sum(m.status == 'located' for d in found for m in d.mentions)} are in the text; records: "
              f"{[e.found[:60] for d in found for e in d.errors]}")  # fmt: skip


if __name__ == "__main__":
    main()
