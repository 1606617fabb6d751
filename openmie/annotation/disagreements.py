"""All disagreements of two annotators of one document."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from openmie.annotation.adjudication_file import Disagreement, Layer
from openmie.annotation.annotator_units import (
    AnnotationPair,
    AnnotatorView,
    BoxPair,
    EntityPair,
    EntitySpans,
    span_name,
)
from openmie.data.document import Region
from openmie.metrics.links import SpanKey

NOTHING = "(none)"


def differences(both: AnnotationPair) -> Iterator[Disagreement]:
    """One disagreement each, in this order: spans and labels; chains; relations; boxes and labels; links of boxes.

    Overlapping chains of A and B are one disagreement together, since a partition cannot be decided pair by pair. Spans
    that only one annotator marked are ignored there: they are disagreements of their own.
    """
    for place, (a, b) in both.spans().items():
        if a != b:
            yield _line(both, "spans", span_name(place), surface(both, [place]), a, b)
    for group in both.groups:
        if both.split(both.a, group) != both.split(both.b, group):
            a, b = (_divided(both, side, group) for side in both.annotators)
            yield _line(both, "chains", span_name(min(group)), "", a, b)
    for ends, (a, b) in both.relations().items():
        if a != b:
            yield _line(both, "relations", relation_key(both, ends), _ends(both, ends), a, b)
    for pair in both.boxes:
        a, b = both.box_labels(pair)
        if a != b:
            one, other = (_box(region, label) for region, label in zip(both.regions(pair), (a, b)))
            yield _line(both, "boxes", box_key(both, pair), "", one, other)
    for pair, numbers in both.links().items():
        if numbers[0] != numbers[1]:
            one, other = ("" if n is None else entity_name(both, both.pairs[n]) for n in numbers)
            yield _line(both, "links", box_key(both, pair), both.box_labels(pair)[0], one, other)


def _line(both: AnnotationPair, layer: Layer, at: str, what: str, a: str, b: str) -> Disagreement:
    return Disagreement(document=both.a.document.id, layer=layer, where=at, what=what, a=a or NOTHING, b=b or NOTHING)


def relation_key(both: AnnotationPair, ends: tuple[int, int]) -> str:
    return " > ".join(both.pairs[n].name for n in ends)


def box_key(both: AnnotationPair, pair: BoxPair) -> str:
    """The image, and the numbers of the boxes among the regions of A and of B, from 1."""
    region = next(r for r in both.regions(pair) if r is not None)
    a, b = ("x" if n is None else str(n + 1) for n in pair)
    return f"{region.image} {a}/{b}"


def surface(both: AnnotationPair, places: Collection[SpanKey]) -> str:
    text = both.a.document.text
    return ", ".join(
        text[start:end] if start >= 0 else f"{name} (not in the text)" for start, end, name in sorted(places)
    )


def entity_name(both: AnnotationPair, pair: EntityPair) -> str:
    """Its first mention; A's where both have one."""
    entity: EntitySpans = pair.a or pair.b or frozenset()
    first = min(entity)
    return f"{surface(both, [first])} at {span_name(first)}"


def _ends(both: AnnotationPair, ends: tuple[int, int]) -> str:
    return " -> ".join(entity_name(both, both.pairs[n]) for n in ends)


def _divided(both: AnnotationPair, side: AnnotatorView, group: Collection[SpanKey]) -> str:
    parts = sorted(both.split(side, group), key=min)
    return " | ".join(", ".join(f"{surface(both, [p])} {span_name(p)}" for p in sorted(part)) for part in parts)


def _box(region: Region | None, label: str) -> str:
    return "" if region is None else f"{label} at {', '.join(f'{x:g}' for x in region.box)}"
