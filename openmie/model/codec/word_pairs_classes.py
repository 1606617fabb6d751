"""The classes of word pairs, and what mentions and relations say, free of ids.

Class 0 is for nothing, 1 to M the mention labels, then the relation labels. "None" is no class: that nothing holds
between two mentions is what empty cells say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from openmie.data.document import Mention, Relation
from openmie.errors import DocumentError

Scheme = Literal["exact", "as_released"]
Cells = npt.NDArray[np.int16]
Fact = tuple[Any, ...]  # a mention or relation by its place in the text: compared as a set
PAD = -1  # what cells hold that are no pair of words, or that a scheme does not use


def class_names(mentions: Sequence[str], relations: Sequence[str], scheme: Scheme = "exact") -> tuple[str, ...]:
    """The classes in the order of their ids: "none", the mention labels, the relation labels without "None"."""
    if scheme not in get_args(Scheme):
        raise DocumentError(f"scheme={scheme!r}", expected="exact or as_released", remedy="exact loses the least")
    for labels in (mentions, relations):
        if isinstance(labels, str) or len(set(labels)) != len(labels):
            raise DocumentError(
                f"labels {labels!r}",
                expected="a tuple of label strings, each once",
                remedy="pass corpus.labels.mentions and corpus.labels.relations",
            )
    return ("none", *mentions, *(r for r in relations if r != "None"))


def stack_cells(cells: Sequence[Cells], length: int = 0) -> npt.NDArray[np.int64]:
    """Grids of unequal size as one (B, T, T) array, T at least `length`, padded with `PAD`."""
    t = max([length, *map(len, cells)])
    out = np.full((len(cells), t, t), PAD, dtype=np.int64)
    for k, grid in enumerate(cells):
        out[k, : len(grid), : len(grid)] = grid
    return out


def places_of(mentions: Iterable[Mention]) -> dict[str, Fact]:
    return {m.id: (m.start, m.end, m.label) for m in mentions}


def fact_of(r: Relation, places: dict[str, Fact], symmetric: Collection[str]) -> Fact:
    head, tail = places.get(r.head, (-1, -1, r.head)), places.get(r.tail, (-1, -1, r.tail))
    return (min(head, tail), max(head, tail), r.label) if r.label in symmetric else (head, tail, r.label)


def facts(
    mentions: Iterable[Mention], relations: Iterable[Relation], symmetric: Collection[str] = ()
) -> tuple[set[Fact], set[Fact]]:
    """What is said, free of ids: (start, end, label), and (head, tail, label) of these, "None" left out."""
    places = places_of(mentions)
    return set(places.values()), {fact_of(r, places, symmetric) for r in relations if r.label != "None"}
