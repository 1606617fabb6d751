"""How a grid of word-pair classes is read: integers to integers, for `openmie.model.codec.word_pairs`.

Shapes: T words, S mentions in reading order; classes 1 to `kinds` are mention labels, higher ones relation labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NO_LABEL = -1
SPENT = -2  # a cell that has been read and votes no more
MOST = 256  # mentions of one document read at once where they may overlap; T words have T * (T + 1) / 2 spans


class Reading(NamedTuple):
    """Spans (S, 2) as first and last word, classes and scores (S,); links (S, S) from row to column, and scores."""

    spans: Ints
    kinds: Ints
    sure: Floats
    links: Ints  # class of the relation, or NO_LABEL
    link_sure: Floats


def read_exact(grid: Ints, weight: Floats, bounds: Ints, kinds: int, mirror: Ints, overlaps: bool) -> Reading:
    """grid, weight (T, T); bounds (T, 2) of the words in the text; mirror: the classes of relations read once."""
    first, last = np.nonzero(np.triu((grid >= 1) & (grid <= kinds)))
    real = bounds[last, 1] > bounds[first, 0]  # words may be empty
    first, last = first[real], last[real]
    kept = _surest(first, last, weight[first, last], overlaps)
    first, last = first[kept], last[kept]
    spans = np.stack([first, last], 1)
    read = _agreeing if overlaps else _apart
    links, sure = read(grid, weight, spans, kinds)
    twice = np.isin(links, mirror) & (links == links.T)
    later = np.tri(len(spans), k=-1, dtype=bool)
    links[twice & ((sure < sure.T) | ((sure == sure.T) & later))] = NO_LABEL
    return Reading(spans, grid[first, last], weight[first, last], links, sure)


def read_released(grid: Ints, weight: Floats, bounds: Ints, kinds: int) -> Reading:
    """Mentions are runs of mention classes on the diagonal, of the type of their first word, whatever follows."""
    diagonal = np.diagonal(grid)
    inside = np.pad((diagonal >= 1) & (diagonal <= kinds), 1).astype(np.int8)
    edges = np.diff(inside)
    first, last = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0] - 1
    real = bounds[last, 1] > bounds[first, 0]
    first, last = first[real], last[real]
    spans = np.stack([first, last], 1)
    total = np.pad(np.diagonal(weight).cumsum(), (1, 0))
    upper = np.triu(np.ones(grid.shape, dtype=bool))
    votes, labels = _votes(np.where(upper, grid, grid.T), np.ones(grid.shape), spans, kinds)
    links, best = _best(votes[1:], labels)
    links[best == 0] = NO_LABEL
    heard, _ = _votes(np.where(upper, grid, grid.T), np.where(upper, weight, weight.T), spans, kinds)
    _, summed = _best(heard[1:], labels, links)
    return Reading(
        spans,
        diagonal[first],
        (total[last + 1] - total[first]) / (last + 1 - first),
        links,
        summed / np.maximum(best, 1),
    )


def _surest(first: Ints, last: Ints, score: Floats, overlaps: bool) -> Ints:
    """Which spans stay, in reading order: one loop a span that stays, of which there are at most T."""
    order = np.lexsort((-last, first, -score))
    if overlaps:
        return np.sort(order[:MOST])
    kept = []
    while len(order):
        top, order = order[0], order[1:]
        kept.append(top)
        order = order[(last[order] < first[top]) | (first[order] > last[top])]
    return np.sort(np.array(kept, dtype=np.int64))


def _apart(grid: Ints, weight: Floats, spans: Ints, kinds: int) -> tuple[Ints, Floats]:
    """Links and their scores where no two spans, and so no two blocks, share a word."""
    votes, labels = _votes(grid, weight, spans, kinds)
    links, best = _best(votes[1:], labels)
    links[(best <= 0) | (best < votes[0])] = NO_LABEL
    return links, best / np.maximum(_voting(grid, spans, kinds), 1.0)


def _agreeing(grid: Ints, weight: Floats, spans: Ints, kinds: int) -> tuple[Ints, Floats]:
    """Links and their scores where blocks share cells: one at a time, the pair whose cells agree most first."""
    grid = grid.copy()
    s = len(spans)
    links, sure = np.full((s, s), NO_LABEL), np.zeros((s, s))
    while s:
        votes, labels = _votes(grid, weight, spans, kinds)
        found, best = _best(votes[1:], labels)
        able = (best > 0) & (best >= votes[0]) & (links == NO_LABEL) & (found != NO_LABEL)
        if not able.any():
            break
        size = _voting(grid, spans, kinds)
        share = np.where(able, best / np.maximum(votes.sum(0), 1e-300), -1.0).round(9)
        head, tail = np.unravel_index(np.lexsort((-size.ravel(), -share.ravel()))[0], share.shape)
        links[head, tail], sure[head, tail] = found[head, tail], best[head, tail] / size[head, tail]
        block = grid[spans[head, 0] : spans[head, 1] + 1, spans[tail, 0] : spans[tail, 1] + 1]
        block[block == found[head, tail]] = SPENT
    return links, sure


def _voting(grid: Ints, spans: Ints, kinds: int) -> Floats:
    """(S, S): the cells of each block that answer nothing or a relation."""
    return _sums(((grid == 0) | (grid > kinds)).astype(np.float64), spans)


def _votes(grid: Ints, weight: Floats, spans: Ints, kinds: int) -> tuple[Floats, Ints]:
    """(1 + K, S, S): summed scores over each block of the cells that answer nothing, and each of K labels; these K."""
    labels = np.unique(grid[grid > kinds])
    return np.stack([_sums(np.where(grid == c, weight, 0.0), spans) for c in (0, *labels.tolist())]), labels


def _best(votes: Floats, labels: Ints, chosen: Ints | None = None) -> tuple[Ints, Floats]:
    """The label with the highest sum for each pair of different mentions, lowest id on ties (or those chosen); its sum.

    No label and 0 on the diagonal and where no cell answers any.
    """
    s = votes.shape[1]
    if not len(labels):
        return np.full((s, s), NO_LABEL), np.zeros((s, s))
    at = votes.argmax(0) if chosen is None else np.searchsorted(labels, chosen.clip(labels[0]))
    best = np.take_along_axis(votes, at[None], 0)[0]
    own = np.eye(s, dtype=bool)
    return np.where(own, NO_LABEL, labels[at]), np.where(own, 0.0, best)


def _sums(values: Floats, spans: Ints) -> Floats:
    """(S, S): the sum of values (T, T) over the words of each span (rows) and each span (columns), to 9 places."""
    total = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    a, b = spans[:, 0], spans[:, 1] + 1
    return (total[np.ix_(b, b)] - total[np.ix_(a, b)] - total[np.ix_(b, a)] + total[np.ix_(a, a)]).round(9)
