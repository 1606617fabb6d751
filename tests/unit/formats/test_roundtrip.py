"""Every format of the registry: what it holds comes back, what it cannot hold is reported.

`ROUND_TRIPS` has a row per format: a format of the registry without one fails `test_every_format_has_a_round_trip`.
"""

from __future__ import annotations

import csv
import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openmie.data.document import Document, Image, Mention, Region, Status
from openmie.errors import CorpusError
from openmie.formats import csv_table as table
from openmie.formats import registry as files
from openmie.formats import voc
from openmie.formats.span_edges import trim_span
from tests.fixtures.strategies import corpora, documents, labels

THOUSAND = settings(
    max_examples=220, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)  # corpora() holds 4 to 5 documents: 1,000 in all
FEW = settings(THOUSAND, max_examples=25)


def placed(documents: Sequence[Document], folder: Path) -> list[Document]:
    """The same with their images in `folder`."""

    def moved(document: Document) -> tuple[Image, ...]:
        return tuple(i.model_copy(update={"path": str(folder / i.path)}) for i in document.images)

    return [d.model_copy(update={"images": moved(d)}) for d in documents]


def there_and_back(
    documents: Sequence[Document], format: str, **options: Any
) -> tuple[list[Document], list[Document], Any]:
    """The documents with their images placed, what was read back, and the report."""
    with tempfile.TemporaryDirectory() as name:
        row = ROUND_TRIPS[format]
        path = Path(name) / row.path
        there = placed(documents, path if row.images_inside else path.parent)
        written = files.write(there, path, format, **options)
        layer = {"layer": "predictions"} if options.get("predictions") else {}
        return there, list(files.read(path, format, **layer)), written


def scored(document: Document) -> list[Any]:
    """All scores, which take no part in equality."""
    layers: tuple[Any, ...] = (document.mentions, document.chains, document.relations, document.regions)
    return [[x.score for x in layer] for layer in layers]


def sizes_only(document: Document, *extra: str) -> list[dict[str, Any]]:
    return [{k: getattr(i, k) for k in ("path", "id", "width", "height", *extra)} for i in document.images]


def boxes(document: Document, *extra: str) -> list[tuple[Any, ...]]:
    """Regions without their boxes, by image; boxes are compared apart, for they come back rounded."""
    return [(r.image, r.label, r.score, *(getattr(r, k) for k in extra)) for r in by_image(document)]


def by_image(document: Document) -> list[Region]:
    order = {i.id: n for n, i in enumerate(document.images)}
    return sorted(document.regions, key=lambda r: order[r.image])


def same_boxes(a: Document, b: Document, error: float) -> bool:
    pairs = [(x, y) for r, s in zip(by_image(a), by_image(b)) for x, y in zip(r.box, s.box)]
    return len(a.regions) == len(b.regions) and all(abs(x - y) <= error for x, y in pairs)


def all_comes_back(made: list[Document], format: str) -> None:
    there, back, written = there_and_back(made, format)
    assert back == there
    assert [scored(d) for d in back] == [scored(d) for d in there]
    assert [d.to_json() for d in back] == [d.to_json() for d in there]
    assert written.documents == len(made) and not written.dropped and not written.records


def text_annotation_comes_back(made: list[Document], format: str) -> None:
    """brat: located mentions, renamed T1, T2, ..., and the relations between them."""
    _, back, _ = there_and_back(made, format)
    found = {d.id: d for d in back}
    for document in made:
        kept = [m for m in document.mentions if m.status != "unlocated"]
        names = {m.id: f"T{n}" for n, m in enumerate(kept, 1)}
        spans = {m.id: trim_span(document.text, m.start, m.end) for m in kept}
        mentions = [
            Mention(id=names[m.id], start=a, end=b, label=m.label, text=document.text[a:b])
            for m in kept
            for a, b in [spans[m.id]]
        ]
        links = [
            (names[r.head], names[r.tail], r.label) for r in document.relations if r.head in names and r.tail in names
        ]
        twin = found[document.id]
        assert (twin.text, list(twin.mentions)) == (document.text, mentions) and all(e.note for e in twin.errors)
        assert bool(twin.errors) == any(spans[m.id] != (m.start, m.end) for m in kept)
        assert [(r.head, r.tail, r.label) for r in twin.relations] == links


def boxes_come_back(error: float) -> Callable[[list[Document], str], None]:
    """Images with their sizes, and boxes to within `error` pixels."""

    def check(made: list[Document], format: str) -> None:
        there, back, written = there_and_back(made, format)
        there = [d for d in there if d.images]
        assert [d.id for d in back] == [d.id for d in there] and written.documents == len(there)
        for a, b in zip(there, back):
            assert sizes_only(a) == sizes_only(b) and boxes(a) == boxes(b) and same_boxes(a, b, error)
            assert not b.errors and not b.text

    return check


def inside(box: tuple[float, ...], width: int, height: int) -> tuple[float, ...]:
    """The part of a box that lies in the image, to three decimals; nothing where it has no area."""
    a, b, c, d = (round(x, 3) for x in (max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)))
    return (a, b, c, d) if a < c and b < d else ()


def voc_comes_back(made: list[Document], format: str) -> None:
    """Documents and images come back by what is written in `source`; in the order of file names, without scores."""
    there, back, _ = there_and_back(made, format)
    found = {d.id: d for d in back}
    for a in (d for d in there if d.images):
        b = found[voc.xml_text(a.id)]
        names = {voc.xml_text(i.id): (i.width, i.height) for i in a.images}
        assert {i.id: (i.width, i.height) for i in b.images} == names and not b.errors
        sizes = {i.id: (i.width, i.height) for i in a.images}
        kept = [(r, inside(r.box, *sizes[r.image])) for r in a.regions]
        wanted = sorted((voc.xml_text(r.image), voc.xml_text(r.label), *box) for r, box in kept if box)
        got = sorted((r.image, r.label, *r.box) for r in b.regions)
        assert [x[:2] for x in got] == [x[:2] for x in wanted]
        assert all(abs(x - y) < 1e-3 for g, w in zip(got, wanted) for x, y in zip(g[2:], w[2:]))


def tasks_come_back(made: list[Document], format: str) -> None:
    """Label Studio: located mentions, relations between them, and boxes, as annotations and as predictions."""
    for predictions in (False, True):
        _tasks_come_back(*there_and_back(made, format, predictions=predictions, served=predictions)[:2])


def _tasks_come_back(there: list[Document], back: list[Document]) -> None:
    for a, b in zip(there, back, strict=True):
        kept = {m.id for m in a.mentions if m.status != "unlocated"}
        assert (a.id, a.text) == (b.id, b.text) and all(e.note for e in b.errors)
        assert [(m.id, *trim_span(a.text, m.start, m.end), m.label, m.score) for m in a.mentions if m.id in kept] == [
            (m.id, m.start, m.end, m.label, m.score) for m in b.mentions
        ]
        assert [r for r in a.relations if {r.head, r.tail} <= kept] == list(b.relations)
        assert sizes_only(a, "kind") == sizes_only(b, "kind") and same_boxes(a, b, 1e-6)
        untied = [r if r.of in kept else r.model_copy(update={"of": ""}) for r in a.regions]
        assert boxes(a.model_copy(update={"regions": tuple(untied)}), "of") == boxes(b, "of")


@st.composite
def tagged(draw: st.DrawFn) -> Document:
    """A document of words joined by blanks whose mentions are runs of whole words, as CoNLL columns hold it."""
    whole = draw(documents())
    words = list(whole.word_texts()) or ["Zor", "New York", "-"]
    document = Document.from_words(whole.id, words)
    mentions: list[Mention] = []
    at, label = 0, ""
    while at < len(words):
        end = draw(st.integers(at, min(at + 3, len(words))))
        if end > at:
            last, label = label, draw(labels)
            joins = bool(mentions) and mentions[-1].end + 1 == document.words[at].start and last == label
            statuses: tuple[Status, ...] = ("located",) if joins else ("located", "orphan")
            status = draw(st.sampled_from(statuses))
            mentions.append(
                Mention(
                    id=f"m{len(mentions)}",
                    start=document.words[at].start,
                    label=label,
                    status=status,
                    end=document.words[end - 1].end,
                )
            )
        at = max(end, at + 1)
    return document.replace(mentions=tuple(mentions))


def columns_come_back(made: list[Document], format: str) -> None:
    _, back, written = there_and_back(made, format)
    assert back == made and not written.records and not written.dropped


def lists_come_back(made: list[Document], format: str) -> None:
    there, back, _ = there_and_back(made, format)
    assert [d.to_json() for d in back] == [d.to_json() for d in there]


def table_has_a_row_for_each(made: list[Document], format: str) -> None:
    """csv is written of predictions and read of posts; its rows are counted by a reader of the standard library."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.csv"
        written = files.write(made, path, format)
        rows = list(csv.DictReader(path.open(encoding="utf-8", newline="")))
    layers = [
        (d.mentions, d.chains, d.relations, d.regions, d.records, d.errors, (d,), (d,) if d.summary else (),
         [name for m in d.mentions for name in m.attributes])
        for d in made
    ]  # fmt: skip
    assert len(rows) == sum(len(layer) for document in layers for layer in document)
    assert written.documents == len(made)


def lines_come_back(made: list[Document], format: str) -> None:
    """Plain text is read only: a post for each line that is not blank."""
    texts = [t for d in made for t in re.split(r"[\r\n]", d.text) if t.strip()]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.txt"
        path.write_bytes("\n".join(["first", *texts]).encode())
        assert [d.text for d in files.read(path, format)] == ["first", *texts]


def names_come_back(made: list[Document], format: str) -> None:
    """A folder of images is read only: a post for each name, with the text beside it."""
    with tempfile.TemporaryDirectory() as name:
        for number, document in enumerate(made):
            (Path(name) / f"{number:04}.png").touch()
            (Path(name) / f"{number:04}.txt").write_bytes(document.text.encode())
        back = list(files.read(name, format))
    plain = [re.sub(r"\r\n", "\n", d.text.removeprefix("\ufeff")).strip("\n") for d in made]
    assert [(d.id, len(d.images)) for d in back] == [(f"{n:04}", 1) for n in range(len(made))]
    assert [d.text for d, text in zip(back, plain) if "\r" not in text] == [t for t in plain if "\r" not in t]


ANY = corpora()


@dataclass(frozen=True)
class RoundTrip:
    """A row: file or folder, the law, and what it is tried on; rows with the same strategy are tried on the same."""

    path: str
    law: Callable[[list[Document], str], None]
    documents: st.SearchStrategy[list[Document]] = ANY
    one_in: int = 1  # corpora: the law is tried on all, on every second, ...
    images_inside: bool = False  # images lie in the folder that is written, not beside the file


ROUND_TRIPS = {
    "jsonl": RoundTrip("a.jsonl", all_comes_back),
    "json": RoundTrip("a.json", lists_come_back, one_in=8),
    "parquet": RoundTrip("a.parquet", all_comes_back),
    "conll": RoundTrip(
        "a.conll", columns_come_back, st.lists(tagged(), min_size=1, max_size=10, unique_by=lambda d: d.id)
    ),
    "brat": RoundTrip("brat", text_annotation_comes_back),
    "coco": RoundTrip("coco.json", boxes_come_back(1e-6)),
    "yolo": RoundTrip("yolo", boxes_come_back(1e-3), images_inside=True),
    "voc": RoundTrip("voc", voc_comes_back, one_in=2, images_inside=True),
    "labelstudio": RoundTrip("tasks.json", tasks_come_back, one_in=2),
    "csv": RoundTrip("a.csv", table_has_a_row_for_each, one_in=8),
    "text": RoundTrip("a.txt", lines_come_back, one_in=8),
    "images": RoundTrip("a", names_come_back, one_in=8),
}


def test_every_format_has_a_round_trip() -> None:
    assert set(ROUND_TRIPS) == set(files.FORMATS)
    assert [name for name, row in ROUND_TRIPS.items() if row.documents is not ANY] == ["conll"]


def each(formats: Iterable[str], law: Callable[[str], None]) -> None:
    """Drawing takes longer than most formats do, so all are tried on the same; the error names the format."""
    for format in formats:
        try:
            law(format)
        except Exception as error:
            error.add_note(f"format {format}")
            raise


@pytest.mark.slow
@THOUSAND
@given(ANY)
def test_round_trip(made: list[Document]) -> None:
    text = "".join(d.text for d in made).encode("utf8", "surrogatepass")
    number = zlib.crc32(text)  # of the corpus, the same when it is tried again
    rows = (n for n, row in ROUND_TRIPS.items() if row.documents is ANY and number % row.one_in == 0)
    each(rows, lambda format: ROUND_TRIPS[format].law(made, format))


@pytest.mark.slow
@settings(THOUSAND, max_examples=180)
@given(ROUND_TRIPS["conll"].documents)
def test_round_trip_of_conll(made: list[Document]) -> None:
    ROUND_TRIPS["conll"].law(made, "conll")


@FEW
@given(corpora())
def test_conll_settles(made: list[Document]) -> None:
    """Of any documents the first writing loses what it reports, and nothing is lost after it."""
    _, once, first = there_and_back(made, "conll")
    _, twice, second = there_and_back(once, "conll")
    assert once == twice and not second.records
    made = [d for d in made if d.text.strip()]
    assert sum(len(d.mentions) for d in made) == sum(len(d.mentions) for d in once) + first.dropped.get("mentions", 0)


def bytes_of(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path.parent)): f.read_bytes() for f in sorted([path, *path.rglob("*")]) if f.is_file()}


@FEW
@given(corpora())
def test_same_documents_same_bytes(made: list[Document]) -> None:
    each([n for n, row in files.FORMATS.items() if row.writer], lambda format: same_bytes(made, format))


def same_bytes(made: list[Document], format: str) -> None:
    found, row = [], ROUND_TRIPS[format]
    for _ in range(2):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / row.path
            as_they_are = format == "csv"  # csv has the paths of images, wherever they lie
            there = made if as_they_are else placed(made, path if row.images_inside else path.parent)
            files.write(there, path, format)
            found.append(bytes_of(path))
    assert found[0] == found[1] and found[0]


def plain(document: Document) -> dict[str, list[Any]]:
    """What each layer says, without ids and places."""
    text: Callable[[str], str] = lambda id: getattr(document.find(id), "text", "")  # noqa: E731
    return {
        "text": [document.text] if document.text else [],
        "words": list(document.words),
        "mentions": sorted((m.text, m.label) for m in document.mentions),
        "mentions.status": sorted(m.status for m in document.mentions if m.status != "located"),
        "mentions.score": sorted(m.score for m in document.mentions if m.score is not None),
        "chains": [c.label for c in document.chains],
        "images": [(i.id, i.width, i.height) for i in document.images],
        "images.kind": [i.kind for i in document.images if i.kind != "main"],
        "images.time": [i.time for i in document.images if i.time is not None],
        "images.relevance": [i.relevance for i in document.images if i.relevance],
        "relations": sorted((text(r.head), text(r.tail), r.label) for r in document.relations),
        "relations.score": sorted(r.score for r in document.relations if r.score is not None),
        "regions": sorted((r.image, r.label) for r in document.regions),
        "regions.of": sorted(r.of for r in document.regions if r.of),
        "phrases": list(document.phrases),
        "captions": sorted(document.captions.items()),
        "summary": [document.summary],
        "times": list(document.times),
        "lang": [document.lang],
        "source": sorted(document.source),
        "errors": [e for e in document.errors if not e.note],
    }


@FEW
@given(corpora(most=1))
def test_every_loss_is_told(made: list[Document]) -> None:
    both = (n for n, row in files.FORMATS.items() if row.reader and row.writer and n != "csv")  # read as posts
    each(both, lambda format: loss_is_told(made, format))


def trimmed(document: Document) -> Document:
    """With spans that end with words."""
    spans = [(m, *trim_span(document.text, m.start, m.end)) for m in document.mentions]
    cut = [
        m if (a, b) == (m.start, m.end) else m.model_copy(update={"start": a, "end": b, "text": document.text[a:b]})
        for m, a, b in spans
    ]
    return document.model_copy(update={"mentions": tuple(cut)})


def loss_is_told(made: list[Document], format: str) -> None:
    """A layer that comes back changed is counted in the report, or a record of the report names the change."""
    there, back, written = there_and_back(made, format)
    if not back:
        assert written.dropped["documents"] == 1 and written.records
        return
    said_so = any(e.note for e in back[0].errors)  # the reader, of spans that it trimmed
    before, after = plain(trimmed(there[0]) if said_so else there[0]), plain(back[0])
    for layer, said in before.items():
        told = {layer, layer.split(".")[0]} & set(written.dropped) or (
            format == "conll" and (written.records or "text" in written.dropped or layer == "words")
        )
        assert said == after[layer] or told, (layer, said, after[layer], written)


def test_each_row_of_the_registry_names_what_is_there() -> None:
    for name, row in files.FORMATS.items():
        functions = [f for f in (row.reader, row.writer, row.sniff, row.folder_test) if f]
        assert functions and all(callable(row.function(f)) for f in functions)
        assert row.suffixes or row.folder or row.sniff or row.folder_test or name == "text"
        assert not row.can_be_corpus or row.reader
    for suffix in (s for row in files.FORMATS.values() for s in row.suffixes):
        assert sum(suffix in row.suffixes for row in files.FORMATS.values()) == 1
    with pytest.raises(CorpusError, match="cannot be written"):
        files.write([], "a.txt", "text")


def test_what_a_format_cannot_hold_is_of_the_document() -> None:
    layers = {
        "records": "Record",
        "chains": "Chain",
        "images": "Image",
        "mentions": "Mention",
        "regions": "Region",
        "relations": "Relation",
    }
    import openmie.data.document as module

    for format in files.FORMATS:
        for name in files.cannot_hold(format):
            layer, _, part = name.partition(".")
            assert layer in Document.model_fields and (not part or part in getattr(module, layers[layer]).model_fields)
    assert {name.partition(".")[0] for name in table.CANNOT_HOLD} <= set(Document.model_fields)
