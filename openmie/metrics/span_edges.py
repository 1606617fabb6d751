"""Scores where gold cuts words: gold and predictions are compared at whole words, by the rule that training follows.

Gold's spans are moved by `openmie.text.span_edges`, and predictions that stand exactly where such a span stood move
with it: gold scores 100 against itself, and so does a tagger that finds the words. Other predictions stay where they
are: what cuts a word that gold does not cut is wrong. With `drop` the words of a refused span are left out of the
score, as they are left open in training: neither it nor a prediction that touches them counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import get_args

from openmie.data.document import Document, Mention, Relation
from openmie.data.packed_documents import PackedDocuments
from openmie.errors import ErrorRecord, MetricError
from openmie.text.span_edges import Span, SpanEdges, cut_spans, moved_mention


def at_whole_words(
    gold: Sequence[Document], predicted: Sequence[Document], edges: SpanEdges
) -> tuple[Sequence[Document], Sequence[Document], tuple[ErrorRecord, ...]]:
    """Gold and predictions as they are compared.

    Args:
        gold: with words, or texts whose words are found.
        predicted: paired with gold by id.
        edges: the rule.

    Returns:
        Both sides, themselves where no gold span cuts a word, and a note of how many do.

    Raises:
        MetricError: an unknown rule.
    """
    if edges not in get_args(SpanEdges):
        raise MetricError.unknown("span_edges", edges, get_args(SpanEdges))
    places = {d.id: found for d in gold if (found := cut_spans(d, edges))}
    if not places:
        return gold, predicted, ()
    count = sum(map(len, places.values()))
    first = next(d for d in gold if d.id in places)
    start, end = min(places[first.id])
    note = ErrorRecord(
        where=f"gold document {first.id}",
        found=f"{count} span{'s' * (count > 1)} that cut{'s' * (count == 1)} words, the first {start}:{end} "
        f"{first.text[start:end][:40]!r}",
        expected="spans that begin and end where words do",
        remedy=f"nothing to do: by span_edges={edges} they are " + ("left out" if edges == "drop" else "whole words"),
        note=True,
    )
    whole = {d.id: {(m.start, m.end) for m in d.mentions} - places[d.id].keys() for d in gold if d.id in places}

    def moved(side: Sequence[Document]) -> Sequence[Document]:
        found = (_placed(d, places[d.id], whole[d.id]) if d.id in places else d for d in side)
        return PackedDocuments(found) if isinstance(side, PackedDocuments) else list(found)

    return moved(gold), moved(predicted), (note,)


def _placed(document: Document, places: Mapping[Span, Span | None], whole: Collection[Span]) -> Document:
    """A document with its mentions moved, and without those that touch a refused span and are no other gold's."""
    refused = [span for span, place in places.items() if place is None]
    kept = [
        m
        for m in document.mentions
        if m.status == "unlocated" or (m.start, m.end) in whole or not _is_refused(m, places, refused)
    ]
    moved = tuple(
        moved_mention(document.text, m, place)
        if m.status != "unlocated" and (place := places.get((m.start, m.end))) and place[1] <= len(document.text)
        else m
        for m in kept
    )
    if len(kept) == len(document.mentions):
        return document.replace(mentions=moved)
    gone = {m.id for m in document.mentions} - {m.id for m in kept}
    chains = (c.model_copy(update={"mentions": tuple(m for m in c.mentions if m not in gone)}) for c in document.chains)
    left = tuple(c for c in chains if c.mentions)
    lost = gone | ({c.id for c in document.chains} - {c.id for c in left})
    return document.replace(
        mentions=moved,
        chains=left,
        relations=tuple(r for r in document.relations if not _ends(r) & lost),
        regions=tuple(r.model_copy(update={"of": ""}) if r.of in lost else r for r in document.regions),
    )


def _is_refused(mention: Mention, places: Mapping[Span, Span | None], refused: Sequence[Span]) -> bool:
    if (mention.start, mention.end) in places:
        return places[mention.start, mention.end] is None
    return any(mention.start < end and start < mention.end for start, end in refused)


def _ends(relation: Relation) -> set[str]:
    return {relation.head, relation.tail}
