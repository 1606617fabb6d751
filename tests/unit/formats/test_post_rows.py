"""Posts as rows: the same columns for every command, others travel along, tables and text are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from openmie.data.document import USER_CAPTION, Document
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import registry as files
from openmie.formats.post_columns import USUAL, PostColumns
from openmie.inference import pipeline

ROW = {"text": "Kei near Oslo", "image": "a.png", "caption": "a street", "url": "x/1", "likes": 3}


def rows(folder: Path, *made: object, name: str = "posts.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


def documents(path: Path, columns: PostColumns = USUAL) -> list[Document]:
    found = list(pipeline.read_posts(str(path), None, columns))
    assert all(isinstance(d, Document) for d in found), found
    return [d for d in found if isinstance(d, Document)]


def test_every_command_reads_the_same_rows(tmp_path: Path) -> None:
    path = rows(tmp_path, ROW, {"id": 7, **ROW}, {"text": "Bo"})
    extracted = documents(path)
    assert [d.id for d in extracted] == ["1", "7", "3"] and extracted[0].source == {"url": "x/1", "likes": 3}
    assert extracted[0].captions == {USER_CAPTION: "a street"} and extracted[0].images[0].path.endswith("a.png")
    assert list(files.read(path)) == extracted
    assert list(corpora.load(f"jsonl:{path}").split("test")) == extracted
    assert [list(x) for x in pipeline.open_sources(str(path), None, None)[0].values()] == [extracted]
    done = CliRunner().invoke(cli.app, ["convert", str(path), str(tmp_path / "out.jsonl")])
    assert done.exit_code == 0 and list(files.read(tmp_path / "out.jsonl")) == extracted  # columns come out again


def test_what_is_no_row_is_told(tmp_path: Path) -> None:
    bad = [
        {"id": "1", "image_id": "1.jpg", "tweet": "Kei", "label": ["B-PER"]},
        {"id": "2", "text": "Kei", "mentoins": []},
        {"id": "3", "text": 5, "url": "x"},
        {},
        {"text": "Kei", "image": 3},
    ]
    path = rows(tmp_path, *bad, name="train.json")
    for found in (list(files.read_items(path)), list(pipeline.read_posts(str(path)))):
        assert all(isinstance(r, ErrorRecord) and f"train.json:{n}" in r.where for n, r in enumerate(found, 1))
    said = [str(r) for r in files.read_items(path)]
    assert "'tweet'" in said[0] and "--text-column" in said[0] and "mentions" in said[1]


def test_tables_and_text(tmp_path: Path) -> None:
    columns = PostColumns(text="tweet", image="photo", id="n")
    (tmp_path / "a.csv").write_text('\ufeffn;tweet;photo;date\n5;"Kei; near\nOslo";a.png;Monday\n6;Bo;;\n')
    (tmp_path / "a.tsv").write_text('n\ttweet\tphoto\tdate\n5\t"Kei; near\nOslo"\ta.png\tMonday\n6\tBo\t\t\n')
    for name in ("a.csv", "a.tsv"):
        first, second = documents(tmp_path / name, columns)
        assert (first.id, first.text, first.source) == ("5", "Kei; near\nOslo", {"date": "Monday"})
        assert first.images[0].path == str(tmp_path / "a.png") and second.text == "Bo" and not second.images
    with pytest.raises(CorpusError, match="--text-column"):
        documents(tmp_path / "a.csv")
    (tmp_path / "a.txt").write_text("Kei near Oslo\n\nBo, too\n")
    assert [(d.id, d.text) for d in documents(tmp_path / "a.txt")] == [("1", "Kei near Oslo"), ("3", "Bo, too")]
    (tmp_path / "a.json").write_text(json.dumps([ROW, {"text": "Bo", "image": ["a.png", "b.png"]}]))
    first, second = documents(tmp_path / "a.json")
    assert first.source["likes"] == 3 and [i.id for i in second.images] == ["main", "image2"]


def test_a_row_that_is_no_csv_is_a_record_and_the_others_are_read(tmp_path):
    long = "x" * 200_000
    (tmp_path / "a.csv").write_bytes(f'text,id\nMira,1\n"a"b\rc,2\n{long},3\nBo,4\n'.encode())
    found = list(pipeline.read_posts(str(tmp_path / "a.csv")))
    assert [d.text for d in found if isinstance(d, Document)][:1] == ["Mira"]
    assert [d.text for d in found if isinstance(d, Document)][-1:] == ["Bo"]
    assert any("no CSV" in e.found for e in found if isinstance(e, ErrorRecord))


@pytest.mark.parametrize(
    "name, rows",
    [
        ("a.jsonl", '{"id": "", "text": "Ada"}\n{"text": "Bo"}\n{"id": "x", "text": "Cleo"}\n'),
        ("a.jsonl", '{"id": "", "text": "Ada", "mentions": []}\n{"id": "2", "text": "Bo"}\n{"id": "x", "text": "C"}\n'),
        ("a.csv", "id,text\n,Ada\n2,Bo\nx,Cleo\n"),
        ("a.jsonl", '{"id": null, "text": "Ada"}\n{"text": "Bo"}\n{"id": "x", "text": "Cleo"}\n'),
    ],
)
def test_an_empty_id_is_noted_with_the_number_that_it_becomes(tmp_path, name, rows):
    (tmp_path / name).write_text(rows, encoding="utf8")
    first, second, third = pipeline.read_posts(str(tmp_path / name))
    assert [first.id, second.id, third.id] == ["1", "2", "x"] and not second.errors and not third.errors
    (told,) = first.errors
    assert told.note and told.found == "an empty id under 'id'" and "number, 1, was taken" in told.remedy
    assert name in told.where
