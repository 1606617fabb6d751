"""Algorithm 1 of M-MRE (Gan et al., 2025): entities, image-entity pairs and summaries, one answer per document.

Entities: F1 over label-entity pairs, compared as texts, not by position. Micro over multisets: duplicates count as
often as gold has them. Pairs: "the proportion of correctly matched image patches to their
corresponding entities", of which the paper leaves the denominator open. With "gold" (the default) it is the gold pairs,
so that pairs too many cost nothing; with "predicted" the pairs of the answer; with "union" those of either, so that
both cost. Summaries: `openmie.metrics.text`.

The paper does not say whether it averages over samples either: `average="sample"` does, and leaves out of each mean the
samples that have nothing to be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

from openmie.data.document import Document
from openmie.errors import MetricError
from openmie.metrics.counting import Row, listed, micro_scores, paired_by_id
from openmie.metrics.patches import mentions_by_patch
from openmie.metrics.scores import Scores
from openmie.metrics.text import TextScores, text

Denominator = Literal["gold", "predicted", "union"]
Average = Literal["micro", "sample"]


class MreItems(NamedTuple):
    """The items of one answer: (label, entity), with duplicates, and (letter of a patch, entity)."""

    entities: Sequence[tuple[str, str]] = ()
    pairs: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class MreScores:
    """All of Algorithm 1, in percent."""

    ner: Scores
    pairs: Scores  # its `accuracy` is that of the denominator
    denominator: Denominator = "gold"
    average: Average = "micro"
    mean_f1: float | None = None  # of entities over samples, with average="sample"
    text: TextScores | None = None

    @property
    def f1(self) -> float:
        """NER F1."""
        return self.ner.f1 if self.mean_f1 is None else self.mean_f1

    @property
    def accuracy(self) -> float:
        """Image-entity accuracy."""
        return self.pairs.accuracy or 0.0


def mre(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    *,
    denominator: Denominator = "gold",
    average: Average = "micro",
    tokenizer: str = "",
    bootstrap: int = 0,
    seed: int = 0,
) -> MreScores:
    """Algorithm 1 on documents. Regions of gold and prediction are assigned to the gold document's patches.

    A region on no patch cannot be expressed in the format, so it is ignored.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        denominator: Of the image-entity accuracy: "gold" pairs, "predicted" pairs, or their "union".
        average: "micro", or "sample" for means over documents.
        tokenizer: Of BLEU and ROUGE, see `texts`.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        `MreScores`: entities, image-entity pairs with their accuracy, and summaries.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, and an unknown denominator, average or
            tokenizer.

    Reference: Gan et al. (2025), algorithm 1.
    """
    gold, predicted = listed(gold), listed(predicted, "predicted")
    rows = [(mre_items(d, d), mre_items(p, d) if p else MreItems()) for d, p in paired_by_id(gold, predicted)]
    scores = mre_scores(rows, denominator=denominator, average=average, bootstrap=bootstrap, seed=seed)
    return replace(scores, text=text(gold, predicted, tokenizer=tokenizer, bootstrap=bootstrap, seed=seed))


def name_scores(gold: Iterable[Document], predicted: Iterable[Document]) -> Scores:
    """The scores of names alone, of all and of each label, as in `mre`.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id.
    """
    rows = [(mre_items(d, d), mre_items(p, d) if p else MreItems()) for d, p in paired_by_id(gold, predicted)]
    return mre_scores(rows).ner


def mre_items(document: Document, given: Document | None = None) -> MreItems:
    """The items of a document, with the patches of `given`; every mention counts, whatever its status."""
    mentions = document.mentions
    pairs = [(name, mentions[n].text) for name, of in mentions_by_patch(document, given).items() for n in of]
    return MreItems([(m.label, m.text) for m in mentions], pairs)


def mre_scores(
    rows: Iterable[tuple[MreItems, MreItems]],
    *,
    denominator: Denominator = "gold",
    average: Average = "micro",
    bootstrap: int = 0,
    seed: int = 0,
) -> MreScores:
    """Scores of (gold, predicted) items; surrounding whitespace of names is ignored and duplicate pairs count once.

    Raises `MetricError` for an unknown denominator or average.
    """
    for value, known in ((denominator, get_args(Denominator)), (average, get_args(Average))):
        if value not in known:
            raise MetricError(f"{value!r}", expected=f"one of {', '.join(known)}", remedy="name one of them")
    listed = [(_clean(want), _clean(got)) for want, got in rows]
    ner = micro_scores(_entities(listed), bootstrap, seed)
    pairs = micro_scores(_pairs(listed), bootstrap, seed)
    shares = [_share(set(want.pairs), set(got.pairs), denominator) for want, got in listed]
    if average == "micro":
        mean, accuracy = None, _percent(sum(r for r, _ in shares), sum(n for _, n in shares))
    else:
        mean = _mean([micro_scores([row]).f1 for row in _entities(listed) if row[1] or row[2]])
        accuracy = _mean([_percent(r, n) for r, n in shares if n])
    pairs = replace(pairs, by_label={}, accuracy=accuracy)
    return MreScores(ner=ner, pairs=pairs, denominator=denominator, average=average, mean_f1=mean)


def _clean(side: MreItems) -> MreItems:
    return MreItems(
        [(label, name.strip()) for label, name in side.entities],
        [(letter, name.strip()) for letter, name in side.pairs],
    )


def _entities(rows: Iterable[tuple[MreItems, MreItems]]) -> Iterator[Row]:
    for want, got in rows:
        common = Counter(want.entities) & Counter(got.entities)
        yield [e[0] for e in common.elements()], [e[0] for e in got.entities], [e[0] for e in want.entities]


def _pairs(rows: Iterable[tuple[MreItems, MreItems]]) -> Iterator[Row]:
    for want, got in rows:
        a, b = set(want.pairs), set(got.pairs)
        yield [""] * len(a & b), [""] * len(b), [""] * len(a)


def _share(want: set[tuple[str, str]], got: set[tuple[str, str]], denominator: Denominator) -> tuple[int, int]:
    """Number of correct pairs, and the denominator."""
    counted = {"gold": want, "predicted": got, "union": want | got}[denominator]
    return len(want & got), len(counted)


def _percent(right: int, counted: int) -> float:
    return 100.0 * right / counted if counted else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
