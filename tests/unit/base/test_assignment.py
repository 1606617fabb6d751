"""Probabilities of links: known answers, all assignments enumerated, and the best assignment of scipy."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from openmie.base.assignment import LARGEST, link_probabilities


def enumerated(weights):
    """All one-to-one sets of links of the largest size, group by group where no link connects them."""
    n, m = weights.shape
    out = np.zeros((n, m))
    if not (weights > 0).any():
        return out
    allowed, group = weights > 0, {}
    for i in range(n):  # groups by repeated spreading
        reached, before = {i}, None
        while reached != before:
            before = set(reached)
            columns = {j for k in reached for j in range(m) if allowed[k, j]}
            reached |= {k for k in range(n) if any(allowed[k, j] for j in columns)}
        group[i] = tuple(sorted(reached))
    for rows in set(group.values()):
        columns = [j for j in range(m) if any(allowed[i, j] for i in rows)]
        for size in range(min(len(rows), len(columns)), 0, -1):
            total = 0.0
            for some in combinations(rows, size):
                for order in permutations(columns, size):
                    product = np.prod([weights[i, j] for i, j in zip(some, order)])
                    total += product
                    for i, j in zip(some, order):
                        out[i, j] += product
            if total:
                out[np.ix_(rows, columns)] /= total
                break
    return out


@pytest.mark.parametrize(("names", "objects"), [(1, 1), (1, 3), (3, 1), (2, 5), (4, 4), (12, 13), (13, 2), (1, 40)])
def test_equal_weights_share_evenly(names, objects):
    made = link_probabilities(np.full((names, objects), 0.3))
    assert made == pytest.approx(np.full((names, objects), 1 / max(names, objects)))


def test_a_name_that_has_no_other_object_leaves_it_to_it():
    made = link_probabilities(np.array([[0.9, 0.2], [0.8, 0.0]]))
    assert made == pytest.approx(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert link_probabilities(np.array([[0.9, 0.3]])) == pytest.approx(np.array([[0.75, 0.25]]))


def test_a_crowd_is_shared_evenly():
    crowd = np.full((LARGEST + 1, 20), 0.5)
    crowd[0, 0] = 0.0
    assert link_probabilities(crowd) == pytest.approx((crowd > 0) / 20)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_link(shape):
    assert link_probabilities(np.zeros(shape)).shape == shape


TABLES = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(
        st.lists(st.sampled_from([0.0, 0.0, 0.1, 0.5, 0.9, 1.0]), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)


@settings(max_examples=150)
@given(TABLES)
def test_all_assignments_are_counted(rows):
    weights = np.array(rows)
    made = link_probabilities(weights)
    assert made == pytest.approx(enumerated(weights), abs=1e-9)
    assert (made.sum(0) < 1 + 1e-9).all() and (made.sum(1) < 1 + 1e-9).all() and (made >= 0).all()


def test_where_one_assignment_is_clear_it_is_that_of_kuhn():
    draw = np.random.default_rng(0)
    for _ in range(20):
        weights = draw.uniform(0.5, 1, (3, 4)) ** 200  # products differ by orders of magnitude
        rows, columns = linear_sum_assignment(np.log(weights), maximize=True)
        made = link_probabilities(weights)
        if made[rows, columns].min() > 0.9:
            assert set(zip(rows, columns)) == set(map(tuple, np.argwhere(made > 0.5)))
            break
    else:
        pytest.fail("no clear case was drawn")
