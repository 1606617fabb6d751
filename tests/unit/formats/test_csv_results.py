"""The table of results is read back as the documents that it was written of, as far as it holds them."""

import pytest
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import ErrorRecord
from openmie.formats import csv_results, csv_table, registry


def result(i=1, **more):
    layers = {
        "text": "=Ada met\r\n\"Bo\", and 'Ada'",
        "mentions": (
            Mention(id="m0", start=1, end=4, label="PER", score=0.5),
            Mention(id="m1", start=11, end=13, label="PER"),
            Mention(id="m2", start=0, end=0, label="ORG", text="NASA", status="unlocated"),
        ),
        "chains": (Chain(id="c0", mentions=("m0", "m1"), label="PER"),),
        "relations": (Relation(head="m0", tail="m1", label="knows", score=0.25),),
        "images": (Image(path="a.png", id="main"), Image(path="b.png", id="detail")),
        "regions": (
            Region(image="detail", box=(1, 2, 3.5, 4), label="PER", of="m0", score=1.0),
            Region(image="main", box=(0, 0, 5, 5), label="WORDS", text="STOP"),
        ),
        "summary": "They meet.",
        "source": {"url": "=x", "score": "-1", "note": "n"},
        "errors": (ErrorRecord(found="a thing"), ErrorRecord(found="another", note=True)),
        **more,
    }
    return Document(id=f"d{i}", **layers)


@pytest.mark.parametrize(
    "documents",
    [[result(1), result(2, source={}, errors=())], [Document(id="p", text="x"), Document(id="q")], [result(1)] * 3],
)
def test_what_the_table_holds_comes_back(tmp_path, documents, monkeypatch):
    monkeypatch.setattr(csv_table, "HEAD_POSTS", 3)
    registry.write(documents, tmp_path / "r.csv")
    found = list(csv_results.read_results(tmp_path / "r.csv"))
    assert [d.to_json() for d in found if isinstance(d, Document)] == [
        d.replace(
            images=[i.model_copy(update={"path": str(tmp_path / i.path)}) for i in d.images],
            errors=[e.model_copy(update={"found": str(e)}) for e in d.errors],
        ).to_json()
        for d in documents
    ]


@pytest.mark.parametrize("cell", ["=1", "'x", "'", "", "-1", "\u202e=1", "Ada's"])
def test_cells_come_back_as_they_were(cell):
    assert csv_results.unescape_formula(csv_table.escape_formula(cell)) == cell


def test_rows_that_are_no_results_are_a_record_and_the_next_post_is_read(tmp_path):
    registry.write([result(1), result(2)], tmp_path / "r.csv")
    text = (tmp_path / "r.csv").read_text(encoding="utf8")
    (tmp_path / "r.csv").write_text(text.replace('"1","4"', '"one","4"', 1), encoding="utf8")
    broken, good = registry.read_items(tmp_path / "r.csv")
    assert isinstance(broken, ErrorRecord) and "document d1" in broken.where and good.id == "d2"
    with open(tmp_path / "r.csv", "a", encoding="utf8") as file:
        file.write('"d3","post","never closed\n')
    last = list(registry.read_items(tmp_path / "r.csv"))[-1]
    assert isinstance(last, ErrorRecord) and "no CSV" in last.found


def test_columns_that_are_named_make_it_a_table_of_posts(tmp_path):
    registry.write([result(1)], tmp_path / "r.csv")
    first = next(iter(registry.read(tmp_path / "r.csv", id_column="kind")))
    assert first.id == "post" and not first.mentions


def test_view_shows_a_folder_of_tables(tmp_path):
    (tmp_path / "found").mkdir()
    for number in (1, 2):
        registry.write([result(number, images=(), regions=())], tmp_path / "found" / f"part-0000{number}.csv")
    said = CliRunner().invoke(cli.app, ["view", str(tmp_path / "found"), "--no-open"])
    assert "2 posts, 6 mentions" in said.stderr, said.output
