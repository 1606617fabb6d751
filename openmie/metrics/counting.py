"""Shared by all metrics: pairing documents by id, micro counts, and the bootstrap over documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document
from openmie.data.packed_documents import ids_of
from openmie.errors import MetricError
from openmie.metrics.scores import Scores

Row = tuple[Sequence[str], Sequence[str], Sequence[str]]  # of one document: labels correct, predicted, gold
Ints = npt.NDArray[np.int64]
_CELLS = 4_000_000  # numbers held at once while drawing: 32 MB


def paired_by_id(gold: Iterable[Document], predicted: Iterable[Document]) -> Iterator[tuple[Document, Document | None]]:
    """Pair each gold document with the predicted one of its id, or None.

    Raises:
        MetricError: For a duplicate id in either, and a predicted id that is not in gold.
    """
    ours, theirs = listed(gold, "gold"), listed(predicted, "predicted")
    golds, found = _by_id(ours, "gold"), _by_id(theirs, "predicted")
    unknown = [id for id in found if id not in golds]
    if unknown:
        raise MetricError(
            f"{len(unknown)} predicted documents that gold does not have, the first {unknown[0]!r}",
            expected="predicted ids that are gold ids",
            remedy="score against the split that was predicted, or drop the documents of other splits",
        )
    return ((ours[n], theirs[found[id]] if id in found else None) for id, n in golds.items())


def listed(documents: Iterable[Document], which: str = "gold") -> Sequence[Document]:
    """The documents as a sequence; one that makes its documents when they are asked for (`PackedDocuments`) stays."""
    if isinstance(documents, Document):
        raise MetricError(
            f"one document as the {which} side", expected="an iterable of documents", remedy="pass a list: [document]"
        )
    return documents if isinstance(documents, Sequence) else list(documents)


def _by_id(documents: Sequence[Document], which: str) -> dict[str, int]:
    """The place of each document by its id."""
    ids = ids_of(documents)
    out = {id: n for n, id in enumerate(ids)}
    if len(out) != len(ids):
        twice = next(id for id, n in Counter(ids).items() if n > 1)
        raise MetricError(
            f"id {twice!r} twice among the {which} documents",
            expected="one document an id",
            remedy="give every document an id of its own; merge predictions for one document into one",
        )
    return out


class MicroCounts:
    """Micro counts, overall and by label, of documents that are added one at a time."""

    def __init__(self) -> None:
        self._totals: tuple[Counter[str], Counter[str], Counter[str]] = (Counter(), Counter(), Counter())
        self._counts: list[tuple[int, int, int]] = []

    def add(self, row: Row) -> None:
        """Count a document."""
        self._counts.append((len(row[0]), len(row[1]), len(row[2])))
        for total, labels in zip(self._totals, row):
            total.update(labels)

    def scores(self, bootstrap: int = 0, seed: int = 0, accuracy: float | None = None) -> Scores:
        """The scores, overall and by label, with a bootstrap interval."""
        correct, predicted, gold = self._totals
        by_label = {x: Scores(correct[x], predicted[x], gold[x]) for x in sorted(set(predicted) | set(gold))}
        counts = np.array(self._counts, dtype=np.int64).reshape(-1, 3)
        return scores_from_counts(counts, by_label, bootstrap, seed, accuracy)


def micro_scores(rows: Iterable[Row], bootstrap: int = 0, seed: int = 0, accuracy: float | None = None) -> Scores:
    """Micro scores, overall and by label, with a bootstrap interval, from the labels of each document."""
    counts = MicroCounts()
    for row in rows:
        counts.add(row)
    return counts.scores(bootstrap, seed, accuracy)


def scores_from_counts(
    counts: Ints, by_label: dict[str, Scores], bootstrap: int = 0, seed: int = 0, accuracy: float | None = None
) -> Scores:
    """Scores from counts (documents, 3): correct, predicted, gold."""
    correct, predicted, gold = (int(x) for x in counts.sum(axis=0))
    return Scores(correct, predicted, gold, by_label, bootstrap_interval(counts, bootstrap, seed), accuracy)


def bootstrap_interval(
    counts: Ints, bootstrap: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of micro F1, in percent, over documents drawn with replacement.

    None without documents or draws.
    """
    if bootstrap < 0:
        raise MetricError(f"bootstrap={bootstrap}", expected="a number of draws, 0 for none", remedy="1000 is usual")
    if not bootstrap or not len(counts):
        return None
    drawn = bootstrap_counts(counts, bootstrap, seed)  # (R, 3)
    total = drawn[:, 1] + drawn[:, 2]
    f1 = np.divide(200.0 * drawn[:, 0], total, out=np.zeros(bootstrap), where=total > 0)
    low, high = np.quantile(f1, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_counts(counts: npt.NDArray[Any], bootstrap: int, seed: int) -> npt.NDArray[Any]:
    """Sums of the counts (D, K) of documents over `bootstrap` samples drawn with replacement: (R, K).

    Documents with the same counts are interchangeable, so one multinomial draw over the distinct rows, weighted by how
    often each occurs, has the distribution of drawing documents one by one.
    """
    kinds, times = np.unique(counts, axis=0, return_counts=True)  # (U, K), (U,)
    n, draw = len(counts), np.random.default_rng(seed)
    block = max(1, _CELLS // len(kinds))  # draws at a time, so that many different documents take no more memory
    sizes = [min(block, bootstrap - done) for done in range(0, bootstrap, block)]
    return np.concatenate([draw.multinomial(n, times / n, size=size) @ kinds for size in sizes])
