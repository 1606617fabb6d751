"""Document: offsets, equality, JSON and its published schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import openmie
from openmie.data.document import (
    Chain,
    Document,
    Image,
    Mention,
    Phrase,
    Region,
    Relation,
    Word,
    json_schema,
    locate_words,
)
from openmie.errors import DocumentError, ErrorRecord
from tests.fixtures.strategies import documents, texts

FAST = settings(max_examples=200, deadline=None, database=None)
SCHEMA = Path(openmie.__file__).parent / "data" / "document.schema.json"


def test_published_schema_is_the_schema() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(json_schema())


VALIDATOR = jsonschema.Draft202012Validator(json_schema())  # made once: `validate` checks the schema each time


@FAST
@given(documents())
def test_json_and_schema(document: Document) -> None:
    line = document.to_json()
    assert "\n" not in line and Document.from_json(line) == document and Document.from_json(line).to_json() == line
    VALIDATOR.validate(json.loads(line))


@FAST
@given(texts, st.data())
def test_offsets_count_code_points(text: str, data: st.DataObject) -> None:
    if text:
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start + 1, len(text)))
        mention = Document(id="d", text=text, mentions=(Mention(id="m", start=start, end=end),)).mentions[0]
        assert mention.text == text[start:end]


def test_ten_thousand_surfaces(ten_thousand: list[Document]) -> None:
    for document in ten_thousand:
        for m in Document.from_json(document.to_json()).mentions:
            assert m.status == "unlocated" or document.text[m.start : m.end] == m.text != ""


@pytest.fixture(scope="module")
def ten_thousand() -> list[Document]:
    """10,000 mentions in texts put together from the pieces of the strategies, by a generator that is quick (R5)."""
    import random

    from tests.fixtures.strategies import PIECES

    draw, made = random.Random(5), []
    for n in range(2000):
        text = "".join(draw.choices(PIECES, k=12))
        spans = [sorted(draw.sample(range(len(text) + 1), 2)) for _ in range(5)]
        made.append(
            Document(
                id=str(n),
                text=text,
                mentions=tuple(Mention(id=f"m{i}", start=a, end=b) for i, (a, b) in enumerate(spans)),
            )
        )
    return made


def test_score_and_pixels_are_outside_equality() -> None:
    def make(score: float, pixels: int) -> Document:
        return Document(
            id="a",
            text="Zor",
            mentions=(Mention(id="m", start=0, end=3, score=score),),
            images=(Image(id="i", pixels=np.full((1, 1, 3), pixels, np.uint8)),),
        )

    assert make(0.1, 0) == make(0.9, 1) and "pixels" not in make(0.1, 0).to_json()
    assert make(0.1, 0) != make(0.1, 0).replace(text="Zor!")
    assert make(0.1, 0).mentions[0] != "m"


def test_words_by_name() -> None:
    document = Document(id="a", text="Zor met  Zor", words=("Zor", "met", "Zor"))  # type: ignore[arg-type]
    assert document.words == (Word(0, 3), Word(4, 7), Word(9, 12)) and document.word_texts() == ("Zor", "met", "Zor")
    assert Document.from_words("a", ["Zor", "met"]).text == "Zor met"
    with pytest.raises(DocumentError, match="not in the text"):
        locate_words("Zor", ["Vane"])


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ({"words": ((0, 9),)}, "0:9"),
        ({"mentions": ({"id": "m", "start": 2, "end": 5},)}, "2:5"),
        ({"mentions": ({"id": "m", "start": 1, "end": 1},)}, "empty"),
        ({"mentions": ({"id": "m", "start": -1, "end": 1},)}, "-1"),
        ({"mentions": ({"id": "m", "start": 0, "end": 3, "text": "zor"},)}, "'zor'"),
        ({"lable": "x"}, "lable"),
        ({"mentions": ({"id": "x", "start": 0, "end": 1},), "chains": ({"id": "x"},)}, "twice"),
        ({"images": ({"path": "a"}, {"path": "a"})}, "twice"),
        ({"images": ({"width": 0},)}, "width"),
        ({"regions": ({"image": "i", "box": (1, 2, 3)},)}, "box"),
        ({"times": ((0, 1, 2),)}, "times"),
    ],
)
def test_contradictions_are_refused(layers: dict[str, object], said: str) -> None:
    with pytest.raises(DocumentError, match=said) as error:
        Document(id="d7", text="Zor", **layers)  # type: ignore[arg-type]
    assert error.value.record.expected and error.value.record.remedy


def test_references_that_lead_nowhere() -> None:
    document = Document(
        id="a",
        chains=(Chain(id="c", mentions=("m",)),),
        relations=(Relation(head="c", tail="x"),),
        regions=(Region(image="i", box=(0, 0, 1, 1), of="y"),),
        images=(Image(id="j", parent="k"),),
        phrases=(Phrase(text="p", image="q"),),
    )
    assert sorted(r.found for r in document.dangling()) == [f"id {x!r}" for x in ("i", "k", "m", "q", "x", "y")]


def test_without_gold_keeps_what_a_system_may_read() -> None:
    document = Document(
        id="a",
        text="Zor",
        captions={"c": "d"},
        summary="s",
        mentions=(Mention(id="m", start=0, end=3),),
        images=(Image(id="i"),),
        errors=(ErrorRecord(found="x"),),
    )
    bare = document.without_gold()
    assert (bare.mentions, bare.summary, bare.errors) == ((), "", ()) and bare.captions and bare.images
    assert document.find("m") is not None and bare.find("m") is None and document.image("i") == document.main_image


def test_json_refuses_what_it_cannot_hold() -> None:
    document = Document(id="nan", source={"x": 1.0})
    document.source["x"] = float("nan")  # a dict can be changed behind our back
    with pytest.raises(DocumentError, match=r"document nan.*JSON cannot hold.*source"):
        document.to_json()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        '{"id":1}',
        '{"text":"x"}',
        '{"id":"a","x":1}',
        b"\xff",
        '{"id":"a","text":"\\ud800"}',
        '{"id":"a","words":[[0,1]]}',
    ],
)
def test_json_that_is_no_document(line: str | bytes) -> None:
    with pytest.raises(DocumentError):
        Document.from_json(line)


@pytest.mark.parametrize(
    "words", ["3", "0.5", "true", '"Ada"', '{"Ada": 1}', '["Ada", ["sang"]]', '["Ada", 3]', "[[0]]"]
)
def test_words_that_are_none_are_an_error(words):
    with pytest.raises(DocumentError, match="words"):
        Document.from_json(f'{{"id": "d", "text": "Ada sang", "words": {words}}}')
