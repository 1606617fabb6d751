"""Cohen's kappa between two annotators of the same documents, and their disagreements.

kappa = (o - e) / (1 - e), with o the share of units that both give the same category and e = sum_c p_A(c) p_B(c) what
chance would give (Cohen, 1960); in percent, as the M3D paper prints it (78.18, without saying of which units). Units
and categories are those of all documents together, those that neither annotator marked among them, or else nobody could
agree on "nothing here" and good annotators would get 0 or less (see `unmarked_units`):

    entities     words (characters of a document without words): the label of the mention there, or none
    spans        runs of words up to the longest that anybody marked: the label, or none; chance by length
    chains       pairs of mentions of a document that both marked: in one chain, or not
    relations    ordered pairs of entities that both have, and others that either relates: the labels, or none
    boxes        frames by class: the boxes of that class there, those with an IoU above 0.5 being one; chance by class
    links        boxes that both drew, where anybody links boxes: the entity, or none

"overall" is the mean of entities, chains, relations and boxes, where they are defined. A kappa without units, or where
both use one category throughout, is not defined: nan.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import comb, nan

from openmie.annotation.adjudication import apply_decisions, resolve
from openmie.annotation.adjudication_file import Disagreement, read_decisions, write
from openmie.annotation.annotator_units import AnnotationPair, pair_annotations
from openmie.annotation.disagreements import differences
from openmie.annotation.unmarked_units import Kappa, Table, candidate_spans, frames_by_class, pooled
from openmie.data.document import Document

__all__ = ["Agreement", "Disagreement", "Kappa", "agreement", "apply_decisions", "kappa", "read_decisions", "resolve"]
LAYERS = ("entities", "spans", "chains", "relations", "boxes", "links")
COUNTED = ("entities", "chains", "relations", "links")  # whose units are counted by pair of categories
OVERALL = ("entities", "chains", "relations", "boxes")


@dataclass(frozen=True)
class Agreement:
    """Of two annotators."""

    layers: Mapping[str, Kappa]
    disagreements: tuple[Disagreement, ...]

    @property
    def kappa(self) -> dict[str, float]:
        """Of each layer that has units, in percent, and "overall"."""
        found = {name: k.kappa for name, k in self.layers.items() if k.n}
        counted = [found[x] for x in OVERALL if x in found and found[x] == found[x]]
        return {**found, "overall": sum(counted) / len(counted) if counted else nan}

    def write(self, path: str | os.PathLike[str]) -> int:
        """The disagreements as a file to be filled in, JSON or CSV by its ending; how many they are."""
        return write(self.disagreements, path)


def agreement(
    a: Iterable[Document], b: Iterable[Document], *, symmetric: Collection[str] = (), iou: float = 0.5
) -> Agreement:
    """Agreement of annotators A and B.

    Args:
        a: Documents of annotator A.
        b: The same documents of annotator B, paired by id.
        symmetric: Relation labels without direction.
        iou: Boxes of one image with a larger intersection over union are the same box.

    Returns:
        Kappa of each layer in percent, and all disagreements.

    Raises:
        MetricError: For a duplicate id, a document of one annotator only, different texts or words, and a reference to
            a missing annotation.

    Reference: Cohen (1960); of boxes weighted, Cohen (1968).
    """
    documents = pair_annotations(a, b, symmetric, iou)
    tables: dict[str, Table] = {layer: Counter() for layer in COUNTED}
    for both in documents:
        tables["entities"].update(both.words())
        tables["chains"].update(_same_chain(both))
        tables["relations"].update(_related(both))
        tables["links"].update(_linked(both))
    if all(cells == ("", "") for cells in tables["links"]):  # nobody links boxes to entities
        tables["links"].clear()
    found = {layer: kappa(table) for layer, table in tables.items()}
    found["spans"] = pooled(kappa(table) for table in candidate_spans(documents).values())
    found["boxes"] = frames_by_class(documents)
    return Agreement(
        {layer: found[layer] for layer in LAYERS},
        tuple(d for both in documents for d in differences(both)),
    )


def kappa(table: Mapping[tuple[Hashable, Hashable], int]) -> Kappa:
    """Cohen's kappa from a contingency table: (category of A, category of B) -> count."""
    n = sum(table.values())
    first, second, same = Counter[Hashable](), Counter[Hashable](), 0
    for (x, y), times in table.items():
        first[x] += times
        second[y] += times
        same += times if x == y else 0
    if not n:
        return Kappa(0, nan, nan)
    return Kappa(n, same / n, sum(times * second[x] for x, times in first.items()) / n**2)


def _same_chain(both: AnnotationPair) -> Table:
    """Pairs of shared mentions, counted from the sizes of the chains: (in one chain for A, for B) -> pairs."""
    cells = Counter((both.a.entity_of[p], both.b.entity_of[p]) for p in both.shared)
    by_a, by_b = Counter[Hashable](), Counter[Hashable]()
    for (one, other), n in cells.items():
        by_a[one] += n
        by_b[other] += n
    same, in_a, in_b = (sum(comb(n, 2) for n in sizes.values()) for sizes in (cells, by_a, by_b))
    found = {
        (True, True): same,
        (True, False): in_a - same,
        (False, True): in_b - same,
        (False, False): comb(len(both.shared), 2) - in_a - in_b + same,
    }
    return Counter({k: n for k, n in found.items() if n})


def _related(both: AnnotationPair) -> Table:
    said = both.relations()
    paired = [n for n, pair in enumerate(both.pairs) if pair.a is not None and pair.b is not None]
    known = set(paired)
    inside = sum(head != tail and head in known and tail in known for head, tail in said)
    table: Table = Counter(said.values())
    table["", ""] += len(paired) * (len(paired) - 1) - inside
    return +table


def _linked(both: AnnotationPair) -> Iterable[tuple[Hashable, Hashable]]:
    """The entities that each box is linked to, of the boxes that both drew; "" where it is linked to none."""
    for a, b in map(both.regions, both.boxes):
        if a is not None and b is not None:
            entities = both.linked_pair(both.a, a), both.linked_pair(both.b, b)
            one, other = ("" if x is None else (both.a.document.id, x) for x in entities)
            yield one, other
