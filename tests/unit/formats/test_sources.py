"""Posts of every kind of source come out the same: tables, Parquet, folders, standard input, several at once."""

from __future__ import annotations

import datetime
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.cli import base_options
from openmie.data.document import Document
from openmie.datasets.audit.doctor import examine
from openmie.errors import CorpusError, ErrorRecord, OpenMIEError
from openmie.formats import registry as files
from openmie.formats.sources import read_sources
from openmie.model.features.encoded_document import with_masked


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in "ab":
        Picture.new("RGB", (20, 10), (200, ord(name), 0)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path


def documents(*sources: str, **options: Any) -> list[Document]:
    found = list(read_sources(sources, **options))
    assert all(isinstance(d, Document) for d in found), found
    return [d for d in found if isinstance(d, Document)]


def lines(path: str, *rows: object) -> str:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def images(document: Document) -> list[str]:
    return [Path(i.path).name for i in document.images]


def test_parquet_of_any_columns(here: Path) -> None:
    when = datetime.datetime(2026, 1, 2)
    columns = {
        "tweet": ["Ada", "Bo", None],
        "photo": [["photos/a.png", "photos/b.png"], None, None],
        "likes": [1.0, float("nan"), None],
        "when": [when] * 3,
        "n": [5, 6, 7],
    }
    pq.write_table(pa.table(columns), "p.parquet")
    first, second, empty = documents("p.parquet", text_column="tweet", image_column="photo", id_column="n")
    assert (first.id, first.text, images(first)) == ("5", "Ada", ["a.png", "b.png"])
    assert first.source == {"likes": 1.0, "when": "2026-01-02T00:00:00"} and second.source["likes"] is None
    assert empty.id == "7" and empty.errors[0].note and "empty post" in empty.errors[0].found
    with pytest.raises(CorpusError, match="tweet"):
        read_sources(["p.parquet"], id_column="no")
    pq.write_table(
        pa.table({"text": ["Ada"], "image": [{"bytes": b"x", "path": "photos/a.png"}], "raw": [b"y"]}), "q.pq"
    )
    (told,) = documents("q.pq")
    assert images(told) == ["a.png"] and not told.errors[0].note and "'raw'" in told.errors[0].found


def test_columns_that_are_called_as_layers_travel_along(here: Path) -> None:
    row = {"text": "Ada", "source": "web", "mentions": 2, "words": 7, "model": "m", "version": 3, "errors": ["a"]}
    (found,) = documents(lines("p.jsonl", row))
    assert found.source == {k: v for k, v in row.items() if k != "text"} and not found.mentions
    (found,) = documents(lines("p.jsonl", {"text": "Ada", "url": "new", "source": {"url": "old"}}))
    assert found.source == {"url": "old", "url_": "new"}
    (bad,) = read_sources([lines("p.jsonl", {"text": "Ada", "mentions": [{"start": 0}]})])
    assert isinstance(bad, ErrorRecord)  # gold that cannot be read is told, and no column


def test_what_commands_say_themselves_is_no_column(here: Path) -> None:
    """Columns called as what doctor and predictions keep in `source`."""
    assert with_masked({"masked": 1}, ["vision"]) == {"masked_": 1, "masked": ["vision"]}
    assert with_masked({"masked": ["text"]}, []) == {} and with_masked({"masked": 1}, []) == {"masked": 1}
    rows = {"text": "Ada", "boxes": "3", "turned_relations": "x", "imgid": "1", "filename": "2", "video": 4}
    lines("p.jsonl", rows)
    report = examine("p.jsonl")
    assert not report.findings and not report.records and report.count("boxes", "test") == 0


def test_ids(here: Path) -> None:
    rows = [{"id": id, "text": "x"} for id in (5, 5.0, "5", "", {"a": 1}, [], True, 1.5)]
    found = list(read_sources([lines("p.jsonl", *rows)]))
    kept = [d for d in found if isinstance(d, Document)]
    assert [d.id for d in kept] == ["5", "5", "5", "4"] and [len(d.errors) for d in kept] == [0, 1, 1, 1]
    assert kept[3].errors[0].note and "empty id" in kept[3].errors[0].found
    assert all(d.errors[0].note and "earlier" in d.errors[0].found for d in kept[1:3])
    assert all(isinstance(r, ErrorRecord) and "an id that is" in r.found for r in found[4:])


def test_empty_posts_are_told(here: Path) -> None:
    first, *others = list(read_sources([lines("p.jsonl", {}, {"text": " "}, {"text": None, "likes": 3})]))
    assert isinstance(first, ErrorRecord) and "empty post" in first.found
    assert all(isinstance(d, Document) and d.errors[0].note and "empty post" in d.errors[0].found for d in others)


def test_tables_lose_no_row_to_a_quote(here: Path) -> None:
    text = 'id,text,image\n1,"Ada, ""the"" first",photos/a.png|photos/b.png\n2,"never closed,\n3,Bo "B" Cy,\n'
    text += "4,a,b,c,d\n5,,\n"
    Path("p.csv").write_text(text + "6," + "x" * 200_000 + ",\n")
    one, two, three, four, five, six = read_sources(["p.csv"])
    assert isinstance(one, Document) and one.text == 'Ada, "the" first' and images(one) == ["a.png", "b.png"]
    assert isinstance(two, Document) and two.errors[0].note and "quote" in two.errors[0].found
    assert isinstance(three, Document) and three.text == 'Bo "B" Cy' and not three.errors
    assert isinstance(four, ErrorRecord) and "5 cells under 3 columns" in four.found and four.where == "p.csv:5"
    assert isinstance(five, Document) and (five.id, five.text) == ("5", "") and "empty post" in five.errors[0].found
    assert isinstance(six, Document) and len(six.text) == 200_000
    Path("q.csv").write_text("document,kind,id,label,text,start,end,head,tail,image,box,score,status\n")
    with pytest.raises(CorpusError):
        list(read_sources(["q.csv"], text_column="nothing"))


def test_a_folder_of_images(here: Path) -> None:
    Path("photos/a.txt").write_text("\ufeffAda in Turin\n")
    Path("photos/in").mkdir()
    Picture.new("L", (3, 3)).save("photos/in/a.JPG", "JPEG")
    Path("photos/.DS_Store").touch()
    Path("photos/notes.pdf").touch()
    a, b, inner = documents("photos")
    assert [(d.id, d.text, images(d)) for d in (a, b)] == [("a", "Ada in Turin", ["a.png"]), ("b", "", ["b.png"])]
    assert (inner.id, images(inner)) == ("in/a", ["a.JPG"])
    assert [e.note for e in a.errors] == [True] and "notes.pdf" in a.errors[0].found
    lines("photos/rows.jsonl", {"text": "x", "image": "a.png"})  # with files of posts it stands for these
    assert [(d.text, images(d)) for d in documents("photos")] == [("x", ["a.png"])]


def test_several_sources_and_patterns(here: Path) -> None:
    lines("a.jsonl", {"text": "Ada"}, {"id": "x", "text": "Bo"})
    Path("b.csv").write_text("text\nCy\n")
    Path("c.txt").write_text("Dee\n")
    found = documents("*.jsonl", "b.csv", "c.txt", "photos", images="photos")
    assert [d.id for d in found] == ["a:1", "x", "b:1", "c:1", "photos:a", "photos:b"]
    for wrong in (["none.csv"], ["no*.csv"], ["a.jsonl", "none"], ["-", "-"]):
        with pytest.raises(CorpusError):
            read_sources(wrong)
    assert documents("a.jsonl", "./a.jsonl")[0].id == "a.jsonl:1"


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b'{"text": "Ada"}\n', ["Ada"]),
        (b'[{"text": "Ada"}, {"text": "Bo"}]', ["Ada", "Bo"]),
        (b"id;text\n1;Ada\n", ["Ada"]),
        (b"id\ttext\n1\tAda\n", ["Ada"]),
        (b"Ada\tB-PER\nspoke\tO\n", ["Ada spoke"]),
    ],
)
def test_standard_input(data: bytes, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]
    assert [d.text for d in documents("-")] == texts


def test_standard_input_by_its_format(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"text": ["Ada"]}), "p.parquet")
    for data, format in ((Path("p.parquet").read_bytes(), None), (b"Ada\n", "text")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert [d.text for d in documents("-", format=format)] == ["Ada"]


def test_plain_text_and_columns_of_tags_are_told_apart(here: Path) -> None:
    Path("a.txt").write_text("Ada\tB-PER\nspoke\tO\n\nBo\tO\n")
    Path("b.txt").write_text("Ada spoke O\nBo is here\nCy is there\nDee too\nEve, and\nFay\n")
    Path("c.tsv").write_text("id\ttext\n1\tAda\n")
    assert [files.guess(p, reading=True) for p in ("a.txt", "b.txt", "c.tsv")] == ["conll", "text", "csv"]


def test_urls_and_absolute_paths(here: Path) -> None:
    inside = str(here / "photos" / "a.png")
    lines("p.jsonl", {"text": "x", "image": "https://example.org/a.jpg"}, {"text": "y", "image": inside})
    url, absolute = documents("p.jsonl", images="photos")
    assert not url.images[0].path and "a URL" in url.errors[0].found and "nothing is fetched" in url.errors[0].expected
    assert absolute.images[0].path == inside and not absolute.errors
    assert "--image-dir" in documents("p.jsonl")[1].errors[0].remedy


def test_extract_looks_at_its_input_before_a_model_is_loaded(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_options, "load_models", lambda *_, **__: pytest.fail("a model was loaded"))
    Path("p.csv").write_text("id,tweet\n1,Ada\n")
    for arguments in (["none.jsonl"], ["p.csv"], ["p.csv", "--text-column", "twet"]):
        result = CliRunner().invoke(cli.app, ["extract", *arguments])
        assert isinstance(result.exception, OpenMIEError), result.output


def test_doctor_and_convert_read_bare_files(here: Path) -> None:
    Path("p.csv").write_text("id,text,image\n1,Ada,photos/a.png\n2,Bo,photos/none.png\n")
    result = CliRunner().invoke(cli.app, ["doctor", "p.csv"])
    assert result.exit_code == cli.PARTIAL and "none.png" in result.output and "documents          2" in result.output
    lines("bad.jsonl", *[{"txet": "x"}] * 3)
    result = CliRunner().invoke(cli.app, ["doctor", "bad.jsonl", "p.csv"])
    assert result.exit_code == cli.PARTIAL and "4 records" in result.output
