"""Units of spans and boxes that neither annotator marked, and kappa by groups of units.

Of spans and boxes the annotators choose what a unit is. Counted are all that they could have marked, so that they can
agree on "nothing here", too; a kappa of only those that somebody marked is at most 0 however well two annotators agree.

    spans   every run of 1 .. n words of every document, n that of the longest span that anybody marked; of documents
            without words, runs of characters. Spans that do not begin and end with words are units besides
    boxes   every frame (image) with every class that anybody drew. The agreement in a unit is 2 m / (a + b), with a and
            b boxes of that class of which m are the same (IoU above the threshold, one to one); 1 where neither drew
            one (weighted kappa: Cohen, 1968)

Chance is that of the same length, or class: within it every answer of A beside every answer of B, in whatever place.
Common and rare kinds in one sum would find annotators who only know what is common in agreement. Kinds that nobody
marked change nothing, and neither do units of a kind that is never marked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from openmie.annotation.annotator_units import UNTYPED, AnnotationPair, AnnotatorView
from openmie.data.box_iou_matrix import box_intersections
from openmie.metrics.grounding import label_of, matching_size
from openmie.metrics.links import SpanKey

CHANCE = 1000  # frames of each annotator that chance is taken from at most, evenly spaced
Boxes = np.ndarray  # (N, 4) x1, y1, x2, y2
Table = Counter[tuple[Hashable, Hashable]]  # (category of A, category of B) -> units


@dataclass(frozen=True)
class Kappa:
    """Of one layer: units, and the share of agreement (0 to 1), observed and expected by chance."""

    n: int
    observed: float
    expected: float

    @property
    def kappa(self) -> float:
        """In percent; nan where it is not defined."""
        return 100.0 * (self.observed - self.expected) / (1.0 - self.expected) if self.n and self.expected < 1 else nan


def pooled(groups: Iterable[Kappa]) -> Kappa:
    """One kappa of several groups of units, chance within each: the means over all units."""
    held = [k for k in groups if k.n]
    n = sum(k.n for k in held)
    if not n:
        return Kappa(0, nan, nan)
    return Kappa(
        n, *(sum(k.n * x for k, x in zip(held, side)) / n for side in zip(*((k.observed, k.expected) for k in held)))
    )


def candidate_spans(documents: Sequence[AnnotationPair]) -> dict[int, Table]:
    """Length in words -> (label of A, label of B) -> candidate spans; "" where an annotator did not mark one."""
    measured = [_measured(both) for both in documents]
    longest = max((n for found in measured for n, _, _ in found), default=0)
    tables: dict[int, Table] = defaultdict(Counter)
    for both, found in zip(documents, measured):
        aligned: Counter[int] = Counter()
        for length, whole, labels in found:
            tables[length][labels] += 1
            aligned[length] += whole
        words = len(_bounds(both))
        for length in range(1, longest + 1):
            tables[length]["", ""] += max(words - length + 1 - aligned[length], 0)
    return {length: +table for length, table in sorted(tables.items())}


def _bounds(both: AnnotationPair) -> Sequence[tuple[int, int]]:
    """Where each word, or character of a document without words, begins and ends."""
    document = both.a.document
    return [(w[0], w[1]) for w in document.words] or [(i, i + 1) for i in range(len(document.text))]


def _measured(both: AnnotationPair) -> list[tuple[int, bool, tuple[str, str]]]:
    """Of each marked span: its length in words, whether it begins and ends with words, its labels. Not located: 0."""
    bounds = _bounds(both)
    first, last = ({w[side]: n for n, w in enumerate(bounds)} for side in (0, 1))

    def length(place: SpanKey) -> tuple[int, bool]:
        start, end, _ = place
        if start < 0:
            return 0, False
        if start in first and last.get(end, -1) >= first[start]:
            return last[end] - first[start] + 1, True
        return max(sum(a < end and start < b for a, b in bounds), 1), False

    return [(*length(place), labels) for place, labels in both.spans().items()]


def frames_by_class(documents: Sequence[AnnotationPair]) -> Kappa:
    """Agreement on boxes, by frame and class."""
    frames = 0
    drawn: list[dict[str, dict[tuple[int, str], Boxes]]] = [defaultdict(dict), defaultdict(dict)]  # class -> frame ->
    for number, both in enumerate(documents):
        named = {i.id for side in both.annotators for i in side.document.images}
        frames += len(named | {r.image for side in both.annotators for r in side.document.regions})
        for side, found in zip(both.annotators, drawn):
            for (image, label), boxes in _drawn(side).items():
                found[label][number, image] = np.array(boxes, dtype=np.float64)
    iou = documents[0].iou if documents else 0.5
    classes = sorted({*drawn[0], *drawn[1]})
    return pooled(_of_class(frames, drawn[0][label], drawn[1][label], iou) for label in classes)


def _drawn(side: AnnotatorView) -> dict[tuple[str, str], list[tuple[float, ...]]]:
    found: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    for region in side.document.regions:
        found[region.image, label_of(side.document, region) or UNTYPED].append(tuple(region.box))
    return found


def _of_class(frames: int, a: dict[tuple[int, str], Boxes], b: dict[tuple[int, str], Boxes], iou: float) -> Kappa:
    """Of one class: what either drew in its frames, of `frames` in all."""
    same = sum(shared_boxes(a[f], b[f], iou) for f in a.keys() & b.keys())
    observed = (frames - len(a.keys() | b.keys()) + same) / frames
    empty = (1 - len(a) / frames) * (1 - len(b) / frames)
    met = len(a) * len(b) / frames**2 * _chance([*a.values()], [*b.values()], iou)
    return Kappa(frames, observed, empty + met)


def shared_boxes(a: Boxes, b: Boxes, iou: float) -> float:
    """2 m / (a + b): the share of boxes (N, 4) and (M, 4) of one frame that are the same."""
    common, union = box_intersections(a, b)
    return 2 * matching_size(common > iou * union) / (len(a) + len(b))


def _chance(a: Sequence[Boxes], b: Sequence[Boxes], iou: float) -> float:
    """The mean share over all pairs of a frame of A and one of B, of at most `CHANCE` of each."""
    if not a or not b:
        return 0.0
    a, b = (side[:: -(-len(side) // CHANCE)] for side in (a, b))
    every, starts = np.concatenate(b), np.cumsum([0, *map(len, b)])
    total = 0.0
    for boxes in a:
        common, union = box_intersections(boxes, every)
        near = np.add.reduceat((common > iou * union).any(0), starts[:-1])
        total += sum(shared_boxes(boxes, b[int(k)], iou) for k in np.flatnonzero(near))
    return total / (len(a) * len(b))
