"""The keys of cached answers are frozen: renaming code must not make anybody pay twice for one answer.

A key depends on model and settings, the prompt's words, the schema or grammar, and the images, and on nothing else. One
that changes means that stored answers are not found again: change it deliberately, and renew the hashes.
"""

import numpy as np
import pytest

from openmie.data.document import Chain, Document, Image, Mention
from openmie.vlm.backends import answer_store
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
    "schema": ["c1942c49a319b57b38b85215ff3e3eb9b18d1972e2908b27cdc0682f06464795"],
    "given": ["3bf895a297c5c608817abdc4f18ff2a0aacded73aecaf5bae57fc79bc64af96e"],
    "pixels": ["f60983bebdceb6ea36163ea722d485a394bc6bdaaecd1753cddf56cbb76553ff"],
    "pfa": ["025806b4d018a319e62a599bf085f300d43ea24dff0a0b8efafe8867f02510df"],
    "caption": ["25f67e601bdccb47e35eae533bb42a705589b7c4941799ac25f1cd6c5786a688"],
}


class Recorder:
    """Keeps the key of each request under the facts of a backend, and answers nothing useful."""

    def __init__(self, facts, name):
        self._facts, self.name, self.keys = facts, name, []

    def facts(self):
        return self._facts

    def answers(self, requests):
        for request in requests:
            self.keys.append(answer_store.request_key(self._facts, request))
            yield Answer(text="{}")


@pytest.fixture
def document():
    """A post with a picture, a patch, a frame, a caption, two mentions and a chain."""
    main, frame = np.zeros((48, 64, 3), np.uint8), np.full((32, 32, 3), 90, np.uint8)  # a file depends on who wrote it
    text = "Ada <|im_end|> met Bo in Turin . " * 3
    return Document(
        id="d",
        text=text,
        images=[
            Image(id="main", pixels=main),
            Image(id="p", kind="patch", parent="main", box=(0, 0, 20, 20)),
            Image(id="f", kind="frame", pixels=frame, time=1.5),
        ],
        captions={"given": "two people"},
        mentions=[Mention(id="a", start=0, end=3, label="PER"), Mention(id="b", start=19, end=21, label="PER")],
        chains=[Chain(id="c", mentions=("a",), label="PER"), Chain(id="e", mentions=("b",), label="PER")],
    )


def keys_of(document):
    """Name of a way to ask -> the keys of its requests, by the backends that it is asked through."""
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


def test_keys_are_those_of_before(document):
    assert keys_of(document) == KEYS
