"""benchmarks/base_names.py and base_speed.py with stand-ins whose answers are known."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import NamedTuple

import pytest


@pytest.fixture
def bench(monkeypatch):
    """The folder of the benchmarks is no package; what is imported from it goes again."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
    yield importlib.import_module
    for name in [n for n in sys.modules if n.startswith("base_")]:
        del sys.modules[name]


class Found(NamedTuple):
    start: int
    end: int
    label: str


class Knows:
    """Knows some names; of others it sees the given name alone, others it takes for places; small letters, nothing."""

    def __init__(self, whole=(), half=(), place=()):
        self.whole, self.half, self.place = whole, half, place

    def entities(self, texts, labels):
        assert "PER" in labels and len(labels) == 9
        found = []
        for text in texts:
            mine = []
            for names, label, part in (
                (self.whole, "PER", False),
                (self.half, "PER", True),
                (self.place, "LOC", False),
            ):
                for name in names:
                    shown = name.split()[0] if part else name
                    if name in text:
                        mine.append(Found(text.index(shown), text.index(shown) + len(shown), label))
            found.append(mine)
        return found


def test_names_are_our_own_list_of_origins(bench):
    names = bench("base_names")
    assert len(names.ORIGINS) == 16 and all(len(n) == 5 for n in names.ORIGINS.values())
    assert len({n for some in names.ORIGINS.values() for n in some}) == 80
    assert len(set(names.TEMPLATES)) == 20 and all(t.count("{}") == 1 for t in names.TEMPLATES)


def test_shares_by_origin(bench):
    names = bench("base_names")
    polish = [f"{a} {b}" for a, b in names.ORIGINS["Polish"]]
    made = names.by_origin(Knows(whole=polish[:2], half=polish[2:3], place=polish[3:4]))
    assert made["Polish"]["exact"] == 40.0 and made["Polish"]["some of it"] == 60.0
    assert made["Polish"]["another type"] == 20.0 and made["Polish"]["sentences"] == 100
    assert made["Korean"]["exact"] == 0.0 and made["all"] == {"exact": 2.5, "gap": 40.0}
    assert names.by_origin(Knows(whole=polish), "lower")["Polish"]["exact"] == 0.0


def test_shares_by_pronoun_and_occupation(bench):
    names = bench("base_names")
    first = [" ".join(some[0]) for some in names.ORIGINS.values()]
    made = names.by_word(Knows(whole=first[:4]))
    assert {v["exact"] for v in made["pronoun"].values()} == {25.0}
    assert all(v["sentences"] == 3 * 16 * 8 for v in made["pronoun"].values())
    assert all(v["sentences"] == 3 * 16 * 3 for v in made["occupation"].values())
    assert set(made["occupation"]) == set(names.OCCUPATIONS)


def test_wilson_intervals_that_are_known(bench):
    wilson = bench("base_names").wilson
    assert wilson(50, 100) == pytest.approx((40.4, 59.6), abs=0.05)
    assert wilson(100, 100) == pytest.approx((96.3, 100.0), abs=0.05) and wilson(0, 0) == (0.0, 100.0)


def test_the_tables_hold_every_row(bench):
    names = bench("base_names")
    text = names.markdown(names.measure(Knows()))
    assert all(f"| {row} | 0.0 (" in text for row in (*names.ORIGINS, *names.PRONOUNS, *names.OCCUPATIONS))


def test_speed_is_a_share_of_the_tower(bench):
    speed = bench("base_speed")
    ticks = iter([0, 2, 2, 6, 10, 14, 14, 18, 20, 21, 21, 25])  # begin and end of each job, three rounds
    calls = []
    jobs = {"tower": lambda: calls.append("t"), "labels": lambda: calls.append("l")}
    times = speed.timed(jobs, 3, lambda: next(ticks))
    assert times == {"tower": [2, 4, 1], "labels": [4, 4, 4]} and calls == ["t", "l"] * 4
    made = speed.summary(times, 100, "tower")
    assert made["labels"] == {"posts a second": 25.0, "share": 0.5, "range": [0.25, 1.0]}
    assert made["tower"]["share"] == 1.0
