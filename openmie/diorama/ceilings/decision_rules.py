"""Expected micro F1 of a decision rule, from the posterior weights of all candidate predictions.

`argmax` predicts the most probable candidate of each item, or nothing where that is more probable. `optimal` predicts
exactly the candidates whose posterior exceeds F*/2, where F* is the maximum itself (the fixed point of Dinkelbach's
method; Dinkelbach, 1967; for F1, Lipton et al., 2014): none, one or several for an item, as the metrics allow. No
system has a higher expected score. Scores are 2 E[TP] / (E[predicted] + E[gold]).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RULES = ("argmax", "optimal")
TIE = 1e-12


class ItemWeights(NamedTuple):
    """Weights of n distinguishable (item, observation) pairs, and of m candidate predictions for them."""

    best: np.ndarray  # (n,) weight of the most probable candidate
    none: np.ndarray  # (n,) weight of there being nothing to find
    total: np.ndarray  # (n,) weight of the item and observation
    candidates: np.ndarray  # (m,) weight of each candidate
    candidate_total: np.ndarray  # (m,) `total` of the item and observation of the candidate

    @property
    def gold(self) -> float:
        """E[gold]"""
        return float((self.total - self.none).sum())


def score(weights: ItemWeights, rule: str) -> float:
    """Expected micro F1 of a rule ("argmax" or "optimal"), in percent."""
    return 100 * (argmax if rule == "argmax" else optimal)(weights)


def argmax(w: ItemWeights) -> float:
    """Predict the most probable candidate; a tie with predicting nothing goes to whichever scores higher."""
    scores = []
    for slack in (TIE, -TIE):
        given = (w.best > 0) & (w.best >= w.none - slack)
        scores.append(2 * w.best[given].sum() / (w.total[given].sum() + w.gold))
    return float(max(scores))


def optimal(w: ItemWeights) -> float:
    """Predict candidates whose posterior exceeds F/2, until F converges: it rises in each of a few iterations."""
    score, risen = -1.0, 0.0
    while risen > score:
        score = risen
        given = w.candidates > w.candidate_total * score / 2
        risen = float(2 * w.candidates[given].sum() / (w.candidate_total[given].sum() + w.gold))
    return score
