"""Pairing by place: sentences without ids of their own, as two CoNLL files have them, are compared in file order.

A reader names a sentence without an id by its file and place, `gold:0`; the sentences of another file have other ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from openmie.data.document import Document, Mention
from openmie.data.packed_documents import PackedDocuments, ids_of
from openmie.errors import ErrorRecord, MetricError

_PLACE = re.compile(r"(.*):([0-9]{1,9})", re.DOTALL)


def paired_by_place(
    gold: Sequence[Document], predicted: Sequence[Document]
) -> tuple[Sequence[Document], tuple[ErrorRecord, ...]]:
    """Predicted documents with the ids of the gold documents in their place, where they have no ids of their own.

    Nothing is done where both have ids of their own, or a predicted id is one of gold's; but sentences that both sides
    name by the place in files of one name must be the same. A sentence whose words are spelled in another way, one for
    one, gets gold's spelling.

    Args:
        gold: in file order.
        predicted: in file order; one that is missing counts as empty when it is scored.

    Returns:
        Predicted documents, and a note of those whose words differ from gold's.

    Raises:
        MetricError: a predicted sentence with other words than the gold sentence in its place.
    """
    ours, theirs = _places(gold), _places(predicted)
    known = {*ids_of(gold)}
    strange = known.isdisjoint(ids_of(predicted))
    alike = bool(ours and theirs) and _file(gold[0]) == _file(predicted[0])
    if not alike and not (strange and (ours or theirs)):
        return predicted, ()
    at = {place: n for n, place in enumerate(ours or range(len(gold)))}
    odd: list[str] = []

    def paired() -> Iterator[Document]:
        for place, document in zip(theirs or range(len(predicted)), predicted):
            there = gold[at[place]] if place in at else None
            if there is None or (document.id == there.id and (document.text == there.text or not document.words)):
                yield document
            elif document.text == there.text or not document.text:  # without a text, offsets are those of gold
                yield document.replace(id=there.id)
            else:
                odd.append(document.id)
                yield _respelled(document, there, place)

    found = PackedDocuments(paired()) if isinstance(predicted, PackedDocuments) else list(paired())
    if not odd:
        return found, ()
    note = ErrorRecord(
        where=f"predicted sentence {odd[0]}",
        found=f"{len(odd)} sentences whose words are spelled in another way than gold's",
        expected="the words of gold",
        remedy="nothing to do: they were compared word by word",
        note=True,
    )
    return found, (note,)


def _file(document: Document) -> str:
    return document.id.rpartition(":")[0]


def _places(documents: Sequence[Document]) -> list[int] | None:
    """The number of each sentence in its file, where all are named by one file and their place; else None."""
    named = [_PLACE.fullmatch(id) for id in ids_of(documents)]
    if not named or not all(named):
        return None
    places = [int(m[2]) for m in named if m]
    one_file = len({m[1] for m in named if m}) == 1
    return places if one_file and all(a < b for a, b in pairwise(places)) else None


def _respelled(document: Document, gold: Document, place: int) -> Document:
    """A predicted sentence with the words of the gold sentence, its mentions at the same words."""
    starts = {w.start: n for n, w in enumerate(document.words)}
    ends = {w.end: n for n, w in enumerate(document.words)}
    on_words = all(m.start in starts and m.end in ends for m in document.mentions if m.status != "unlocated")
    if not document.words or len(document.words) != len(gold.words) or not on_words:
        raise MetricError(
            f"{document.text[:80]!r}",
            expected=f"the words of gold, {gold.text[:80]!r}",
            where=f"predicted sentence {place}, {document.id}",
            remedy="predict for every sentence of gold, in its order, or give both files lines `# id = ...`",
        )
    moved = [
        m
        if m.status == "unlocated"
        else Mention(
            id=m.id,
            start=gold.words[starts[m.start]].start,
            end=gold.words[ends[m.end]].end,
            label=m.label,
            status=m.status,
            score=m.score,
        )
        for m in document.mentions
    ]
    return document.replace(id=gold.id, text=gold.text, words=gold.words, mentions=tuple(moved))
