"""The flat table: a row per statement, and no cell that a spreadsheet would run (S9)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings

from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
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
    post, mention, orphan, chain, relation, region = table.table_rows([document])
    assert {k: v for k, v in post.items() if v} == {"document": "d", "kind": "post", "text": "Zor met Vane"}
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


@pytest.mark.parametrize("before", ["\ufeff", "\u200b", "\u00ad", "\u202e", "\0", " ", "\t", "\u2060\u3164 ", "\u0301"])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\ufe66", "\u2212"])
def test_what_shows_nothing_hides_no_formula(before: str, sign: str) -> None:
    assert table.escape_formula(f"{before}{sign}1+1") == f"'{before}{sign}1+1"


@pytest.mark.parametrize("cell", ["", "Zor", "a=b", "1-2", "'x", "x@y", "\ufeffZor", "\u202e1=1", "…=1", "#=1"])
def test_other_cells_are_left_alone(cell: str) -> None:
    assert table.escape_formula(cell) == cell


@settings(max_examples=150, deadline=None, database=None)
@given(documents())
def test_csv_reads_back(tmp_path_factory: pytest.TempPathFactory, document: Document) -> None:
    path = tmp_path_factory.getbasetemp() / "t.csv"
    table.write_csv([document], path)
    with open(path, encoding="utf-8", newline="") as file:
        found = [{k: v for k, v in row.items() if k in table.COLUMNS} for row in csv.DictReader(file)]
    expected = list(table.table_rows([document]))
    assert [{k: v.removeprefix("'") for k, v in row.items()} for row in found] == [
        {k: v.removeprefix("'") for k, v in row.items()} for row in expected
    ]
    for row in found:
        assert not any(v.lstrip()[:1] in ("=", "+", "-", "@") or v[:1] in ("\t", "\r", "\n") for v in row.values() if v)


def test_report_and_file(tmp_path: Path) -> None:
    document = Document(id="=cmd()", text="x", summary="s", lang="en", captions={"a": "b"})
    written = table.write_csv([document], tmp_path / "t.csv")
    assert written.documents == 1 and dict(written.dropped) == {"captions": 1, "lang": 1}
    rows = read(tmp_path / "t.csv")
    assert [(r["document"], r["kind"], r["text"]) for r in rows] == [
        ("'=cmd()", "post", "x"),
        ("'=cmd()", "summary", "s"),
    ]


def read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_every_post_with_the_columns_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "HEAD_POSTS", 2)
    mention = Mention(id="m", start=0, end=3, label="PER")
    sources = [{"url": "=x", "score": -1, "tags": ["a"]}, {"date": "2026", "=name": None}, {"url": "y", "late": 1}, {}]
    images = (Image(path="a.png", id="a"), Image(path="b.png", id="b"))
    posts = [
        Document(id=f"d{i}", text="Ada", mentions=(mention,), images=images[:i], source=source)
        for i, source in enumerate(sources)
    ]
    assert table.write_csv(posts, tmp_path / "t.csv").documents == 4
    rows = read(tmp_path / "t.csv")
    assert [r["kind"] for r in rows] == ["post", "mention"] * 4
    assert list(rows[0])[len(table.COLUMNS) :] == ["url", "source.score", "tags", "date", "'=name", table.MORE]
    assert [r["url"] for r in rows] == ["'=x", "'=x", "", "", "y", "y", "", ""]
    assert (rows[0]["source.score"], rows[0]["tags"], rows[2]["date"]) == ("-1", '["a"]', "2026")
    assert rows[4][table.MORE] == '{"late": 1}' and rows[4]["image"] == "a.png | b.png"
