"""benchmarks/base_grounded.py: objects as words, and scores whose F1 is known."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

from openmie.diorama import Config
from tests.unit.base.tiny import tiny_model

CONFIG = Config(seed=3, two_names=1.0, ambiguous=0.0, in_order=0.5)


@pytest.fixture
def bench(monkeypatch):
    """The folder of the benchmarks is no package; what is imported from it goes again."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
    yield importlib.import_module("base_grounded")
    sys.modules.pop("base_grounded", None)


def test_the_pairs_are_names_and_objects(bench):
    for e in (bench.example(CONFIG, "train", i) for i in range(20)):
        shown = [" ".join(e.words[a:b]) for *_, a, b in e.pairs]
        assert shown == 2 * [bench.NOUNS[kind] for kind in e.kinds] and len(e.boxes) == len(e.kinds)
        names = {" ".join(e.words[a:b]) for a, b, *_ in e.pairs}
        assert names == {m.text for m in e.document.mentions} or not e.pairs
        assert e.held.sum() == len(e.document.regions)
        assert all(e.words[a - 1] in bench.PLACES for *_, a, _ in e.pairs)


def test_the_right_links_have_f1_100_and_none_has_that_of_posts_without(bench):
    examples = [bench.example(CONFIG, "test", i) for i in range(40)]
    held = torch.cat([e.held for e in examples]).tolist()
    assert bench.grounded(examples, held).f1 == 100
    without = sum(len(e.document.mentions) for e in examples if not e.document.regions)
    assert bench.grounded(examples, [0.0] * len(held)).correct == without
    ruled = bench.grounded(examples, bench.rule(examples))
    assert without < ruled.correct < 80


def test_the_head_learns_its_training_pairs(bench):
    model = tiny_model()
    examples = [bench.example(CONFIG, "train", i) for i in range(4)]
    data = bench.States.of(model, examples)
    label = model.tower.encode_labels(bench.LABEL).clone()
    bench.train(model, data, label, 25, 0)
    assert bench.grounded(examples, bench.scores_of(model, data, label)).f1 > 90
