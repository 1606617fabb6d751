"""Scores of coreference chains: MUC, B3 and CEAF, and their mean.

K gold chains k and R predicted chains r of one document, each a set of mentions; n(k, r) = |k & r|.

    MUC (Vilain et al., 1995)       right = sum_kr [n > 0] (n - 1), gold = sum_k (|k| - 1), predicted = sum_r (|r| - 1)
    B3 (Bagga and Baldwin, 1998)    right = sum_kr n^2 / |k| of gold = sum_k |k|, for the recall;
                                    right = sum_kr n^2 / |r| of predicted = sum_r |r|, for the precision
    CEAF (Luo, 2005)                right = max over one-to-one pairings of sum phi(k, r)
        phi4 = 2 n / (|k| + |r|)    gold = K, predicted = R
        phi3 = n                    gold = sum_k |k|, predicted = sum_r |r|

MUC's links as printed, |k| minus the parts into which the other side cuts k, come to the sum above on either side.
Numerators and denominators are summed over documents before they are divided: the score of one document that holds all
of them side by side, which is what the usual scorers (`scorch`, the CoNLL scorer) give for a whole corpus. The pairing
of CEAF is found document by document, since chains of different documents share nothing.

What counts:
* Mentions are compared by span, not by id; the label counts with `labels=True`.
* A mention in no chain is a singleton. An orphan `I-` run in no chain is left out, as in strict entity scores.
* The same span twice in one chain is one mention. Two chains of one document that share a span are merged (the CoNLL
  scorer keeps the span in the first alone); `openmie.metrics.shared_spans` tells of them.
* A chain without mentions is ignored.
* Mentions that are not located in the text are never correct but count, each as one more.
* Where neither side has anything to count (no links for MUC, no mentions for the others), the score is 100; where only
  one side has, it is 0. `scorch` says 0 in both cases.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document, Mention
from openmie.errors import MetricError
from openmie.metrics.counting import bootstrap_counts, paired_by_id
from openmie.metrics.scores import Scores

ChainMode = Literal["standard", "as_released"]
PARTS = ("MUC", "B3", "CEAF phi4", "CEAF phi3")
AVERAGED = 3  # of PARTS, the first: those in the mean
WIDTH = 4 * len(PARTS) + 1  # numbers of one document: right for precision and recall, predicted, gold, a part; exact

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Cluster = frozenset[Hashable]
T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class ChainMeasure(Scores):
    """One of the measures. `correct` is the numerator of the recall, `precision_correct` of the precision."""

    precision_correct: float = 0.0
    empty_score: float = 100.0  # what nothing against nothing scores

    @property
    def precision(self) -> float:
        return float(_ratio(self.precision_correct, self.predicted, self.gold, self.empty_score))

    @property
    def recall(self) -> float:
        return float(_ratio(self.correct, self.gold, self.predicted, self.empty_score))

    @property
    def f1(self) -> float:
        p, r = self.precision, self.recall
        return 2 * p * r / (p + r) if p + r else 0.0


@dataclass(frozen=True)
class ChainScores(Scores):
    """All measures. As a whole: `correct` chains are found exactly; precision, recall and F1 are means of three."""

    by_label: Mapping[str, ChainMeasure] = field(default_factory=lambda: {name: ChainMeasure() for name in PARTS})

    @property
    def muc(self) -> ChainMeasure:
        return self.by_label["MUC"]

    @property
    def b3(self) -> ChainMeasure:
        return self.by_label["B3"]

    @property
    def ceaf(self) -> ChainMeasure:
        """With phi4, each chain weighing the same (CEAF_e)."""
        return self.by_label["CEAF phi4"]

    @property
    def ceaf_m(self) -> ChainMeasure:
        """With phi3, each mention weighing the same."""
        return self.by_label["CEAF phi3"]

    @property
    def mean(self) -> float:
        """Of the F1 of MUC, B3 and CEAF with phi4, as in CoNLL-2012."""
        return self.f1

    @property
    def precision(self) -> float:
        return sum(self.by_label[x].precision for x in PARTS[:AVERAGED]) / AVERAGED

    @property
    def recall(self) -> float:
        return sum(self.by_label[x].recall for x in PARTS[:AVERAGED]) / AVERAGED

    @property
    def f1(self) -> float:
        return sum(self.by_label[x].f1 for x in PARTS[:AVERAGED]) / AVERAGED


def chains(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    mode: ChainMode = "standard",
    *,
    labels: bool = False,
    bootstrap: int = 0,
    seed: int = 0,
) -> ChainScores:
    """Coreference scores: MUC, B3, CEAF (phi4 and phi3) and the mean of MUC, B3 and CEAF phi4, in percent.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        mode: "standard", or "as_released" to count as M3D's release does: its "MUC" is over pairs of mentions, B3 is
            summed over mentions that are in chains of both sides only (missed mentions cost nothing), CEAF is phi3, in
            the mean too, and predicted singletons are ignored while gold ones count.
        labels: Whether a mention's label must match too.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        `ChainScores`, with `mean`, `muc`, `b3`, `ceaf` and `ceaf_m`.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, a chain with an id that is no mention, and
            an unknown mode.

    Reference: Vilain et al. (1995), Bagga and Baldwin (1998), Luo (2005); the mean is that of CoNLL-2012.
    """
    if mode not in ("standard", "as_released"):
        raise MetricError.unknown("mode", mode, ("standard", "as_released"))
    counts = [document_counts(d, p, mode, labels) for d, p in paired_by_id(gold, predicted)]
    empty_score = 0.0 if mode == "as_released" else 100.0
    return chain_scores_from_counts(np.array(counts, dtype=np.float64).reshape(-1, WIDTH), bootstrap, seed, empty_score)


def document_counts(
    gold: Document, predicted: Document | None, mode: ChainMode = "standard", labels: bool = False
) -> Floats:
    """The numbers of one document, (WIDTH,): all that the scores of a corpus are summed from."""
    want, got = clusters(gold, "gold", labels), clusters(predicted, "predicted", labels) if predicted else []
    if mode == "as_released":
        got = [c for c in got if len(c) > 1]
    table = _ContingencyTable.of(want, got)
    return np.array(
        [*(table.as_released_counts() if mode == "as_released" else table.standard_counts()), table.exact()]
    )


def chain_scores_from_counts(
    counts: Floats, bootstrap: int = 0, seed: int = 0, empty_score: float = 100.0
) -> ChainScores:
    """Scores from the numbers of documents (D, WIDTH)."""
    total = counts.sum(axis=0)
    parts = {
        name: ChainMeasure(
            correct=float(r),
            predicted=round(p),
            gold=round(g),
            precision_correct=float(precision_correct),
            empty_score=empty_score,
        )
        for name, (precision_correct, r, p, g) in zip(PARTS, total[:-1].reshape(-1, 4))
    }
    interval = None
    if bootstrap and len(counts):
        means = mean_f1(bootstrap_counts(counts, bootstrap, seed), empty_score)
        interval = (float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975)))
    chains = parts["CEAF phi4"]
    return ChainScores(
        correct=round(total[-1]), predicted=chains.predicted, gold=chains.gold, by_label=parts, interval=interval
    )


def mean_f1(counts: Floats, empty_score: float = 100.0) -> Floats:
    """The mean F1 of rows (R, WIDTH): (R,)."""
    precision_correct, correct, predicted, gold = np.moveaxis(counts[:, : 4 * AVERAGED].reshape(-1, AVERAGED, 4), 2, 0)
    p, r = _ratio(precision_correct, predicted, gold, empty_score), _ratio(correct, gold, predicted, empty_score)
    f1: Floats = np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)
    return f1.mean(axis=1)


def _ratio(precision_correct: Floats | float, of: Floats | float, other: Floats | float, empty_score: float) -> Floats:
    """In percent; where a side has nothing: 0, or `nothing` if the other side has nothing either."""
    precision_correct, of, other = (np.asarray(x, dtype=np.float64) for x in (precision_correct, of, other))
    share = np.divide(100.0 * precision_correct, of, out=np.zeros(precision_correct.shape), where=of > 0)
    return np.where((of == 0) & (other == 0), empty_score, share)


def clusters(document: Document, side: str, labels: bool = False) -> list[Cluster]:
    """The chains of a document as sets of mentions, disjoint, those of one mention among them.

    A mention is its span (start, end, label or ""), or what no other side can have where it is not located.
    Errors: a chain that names what is no mention.
    """
    found: list[set[Hashable]] = []
    inside: set[str] = set()
    for chain in document.chains:
        members = [document.find(id) for id in chain.mentions]
        if missing := [id for id, m in zip(chain.mentions, members) if not isinstance(m, Mention)]:
            raise MetricError(
                f"a {side} chain {chain.id!r} of {missing[0]!r}, which is no mention",
                expected="ids of mentions",
                where=f"document {document.id}",
                remedy="Document.dangling() lists such references; mend or drop them before scoring",
            )
        inside.update(chain.mentions)
        found.append({_mention_key(m, side, labels) for m in members if isinstance(m, Mention)})
    found += [{_mention_key(m, side, labels)} for m in document.mentions if m.id not in inside and m.status != "orphan"]
    return merge_overlapping(found)


def _mention_key(mention: Mention, side: str, labels: bool) -> Hashable:
    if mention.status == "unlocated":
        return side, mention.id
    return mention.start, mention.end, mention.label if labels else ""


def merge_overlapping(sets: Iterable[Collection[T]]) -> list[frozenset[T]]:
    """Disjoint unions of sets that share an element, in the order of their first; the empty ones are gone."""
    of: dict[T, set[T]] = {}
    for members in sets:
        shared = {id(of[x]): of[x] for x in members if x in of}
        union = set(members).union(*shared.values())
        of.update(dict.fromkeys(union, union))
    return [frozenset(s) for s in {id(s): s for s in of.values()}.values()]


@dataclass(frozen=True)
class _ContingencyTable:
    """The cells (k, r) that are not empty, C of them, and the sizes of all chains."""

    k: Ints  # (C,)
    r: Ints  # (C,)
    n: Ints  # (C,) mentions in both
    gold: Ints  # (K,)
    predicted: Ints  # (R,)

    @classmethod
    def of(cls, gold: Sequence[Cluster], predicted: Sequence[Cluster]) -> _ContingencyTable:
        owner = {x: r for r, cluster in enumerate(predicted) for x in cluster}
        both = [k * len(predicted) + owner[x] for k, cluster in enumerate(gold) for x in cluster if x in owner]
        cells, n = np.unique(np.array(both, dtype=np.int64), return_counts=True)
        k, r = np.divmod(cells, max(len(predicted), 1))
        sizes = (np.array([len(c) for c in side], dtype=np.int64) for side in (gold, predicted))
        return cls(k, r, n, *sizes)

    def exact(self) -> int:
        return int(((self.n == self.gold[self.k]) & (self.n == self.predicted[self.r])).sum())

    def standard_counts(self) -> list[float]:
        """Right for precision, right for recall, predicted, gold: of each of PARTS."""
        want, got = self.gold[self.k], self.predicted[self.r]
        links, all_got, all_want = (self.n - 1).sum(), self.predicted.sum(), self.gold.sum()
        phi4, phi3 = self._best_assignment(2 * self.n / (want + got)), self._best_assignment(self.n.astype(np.float64))
        return [
            links,
            links,
            all_got - len(self.predicted),
            all_want - len(self.gold),
            (self.n**2 / got).sum(),
            (self.n**2 / want).sum(),
            all_got,
            all_want,
            phi4,
            phi4,
            len(self.predicted),
            len(self.gold),
            phi3,
            phi3,
            all_got,
            all_want,
        ]

    def as_released_counts(self) -> list[float]:
        want, got, n = self.gold[self.k], self.predicted[self.r], self.n
        pairs, shared = _pairs(n), n.sum()
        phi3 = [*[self._best_assignment(n.astype(np.float64))] * 2, self.predicted.sum(), self.gold.sum()]
        return [
            pairs,
            pairs,
            _pairs(self.predicted),
            _pairs(self.gold),
            (n**2 / got).sum(),
            (n**2 / want).sum(),
            shared,
            shared,
            *phi3,
            *phi3,
        ]

    def _best_assignment(self, phi: Floats) -> float:
        """The largest sum of similarities phi (C,) over one-to-one pairings, each connected block on its own."""
        if not len(phi):
            return 0.0
        from scipy.optimize import linear_sum_assignment
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        rows, columns = len(self.gold), len(self.predicted)
        graph = coo_array((phi, (self.k, rows + self.r)), shape=(rows + columns,) * 2)
        block = connected_components(graph, directed=False)[1][self.k]
        order = np.argsort(block, kind="stable")
        total = []
        for cells in np.split(order, np.flatnonzero(np.diff(block[order])) + 1):
            (k, at_k), (r, at_r) = (np.unique(x[cells], return_inverse=True) for x in (self.k, self.r))
            similar = np.zeros((len(k), len(r)))
            similar[at_k, at_r] = phi[cells]
            total.append(similar[linear_sum_assignment(similar, maximize=True)].sum())
        return float(np.sum(total))


def _pairs(sizes: Ints) -> int:
    return int((sizes * (sizes - 1) // 2).sum())
