"""Calibration on problems whose answers are known, and against loops over single candidates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.base.calibration import (
    Temperatures,
    best_threshold,
    choose_thresholds,
    expected_calibration_error,
    fit_temperature,
    fit_temperatures,
    sigmoid,
)
from openmie.errors import MetricError


def drawn(n: int, temperature: float, seed: int = 0):
    """Answers that are right with probability sigmoid(z), and the logits z * temperature that a model would say."""
    draw = np.random.default_rng(seed)
    true = draw.normal(-0.5, 2.0, n)
    return true * temperature, draw.random(n) < 1 / (1 + np.exp(-true))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_a_known_temperature_comes_back(temperature):
    logits, correct = drawn(20_000, temperature)
    assert fit_temperature(logits, correct) == pytest.approx(temperature, rel=0.05)
    found = sigmoid(logits / fit_temperature(logits, correct))
    assert expected_calibration_error(found, correct) < 0.015
    if temperature != 1.0:
        assert expected_calibration_error(sigmoid(logits), correct) > 0.03


def test_the_temperature_is_the_minimum_of_the_printed_loss():
    logits, correct = drawn(60, 3.0, seed=2)

    def loss(t: float) -> float:
        total = 2.0 * math.log(t) ** 2
        for z, right in zip(logits, correct):
            total += math.log1p(math.exp(-(z if right else -z) / t))
        return total

    best = min((0.05 * 1.002**k for k in range(3000)), key=loss)
    assert fit_temperature(logits, correct) == pytest.approx(best, rel=0.003)


@pytest.mark.parametrize(("logits", "correct"), [([], []), ([3.0], [True]), ([5.0, -5.0, 4.0], [True, False, True])])
def test_few_candidates_change_little(logits, correct):
    assert 0.5 < fit_temperature(logits, correct) < 2
    if logits:
        assert fit_temperature(logits, correct, prior=0.0) == pytest.approx(0.05)  # separable: as sharp as may be


def test_labels_with_enough_have_their_own():
    a, right_a = drawn(3000, 4.0, seed=1)
    b, right_b = drawn(3000, 1.0, seed=2)
    c, right_c = drawn(20, 1.0, seed=3)
    labels = ["A"] * 3000 + ["B"] * 3000 + ["C"] * 20
    found = fit_temperatures(np.concatenate([a, b, c]), np.concatenate([right_a, right_b, right_c]), labels)
    assert set(found.by_label) == {"A", "B"}
    assert found.of("A") == pytest.approx(4.0, rel=0.1) and found.of("B") == pytest.approx(1.0, rel=0.1)
    assert found.of("B") < found.of("C") == found.shared < found.of("A")
    applied = found.apply([4.0, 4.0], ["A", "B"])
    assert applied[0] == pytest.approx(1 / (1 + math.exp(-4 / found.of("A")))) and applied[0] < applied[1]


def test_sigmoid_does_not_overflow():
    with np.errstate(all="raise"):
        assert sigmoid(np.array([-700.0, 0.0, 700.0])) == pytest.approx([0.0, 0.5, 1.0])
    assert Temperatures().of("anything") == 1.0


def test_calibration_errors_that_are_known():
    assert expected_calibration_error([0.7] * 10, [1] * 7 + [0] * 3) == pytest.approx(0.0)
    assert expected_calibration_error([0.9] * 10, [1] * 5 + [0] * 5) == pytest.approx(0.4)
    halves = [0.2] * 5 + [0.9] * 5  # |0 - 0.2| and |1 - 0.9|, half the weight each
    assert expected_calibration_error(halves, [0] * 5 + [1] * 5) == pytest.approx(0.15)
    assert expected_calibration_error(halves, [0] * 5 + [1] * 5, equal_mass=True, bins=2) == pytest.approx(0.15)
    assert expected_calibration_error([0.0, 1.0], [0, 1]) == 0.0 and expected_calibration_error([], []) == 0.0
    # equal width sees one bin, equal mass two
    assert expected_calibration_error([0.61, 0.65], [0, 1], bins=2) == pytest.approx(0.13)
    assert expected_calibration_error([0.61, 0.65], [0, 1], bins=2, equal_mass=True) == pytest.approx(0.48)


scored = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), max_size=30)


@settings(max_examples=60, deadline=None)
@given(scored, st.integers(1, 20))
def test_calibration_error_as_a_loop(items, bins):
    total = 0.0
    for b in range(bins):
        inside = [(p, y) for p, y in items if (b / bins < p <= (b + 1) / bins) or (b == 0 and p == 0)]
        if inside:
            total += abs(sum(y for _, y in inside) - sum(p for p, _ in inside))
    expected = total / len(items) if items else 0.0
    found = expected_calibration_error([p for p, _ in items], [y for _, y in items], bins)
    edges = any(abs(p * bins - round(p * bins)) < 1e-9 and 0 < p < 1 for p, _ in items)
    assert edges or found == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(scored, st.integers(0, 5))
def test_no_threshold_is_better(items, missed):
    p, y = [p for p, _ in items], [y for _, y in items]

    def f1(threshold: float) -> float:
        said = [right for q, right in items if q >= threshold]
        total = len(said) + sum(y) + missed
        return 200 * sum(said) / total if total else 0.0

    threshold, best = best_threshold(p, y, missed)
    assert best == pytest.approx(f1(threshold))
    assert best == pytest.approx(max((f1(k / 40) for k in range(42)), default=0.0))


def test_thresholds_of_labels():
    labels = ["A"] * 40 + ["B"] * 40 + ["C"] * 4
    correct = [True] * 35 + [False] * 5 + [True] * 32 + [False] * 8 + [True, True, False, False]
    p = [0.8] * 35 + [0.7] * 5 + [0.3] * 32 + [0.1] * 8 + [0.9, 0.5, 0.45, 0.05]
    shared, own = choose_thresholds(p, correct, labels)
    assert own == {"A": pytest.approx(0.75), "B": pytest.approx(0.2)}  # C has too little gold
    assert shared == pytest.approx(0.2)
    assert set(choose_thresholds(p, correct, labels, {"C": 40})[1]) == {"A", "B", "C"}
    assert best_threshold([0.9, 0.4], [False, False], default=0.6) == (0.6, 0.0)


def test_a_label_that_is_found_badly_abstains():
    labels, p = ["A"] * 40 + ["B"] * 100, [0.8] * 40 + [0.06] * 100
    correct = [True] * 40 + [True] * 40 + [False] * 60  # of B, the highest F1 is that of guesses
    assert best_threshold(p[40:], correct[40:])[0] < 0.06
    shared, own = choose_thresholds(p, correct, labels)
    assert own == {"A": pytest.approx(0.4), "B": 0.2} and shared == 0.2
    assert choose_thresholds(p, correct, labels, least=0.0)[1]["B"] < 0.06


@pytest.mark.parametrize(
    "call",
    [
        lambda: fit_temperature([1.0], [True, False]),
        lambda: fit_temperature([float("nan")], [True]),
        lambda: fit_temperatures([1.0], [True], []),
        lambda: expected_calibration_error([1.2], [True]),
        lambda: expected_calibration_error([0.2], [True], bins=0),
        lambda: choose_thresholds([0.5, 0.5], [True, True], ["A"]),
    ],
)
def test_arrays_that_do_not_fit(call):
    with pytest.raises(MetricError):
        call()
