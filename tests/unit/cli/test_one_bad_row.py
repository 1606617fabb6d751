"""One bad row among good ones: it comes out with its reason, the others are answered, and no job ends for it."""

from __future__ import annotations

import csv
import io
import json
import random

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data import images
from openmie.data import json_values as plain
from openmie.data.document import Document, Image, Mention, Region, TimeSpan
from openmie.errors import CorpusError, DocumentError, ErrorRecord, OpenMIEError
from openmie.formats import jsonl, output, sources
from openmie.formats import registry as files
from openmie.formats.post_rows import EMPTY
from openmie.inference import pipeline as extract
from openmie.model.pretrained import Model
from openmie.vlm import backends, pfa
from openmie.vlm.backends import openai_protocol
from openmie.vlm.captions import Captioning, caption
from openmie.vlm.generate import Answer, Request
from tests.fixtures import small
from tests.fixtures.vlm_stub import Stub, pixels

HALF = "\\ud83d"
DEEP = {n: '{"a":' + "[" * n + "]" * n + "}" for n in (120, 400, 100_000)}
FAULTS = {  # what stands beside id and text in the bad row, and what its record names
    "its own parent": ('"images":[{"id":"a","box":[0,0,1,1],"parent":"a"}]', "images.parent"),
    "parents in a circle": (
        '"images":[{"id":"a","parent":"b"},{"id":"b","parent":"c"},{"id":"c","parent":"b"}]',
        "images.parent",
    ),
    "NaN in source": ('"source":{"a":[1,{"b":NaN}]}', "source.a[1].b"),
    "1e999 in source": ('"source":{"a":-1e999}', "source.a"),
    "NaN in an image's box": ('"images":[{"id":"a","box":[0,NaN,1,1]}]', "box"),
    "Infinity in a region's box": ('"regions":[{"image":"a","box":[0,0,1,Infinity]}]', "box"),
    "1e400 in a time": ('"times":[[0,1,1e400,2]]', "times"),
    "the time of a frame": ('"images":[{"id":"a","time":1e999}]', "time"),
    "a score": ('"mentions":[{"id":"m","start":0,"end":3,"score":NaN}]', "score"),
    "a relevance": ('"images":[{"id":"a","relevance":[["clip",-Infinity]]}]', "relevance"),
    "half in an id": (f'"images":[{{"id":"a{HALF}"}}]', "id"),
    "half in a caption": (f'"captions":{{"x":"{HALF} there"}}', "captions.x"),
    "half in a label": (f'"mentions":[{{"id":"m","start":0,"end":3,"label":"{HALF}"}}]', "label"),
    "half in a source's value": (f'"source":{{"a":["{HALF}"]}}', "source.a[0]"),
    "half in a source's key": (f'"source":{{"a":{{"{HALF}":1}}}}', "source.a"),
    "deep": (f'"source":{DEEP[120]}', "source.a"),
    "deeper": (f'"source":{DEEP[400]}', "source.a"),
    "deepest": (f'"source":{DEEP[100_000]}', "a.jsonl:3"),
    "a long number": (f'"source":{{"a":1{"0" * 4250}}}', "source.a"),
    "a longer one": (f'"source":{{"a":1{"0" * 9000}}}', "a.jsonl:3"),
    "a number for a box": (f'"images":[{{"id":"a","box":[0,0,1,1{"0" * 400}]}}]', "box.3"),
    "a width beyond 64 bits": (f'"images":[{{"id":"a","width":1{"0" * 25}}}]', "width"),
}


@pytest.fixture(scope="module")
def model(bert, tmp_path_factory):
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("bad rows") / "model"
    Model.new(small.recipe("ner", encode__text__name=bert)).save_pretrained(out)
    return str(out)


def rows(path, fault):
    """Five lines, the third of them bad."""
    lines = [json.dumps({"id": f"g{n}", "text": "Ann in Paris"}) for n in range(5)]
    lines[2] = f'{{"id":"bad","text":"Ann",{fault}}}'
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return str(path)


def run(*arguments):
    """Exit code, as `openmie` gives it, and what was said; anything but an OpenMIEError is a traceback."""
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if isinstance(result.exception, OpenMIEError):
        return 2, str(result.exception)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def five(found, fault, name):
    assert [d.id for d in found] == ["g0", "g1", "unread-3", "g3", "g4"]
    assert [len(d.errors) for d in found] == [0, 0, 1, 0, 0]
    told = str(found[2].errors[0])
    assert "a.jsonl:3" in told and name in told and found[2].errors[0].remedy
    assert ("surrogate" in told) is (HALF in fault)


@pytest.mark.parametrize("kind", FAULTS)
def test_extract_and_caption_go_on(kind, model, tmp_path, monkeypatch):
    fault, name = FAULTS[kind]
    path, out = rows(tmp_path / "a.jsonl", fault), tmp_path / "out.jsonl"
    code, said = run("extract", path, "--model", model, "--out", out)
    assert code == cli.PARTIAL, said
    found = list(files.read(out))
    five(found, fault, name)
    monkeypatch.setattr(backends, "connect", lambda *_, **__: Stub())
    code, said = run("caption", path, "--model", "stub", "--out", tmp_path / "captioned")
    assert code == cli.PARTIAL, said
    five(list(files.read(tmp_path / "captioned" / "a.jsonl")), fault, name)


@pytest.mark.parametrize("kind", FAULTS)
def test_readers_say_which_row(kind, tmp_path):
    """`convert`, `score` and `doctor` leave it out, say where it is, and exit with 3."""
    path = rows(tmp_path / "a.jsonl", FAULTS[kind][0])
    items = list(files.read_items(path))
    assert [type(i) for i in items] == [Document, Document, ErrorRecord, Document, Document]
    assert "a.jsonl:3" in str(items[2])
    for command in (("convert", path, tmp_path / "o.parquet"), ("score", path, path)):
        code, said = run(*command)
        assert code == cli.PARTIAL and "1 records of what could not be read" in said and "a.jsonl:3" in said
    assert [d.id for d in files.read(tmp_path / "o.parquet")] == ["g0", "g1", "g3", "g4"]
    code, said = run("doctor", f"jsonl:{path}")
    assert code == cli.PARTIAL and "1 records of what could not be read" in said and "a.jsonl:3" in said
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf8").splitlines()
    (tmp_path / "a.json").write_text(f"[{','.join(lines)}]", encoding="utf8")
    try:  # one list of them: all is lost where it is not JSON at all
        listed = list(files.read_items(tmp_path / "a.json", "json"))
    except CorpusError:
        return
    assert [type(i) for i in listed] == [type(i) for i in items]


@pytest.mark.parametrize(("format", "ending"), [("jsonl", "jsonl"), ("csv", "csv"), ("table", "txt")])
@pytest.mark.parametrize(
    "bad",
    [
        {"text": "x \ud800"},
        {"source": {"x": float("nan")}},
        {"source": {"x": {1, 2}}},
        {"lang": "\ud800"},
        {"id": "bad\ud800"},
    ],
)
def test_what_cannot_be_written_is_a_record_in_its_place(bad, format, ending, model, tmp_path, monkeypatch):
    """However it came about: here by a model that does as no Document may."""
    real = Model.predict

    def predict(self, documents):
        found = real(self, documents)
        found[2] = found[2].model_copy(update=bad)
        return found

    monkeypatch.setattr(Model, "predict", predict)
    path, out = rows(tmp_path / "a.jsonl", '"lang":"en"'), tmp_path / f"out.{ending}"
    code, said = run("extract", path, "--model", model, "--out", out, "--format", format)
    assert code == cli.PARTIAL, said  # also where the format has no column of it: rows are kept as JSON lines first
    ids = ["g0", "g1", "bad\\ud800" if "id" in bad else "bad", "g3", "g4"]
    text = out.read_text(encoding="utf8")
    if format == "jsonl":
        found = list(files.read(out))
        assert [d.id for d in found] == ids
        assert ["cannot be written" in str(d.errors) for d in found] == [False, False, True, False, False]
    elif format == "csv":
        told = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
        assert [r["document"] for r in told if r["kind"] == "post"] == ids
        assert [(r["document"], "cannot be written" in r["text"]) for r in told if r["kind"] == "error"] == [
            (ids[2], True)
        ]
    else:
        assert " ".join(text.split()).count("cannot be written") == 1


def test_a_score_that_is_no_number_is_that_documents_record(model, tmp_path, monkeypatch):
    real = Model.predict

    def predict(self, documents):
        found = real(self, documents)
        for d in found:
            Mention(id="m", start=0, end=3, score=float("nan") if d.id == "bad" else 0.5)
        return found

    monkeypatch.setattr(Model, "predict", predict)
    path, out = rows(tmp_path / "a.jsonl", '"lang":"en"'), tmp_path / "out.jsonl"
    code, said = run("extract", path, "--model", model, "--out", out)
    found = list(files.read(out))
    assert code == cli.PARTIAL and [d.id for d in found] == ["g0", "g1", "bad", "g3", "g4"], said
    assert [len(d.errors) for d in found] == [0, 0, 1, 0, 0] and "Mention.score" in str(found[2].errors)


def test_converting_goes_on_too(tmp_path, monkeypatch):
    good = [Document(id=f"g{n}", text="Ann") for n in range(4)]
    bad = [
        Document(id="bad", images=(Image(id="i").model_copy(update={"width": 1 << 70}),)),
        Document(id="bad", source={"a": 1}).model_copy(update={"source": {"a": float("inf")}}),
    ]
    monkeypatch.setattr(sources, "read_sources", lambda *_, **__: iter([*good[:2], *bad, *good[2:]]))
    code, said = run("convert", "from", tmp_path / "o.parquet")
    monkeypatch.undo()
    found = list(files.read(tmp_path / "o.parquet"))
    assert code == cli.PARTIAL and "cannot be written" in said
    assert [d.id for d in found] == ["g0", "g1", "bad", "bad", "g2", "g3"] and [bool(d.errors) for d in found] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]


# -- what models answer


def test_a_caption_with_half_a_character_is_a_record(tmp_path, monkeypatch):
    class Half(Stub):
        def answers(self, requests):
            for number, request in enumerate(requests):
                yield Answer(text="half \ud800" if number == 2 else f"picture {len(request.images)}")

    posts = [Document(id=str(n), text="t", images=(Image(id="i", pixels=pixels(n)),)) for n in range(5)]
    found = list(caption(posts, Half(), Captioning(name="stub")))
    assert [d.id for d in found] == list("01234") and [len(d.errors) for d in found] == [0, 0, 1, 0, 0]
    assert "surrogate" in str(found[2].errors) and "stub" not in found[2].captions and found[1].captions["stub"]

    from PIL import Image as Picture

    lines = []
    for n in range(5):
        Picture.fromarray(pixels(n)).save(tmp_path / f"{n}.png")
        lines.append(json.dumps({"text": "t", "image": f"{n}.png"}))
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf8")
    monkeypatch.setattr(backends, "connect", lambda *_, **__: Half())
    code, said = run("caption", tmp_path / "a.jsonl", "--model", "stub", "--out", tmp_path / "out")
    made = list(files.read(tmp_path / "out" / "a.jsonl"))
    assert (
        code == cli.PARTIAL
        and "surrogate" in said
        and [bool(d.captions) for d in made] == [True, True, False, True, True]
    )


def test_answers_with_half_a_character_never_raise():
    body = json.dumps({"choices": [{"message": {"content": "a \ud83d b"}, "finish_reason": "stop"}]}).encode()
    text = openai_protocol.parse_response(body, Request(prompt="x"), "openai", 0.0).text
    source = Document(id="d", text="Ada met Bo")
    for said in (text, f"Task 1 Answer: {text}\nTask 2 Answer: NER: :PER;A\ud800da:PER;Ada\nimage-entity pair: {{}}"):
        found = pfa.parse(said, ["PER"], source)
        assert Document.from_json(found.to_json()) == found
    assert [m.text for m in found.mentions] == ["A\ufffdda", "Ada"] and found.summary == "a \ufffd b"
    assert plain.replace_surrogates("\ud83d\ude00 é") == "😀 é"


# -- images


def test_boxes_of_images_that_are_not_there_or_hold_themselves():
    picture = np.zeros((9, 9, 3), np.uint8)
    whole = Image(id="whole", pixels=picture)
    inner = [Image(id=f"i{n}", kind="object", box=(0, 0, 5, 5), parent=f"i{n + 1}") for n in range(3000)]
    deep = Document(id="d", images=(whole, *inner[:-1], inner[-1].model_copy(update={"parent": "whole"})))
    assert images.image_or_crop(deep, inner[0], {}).size == (5, 5)  # a long way is no circle
    missing = Document(id="d", images=(whole, Image(id="a", kind="object", box=(0, 0, 1, 1), parent="none")))
    assert "does not have" in str(images.image_or_crop(missing, missing.images[1], {}))
    assert [r.found for r in missing.dangling()] == ["id 'none'"]
    alone = Document(id="d", images=(Image(box=(0, 0, 1, 1)), Image(id="o", kind="object", box=(0, 0, 1, 1))))
    known: dict = {}
    assert "itself" in str(images.image_or_crop(alone, alone.images[1], known)) and "itself" in str(known["main"])
    circle = alone.model_copy(
        update={"images": (Image(id="a", box=(0, 0, 1, 1), parent="b"), Image(id="b", box=(0, 0, 1, 1), parent="a"))}
    )
    assert "itself" in str(images.image_or_crop(circle, circle.images[0], {}))


def test_a_long_way_of_parents_is_looked_through_once():
    chain = tuple(Image(id=str(n), parent=str(n + 1)) for n in range(20_000))
    assert len(Document(id="d", images=chain).images) == 20_000
    with pytest.raises(DocumentError, match="lead back"):
        Document(id="d", images=(*chain, Image(id="20000", parent="3")))


# -- Parquet


def test_parquet_with_odd_rows(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    sources = ["{}", DEEP[100_000], '{"a":NaN}', f'{{"a":"{HALF}"}}', "{}"]
    pq.write_table(pa.table({"id": [f"d{n}" for n in range(5)], "source": sources}), tmp_path / "a.parquet")
    items = list(files.read_items(tmp_path / "a.parquet"))
    assert [type(i) for i in items] == [Document, ErrorRecord, ErrorRecord, ErrorRecord, Document]
    assert all(f"row {n}" in str(items[n - 1]) for n in (2, 3, 4)) and "surrogate" in str(items[3])
    text = pa.Array.from_buffers(pa.string(), 3, pa.array([b"ok", b"caf\xe9", b"ok"], pa.binary()).buffers())
    pq.write_table(pa.table({"id": ["a", "b", "c"], "text": text}), tmp_path / "b.parquet")
    items = list(files.read_items(tmp_path / "b.parquet"))
    assert [type(i) for i in items] == [Document, ErrorRecord, Document] and "row 2" in str(items[1])


def test_damaged_parquet_is_an_error_or_records(tmp_path):
    path, draw = tmp_path / "a.parquet", random.Random(7)
    files.write([Document(id=f"d{n}", text="Ann é", captions={"a": "b"}, source={"a": n}) for n in range(5)], path)
    whole = path.read_bytes()
    for _ in range(300):
        raw = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            raw[draw.randrange(len(raw))] = draw.randrange(256)
        path.write_bytes(raw)
        try:
            assert all(isinstance(i, Document | ErrorRecord) for i in files.read_items(path))
        except CorpusError as error:
            assert error.record.remedy


# -- what can be made can be written

anything = st.text(st.characters(exclude_categories=()), max_size=6)
numbers = st.floats() | st.integers() | st.sampled_from((10**400, -(10**30), 1 << 63))
values = st.recursive(
    st.none() | st.booleans() | numbers | anything | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(anything | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


box = st.tuples(*[numbers] * 4)
FEW = {
    "images": st.fixed_dictionaries(
        {},
        optional={
            "id": anything,
            "parent": anything,
            "box": box,
            "time": numbers,
            "width": numbers,
            "relevance": st.lists(st.tuples(anything, numbers), max_size=2),
        },
    ),
    "mentions": st.fixed_dictionaries(
        {"id": anything, "start": st.just(0), "end": st.integers(0, 2)},
        optional={"label": anything, "status": st.sampled_from(("located", "orphan", "unlocated")), "score": numbers},
    ),
    "regions": st.fixed_dictionaries({"image": anything, "box": box}, optional={"label": anything, "score": numbers}),
}
layers = st.fixed_dictionaries(  # built once: building it takes longer than drawing from it
    {"id": anything},
    optional={
        "text": anything,
        "captions": st.dictionaries(anything, anything, max_size=2),
        "lang": anything,
        "source": st.dictionaries(anything, values, max_size=3),
        "summary": anything,
        "times": st.lists(st.tuples(st.just(0), st.just(0), numbers, numbers), max_size=1),
        "errors": st.lists(st.fixed_dictionaries({"found": anything}), max_size=1),
        **{name: st.lists(one, max_size=2) for name, one in FEW.items()},
    },
)


def nested(n):
    found: object = 1
    for _ in range(n):
        found = [found]
    return found


def of_json_lines(document, where):
    """How it is read back: without an id it is the row of a post, which has its line's number and a note of that, a
    note where nothing is in it, and records that say where they are from."""
    if document.id:
        return document
    empty = not (document.text.strip() or document.images or document.errors)
    numbered = ErrorRecord(
        found="an empty id under 'id'",
        expected="an id, by which predictions and scores are paired",
        remedy="give it one; its number, 1, was taken",
        note=True,
    )
    told = (*document.errors, *[EMPTY] * empty, numbered)
    records = [e if e.where else e.model_copy(update={"where": where}) for e in told]
    return document.model_copy(update={"id": "1", "errors": tuple(records)})


@pytest.mark.slow
@settings(max_examples=600, deadline=None, database=None)
@given(layers)
@example({"id": ""})
@example({"id": "", "text": " ", "errors": [{"found": "x"}]})
@example({"id": "a", "source": {"a": (1, (2,), {"b": ()})}})
@example({"id": "a", "source": {"a": nested(plain.MAX_DEPTH - 1)}})
@example({"id": "a", "source": {"a": 2**14_000 - 1, "b": -(2**14_000) + 1}})
@example({"id": "a", "images": [{"width": (1 << 63) - 1}], "errors": [{"found": "\ud800", "where": "\udcff"}]})
def test_what_can_be_made_can_be_written_and_read_back(tmp_path_factory, given_layers):
    try:
        document = Document(**given_layers)
    except DocumentError as error:
        assert error.record.found and error.record.where and str(error).encode()
        return
    assert Document.from_json(output.encode_utf8(document.to_json(), "")) == document
    folder = tmp_path_factory.getbasetemp()
    lines, table = folder / "any.jsonl", folder / "any.parquet"
    assert files.write([document], lines).lost == files.write([document], table).lost == 0
    assert list(files.read(table)) == [document]
    assert list(files.read(lines)) == list(extract.read_rows(str(lines))) == [of_json_lines(document, f"{lines}:1")]


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: Document(id="d", source={"a": {"b": {1}}}), "source.a.b"),
        (lambda: Document(id="d", source={"a": [{3: 1}]}), "source.a[0]"),
        (lambda: Document(id="d", source={"a": nested(plain.MAX_DEPTH)}), "source.a[0]"),
        (lambda: Document(id="d", source={"a": 10**5000}), "source.a"),
        (lambda: Document(id="d", text="\ud800"), "Document.text"),
        (lambda: Document(id="\ud800"), "Document.id"),
        (lambda: Document(id="d", times=(TimeSpan(0, 0, 0.0, float("inf")),)), "times.0"),
        (lambda: Region(image="i", box=(0, 0, 1, float("nan"))), "Region.box.3"),
        (lambda: Mention(id="m", start=0, end=1, score=10**400), "Mention.score"),
        (lambda: Mention(id="m", start=10**5000, end="x"), "Mention.end"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_written_cannot_be_made(make, place):
    with pytest.raises(DocumentError) as error:
        make()
    assert place in error.value.record.where and error.value.record.remedy


def test_a_source_that_holds_itself_is_refused():
    source: dict = {"a": 1}
    source["b"] = source
    with pytest.raises(DocumentError):
        Document(id="d", source=source)


def test_records_can_always_be_written():
    record = ErrorRecord(where="\udcff.jsonl", found="é \ud800")
    assert record.found == "é \\ud800" and record.where == "\\udcff.jsonl"
    assert record.model_copy(update={"where": "\ud800"}).where == "\\ud800"
    assert str(CorpusError("\ud800")).encode() == b"Found \\ud800."
    tally = output.WriteReport()
    document = Document(id="d").model_copy(update={"id": b"x", "text": object()})
    assert json.loads(jsonl.document_line(document, output.Path(), tally))["id"] == "b'x'" and tally.lost == 1
