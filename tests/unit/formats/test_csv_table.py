"""The flat table: a row per statement, and no cell that a spreadsheet would run (S9)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings

from openmie.data.document import Chain, Document, Mention, Region, Relation
from openmie.formats import csv_table as table
from tests.fixtures.strategies import documents


def test_rows() -> None:
    document = Document(
        id="d",
        text="Zor met Vane",
        mentions=(
            Mention(id="a", start=0, end=3, label="PER", score=0.5),
            Mention(id="b", start=8, end=12, status="orphan"),
        ),
        chains=(Chain(id="c", mentions=("a",), label="PER"),),
        relations=(Relation(head="c", tail="b", label="peer"),),
        regions=(Region(image="i", box=(1, 2, 3.5, 4), of="a", label="figure", score=1.0),),
    )
    mention, orphan, chain, relation, region = table.table_rows([document])
    assert list(mention) == list(table.COLUMNS)
    assert {k: v for k, v in mention.items() if v} == {
        "document": "d",
        "kind": "mention",
        "id": "a",
        "label": "PER",
        "text": "Zor",
        "start": "0",
        "end": "3",
        "score": "0.5",
        "status": "located",
    }
    assert (orphan["status"], orphan["score"], chain["text"], chain["tail"]) == ("orphan", "", "Zor", "a")
    assert (relation["text"], relation["head"], relation["tail"]) == ("Zor -> Vane", "c", "b")
    assert (region["box"], region["image"], region["head"], region["text"]) == ("1 2 3.5 4", "i", "a", "Zor")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "＝1"])
def test_formulas_are_neutralised(cell: str) -> None:
    assert table.escape_formula(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "Zor", "a=b", "1-2", "'x", "x@y"])
def test_other_cells_are_left_alone(cell: str) -> None:
    assert table.escape_formula(cell) == cell


@settings(max_examples=150, deadline=None, database=None)
@given(documents())
def test_csv_reads_back(tmp_path_factory: pytest.TempPathFactory, document: Document) -> None:
    path = tmp_path_factory.getbasetemp() / "t.csv"
    table.write_csv([document], path)
    with open(path, encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    expected = list(table.table_rows([document]))
    assert [{k: v.removeprefix("'") for k, v in row.items()} for row in found] == [
        {k: v.removeprefix("'") for k, v in row.items()} for row in expected
    ]
    for row in found:
        assert not any(v.lstrip()[:1] in ("=", "+", "-", "@") or v[:1] in ("\t", "\r", "\n") for v in row.values() if v)


def test_report_and_file(tmp_path: Path) -> None:
    written = table.write_csv([Document(id="=cmd()", text="x", summary="s")], tmp_path / "t.csv")
    assert written.documents == 1 and dict(written.dropped) == {"text": 1, "summary": 1}
    assert (tmp_path / "t.csv").read_bytes().count(b"\n") == 1
