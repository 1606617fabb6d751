"""Decision rules against every subset of candidate predictions."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.diorama.ceilings.decision_rules import ItemWeights, argmax, optimal

items = st.lists(  # of each item: weights of its candidates, and of there being nothing to find
    st.tuples(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(0, 9)), min_size=1, max_size=4
)


def weights(found):
    totals = [sum(candidates) + none for candidates, none in found]
    listed = [(c, total) for (candidates, _), total in zip(found, totals) for c in candidates]
    return ItemWeights(
        best=np.array([max(candidates) for candidates, _ in found], dtype=float),
        none=np.array([none for _, none in found], dtype=float),
        total=np.array(totals, dtype=float),
        candidates=np.array([c for c, _ in listed], dtype=float),
        candidate_total=np.array([total for _, total in listed], dtype=float),
    )


@settings(max_examples=100, deadline=None)
@given(items)
def test_optimal_is_the_best_of_all_subsets(found):
    w = weights(found)
    scores = []
    for chosen in product((False, True), repeat=len(w.candidates)):
        mask = np.array(chosen)
        scores.append(2 * w.candidates[mask].sum() / (w.candidate_total[mask].sum() + w.gold))
    assert optimal(w) == pytest.approx(max(scores))
    assert argmax(w) <= optimal(w) + 1e-12


def test_by_hand():
    """Two items, of which one is certain: predicting the other, at 0.45, pays since 0.45 > F / 2."""
    w = weights([([20], 0), ([9], 11)])
    assert w.gold == 29
    assert optimal(w) == pytest.approx(2 * 29 / (40 + 29))
    assert argmax(w) == pytest.approx(2 * 20 / (20 + 29))  # nothing is more probable for the second
