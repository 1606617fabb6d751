"""Calibration: temperatures, calibration error and thresholds, as pure functions of arrays of held-out candidates.

A candidate is something that a model could have predicted: a span with a label, or a pair with a relation. It has a
logit z, the label it is for, and whether it is right. With temperature T its probability is sigmoid(z / T). Legend: N
candidates, B bins.

Sources: Guo et al. (2017) for temperature and the expected calibration error; equal-mass bins as in Nguyen and
O'Connor (2015). Departures: T has a prior around 1, so that few candidates change little. Thresholds of rare labels
are the shared one. No threshold is below a least one: the highest F1 of a label that is found badly lies at half of
that F1 (Lipton et al., 2014), where nearly all that is predicted is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from openmie.errors import MetricError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
LOWEST, HIGHEST = 0.05, 20.0  # of a temperature
ABSTAIN = 0.2  # least threshold: where a label's F1 is highest for guesses, nothing is predicted instead
_PRIOR = 2.0  # what log T weighs in the summed negative log-likelihood: PRIOR * (log T)^2, a normal of variance 1/4


@dataclass(frozen=True, kw_only=True)
class Temperatures:
    """One temperature for all labels, and those of labels with enough candidates.

    Args:
        shared: of every other label.
        by_label: label -> its own.
    """

    shared: float = 1.0
    by_label: Mapping[str, float] = field(default_factory=dict)

    def of(self, label: str) -> float:
        """The temperature of a label."""
        return self.by_label.get(label, self.shared)

    def apply(self, logits: npt.ArrayLike, labels: Sequence[str]) -> Floats:
        """Calibrated probabilities.

        Args:
            logits: (N,).
            labels: of the N candidates.

        Returns:
            (N,) in [0, 1].
        """
        divisors = np.array([self.of(label) for label in labels], dtype=np.float64)
        return sigmoid(np.asarray(logits, dtype=np.float64) / divisors)


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-z)), without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, small) / (1.0 + small)


def fit_temperature(logits: npt.ArrayLike, correct: npt.ArrayLike, prior: float = _PRIOR) -> float:
    """The temperature under which the held-out answers are likeliest.

    Minimises sum_i log(1 + exp(-y_i z_i / T)) + prior * (log T)^2 over T in [0.05, 20], y_i = 1 for right and -1 for
    wrong. Without the prior, candidates that the logits separate would have T at its lower end.

    Args:
        logits: (N,) finite.
        correct: (N,) truth values.
        prior: weight of (log T)^2; 0 for maximum likelihood.

    Returns:
        T; 1 without candidates.

    Raises:
        MetricError: arrays of different lengths, or a logit that is not finite.
    """
    z, right = _checked(logits, correct)
    margin = np.where(right, z, -z)
    low, high = np.log(LOWEST), np.log(HIGHEST)
    best = 0.0
    for _ in range(6):  # a grid, then finer ones around its best point
        grid = np.linspace(low, high, 33)
        losses = [np.logaddexp(0.0, -margin * np.exp(-u)).sum() + prior * u * u for u in grid]
        at = int(np.argmin(losses))
        best = float(grid[at]) if z.size else 0.0
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, 32)]
    return float(np.exp(best))


def fit_temperatures(
    logits: npt.ArrayLike, correct: npt.ArrayLike, labels: Sequence[str], enough: int = 50
) -> Temperatures:
    """A temperature for each label that has enough candidates, and one for the others, fitted on all.

    Args:
        logits: (N,) finite.
        correct: (N,) truth values.
        labels: of the N candidates.
        enough: right and wrong candidates, each, that a label needs for a temperature of its own.

    Raises:
        MetricError: as `fit_temperature`.
    """
    z, right = _checked(logits, correct, labels)
    names = np.array(labels, dtype=object)
    own = {}
    for label in sorted(set(labels)):
        mine = names == label
        if min(right[mine].sum(), (~right[mine]).sum()) >= enough:
            own[label] = fit_temperature(z[mine], right[mine])
    return Temperatures(shared=fit_temperature(z, right), by_label=own)


def expected_calibration_error(
    probabilities: npt.ArrayLike, correct: npt.ArrayLike, bins: int = 15, equal_mass: bool = False
) -> float:
    """sum_b |B_b| / N * |share of right - mean probability|, over the bins b.

    Args:
        probabilities: (N,) in [0, 1].
        correct: (N,) truth values.
        bins: their number B.
        equal_mass: bins of equally many candidates; else of equal width, closed on the right.

    Returns:
        In [0, 1]; 0 without candidates.

    Raises:
        MetricError: arrays of different lengths, a probability outside [0, 1], or no bins.
    """
    p, right = _checked(probabilities, correct)
    if bins < 1 or (p.size and not (p.min() >= 0 and p.max() <= 1)):
        raise MetricError(
            f"bins={bins}, probabilities from {p.min(initial=1):.3g} to {p.max(initial=0):.3g}",
            expected="at least one bin, and probabilities in [0, 1]",
            remedy="pass probabilities, not logits",
        )
    order = np.argsort(p, kind="stable")
    if equal_mass:
        groups = np.array_split(order, min(bins, max(p.size, 1)))
    else:
        index = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
        groups = [np.flatnonzero(index == b) for b in range(bins)]
    gaps = [len(g) * abs(float(right[g].mean()) - float(p[g].mean())) for g in groups if len(g)]
    return sum(gaps) / p.size if p.size else 0.0


def best_threshold(
    probabilities: npt.ArrayLike, correct: npt.ArrayLike, missed: int = 0, default: float = 0.5
) -> tuple[float, float]:
    """The threshold of the highest F1 of what lies above it.

    Args:
        probabilities: (N,) of the candidates; one is predicted where it is at least the threshold.
        correct: (N,) truth values.
        missed: gold items that are no candidate, and so are missed at any threshold.
        default: the threshold where nothing is right.

    Returns:
        The threshold, half-way between the lowest probability that is predicted and the highest that is not (of equal
        F1 the highest threshold), and F1 in percent.

    Raises:
        MetricError: arrays of different lengths.
    """
    p, right = _checked(probabilities, correct)
    if not right.any():
        return default, 0.0
    order = np.argsort(-p, kind="stable")
    p, right = p[order], right[order]
    last = np.append(p[1:] != p[:-1], True)  # equal probabilities are predicted together
    f1 = 200.0 * np.cumsum(right) / (np.arange(1, p.size + 1) + right.sum() + missed)
    at = int(np.argmax(np.where(last, f1, -1.0)))
    below = p[at + 1] if at + 1 < p.size else 0.0
    return float((p[at] + below) / 2), float(f1[at])


def choose_thresholds(
    probabilities: npt.ArrayLike,
    correct: npt.ArrayLike,
    labels: Sequence[str],
    missed: Mapping[str, int] | None = None,
    enough: int = 30,
    least: float = ABSTAIN,
) -> tuple[float, dict[str, float]]:
    """A threshold for all labels together, and one for each label with enough gold, each of the highest F1.

    One that would lie below `least` is `least`.

    Args:
        probabilities: (N,) of the candidates.
        correct: (N,) truth values.
        labels: of the N candidates.
        missed: label -> gold items that are no candidate.
        enough: gold items that a label needs for a threshold of its own.
        least: lowest threshold.

    Returns:
        The shared threshold, and label -> its own.

    Raises:
        MetricError: arrays of different lengths.
    """
    p, right = _checked(probabilities, correct, labels)
    gone = dict(missed or {})
    shared = max(best_threshold(p, right, sum(gone.values()))[0], least)
    names = np.array(labels, dtype=object)
    own = {}
    for label in sorted({*labels, *gone}):
        mine = names == label
        if right[mine].any() and right[mine].sum() + gone.get(label, 0) >= enough:
            own[label] = max(best_threshold(p[mine], right[mine], gone.get(label, 0), shared)[0], least)
    return shared, own


def _checked(values: npt.ArrayLike, correct: npt.ArrayLike, labels: Sequence[str] | None = None) -> tuple[Floats, Any]:
    x, right = np.asarray(values, dtype=np.float64).ravel(), np.asarray(correct, dtype=bool).ravel()
    if x.size != right.size or (labels is not None and len(labels) != x.size) or not np.isfinite(x).all():
        raise MetricError(
            f"{x.size} values ({int((~np.isfinite(x)).sum())} of them not finite), {right.size} truth values"
            + (f", {len(labels)} labels" if labels is not None else ""),
            expected="one finite value, truth value and label a candidate",
            remedy="drop candidates without a score",
        )
    return x, right
