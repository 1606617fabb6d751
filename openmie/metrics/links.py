"""Relation scores: for given pairs, and jointly with their entities.

Head and tail are compared by their spans, not by ids: the span of a mention, or the spans of all mentions of a chain.
The labels `None` (`none` in version 1 of MNRE) and "" mean that no relation holds: they are neither gold nor predicted
positives, as in scikit-learn's micro F1 with `labels[1:]`. Direction counts, except for symmetric labels. Duplicates
are counted once. A relation with an end that is not located in the text is never correct, but it counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from openmie.data.document import Chain, Document, Mention, Relation
from openmie.errors import MetricError
from openmie.metrics.counting import Row, micro_scores, paired_by_id
from openmie.metrics.scores import Scores

NONE = ("None", "none", "NONE", "")
SpanKey = tuple[int, int, str]  # start, end, ""; or -1, -1 and the name of what is not located
EndKey = tuple[tuple[SpanKey, ...], str]  # places, entity label
RelationKey = tuple[EndKey, EndKey, str]  # head, tail, relation label
EndPair = tuple[EndKey, EndKey]


def relations(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    *,
    symmetric: Collection[str] = (),
    none: Collection[str] = NONE,
    bootstrap: int = 0,
    seed: int = 0,
    as_released: bool = False,
) -> Scores:
    """Micro precision, recall and F1 over the labels of given pairs, without None; accuracy over all pairs, with None.

    A gold pair is accurate when the set of labels predicted for it is the gold set. A pair that the predicted document
    does not list counts as None; a pair of a document that was not predicted is wrong.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        symmetric: Labels without direction.
        none: Labels that mean that no relation holds.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.
        as_released: Count row by row, as the releases of MNRE's systems do. The two differ where a document lists a
            pair more than once, for symmetric labels, and for predicted relations between pairs that are not given.

    Returns:
        Scores, with `accuracy`.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, and a relation whose end is no mention or
            chain.

    Reference: Zheng et al. (2021), MNRE.
    """
    if as_released:
        return _scores_by_row(gold, predicted, none, bootstrap, seed)
    rows: list[Row] = []
    right = num_pairs = 0
    for document, prediction in paired_by_id(gold, predicted):
        want = relation_keys(document, False, "gold")
        got = relation_keys(prediction, False, "predicted") if prediction else set()
        rows.append(_row(want, got, symmetric, none))
        labels, predictions = _by_pair(want, symmetric, none), _by_pair(got, symmetric, none)
        gold_pairs = {(head, tail) for head, tail, _ in want}
        num_pairs += len(gold_pairs)
        if prediction:
            right += sum(predictions[p] == labels[p] for p in gold_pairs if _located(p))
    return micro_scores(rows, bootstrap, seed, accuracy=100.0 * right / num_pairs if num_pairs else 0.0)


def _scores_by_row(
    gold: Iterable[Document], predicted: Iterable[Document], none: Collection[str], bootstrap: int, seed: int
) -> Scores:
    """Each gold relation is a row; its prediction is the next one for the same head and tail, or None."""
    rows: list[Row] = []
    right = num_pairs = 0
    for document, prediction in paired_by_id(gold, predicted):
        predicted_labels: dict[EndPair, list[str]] = defaultdict(list)
        for r in reversed(prediction.relations if prediction else ()):
            predicted_labels[_end_pair(prediction, r, "predicted")].append(r.label)  # type: ignore[arg-type]
        predictions = [
            (r.label, (predicted_labels[_end_pair(document, r, "gold")] or ["None"]).pop()) for r in document.relations
        ]
        both = [("None" if y in none else y, "None" if z in none else z) for y, z in predictions]
        num_pairs, right = num_pairs + len(both), right + sum(y == z for y, z in both)
        rows.append(
            (
                [y for y, z in both if y == z != "None"],
                [z for _, z in both if z != "None"],
                [y for y, _ in both if y != "None"],
            )
        )
    return micro_scores(rows, bootstrap, seed, accuracy=100.0 * right / num_pairs if num_pairs else 0.0)


def _end_pair(document: Document, relation: Relation, side: str) -> EndPair:
    return end_key(document, relation.head, False, side), end_key(document, relation.tail, False, side)


def pairs(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    symmetric: Collection[str] = (),
    *,
    none: Collection[str] = NONE,
    bootstrap: int = 0,
    seed: int = 0,
) -> Scores:
    """Joint scores: a relation is correct when both spans, both entity labels and its own label are.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        symmetric: Labels without direction.
        none: Labels that mean that no relation holds.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        Scores over relations with typed ends.

    Raises:
        MetricError: As `relations`.

    Reference: Yuan et al. (2023), joint multimodal entity-relation extraction (JMERE).
    """

    def rows() -> Iterator[Row]:
        for document, prediction in paired_by_id(gold, predicted):
            got = relation_keys(prediction, True, "predicted") if prediction else set()
            yield _row(relation_keys(document, True, "gold"), got, symmetric, none)

    return micro_scores(rows(), bootstrap, seed)


def _row(want: set[RelationKey], got: set[RelationKey], symmetric: Collection[str], none: Collection[str]) -> Row:
    want, got = ({_ordered(x, symmetric) for x in side if x[2] not in none} for side in (want, got))
    return [x[2] for x in want & got if _located(x)], [x[2] for x in got], [x[2] for x in want]


def _ordered(link: RelationKey, symmetric: Collection[str]) -> RelationKey:
    head, tail, label = link
    return (tail, head, label) if label in symmetric and tail < head else link


def _located(link: RelationKey | EndPair) -> bool:
    return all(start >= 0 for places, _ in link[:2] for start, _, _ in places)


def _by_pair(found: set[RelationKey], symmetric: Collection[str], none: Collection[str]) -> dict[EndPair, set[str]]:
    """The labels of each pair, none for None; a symmetric label stands under both orders."""
    out: dict[EndPair, set[str]] = defaultdict(set)
    for head, tail, label in found:
        if label not in none:
            out[head, tail].add(label)
            if label in symmetric:
                out[tail, head].add(label)
    return out


def relation_keys(document: Document, typed: bool, side: str) -> set[RelationKey]:
    """The relations of a document by place; with the labels of their ends where those count."""
    return {
        (end_key(document, r.head, typed, side), end_key(document, r.tail, typed, side), r.label)
        for r in document.relations
    }


def end_key(document: Document, id: str, typed: bool, side: str) -> EndKey:
    """Where a mention or chain is, and its label if that counts. A mention and a chain of it alone are the same."""
    found = document.find(id)
    parts = [document.find(m) for m in found.mentions] if isinstance(found, Chain) else [found]
    mentions = [p for p in parts if isinstance(p, Mention)]
    if not parts or len(mentions) < len(parts):
        raise MetricError(
            f"a {side} relation with an end {id!r} that leads to no mention",
            expected="the id of a mention, or of a chain of mentions",
            where=f"document {document.id}",
            remedy="Document.dangling() lists such references; mend or drop them before scoring",
        )
    places = {(-1, -1, m.text) if m.status == "unlocated" else (m.start, m.end, "") for m in mentions}
    return tuple(sorted(places)), found.label if typed and found else ""
