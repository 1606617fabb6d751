"""How probable each link is, where several names and several objects fit: all assignments count, none is drawn.

A link of name i and object j has a weight w_ij. Of all ways to link as many names as possible, one name to one object,
each is as probable as the product of its weights, and a link as all ways together that contain it:

    P(i, j) = sum over M with (i, j) in M of prod_{(a, b) in M} w_ab / sum over M of prod_{(a, b) in M} w_ab

With equal weights, m names and n objects that is 1 / max(m, n). The probabilities of a name sum to at most 1, and so do
those of an object: links above 0.5 are one to one. Where the best assignment (Kuhn, 1955) is clear, they are its links;
where two are equally good, it would choose at random, and this does not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LARGEST = 12  # names or objects, whichever are fewer, that are counted exactly: time and memory double with each
MOST_SETS = 1 << 24  # sets of the fewer times the number of the others that are counted exactly: 128 MB


def link_probabilities(weights: Floats) -> Floats:
    """Probability of each link among all largest assignments.

    Args:
        weights: (N, M) of names and objects; 0 where a link is out of the question.

    Returns:
        (N, M) in [0, 1]. Groups that no link connects are counted by themselves. In one with more than 12 names and
        more than 12 objects, or with 12 of the one and more than 4,096 of the other, a link has the probability
        1 / max(names, objects), whatever its weight.
    """
    out = np.zeros_like(weights, dtype=np.float64)
    for rows, columns in _groups(weights > 0):
        part = weights[np.ix_(rows, columns)]
        if min(part.shape) > LARGEST or max(part.shape) << min(part.shape) > MOST_SETS:
            made = (part > 0) / max(part.shape)
        elif part.shape[0] < part.shape[1]:
            made = _exact(part.T).T
        else:
            made = _exact(part)
        out[np.ix_(rows, columns)] = made
    return out


def _groups(allowed: npt.NDArray[np.bool_]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that links connect, directly or by others."""
    out, left = [], set(np.flatnonzero(allowed.any(1)).tolist())
    while left:
        rows, columns = {left.pop()}, set[int]()
        while True:
            columns = set(np.flatnonzero(allowed[sorted(rows)].any(0)).tolist())
            more = set(np.flatnonzero(allowed[:, sorted(columns)].any(1)).tolist())
            if more == rows:
                break
            rows = more
        left -= rows
        out.append((sorted(rows), sorted(columns)))
    return out


def _exact(weights: Floats) -> Floats:
    """By dynamic programming over the sets of columns that are taken: weights (N, K), K small -> (N, K)."""
    count, width = weights.shape
    weights = weights / weights.max()
    sets = np.arange(1 << width)
    sizes = np.array([int(s).bit_count() for s in sets])
    before = [np.eye(1, len(sets))[0]]  # before[i][s]: all ways by which the first i rows take exactly s
    for row in weights:
        before.append(before[-1] + _taken(before[-1], row, sets))
    largest = sizes[before[-1] > 0].max()
    after = np.where(sizes == largest, 1.0, 0.0)  # after[s]: all ways to go on from s to a largest set
    total = float(before[-1] @ after)
    out = np.zeros_like(weights)
    for i in range(count - 1, -1, -1):
        more = after.copy()
        for j in range(width):
            free = sets[(sets >> j) & 1 == 0]
            gained = weights[i, j] * after[free | 1 << j]
            out[i, j] = before[i][free] @ gained / total
            more[free] += gained
        after = more
    return out


def _taken(ways: Floats, row: Floats, sets: npt.NDArray[np.int64]) -> Floats:
    """Ways by set, where one row takes one of the columns that were free."""
    out = np.zeros_like(ways)
    for j, weight in enumerate(row):
        free = sets[(sets >> j) & 1 == 0]
        out[free | 1 << j] += weight * ways[free]
    return out
