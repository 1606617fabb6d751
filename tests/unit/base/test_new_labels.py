"""Numbers that concern labels a model was not trained on: the chosen ones against all others, one by one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from openmie.base import new_labels
from openmie.base.held_out import SpanCandidates
from openmie.base.new_labels import DevelopmentSet
from tests.unit.base.tiny import tiny_model


def test_f1_of_candidates() -> None:
    found = SpanCandidates(
        logits=[2.0, 0.0, -2.0], right=[True, False, True], labels=["a", "a", "b"], missed=Counter({"b": 1})
    )
    assert new_labels.f1(found, 1.0, 0.6) == 50.0  # one of one, of three
    assert new_labels.f1(found, 1.0, 0.1) == 200 * 2 / 6 and new_labels.f1(found, 1.0, 0.99) == 0.0
    assert new_labels.f1(found, 4.0, 0.65) == 0.0  # 2 / 4 is 0.62 in probability


def test_the_chosen_numbers_are_as_good_as_any() -> None:
    model = tiny_model()
    before = model.settings
    words = [f"w{i} x{i} y{i}".split() for i in range(12)]
    labels = ("river", "poet")
    every = {(row, a, b, name) for row in range(12) for a in range(3) for b in range(a + 1, 4) for name in labels}
    gold = [{(a, b, name) for r, a, b, name in every if r == row and (a + b + row) % 5 == 0} for row in range(12)]
    sets = [DevelopmentSet(labels=labels, sentences=list(zip(words[:6], gold[:6]))),
            DevelopmentSet(labels=labels, sentences=list(zip(words[6:], gold[6:])))]  # fmt: skip
    numbers = new_labels.chosen(model, sets)
    assert model.settings is before and set(numbers) == {"generality_weight", "temperature", "threshold"}

    def mean(weight: float, threshold: float) -> float:
        model.settings = type(before)(**{**vars(before), "generality_weight": weight})
        try:
            found = [new_labels._candidates(model, one) for one in sets]
        finally:
            model.settings = before
        logits = np.concatenate([f.logits for f in found])
        temperature = new_labels.fit_temperature(logits, np.concatenate([f.right for f in found]))
        return float(np.mean([new_labels.f1(f, temperature, threshold) for f in found]))

    best = max(mean(w, t) for w in new_labels.WEIGHTS for t in new_labels.THRESHOLDS[::4])
    assert mean(numbers["generality_weight"], numbers["threshold"]) >= best


def test_development_sets_are_read_with_the_words_of_their_labels(tmp_path: Path) -> None:
    for domain in new_labels.DOMAINS:
        (tmp_path / "crossner" / domain).mkdir(parents=True)
        (tmp_path / "crossner" / domain / "dev.txt").write_text("x\tO\n", "utf8")
    rows = "the\tO\nReds\tB-politicalparty\nof\tI-politicalparty\nTurin\tB-misc\n"
    (tmp_path / "crossner/politics/dev.txt").write_text(rows, "utf8")
    first, *others = new_labels.development_sets(tmp_path)
    assert first.labels == ("political party",) and not any(one.labels for one in others)
    assert first.sentences == [(["the", "Reds", "of", "Turin"], {(1, 3, "political party")})]
