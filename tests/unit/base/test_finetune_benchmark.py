"""benchmarks/base_finetune.py: a curve that was broken off goes on, and each of its cells trains and is scored."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from openmie.base import adapter, text_files
from openmie.base.tower import TextTower
from tests.unit.base.tiny import tiny_model, tiny_tower

LINES = "Ada\tB-politician\nof\tO\nTurin\tB-location\n\nBo\tB-person\nvotes\tO\n\n"


@pytest.fixture
def bench(monkeypatch):
    """The folder of the benchmarks is no package; what is imported from it goes again."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
    yield importlib.import_module("base_finetune")
    for name in [n for n in sys.modules if n.startswith("base_")]:
        del sys.modules[name]


class Counted:
    """Cells whose F1 is their number of sentences; the third one that is asked for fails, once."""

    def __init__(self, **about):
        self.about, self.asked = {"weights": "a", "row": "r", "limit": 0, "least_steps": 1, **about}, []

    def measure(self, cell):
        self.asked.append(dict(cell))
        if len(self.asked) == 3:
            raise KeyboardInterrupt
        return {**self.about, **cell, "f1": cell["sentences"] + 10.0 * cell["seed"]}


def test_a_curve_that_was_broken_off_goes_on(bench, tmp_path):
    out, wanted = tmp_path / "curve.jsonl", list(bench.cells([5, 9], [0, 1]))
    assert len(wanted) == 9 and wanted[0] == {"sentences": 0, "from": "base", "seed": 0}
    curve = Counted()
    with pytest.raises(KeyboardInterrupt):
        bench.run(curve, wanted, out)
    assert len(out.read_text(encoding="utf8").splitlines()) == 2
    found = bench.run(curve, wanted, out)
    assert len(found) == 9 and len(curve.asked) == 10
    lines = [json.loads(line) for line in out.read_text(encoding="utf8").splitlines()]
    assert lines == found and bench.run(Counted(), wanted, out) == found
    more = bench.run(Counted(), bench.cells([5], [0, 1, 2]), out)
    assert [c["seed"] for c in more] == [0, 0, 0, 1, 1, 2, 2]
    other = Counted(weights="b")
    bench.run(other, wanted[:2], out)
    assert len(other.asked) == 2 and len(bench.known_cells(out)) == 13
    assert "| 5 | 10.0 (5.0 to 15.0) | 10.0 (5.0 to 15.0) |" in bench.markdown(found)
    assert "| 0 | 0.0 | - |" in bench.markdown(found)


def test_each_cell_trains_on_its_sentences_and_is_scored(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(TextTower, "load", classmethod(lambda cls, *given: tiny_tower()))
    model, start = tiny_model(), tmp_path / "start"
    adapter.adapt(model.upper, 4)
    text_files.save(model, start)
    folder = tmp_path / "open" / "crossner" / "politics"
    folder.mkdir(parents=True)
    for split, times in (("train", 3), ("dev", 2), ("test", 2)):
        (folder / f"{split}.txt").write_text(LINES * times, "utf8")
    curve = bench.Curve(tmp_path, "CrossNER politics", start, limit=3, least_steps=2)
    assert len(curve.pool) == 10 and len(curve.gold) == 3
    assert curve.sentences(2, 0) == curve.sentences(6, 0)[:2] != curve.sentences(2, 1)
    for line in bench.run(curve, bench.cells([2], [0]), tmp_path / "curve.jsonl"):
        assert 0 <= line["f1"] <= 100 and line["row"] == "CrossNER politics" and line["least_steps"] == 2
