"""Who talks to a server needs neither torch nor transformers: all that an endpoint needs imports and runs without."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
for name in ("torch", "transformers", "accelerate", "tokenizers", "safetensors"):
    sys.modules[name] = None  # an import of it fails
from importlib import import_module
import openmie.vlm
from pathlib import Path
for file in sorted(Path(openmie.vlm.__file__).parent.rglob("*.py")):
    name = ".".join(file.relative_to(Path(openmie.vlm.__file__).parent).with_suffix("").parts)
    if not name.startswith(("sft.", "backends.local", "backends.model_loading", "backends.constrained_decoding")):
        import_module("openmie.vlm." + name.removesuffix(".__init__"))

from openmie.data.document import Document
from openmie.errors import ModelError, OpenMIEError
from openmie.vlm import Answer, Cached, Captioning, Endpoint, Grammar, Request, caption, connect, translate
from openmie.vlm.prompting.predict import predict
from openmie.vlm.prompting.request import ExtractionRequest

assert isinstance(connect("m", "http://127.0.0.1:9/v1"), Endpoint)
request = ExtractionRequest(system="schema", model="m", endpoint="http://127.0.0.1:9/v1", label=("PER",),
                            settings=("window=500", "retries=0"))
backend, documents = request.backend(), [Document(id="d", text="Ada")]
for ask in (lambda: request.predict(documents, request.schema(), backend),
            lambda: predict(backend, documents, "pfa", ["PER"], "ner")):
    try:
        list(ask())
    except OpenMIEError as error:
        assert "127.0.0.1" in error.record.where and "no connection" in error.record.found, error
    else:
        raise AssertionError("a server answered that is not there")
for call in (lambda: connect("."), ExtractionRequest(system="schema", model=".").backend):
    try:
        call()
    except ModelError as error:
        assert "torch" in error.record.expected and "--endpoint" in error.record.remedy
    else:
        raise AssertionError("a model ran without torch")
"""
COMMANDS = """
import json, os, sys
for name in ("torch", "transformers", "accelerate", "tokenizers", "safetensors"):
    sys.modules[name] = None
from PIL import Image
from openmie.cli import main
from tests.fixtures.server_shapes import playing

Image.new("RGB", (9, 9)).save("p.png")
with open("posts.jsonl", "w", encoding="utf8") as file:
    file.write(json.dumps({"id": "d", "text": "Ada saw Rome", "image": "p.png"}))
with playing({"mentions": [{"id": "m1", "text": "Ada", "label": "PER"}]}) as server:
    for command in (
        f"extract posts.jsonl --system schema --model gpt-5 --endpoint {server.address} --label PER --out a.jsonl",
        f"caption posts.jsonl --model gpt-5 --endpoint {server.address} --out captioned --max-tokens 20",
        f"zero-shot posts.jsonl --model sentence --endpoint {server.address} --label PER --out b.jsonl",
    ):
        sys.argv = ["openmie", *command.split()]
        try:
            main()
        except SystemExit as end:
            assert not end.code, (command, end.code)
"""


def test_an_endpoint_needs_no_torch(tmp_path):
    done = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_commands_of_an_endpoint_need_no_torch(tmp_path):
    """A server like that of gpt-5 is asked to extract and to caption where no torch is."""
    around = {
        **os.environ,
        "NO_PROXY": "127.0.0.1",
        "OPENMIE_ANSWERS": "answers.sqlite",
        "PYTHONPATH": os.pathsep.join(["", str(Path(__file__).parents[3])]),
    }
    code = [sys.executable, "-c", COMMANDS]
    done = subprocess.run(code, cwd=tmp_path, env=around, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "max_completion_tokens in place of max_tokens" in done.stderr
    assert '"text":"Ada"' in (tmp_path / "a.jsonl").read_text(encoding="utf8")
