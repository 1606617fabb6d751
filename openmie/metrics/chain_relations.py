"""Relations between chains, correct by overlap (the M3D paper, section VI-B).

A predicted triple (head, label, tail) and a gold one agree when both heads share a mention, both tails do, and the
labels are the same. Mentions are spans; a relation between mentions is one between chains of one mention each.
`links.py` is stricter: there the ends are the same in full.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from openmie.data.document import Document
from openmie.errors import MetricError
from openmie.metrics.counting import Row, listed, micro_scores, paired_by_id
from openmie.metrics.grounding import Bools, matching
from openmie.metrics.links import NONE, RelationKey, SpanKey, end_key, relation_keys
from openmie.metrics.scores import Scores

RelationMode = Literal["overlap", "directed", "undirected", "as_released"]


def chain_relations(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    mode: RelationMode = "overlap",
    *,
    symmetric: Collection[str] = (),
    none: Collection[str] = NONE,
    bootstrap: int = 0,
    seed: int = 0,
) -> Scores:
    """Micro precision, recall and F1 over triples between chains.

    `correct` is the largest one-to-one matching of predicted and gold triples that agree, so that each is used once.
    The paper's sentence alone would let a system that cuts a chain into pieces, or throws all mentions into one chain,
    have many triples correct by a single gold one. Direction counts, except for symmetric labels, whose ends may agree
    crosswise (a third of M3D's relations; the paper does not know of such labels, see `mode`). Duplicates are counted
    once. A triple with an end that is not located in the text is never correct, but it counts. `None` and "" are no
    relations.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        mode: "overlap"; "directed": as section VI-B prints it, head with head and tail with tail whatever the label;
            "undirected": either way round whatever the label; or "as_released", as M3D's release counts. There every
            ordered pair of chains has one label: a relation is read in both directions, and of several between two
            chains the last is kept. A reading agrees with gold in either direction; readings come in the order of the
            document's chains, and each uses up the first remaining gold triple that agrees. So one of the two readings
            is usually wrong: gold as prediction has a precision of about 50 (see docs/papers/m3d). The release's vote
            over pairs of mentions, its mask of labels by chain types and its skipping of some pairs happen before
            scoring and are not part of this.
        symmetric: Labels without direction; of "overlap" alone.
        none: Labels that mean that no relation holds.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        Scores, by label too; `correct` is the size of the matching.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, a relation whose end is no mention or
            chain of mentions, and an unknown mode.

    Reference: M3D, section VI-B.
    """
    if mode not in get_args(RelationMode):
        raise MetricError.unknown("mode", mode, get_args(RelationMode))
    if mode == "as_released":
        return micro_scores((_row_as_released(d, p, none) for d, p in paired_by_id(gold, predicted)), bootstrap, seed)
    if mode != "overlap":
        gold, predicted = listed(gold), listed(predicted, "predicted")
        sides = (gold, predicted) if mode == "undirected" else ()
        symmetric = {r.label for side in sides for d in side for r in d.relations}
    return micro_scores(chain_relation_rows(gold, predicted, symmetric, none), bootstrap, seed)


def chain_relation_rows(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    symmetric: Collection[str] = (),
    none: Collection[str] = NONE,
) -> Iterator[Row]:
    """Labels of correct, predicted and gold relations of each document, by overlap."""
    for document, prediction in paired_by_id(gold, predicted):
        gold_triples, predicted_triples = (
            triples(document, "gold", symmetric, none),
            triples(prediction, "predicted", symmetric, none),
        )
        owner = matching(agreement_matrix(predicted_triples, gold_triples, symmetric))
        yield (
            [gold_triples[g].label for g in owner],
            [t.label for t in predicted_triples],
            [t.label for t in gold_triples],
        )


class Triple(NamedTuple):
    """A relation by place."""

    head: frozenset[SpanKey]
    tail: frozenset[SpanKey]
    label: str


def triples(
    document: Document | None, side: str, symmetric: Collection[str] = (), none: Collection[str] = NONE
) -> list[Triple]:
    """The relations of a document, each once, in a fixed order; a symmetric one has its ends in order."""
    found: set[RelationKey] = set()
    for head, tail, label in relation_keys(document, False, side) if document else ():
        if label not in none:
            found.add((tail, head, label) if label in symmetric and tail < head else (head, tail, label))
    return [Triple(frozenset(head[0]), frozenset(tail[0]), label) for head, tail, label in sorted(found)]


def agreement_matrix(
    left: Sequence[Triple], right: Sequence[Triple], symmetric: Collection[str] = (), labels: bool = True
) -> Bools:
    """Which triples agree: (len(left), len(right)). `labels=False`: whose ends do, whatever holds between them."""
    heads, tails = (
        overlap_matrix([t.head for t in left], [t.head for t in right]),
        overlap_matrix([t.tail for t in left], [t.tail for t in right]),
    )
    hits = heads & tails
    names = np.array([t.label for t in left], dtype=object), np.array([t.label for t in right], dtype=object)
    is_symmetric = np.array([x in symmetric for x in names[0]], dtype=bool)
    if is_symmetric.any():
        crosswise = overlap_matrix([t.head for t in left], [t.tail for t in right]) & overlap_matrix(
            [t.tail for t in left], [t.head for t in right]
        )
        hits |= crosswise & is_symmetric[:, None]
    return hits & (names[0][:, None] == names[1][None]).reshape(hits.shape) if labels else hits


def overlap_matrix(left: Sequence[frozenset[SpanKey]], right: Sequence[frozenset[SpanKey]]) -> Bools:
    """Which sets of places share a located one: (len(left), len(right))."""
    number: dict[SpanKey, int] = {}
    for places in (*left, *right):
        for place in places:
            number.setdefault(place, len(number))
    sides = []
    for side in (left, right):
        holds = np.zeros((len(side), len(number)), dtype=np.float32)
        cells = [(row, number[p]) for row, places in enumerate(side) for p in places if p[0] >= 0]
        if cells:
            holds[tuple(np.array(cells).T)] = 1
        sides.append(holds)
    return sides[0] @ sides[1].T > 0


def _row_as_released(gold: Document, predicted: Document | None, none: Collection[str]) -> Row:
    """Labels of correct, predicted and gold relations of one document, as M3D's release counts."""
    gold_triples = [
        Triple(*_end_spans(gold, r.head, r.tail, "gold"), r.label) for r in gold.relations if r.label not in none
    ]
    predicted_triples = _both_directions(predicted, none) if predicted else []
    hits = agreement_matrix(predicted_triples, gold_triples, {t.label for t in predicted_triples})  # either way round
    right, free = [], np.ones(len(gold_triples), dtype=bool)
    for triple, row in zip(predicted_triples, hits):
        if (row & free).any():
            free[int(np.argmax(row & free))] = False
            right.append(triple.label)
    return right, [t.label for t in predicted_triples], [t.label for t in gold_triples]


def _both_directions(document: Document, none: Collection[str]) -> list[Triple]:
    """One label for two chains, read both ways, by the order of the chains; for a chain and itself there is one way."""
    ids = (*(c.id for c in document.chains), *(m.id for m in document.mentions))
    position = {id: n for n, id in enumerate(ids)}
    first: dict[frozenset[SpanKey], int] = {}  # where the same mentions are two chains, they are one
    labels_by_ends: dict[tuple[frozenset[SpanKey], frozenset[SpanKey]], str] = {}
    for relation in document.relations:
        if relation.label not in none:
            head, tail = _end_spans(document, relation.head, relation.tail, "predicted")
            for places, id in ((head, relation.head), (tail, relation.tail)):
                first[places] = min(first.get(places, len(position)), position[id])
            labels_by_ends[head, tail] = labels_by_ends[tail, head] = relation.label
    return [
        Triple(*ends, labels_by_ends[ends])
        for ends in sorted(labels_by_ends, key=lambda pair: (first[pair[0]], first[pair[1]]))
    ]


def _end_spans(document: Document, head: str, tail: str, side: str) -> tuple[frozenset[SpanKey], frozenset[SpanKey]]:
    return frozenset(end_key(document, head, False, side)[0]), frozenset(end_key(document, tail, False, side)[0])
