"""The annotations of two annotators, A and B, of one document, aligned unit by unit.

A span key is (start, end, ""), or (-1, -1, name) of a mention that is not located. An entity is a chain, as the set of
its spans, or a mention in no chain; the entities of one annotator are disjoint (chains that share a span are merged).
Entities of A and B are paired one to one, so that the sum of 2 n / (|a| + |b|) over the pairs is largest, n being the
number of shared spans.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from openmie.data.document import Chain, Document, Region
from openmie.errors import MetricError
from openmie.metrics.chains import merge_overlapping
from openmie.metrics.grounding import iou_above, iou_matrix, label_of
from openmie.metrics.links import NONE, SpanKey

EntitySpans = frozenset[SpanKey]
UNTYPED = "(untyped)"


class EntityPair(NamedTuple):
    """An entity of A and the one of B that it is paired with, or either alone."""

    a: EntitySpans | None
    b: EntitySpans | None

    @property
    def name(self) -> str:
        """The first spans of both, which identify the pair within a document."""
        return "/".join("x" if t is None else span_name(min(t)) for t in self)


class BoxPair(NamedTuple):
    """Indices of a region of A and of the matching region of B, or of either alone."""

    a: int | None
    b: int | None


def span_name(place: SpanKey) -> str:
    """A span as text that no spreadsheet takes for a time or a date."""
    return f"{place[0]}..{place[1]}" if place[0] >= 0 else f'"{place[2]}"'


def joined_labels(labels: Iterable[str]) -> str:
    """Several labels of one unit as one category; "" where there is none."""
    return "+".join(sorted({x or UNTYPED for x in labels}))


@dataclass(frozen=True)
class AnnotatorView:
    """The annotations of one annotator."""

    document: Document
    name: str  # "A" or "B"

    @cached_property
    def places(self) -> dict[str, SpanKey]:
        """The span of each mention, by id."""
        return {
            m.id: (-1, -1, m.text) if m.status == "unlocated" else (m.start, m.end, "") for m in self.document.mentions
        }

    @cached_property
    def labels(self) -> dict[SpanKey, str]:
        """The label of each span."""
        found: dict[SpanKey, list[str]] = defaultdict(list)
        for m in self.document.mentions:
            found[self.places[m.id]].append(m.label)
        return {place: joined_labels(labels) for place, labels in found.items()}

    @cached_property
    def entities(self) -> list[EntitySpans]:
        chains = [{self._place(m, f"chain {c.id!r}") for m in c.mentions} for c in self.document.chains]
        return merge_overlapping([*chains, *({place} for place in self.labels)])

    @cached_property
    def in_chain(self) -> set[SpanKey]:
        """Spans that are in a chain, singletons included."""
        return {self._place(m, f"chain {c.id!r}") for c in self.document.chains for m in c.mentions}

    @cached_property
    def entity_of(self) -> dict[SpanKey, EntitySpans]:
        return {place: entity for entity in self.entities for place in entity}

    def entity(self, id: str, what: str) -> EntitySpans:
        """The entity of a mention or chain."""
        found = self.document.find(id)
        ids = found.mentions if isinstance(found, Chain) else (id,)
        if not ids:
            raise self._no_mention(id, what)
        return self.entity_of[self._place(ids[0], what)]

    def _place(self, id: str, what: str) -> SpanKey:
        if id not in self.places:
            raise self._no_mention(id, what)
        return self.places[id]

    def _no_mention(self, id: str, what: str) -> MetricError:
        return MetricError(
            f"{what} of annotator {self.name} with {id!r}, which leads to no mention",
            expected="ids of mentions",
            where=f"document {self.document.id}",
            remedy="Document.dangling() lists such references; mend or drop them before comparing",
        )

    def relations(self, none: Collection[str] = NONE) -> list[tuple[EntitySpans, EntitySpans, str]]:
        return [
            (self.entity(r.head, "a relation"), self.entity(r.tail, "a relation"), r.label)
            for r in self.document.relations
            if r.label not in none
        ]


@dataclass(frozen=True)
class AnnotationPair:
    """One document of two annotators. `symmetric`: labels without direction; `iou`: above it two boxes are one."""

    a: AnnotatorView
    b: AnnotatorView
    symmetric: frozenset[str] = frozenset()
    iou: float = 0.5

    @cached_property
    def places(self) -> list[SpanKey]:
        """All that either marked, in text order."""
        return sorted({*self.a.labels, *self.b.labels})

    @property
    def annotators(self) -> tuple[AnnotatorView, AnnotatorView]:
        return self.a, self.b

    @cached_property
    def shared(self) -> set[SpanKey]:
        return self.a.labels.keys() & self.b.labels.keys()

    def spans(self) -> dict[SpanKey, tuple[str, str]]:
        """The labels of each span; "" where an annotator did not mark it."""
        return {place: (self.a.labels.get(place, ""), self.b.labels.get(place, "")) for place in self.places}

    def words(self) -> list[tuple[str, str]]:
        """The labels of each word, or of each character of a document without words."""
        document = self.a.document
        units = document.words or [(i, i + 1) for i in range(len(document.text))]
        bounds = np.array([(u[0], u[1]) for u in units], dtype=np.int64).reshape(-1, 2)
        return list(zip(_covered(self.a, bounds), _covered(self.b, bounds)))

    @cached_property
    def pairs(self) -> list[EntityPair]:
        """All entities, paired ones first."""
        left, right = self.a.entities, self.b.entities
        number = {place: j for j, entity in enumerate(right) for place in entity}
        similar = np.zeros((len(left), len(right)))
        for i, entity in enumerate(left):
            for place in entity:
                if place in number:
                    similar[i, number[place]] += 2 / (len(entity) + len(right[number[place]]))
        chosen = best_assignment(similar)
        taken = {i for i, _ in chosen}, {j for _, j in chosen}
        alone = [EntityPair(t, None) for i, t in enumerate(left) if i not in taken[0]]
        alone += [EntityPair(None, t) for j, t in enumerate(right) if j not in taken[1]]
        return [*(EntityPair(left[i], right[j]) for i, j in chosen), *alone]

    @cached_property
    def pair_index(self) -> dict[tuple[str, EntitySpans], int]:
        """The index of the pair of an entity of "A" or "B"."""
        return {
            (name, entity): n
            for n, pair in enumerate(self.pairs)
            for name, entity in zip("AB", pair)
            if entity is not None
        }

    @cached_property
    def groups(self) -> list[EntitySpans]:
        """Spans that either annotator's chains connect, directly or through others; in text order."""
        return sorted(merge_overlapping([*self.a.entities, *self.b.entities]), key=min)

    def split(self, side: AnnotatorView, group: Collection[SpanKey]) -> set[EntitySpans]:
        """How one annotator partitions the spans of a group that both have marked."""
        parts = {side.entity_of[p] for p in group if p in self.shared}
        return {frozenset(part & self.shared) for part in parts}

    def relations(self) -> dict[tuple[int, int], tuple[str, str]]:
        """Labels of A and of B for each ordered pair of entities (as pair indices) that either relates."""
        found: dict[tuple[int, int], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for column, side in enumerate(self.annotators):
            for head, tail, label in side.relations():
                ends = self.pair_index[side.name, head], self.pair_index[side.name, tail]
                key = (min(ends), max(ends)) if label in self.symmetric else ends
                found[key][column].append(label)
        return {key: (joined_labels(a), joined_labels(b)) for key, (a, b) in sorted(found.items())}

    @cached_property
    def boxes(self) -> list[BoxPair]:
        """Boxes of one image with an IoU above the threshold are paired one to one, so that its sum is largest."""
        a, b = self.a.document.regions, self.b.document.regions
        chosen = best_assignment(np.where(iou_above(a, b, self.iou), iou_matrix(a, b), 0.0))
        taken = {i for i, _ in chosen}, {j for _, j in chosen}
        return [
            *(BoxPair(i, j) for i, j in chosen),
            *(BoxPair(i, None) for i in range(len(a)) if i not in taken[0]),
            *(BoxPair(None, j) for j in range(len(b)) if j not in taken[1]),
        ]

    def regions(self, pair: BoxPair) -> tuple[Region | None, Region | None]:
        return (
            None if pair.a is None else self.a.document.regions[pair.a],
            None if pair.b is None else self.b.document.regions[pair.b],
        )

    def box_labels(self, pair: BoxPair) -> tuple[str, str]:
        a, b = self.regions(pair)
        return (
            "" if a is None else label_of(self.a.document, a) or UNTYPED,
            "" if b is None else label_of(self.b.document, b) or UNTYPED,
        )

    def links(self) -> dict[BoxPair, tuple[int | None, int | None]]:
        """Of boxes that both drew and either linked: the indices of the linked entity pairs."""
        out = {}
        for pair in self.boxes:
            a, b = self.regions(pair)
            if a is not None and b is not None and (a.of or b.of):
                out[pair] = self.linked_pair(self.a, a), self.linked_pair(self.b, b)
        return out

    def linked_pair(self, side: AnnotatorView, region: Region | None) -> int | None:
        """The index of the pair of the entity that a region is linked to."""
        return (
            self.pair_index[side.name, side.entity(region.of, "a region")] if region is not None and region.of else None
        )


def best_assignment(similar: np.ndarray) -> list[tuple[int, int]]:
    """Rows and columns paired one to one so that the sum is largest; pairs of similarity 0 are none."""
    if not similar.any():
        return []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(similar, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns) if similar[i, j] > 0]


def _covered(side: AnnotatorView, bounds: np.ndarray) -> list[str]:
    """The labels of the mentions that have a character in common with each unit (U, 2)."""
    found: list[list[str]] = [[] for _ in bounds]
    for (start, end, _), label in side.labels.items():
        if start >= 0:
            for unit in np.flatnonzero((bounds[:, 0] < end) & (bounds[:, 1] > start)):
                found[unit].append(label)
    return [joined_labels(labels) for labels in found]


def pair_annotations(
    a: Iterable[Document], b: Iterable[Document], symmetric: Collection[str], iou: float
) -> list[AnnotationPair]:
    """The documents of both annotators, paired by id.

    Errors: an id twice, a document that one of them lacks, another text or other words.
    """
    annotators = [{d.id: d for d in _listed(documents, name)} for documents, name in ((a, "A"), (b, "B"))]
    for mine, theirs, name in ((annotators[0], annotators[1], "B"), (annotators[1], annotators[0], "A")):
        if lacking := [id for id in mine if id not in theirs]:
            raise MetricError(
                f"{len(lacking)} documents that annotator {name} lacks, the first {lacking[0]!r}",
                expected="the same documents from both",
                remedy="leave out what only one has annotated",
            )
    for id, document in annotators[0].items():
        other = annotators[1][id]
        if document.text != other.text or document.words != other.words:
            raise MetricError(
                "another text" if document.text != other.text else "other words",
                expected="the same text and words from both",
                where=f"document {id}",
                remedy="annotate the same export; offsets into different texts cannot be compared",
            )
    return [
        AnnotationPair(AnnotatorView(d, "A"), AnnotatorView(annotators[1][id], "B"), frozenset(symmetric), iou)
        for id, d in annotators[0].items()
    ]


def _listed(documents: Iterable[Document], name: str) -> Sequence[Document]:
    listed = list(documents)
    ids = [d.id for d in listed]
    if len(set(ids)) < len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        raise MetricError(
            f"id {twice!r} twice from annotator {name}",
            expected="one document an id",
            remedy="give every document an id of its own",
        )
    return listed
