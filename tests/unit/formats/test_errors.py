"""Bad files: every format gives a record with file and place, and goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openmie.data.document import Document, Image, Mention, Region, Relation
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import registry as files
from openmie.text.bio_runs import tag_runs

ZOR = Document.from_words("a", ["Zor", "met", "Vane"], mentions=(Mention(id="m0", start=0, end=3, label="PER"),))


def outcome(items: Iterator[Document | ErrorRecord]) -> list[str]:
    """Ids of documents, places of records."""
    return [f"! {i.where}" if isinstance(i, ErrorRecord) else i.id for i in items]


def text_file(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_bad_lines_of_jsonl(tmp_path: Path) -> None:
    lines = '{"id":"a"}\r\n\r\n{"id":"b",\n{"id":"é"}\n'
    path = text_file(tmp_path / "a.jsonl", "\ufeff".encode() + lines.encode() + b"\xff\n[]")
    assert [x.split(",")[0] for x in outcome(files.read_items(path))] == [
        "a",
        f"! {path}:3",
        "é",
        f"! {path}:5",
        f"! {path}:6",
    ]
    with pytest.raises(CorpusError, match=r"a\.jsonl:3"):
        list(files.read(path))
    assert next(files.read(path)).id == "a"


def test_bad_json_lists(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.json", '[{"id":"a"},{"id":1},3]')
    found = [x.split(", Doc")[0] for x in outcome(files.read_items(path))]
    assert found == ["a", f"! {path}, item 2", f"! {path}, item 3"]
    for broken in ("[1,\n2", "\xff", '{"id": NaN}', "[" * 100_000):
        with pytest.raises(CorpusError):
            list(files.read(text_file(tmp_path / "b.json", broken.encode("latin-1"))))


def test_columns(tmp_path: Path) -> None:
    text = (
        "-DOCSTART- -X- O O\r\n\r\nZor NNP B-NP I-PER\r\nVane NNP I-NP I-PER\r\n\r\n\r\n"
        "# id = my id\r\nIn IN B-PP O\r\nSkytown NNP B-NP B-LOC\r\nZed NNP I-NP I-PER\r\n"
    )
    path = text_file(tmp_path / "news.conll", text)
    first, second = files.read(path)
    assert (first.id, first.text, second.id) == ("news:0", "Zor Vane", "my id")
    assert [(m.text, m.label, m.status) for m in first.mentions] == [("Zor Vane", "PER", "orphan")]
    assert [(m.text, m.label, m.status) for m in second.mentions] == [
        ("Skytown", "LOC", "located"),
        ("Zed", "PER", "orphan"),
    ]
    assert [m.status for d in files.read(path, scheme="iob1") for m in d.mentions] == ["located"] * 3
    assert [m.label for m in next(files.read(path, tags=2)).mentions] == ["NP"]
    with pytest.raises(CorpusError, match="Unknown scheme"):
        list(files.read(path, scheme="x"))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-A I-A O B-A B-A", [(0, 1, "A", "located"), (3, 3, "A", "located"), (4, 4, "A", "located")]),
        ("I-A I-B I-B O I-B", [(0, 0, "A", "orphan"), (1, 2, "B", "orphan"), (4, 4, "B", "orphan")]),
        ("S-A B-B I-B E-B O S-C", [(0, 0, "A", "located"), (1, 3, "B", "located"), (5, 5, "C", "located")]),
        ("U-A B-B L-B U-B", [(0, 0, "A", "located"), (1, 2, "B", "located"), (3, 3, "B", "located")]),
        ("B I O I", [(0, 1, "", "located"), (3, 3, "", "orphan")]),
        ("", []),
    ],
)
def test_chunks(tags: str, expected: list[tuple[int, int, str, str]]) -> None:
    assert list(tag_runs(tags.split())) == expected


def test_iob1_parts_neighbours() -> None:
    assert [c[:2] for c in tag_runs(["I-A", "I-A", "B-A", "I-B"], "iob1")] == [(0, 1), (2, 2), (3, 3)]


def test_bad_columns_are_records(tmp_path: Path) -> None:
    lines = b"Zor\tB-PER\n\nVane\n\nVane\tPER\n\n\tO\n\nVane\tX-PER\n\n\xff\tO\n\nZed\tO\n"
    path = text_file(tmp_path / "a.tsv", lines)
    assert outcome(files.read_items(path)) == ["a:0", *(f"! {path}:{n}" for n in (3, 5, 7, 9, 11)), "a:6"]


def test_words_that_mean_something_in_columns(tmp_path: Path) -> None:
    words = ["-DOCSTART-", "# id = x", "New York", "a\u2028b", "\u00a0"]
    written = files.write([Document.from_words("d", words)], tmp_path / "a.bio")
    back = next(files.read(tmp_path / "a.bio"))
    assert back.word_texts() == ("-DOCSTART_", *words[1:]) and len(written.records) == 1
    assert not (tmp_path / "a.bio").read_bytes().startswith(b"-DOCSTART-")


def test_mentions_that_columns_cannot_hold(tmp_path: Path) -> None:
    document = ZOR.replace(
        mentions=(
            Mention(id="inner", start=0, end=3, label="A"),
            Mention(id="outer", start=0, end=7, label="B"),
            Mention(id="part", start=9, end=11, label="C"),
            Mention(id="none", start=0, end=0, text="Zed", status="unlocated"),
        )
    )
    written = files.write([document], tmp_path / "a.conll")
    back = next(files.read(tmp_path / "a.conll"))
    assert [(m.text, m.label) for m in back.mentions] == [("Zor met", "B"), ("Vane", "C")]
    assert written.dropped["mentions"] == 2
    assert sum("'inner'" in r.found or "'part'" in r.found or "'none'" in r.found for r in written.records) == 3


def test_brat_lines(tmp_path: Path) -> None:
    text_file(tmp_path / "d.txt", "Zor met\r\nVane 😂 Zed")
    lines = [
        "R1\tpeer Arg1:T1 Arg2:T2\t",
        "T1\tPER 0 3\tZor",
        "T2\tPER 9 13\tVane",
        "T3\tX 4 13\tmet Vane",
        "T4\tX 0 3;9 13\tZor Vane",
        "T5\tX 0 3\tZed",
        "T6\tX 0 99\tZor",
        "T1\tX 0 3\tZor",
        "E1\tE:T1 Arg:T2",
        "A1\tSure T1",
        "#1\tAnnotatorNotes T1\thm",
        "*\tEquiv T1 T2",
        "R2\tpeer Arg1:T1 Arg2:T9",
        "T7",
        "nonsense",
        "",
        "T8\tPER 16 19\tZed",
    ]
    text_file(tmp_path / "d.ann", "\n".join(lines) + "\n")
    text_file(tmp_path / "lone.ann", "T1\tX 0 1\tZ")
    text_file(tmp_path / "bad.txt", b"\xff")
    bad, document, lone = files.read_items(tmp_path)
    assert isinstance(bad, ErrorRecord) and isinstance(lone, ErrorRecord) and isinstance(document, Document)
    assert [(m.id, m.text) for m in document.mentions] == [
        ("T1", "Zor"),
        ("T2", "Vane"),
        ("T3", "met\r\nVane"),
        ("T8", "Zed"),
    ]
    assert document.relations == (Relation(head="T1", tail="T2", label="peer"),)
    assert [int(e.where.rsplit(":", 1)[1]) for e in document.errors] == [5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 13]
    assert next(files.read(tmp_path / "d.ann")).mentions == document.mentions


def test_coco_of_others(tmp_path: Path) -> None:
    data: dict[str, Any] = {
        "info": {},
        "licenses": [],
        "images": [
            {"id": 5, "file_name": "a.jpg", "width": 10, "height": 8, "license": 1},
            {"file_name": "no id.jpg"},
            3,
        ],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 2, "bbox": [1, 2, 3, 4], "area": 12},
            {"id": 2, "image_id": 5, "category_id": 9, "bbox": [1, 2, 3, 4]},
            {"id": 3, "image_id": 5, "category_id": 2, "bbox": [1, 2, 3]},
            {"id": 4, "image_id": 6},
            None,
        ],
        "categories": [{"id": 2, "name": "cat", "supercategory": ""}],
    }
    path = text_file(tmp_path / "c.json", json.dumps(data))
    document, *stray = files.read_items(path)
    assert isinstance(document, Document) and document.id == "a.jpg" and len(document.errors) == 2
    assert document.regions == (Region(image="a.jpg", box=(1, 2, 4, 6), label="cat"),)
    assert [s.where.split(", ")[1] for s in stray if isinstance(s, ErrorRecord)] == [
        "images[1]",
        "images[2]",
        "annotations[3]",
        "annotations[4]",
    ]
    with pytest.raises(CorpusError, match="another shape"):
        list(files.read(text_file(tmp_path / "d.json", "[]"), "coco"))


def png(path: Path, width: int, height: int) -> None:
    from PIL import Image as Pillow

    Pillow.new("1", (width, height)).save(path)


def test_yolo_of_others(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    text_file(tmp_path / "classes.txt", "cat\r\nC:\\new\r\n")
    png(tmp_path / "images" / "p.png", 100, 50)
    lines = [
        "1 0.5 0.5 0.2 0.4",
        "0 0.5 0.5 1 1 0.75",
        "2 0.5 0.5 1 1",
        "0 50 25 10 10",
        "0 0.1 0.1",
        "x 0 0 0 0",
        "0 nan 0 0 0",
        "",
        "0 0.1 0.2 0.3 0.4 0.5 0.6",
    ]
    text_file(tmp_path / "labels" / "p.txt", "\n".join(lines))
    text_file(tmp_path / "labels" / "q.txt", "0 0.5 0.5 1 1")
    found, lost = files.read_items(tmp_path)
    assert isinstance(found, Document) and isinstance(lost, ErrorRecord) and "q" in lost.where
    assert [(r.label, r.box, r.score) for r in found.regions] == [
        ("C:\\new", pytest.approx((40, 15, 60, 35)), None),
        ("cat", (0, 0, 100, 50), 0.75),
    ]
    assert [int(e.where.rsplit(":", 1)[1]) for e in found.errors] == [3, 4, 5, 6, 7, 9]
    with pytest.raises(CorpusError, match="class names"):
        list(files.read(tmp_path / "labels", "yolo"))


def test_yolo_cuts_boxes_at_the_border_and_says_so(tmp_path: Path) -> None:
    document = Document(
        id="a",
        images=(
            Image(path="x.png", width=10, height=10),
            Image(path="y/x.png", width=4, height=4),
            Image(path="gone.png"),
        ),
        regions=(Region(image="x.png", box=(-5, 2, 20, 4)), Region(image="gone.png", box=(0, 0, 1, 1))),
    )
    written = files.write([document], tmp_path / "y", "yolo")
    back = next(files.read(tmp_path / "y"))
    assert back.regions[0].box == pytest.approx((0, 2, 10, 4)) and len(back.images) == 2
    assert dict(written.dropped) == {"images": 1, "regions": 1} and any("cut" in r.remedy for r in written.records)
    assert sorted(f.name for f in (tmp_path / "y" / "labels").iterdir()) == ["x-2.txt", "x.txt"]


def test_parquet_of_others(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ["a", None, "b"], "text": ["Zor", "x", None], "other": [1, 2, 3]}), path)
    assert outcome(files.read_items(path)) == ["a", "2", "b"]  # a row without an id is numbered
    pq.write_table(pa.table({"id": ["a"], "mentions": [[{"id": "m", "start": 0, "end": 9}]]}), tmp_path / "b.parquet")
    assert len(outcome(files.read_items(tmp_path / "b.parquet"))) == 1
    pq.write_table(pa.table({"id": ["a", "b"], "images": ["x", "y"]}), tmp_path / "c.parquet")
    assert [d.images[0].path for d in files.read(tmp_path / "c.parquet")] == [str(tmp_path / n) for n in "xy"]
    pq.write_table(pa.table({"tweet": ["a"]}), tmp_path / "d.parquet")
    text_file(tmp_path / "e.parquet", b"PAR1 no")
    for name in ("d", "e"):
        with pytest.raises(CorpusError):
            list(files.read(tmp_path / f"{name}.parquet"))


def test_parquet_streams_by_row_groups(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    files.write((ZOR.replace(id=str(n)) for n in range(250)), tmp_path / "a.parquet", rows=100)
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3
    assert [d.id for d in files.read(tmp_path / "a.parquet")] == [str(n) for n in range(250)]


def test_coco_as_others_read_it(tmp_path: Path) -> None:
    document = Document(
        id="d",
        images=(Image(path=str(tmp_path / "a.png"), id="i", width=9, height=7),),
        regions=(
            Region(image="i", box=(1, 2, 4, 6), label="dog", score=0.5),
            Region(image="i", box=(0, 0, 9, 7), label="cat"),
        ),
    )
    files.write([document], tmp_path / "c.json", "coco")
    assert json.loads((tmp_path / "c.json").read_text()) == {
        "images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 7, "document": "d", "image": "i"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0, "score": 0.5},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 7], "area": 63, "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }


def test_yolo_as_others_read_it(tmp_path: Path) -> None:
    path = tmp_path / "y"
    document = Document(
        id="d",
        images=(Image(path=str(path / "images" / "a b.png"), id="i", width=10, height=4),),
        regions=(
            Region(image="i", box=(1, 1, 4, 3), label="dog"),
            Region(image="i", box=(0, 0, 10, 4), label="cat", score=0.25),
        ),
    )
    files.write([document], path, "yolo")
    assert (path / "classes.txt").read_text() == "cat\ndog\n"
    assert (path / "labels" / "a b.txt").read_text() == (
        "1 0.250000000 0.500000000 0.300000000 0.500000000\n0 0.500000000 0.500000000 1.000000000 1.000000000 0.25\n"
    )
