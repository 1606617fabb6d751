"""What a rule of answering can expect, from the weights of what there is to answer.

`argmax`: the likeliest answer is always given, or nothing where that is likelier. `optimal`: an answer is given exactly
where its posterior exceeds F*/2, F* being the best score itself (the fixed point of Dinkelbach's method): none, one, or
more than one for an item, as the metrics allow. No system can expect more. Scores are 2 E[TP] / (E[predicted] +
E[gold]).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RULES = ("argmax", "optimal")
TIE = 1e-12


class Weights(NamedTuple):
    """Of every item and observation that can be told apart (n,), and of every answer that can be given there (m,)."""

    best: np.ndarray  # n, the weight of the likeliest answer
    nothing: np.ndarray  # n, of there being nothing to find
    all: np.ndarray  # n, of the item and observation as such
    answers: np.ndarray  # m, of each answer
    there: np.ndarray  # m, `all` of the item and observation that it answers

    @property
    def gold(self) -> float:
        """E[gold]"""
        return float((self.all - self.nothing).sum())


def score(weights: Weights, rule: str) -> float:
    """In percent."""
    return 100 * (argmax if rule == "argmax" else optimal)(weights)


def argmax(w: Weights) -> float:
    """The likeliest answer always; a tie between it and nothing goes to whichever scores higher."""
    scores = []
    for slack in (TIE, -TIE):
        given = (w.best > 0) & (w.best >= w.nothing - slack)
        scores.append(2 * w.best[given].sum() / (w.all[given].sum() + w.gold))
    return float(max(scores))


def optimal(w: Weights) -> float:
    """Every answer whose posterior exceeds F/2, until F stands still: it rises in each round, and rounds are few."""
    score, risen = -1.0, 0.0
    while risen > score:
        score = risen
        given = w.answers > w.there * score / 2
        risen = float(2 * w.answers[given].sum() / (w.there[given].sum() + w.gold))
    return score
