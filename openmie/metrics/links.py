"""Relation scores: on given pairs, and joint with the entities that they hold between.

An end of a relation is compared by where it is, not by its id: the span of its mention, or the spans of the mentions of
its chain. `None` and "" say that no relation holds: they are neither gold nor predicted positives, as in scikit-learn's
micro F1 with `labels[1:]`. Direction counts, except for the labels named as symmetric. A set on each side: what is said
twice counts once. A relation with an end that is not located in the text is never right, but it counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from openmie.data.document import Chain, Document, Mention, Relation
from openmie.errors import MetricError
from openmie.metrics.counting import Row, aligned, tally
from openmie.metrics.scores import Scores

NONE = ("None", "")
Place = tuple[int, int, str]  # start, end, ""; or -1, -1 and the name of what is not located
End = tuple[tuple[Place, ...], str]  # places, entity label
Link = tuple[End, End, str]  # head, tail, relation label
Pair = tuple[End, End]


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
    """Micro precision, recall and F1 over labels of given pairs, without None; accuracy over all gold pairs with it.

    A gold pair is answered right when the set of labels predicted for it is the gold set. A pair that a predicted
    document does not speak of reads as None; a pair of a document that was not predicted is wrong. `as_released`: row
    by row, as the releases of MNRE's systems count; the two differ where a document lists a pair more than once, where
    labels are symmetric, and where relations are found that were not asked for.
    Errors: an id twice, a predicted id that gold does not have, a relation whose end is no mention or chain.
    """
    if as_released:
        return _by_row(gold, predicted, none, bootstrap, seed)
    rows: list[Row] = []
    right = asked = 0
    for document, prediction in aligned(gold, predicted):
        want = links(document, False, "gold")
        got = links(prediction, False, "predicted") if prediction else set()
        rows.append(_row(want, got, symmetric, none))
        labels, answers = _by_pair(want, symmetric, none), _by_pair(got, symmetric, none)
        asked_here = {(head, tail) for head, tail, _ in want}
        asked += len(asked_here)
        if prediction:
            right += sum(answers[p] == labels[p] for p in asked_here if _located(p))
    return tally(rows, bootstrap, seed, accuracy=100.0 * right / asked if asked else 0.0)


def _by_row(
    gold: Iterable[Document], predicted: Iterable[Document], none: Collection[str], bootstrap: int, seed: int
) -> Scores:
    """Each relation of gold is a row; its answer is the next one predicted for the same head and tail, or None."""
    rows: list[Row] = []
    right = asked = 0
    for document, prediction in aligned(gold, predicted):
        said: dict[Pair, list[str]] = defaultdict(list)
        for r in reversed(prediction.relations if prediction else ()):
            said[_ends(prediction, r, "predicted")].append(r.label)  # type: ignore[arg-type]
        answers = [(r.label, (said[_ends(document, r, "gold")] or ["None"]).pop()) for r in document.relations]
        both = [("None" if y in none else y, "None" if z in none else z) for y, z in answers]
        asked, right = asked + len(both), right + sum(y == z for y, z in both)
        rows.append(
            (
                [y for y, z in both if y == z != "None"],
                [z for _, z in both if z != "None"],
                [y for y, _ in both if y != "None"],
            )
        )
    return tally(rows, bootstrap, seed, accuracy=100.0 * right / asked if asked else 0.0)


def _ends(document: Document, relation: Relation, side: str) -> Pair:
    return end(document, relation.head, False, side), end(document, relation.tail, False, side)


def pairs(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    symmetric: Collection[str] = (),
    *,
    none: Collection[str] = NONE,
    bootstrap: int = 0,
    seed: int = 0,
) -> Scores:
    """Joint scores: a relation is right when both spans, both entity labels and its own label are.

    Errors: as `relations`.
    """

    def rows() -> Iterator[Row]:
        for document, prediction in aligned(gold, predicted):
            got = links(prediction, True, "predicted") if prediction else set()
            yield _row(links(document, True, "gold"), got, symmetric, none)

    return tally(rows(), bootstrap, seed)


def _row(want: set[Link], got: set[Link], symmetric: Collection[str], none: Collection[str]) -> Row:
    want, got = ({_ordered(x, symmetric) for x in side if x[2] not in none} for side in (want, got))
    return [x[2] for x in want & got if _located(x)], [x[2] for x in got], [x[2] for x in want]


def _ordered(link: Link, symmetric: Collection[str]) -> Link:
    head, tail, label = link
    return (tail, head, label) if label in symmetric and tail < head else link


def _located(link: Link | Pair) -> bool:
    return all(start >= 0 for places, _ in link[:2] for start, _, _ in places)


def _by_pair(found: set[Link], symmetric: Collection[str], none: Collection[str]) -> dict[Pair, set[str]]:
    """The labels of each pair, none for None; a symmetric label stands under both orders."""
    out: dict[Pair, set[str]] = defaultdict(set)
    for head, tail, label in found:
        if label not in none:
            out[head, tail].add(label)
            if label in symmetric:
                out[tail, head].add(label)
    return out


def links(document: Document, typed: bool, side: str) -> set[Link]:
    """The relations of a document by place; with the labels of their ends where those count."""
    return {
        (end(document, r.head, typed, side), end(document, r.tail, typed, side), r.label) for r in document.relations
    }


def end(document: Document, id: str, typed: bool, side: str) -> End:
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
