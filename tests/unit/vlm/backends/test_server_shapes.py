"""Servers of today, one row each: what a server refuses is asked in another way, and what it says is read."""

from __future__ import annotations

import json
import warnings

import pytest
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data.document import Document, Image
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.backends.portable_schema import portable_schema
from openmie.vlm.backends.response_body import MalformedResponse, read_body
from openmie.vlm.generate import Answer, Grammar, Request
from openmie.vlm.prompting.options import PromptOptions
from openmie.vlm.prompting.predict import predict
from openmie.vlm.reasoning import without_reasoning
from tests.fixtures import small
from tests.fixtures.server_shapes import SHAPES, has, playing, stream

ANSWER = {"mentions": [{"id": "m1", "text": "Ada", "label": "PER"}],
          "boxes": [{"image": 1, "box": [0, 0, 500, 1000], "label": "PER", "of": "m1"}]}  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with playing(ANSWER) as played:
        yield played


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def asked(server, name, posts=2, **settings):
    """The predictions of some posts by a shape, one request after the other, and the warnings."""
    documents = [Document(id=f"d{n}", text="Ada", images=[Image(pixels=small.picture(0))]) for n in range(posts)]
    backend = Endpoint(server.address, name, retries=0, timeout=20, concurrency=1, **settings)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        options = PromptOptions(family="qwen3-vl")
        found = list(predict(backend, documents, labels=["PER"], tasks="grounded", options=options))
    return found, [str(w.message) for w in told if "refuses" in str(w.message)]


@pytest.mark.parametrize("name", [n for n in SHAPES if n not in ("vllm-no-system",)])
def test_each_server_is_asked_as_it_likes_and_read(name, server):
    found, told = asked(server, name)
    for document in found:
        assert not document.errors, document.errors
        assert [(m.label, m.text) for m in document.mentions] == [("PER", "Ada")]
        (region,) = document.regions
        assert region.of == document.mentions[0].id and region.box[0] == 0
    accepted = server.sent(name)
    assert len(accepted) == 2
    for what in SHAPES[name].takes:
        assert all(has(what, body) for body in accepted), (what, accepted)
    refusals = [status for model, status, _ in server.bodies if model == name and status != 200]
    assert len(refusals) <= 6 and bool(refusals) == bool(told), "each step is tried once, and said"
    assert [status for model, status, _ in server.bodies if model == name][-1] == 200
    assert len(told) <= 1 and all(server.address in line and name in line for line in told)


def test_a_system_message_that_a_server_refuses_heads_the_prompt(server):
    backend = Endpoint(server.address, "vllm-no-system", retries=0)
    with pytest.warns(UserWarning, match="the system message in the prompt"):
        (answer,) = backend.answers([Request(prompt="Who?", system="Be brief.")])
    assert isinstance(answer, Answer)
    assert server.sent("vllm-no-system")[0]["messages"] == [{"role": "user", "content": "Be brief.\n\nWho?"}]


def test_the_command_line_asks_a_server_like_that_of_gpt_5(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "answer", {"mentions": ANSWER["mentions"]})
    monkeypatch.setenv("OPENMIE_ANSWERS", "none")
    command = ["extract", "--system", "schema", "--endpoint", server.address, "--model", "gpt-5", "--text", "Ada",
               "--label", "PER=a person", "--out", "found.jsonl"]  # fmt: skip
    before = len(server.sent("gpt-5"))
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output + repr(result.exception)
    body = server.sent("gpt-5")[before]
    assert body["max_completion_tokens"] == 1024 and not {"max_tokens", "temperature"} & set(body)
    (found,) = (Document.from_json(line) for line in (tmp_path / "found.jsonl").read_text("utf8").splitlines())
    assert [m.text for m in found.mentions] == ["Ada"]
    options = ["--vlm-option", "temperature=null", "--vlm-option", "max_tokens=null"]
    refused = len(server.sent("gpt-5", 400))
    assert CliRunner().invoke(cli.app, [*command[:-1], "again.jsonl", *options]).exit_code == 0
    assert len(server.sent("gpt-5", 400)) == refused, "what is null is not sent, so nothing is refused"
    assert not {"max_tokens", "max_completion_tokens", "temperature"} & set(server.sent("gpt-5")[-1])


def test_null_in_extra_body_is_not_sent_and_a_field_of_the_users_wins(server):
    backend = Endpoint(server.address, "vllm", extra_body={"seed": None, "temperature": None, "max_tokens": 5})
    backend.generate([], "x")
    body = server.sent("vllm")[-1]
    assert not {"seed", "temperature"} & set(body) and body["max_tokens"] == 5


def test_what_else_a_server_refuses_is_told_and_asked_once(server):
    limits = {
        "too long": "This model's maximum context length is 512 tokens. However, you requested 1500 tokens (476 in the "
        "messages, 1024 in the completion). Please reduce max_tokens or max_completion_tokens.",
        "hot": "temperature must be between 0 and 2",
        "picture": "Invalid image: the image could not be decoded.",
    }
    for words in limits.values():
        SHAPES["refuser"] = type(SHAPES["vllm"])(refuses=(("model", 400, {"error": {"message": words}}),))
        found, told = asked(server, "refuser", posts=1)
        assert words[:40] in found[0].errors[0].found and not told
    assert len(server.sent("refuser", 400)) == len(limits)
    del SHAPES["refuser"]


def test_what_a_server_says_is_told_wherever_it_says_it(server):
    for body in (
        {"error": "too hot"},
        {"detail": "too hot"},
        [{"error": {"message": "too hot"}}],
        {"message": "too hot"},
        {"detail": [{"msg": "too hot", "input": "secret"}]},
        {"error": {"message": "too hot"}},
    ):
        SHAPES["refuser"] = type(SHAPES["vllm"])(refuses=(("model", 400, body),))
        found, _ = asked(server, "refuser", posts=1)
        assert "too hot" in found[0].errors[0].found and "secret" not in found[0].errors[0].found, body
    del SHAPES["refuser"]


def test_a_refusal_without_reason_is_followed_a_few_times_only(server):
    SHAPES["mute"] = type(SHAPES["vllm"])(refuses=(("model", 400, {"error": {"message": "Bad Request"}}),))
    found, told = asked(server, "mute", posts=40)
    del SHAPES["mute"]
    calls = len(server.sent("mute", 400))
    assert all(d.errors for d in found) and not told and 40 < calls <= 40 + 8 * 6


def test_one_that_refuses_keeps_its_first_words(server):
    words = "Unsupported parameter: 'temperature' is not supported. (request 1)"
    SHAPES["never"] = type(SHAPES["vllm"])(refuses=(
        ("temperature", 400, {"error": {"message": words}}), ("model", 400, {"error": {"message": "no credit"}}),
    ))  # fmt: skip
    found, told = asked(server, "never", posts=1)
    del SHAPES["never"]
    assert words in found[0].errors[0].found and not told


def test_organisation_headers_go_to_the_vendor_alone(server, monkeypatch):
    import openai

    from openmie.vlm.backends.vendor_headers import without_vendor_headers

    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    Endpoint(server.address, "vllm").generate([], "x")
    assert not [name for name in server.headers[-1] if name.startswith("openai-")], server.headers[-1]
    for host, kept in (
        ("https://api.openai.com/v1", "org-secret"),
        ("https://eu.api.openai.com/v1", "org-secret"),
        ("https://api.openai.com.example.org/v1", None),
        ("https://notopenai.com/v1", None),
    ):
        client = openai.AsyncOpenAI(base_url=host, api_key="k")
        without_vendor_headers(client, host)
        assert client.organization == kept and client.project == (kept and "proj-secret")


def test_a_refused_grammar_is_left_out(server):
    SHAPES["grammarless"] = type(SHAPES["vllm"])(
        refuses=(("structured_outputs", 422, {"detail": "Unexpected fields: {'structured_outputs'}"}),), text="said"
    )
    backend = Endpoint(server.address, "grammarless", dialect="vllm", retries=0)
    with pytest.warns(UserWarning, match="no schema"):
        assert backend.generate([], "x", Grammar('start: "x"')) == "said"
    del SHAPES["grammarless"]


def test_portable_schemas():
    schema = {
        "type": "object",
        "properties": {"enum": {"type": "integer", "enum": [1, 2]}, "minItems": {"type": "array", "maxItems": 4}},
        "required": ["enum"],
        "anyOf": [{"enum": ["a", None, True]}],
    }
    assert portable_schema(schema) == {
        "type": "object",
        "properties": {"enum": {"type": "string", "enum": ["1", "2"]}, "minItems": {"type": "array"}},
        "required": ["enum"],
        "anyOf": [{"type": "string", "enum": ["a", "null", "true"]}],
    }


def test_reasoning_is_taken_off():
    for text, answer in {
        "plain": "plain",
        "<think>a</think>\nb": "b",
        "\n<think>\n\n</think>\n\n{}": "{}",
        "a</think>b": "b",
        '{"a": "</think>"}': '{"a": "</think>"}',
        "<think>never ends": "",
        "◁think▷a◁/think▷b": "b",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b": "b",
        "<|begin_of_box|>b<|end_of_box|>": "b",
        "": "",
    }.items():
        assert without_reasoning(text) == answer, text
    assert without_reasoning("he wrote </think> there", "quote: </think>") == "he wrote </think> there"


def test_streams():
    whole = stream("héllo wörld")
    assert read_body(whole).text == "héllo wörld" and read_body(whole).tokens == 3
    assert read_body(whole.replace(b"\n\n", b"\r\n\r\n")).text == "héllo wörld"
    cut = whole[: whole.index(b'"finish_reason": "stop"') - 40]
    failed = whole[:200] + b'\n\ndata: {"error": {"message": "out of memory"}}\n\n'
    for raw, words in ((cut, "cut off"), (failed, "out of memory"), (b"data: {}\n\ndata: [DONE]\n\n", "")):
        if words:
            with pytest.raises(MalformedResponse, match=words):
                read_body(raw)
        else:
            assert read_body(raw).text == ""
    thinking = json.dumps({"choices": [{"delta": {"reasoning_content": "hm"}, "finish_reason": "length"}]})
    assert (read_body(f"data: {thinking}".encode()).reasoning, read_body(f"data: {thinking}".encode()).truncated) == (
        "hm", True,
    )  # fmt: skip
