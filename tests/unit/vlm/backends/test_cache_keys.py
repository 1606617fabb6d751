"""The keys of cached answers are frozen: renaming code must not make anybody pay twice for one answer.

A key depends on the backend's facts, the prompt's words, the schema or grammar, and the images. The hashes below were
computed before the packages were renamed. One that changes means that stored answers are not found again: raise
`CODE_VERSION` deliberately instead, and renew the hashes.
"""

import pytest
from PIL import Image as Picture

from openmie.data.document import Chain, Document, Image, Mention
from openmie.vlm.backends import response_cache as cache
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.captions import caption
from openmie.vlm.generate import Answer
from openmie.vlm.prompting.predict import predict

LABELS = {
    "mentions": {"PER": "a person", "LOC": "a place"},
    "chains": {"PER": "a person"},
    "relations": {"peer": "know each other", "lives_in": ""},
    "regions": ["PER", "bird"],
}
KEYS = {
    "schema": ["3f8dcea4e515cb818de2b030e00b72a8c99151e5dea189f4b77ddcbfd822cf6b"],
    "given": ["c362f8ee77bf56b10f9158627fead96c7ed4f35fb7c1018fe348c3887193ff05"],
    "pixels": ["f1c3b800567260b07dd6470ca915cf1996b50f3d5b9aca89f6a5d5d016d7b0a6"],
    "pfa": ["b8d5ed0c0346735de585e3a5a0c182bf95d0ecfbf735d941a1232b6a8cc3827f"],
    "caption": ["d0ab98327526f4506aacbb64a57bea047f7330afa4dbbccb3c5117fed1273c9f"],
}


class Recorder:
    """Keeps the key of each request under the facts of a backend, and answers nothing useful."""

    def __init__(self, facts, name):
        self._facts, self.name, self.keys = facts, name, []

    def facts(self):
        return self._facts

    def answers(self, requests):
        for request in requests:
            self.keys.append(cache.request_key(self._facts, request))
            yield Answer(text="{}")


@pytest.fixture
def document(tmp_path):
    """A post with a picture, a patch, a frame, a caption, two mentions and a chain."""
    Picture.new("RGB", (64, 48), "navy").save(tmp_path / "main.png")
    Picture.new("RGB", (32, 32), "olive").save(tmp_path / "frame.png")
    text = "Ada <|im_end|> met Bo in Turin . " * 3
    return Document(
        id="d",
        text=text,
        images=[
            Image(id="main", path=str(tmp_path / "main.png")),
            Image(id="p", kind="patch", parent="main", box=(0, 0, 20, 20)),
            Image(id="f", kind="frame", path=str(tmp_path / "frame.png"), time=1.5),
        ],
        captions={"given": "two people"},
        mentions=[Mention(id="a", start=0, end=3, label="PER"), Mention(id="b", start=19, end=21, label="PER")],
        chains=[Chain(id="c", mentions=("a",), label="PER"), Chain(id="e", mentions=("b",), label="PER")],
    )


def keys_of(document, monkeypatch):
    """Name of a way to ask -> the keys of its requests, by the backends that it is asked through."""
    monkeypatch.setattr(cache, "__version__", "frozen")
    endpoint = Endpoint("http://localhost:8000/v1", "Qwen/Qwen2.5-VL-7B-Instruct", dialect="vllm").facts()
    local = {"backend": "local", "model": "pixels", "revision": "sha256:0", "max_tokens": 512, "temperature": 0.0,
             "seed": 0, "dtype": "float32"}  # fmt: skip
    found = {}

    def keep(name, facts, model, run):
        backend = Recorder(facts, model)
        list(run(backend))
        found[name] = backend.keys

    ask = predict
    every, some = "summary,ner,chains,re,boxes", ["PER", "LOC"]
    keep("schema", endpoint, "Qwen/Qwen2.5-VL-7B-Instruct", lambda b: ask(b, [document], "schema", LABELS, every))
    keep("given", endpoint, "gemini", lambda b: ask(b, [document], "schema", LABELS, "re,boxes"))
    keep("pixels", local, "pixels", lambda b: ask(b, [document], "schema", some, "grounded"))
    keep("pfa", local, "pixels", lambda b: ask(b, [document], "pfa", some))
    keep("caption", endpoint, "m", lambda b: caption([document], b))
    return found


def test_keys_are_those_of_before(document, monkeypatch):
    assert keys_of(document, monkeypatch) == KEYS
