"""Every published number that a page holds is printed, in its row and column."""

import importlib.util
import re
from pathlib import Path

import pytest

from openmie import bench
from openmie.bench import published, system
from openmie.bench.published_text import PRINTED, PRINTED_ONLY
from openmie.papers._published import Comparison

ROOT = Path(__file__).parents[3]
PAPERS = [name for name in system.names() if published.tables(name)]


def printed(paper, text):
    """(table, row) -> column -> cell, of the lines of a printed table that are the paper's."""
    found, table, columns = {}, "", []
    for line in text.splitlines():
        cells = re.split(r"(?<!\\) \| ", line.strip().strip("|").strip()) if line.startswith("|") else []
        if len(cells) > 2 and cells[1] == "from":
            table, columns = cells[0].removeprefix(f"{system.full_name(paper)}, "), cells[2:]
        elif len(cells) > 2 and cells[1] in (PRINTED, PRINTED_ONLY):
            found[table, cells[0]] = dict(zip(columns, cells[2:], strict=True))
    return found


@pytest.mark.parametrize("paper", PAPERS)
def test_every_number_that_a_page_holds_is_printed(paper, tmp_path):
    assert len(PAPERS) == 5
    lines = printed(paper, bench.as_published(bench.table([], tmp_path, paper=paper)))
    numbers = 0
    for table, rows in published.tables(paper).items():
        for row, cells in rows.items():
            for column, value in cells.items():
                cell = lines[table, row][column]
                assert cell == "not legible" if value is None else float(cell) == value, (table, row, column)
                numbers += 1
    assert numbers > 25
    assert bench.markdown(bench.table([], tmp_path, paper=paper)).count("published") >= len(lines)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_column_of_a_setting_stands_in_a_table(paper):
    columns = {c for rows in published.tables(paper).values() for cells in rows.values() for c in cells}
    for setting in published.settings(paper).values():
        assert any(c in columns for c in setting.columns)
        assert setting.task in ("ner", "re", "joint", "document")
        assert published.fitting(paper, [next(n for n, s in published.settings(paper).items() if s == setting)])


def test_the_rows_that_are_built_here_are_told_from_those_that_are_not(tmp_path):
    own = published.own_rows("m3d")
    assert {"M3D", "w/o MMCM", "ViViT+Longformer+Ts", "prompt=8"} <= own
    text = bench.as_published(bench.table([], tmp_path, paper="m3d"))
    assert "| MDocRE-HN | published only | 91.20 |" in text and "| M3D | here | not run |" in text
    assert "MDocRE-HN | here" not in text


def test_a_page_may_have_a_rule_of_its_own(monkeypatch):
    from openmie.bench.run_spec import RunSpec
    from openmie.papers import camim

    cell = RunSpec(paper="camim", corpus="mnre:some/mnre", task="re", seed=3)
    assert published.comparison(cell).setting == "MNRE"
    elsewhere = RunSpec(paper="camim", corpus="mnre:some/DIR?captions=BLIP", task="re")
    assert published.comparison(elsewhere).setting == "MNRE"  # a format that is the data set's own names it too
    assert published.comparison(
        RunSpec(paper="camim", corpus="mnre:mnre", task="re", sweep="hvpnet context")
    ).setting == ("HVPNeT MNRE")
    rule = lambda run: Comparison(because=f"another protocol than {run.row} of {run.data}")  # noqa: E731
    monkeypatch.setattr(camim, "published", rule, raising=False)
    assert published.comparison(cell).because == "another protocol than full of mnre"


def test_docs_show_what_the_command_prints():
    path = ROOT / "docs" / "build" / "published_tables.py"
    spec = importlib.util.spec_from_file_location("published_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf8") == module.render(), "run: python docs/build/published_tables.py"


def test_a_score_of_which_there_was_nothing_is_no_number():
    """M3D without frames has no regions to find: a dash, not 0.00."""
    from openmie.bench.result_table import Entry
    from openmie.papers._published import Measure

    none, one = {"f1": 0.0, "gold": 0, "predicted": 0}, {"f1": 0.0, "gold": 3, "predicted": 0}
    record = {"cell": {"seed": 1}, "scores": {"regions": none, "entities": one}}
    about = {"row": "", "column": "", "cells": (), "failures": (), "stale": 0, "score": "", "comparison": Comparison()}
    entry = Entry(records=(record,), **about)
    assert entry.values(Measure(score="regions")) == {} and entry.values(Measure(score="entities")) == {1: 0.0}
