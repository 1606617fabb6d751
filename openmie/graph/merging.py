"""Which entities of several documents are one: by name, by an alias of a chain, by similar names.

    name         equal normalised name and equal type; see `openmie.graph.names`
    alias        a name that in some chain stands for another, longer name of the type, and for no second one
    similarity   cosine similarity of the embeddings of two names of one type, at or above a threshold

Merging by name is the grouping of `FactStore`. The others join groups; each joining has a reason, and none removes
anything: the table of merges (`openmie.graph.merge_table`) undoes any.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

import numpy as np

from openmie.errors import OpenMIEError
from openmie.graph.fact_store import FactStore

RULES = ("name", "alias")
BLOCK = 2048  # names that are compared at once
MOST_NAMES = 20_000  # of one type: comparing all pairs takes time that grows with the square
Embed = Callable[[Sequence[str]], Any]  # names -> vectors, (names, D)


@dataclass
class MergeCounts:
    """How many entities were merged, and how many aliases were left because they stand for several names."""

    alias: int = 0
    similarity: int = 0
    ambiguous: int = 0


@dataclass
class MergeForest:
    """Which entity each one is merged into: 8 bytes an entity, and a reason for each that is."""

    parents: array[int]
    reasons: dict[int, tuple[str, str]] = field(default_factory=dict)

    def root(self, e: int) -> int:
        """The entity that one is merged into, at last."""
        at = e
        while self.parents[at] != at:
            at = self.parents[at]
        while self.parents[e] != at:
            self.parents[e], e = at, self.parents[e]
        return at

    def merge(self, e: int, into: int, rule: str, reason: str) -> bool:
        """Merge one entity into another; whether they were two."""
        e, into = self.root(e), self.root(into)
        if e != into:
            self.parents[e] = into
            self.reasons[e] = rule, reason
        return e != into

    def roots(self) -> Iterator[tuple[int, str, str, int]]:
        """(root, rule, reason, entity) of all that are merged."""
        for e, (rule, reason) in self.reasons.items():
            if self.root(e) != e:
                yield self.root(e), rule, reason, e


def merge_entities(store: FactStore, alias: bool, similarity: float | None, embed: Embed | None) -> MergeCounts:
    """Merge the entities of a store.

    Args:
        store: its roots are written.
        alias: whether aliases of chains count.
        similarity: least cosine similarity of two names; None: names are not compared.
        embed: embeddings of names; needed for `similarity`.

    Raises:
        OpenMIEError: more than `MOST_NAMES` names of one type to compare.
    """
    last = store.connection.execute("SELECT coalesce(max(e), 0) FROM entity").fetchone()[0]
    forest, counts = MergeForest(array("q", range(last + 1))), MergeCounts()
    if alias:
        _merge_aliases(store, forest, counts)
    if similarity is not None and embed is not None:
        _merge_similar(store, forest, counts, similarity, embed)
    store.finish(forest.roots())
    return counts


def _merge_aliases(store: FactStore, forest: MergeForest, counts: MergeCounts) -> None:
    """Join the entity that is called like an alias to the one that has the alias, the longest aliases first."""
    rows = store.connection.execute(
        """SELECT a.type, a.name, x.e, a.e, a.title, a.local, d.id FROM alias a JOIN document d ON a.n = d.n
           JOIN entity x ON x.key = replace(replace(a.type, '%', '%25'), '/', '%2F') || '/' || a.name
           WHERE x.e != a.e ORDER BY length(a.name) DESC, a.type, a.name, a.e"""
    )
    for (type_, _), group in groupby(rows if store.by_name else (), key=lambda row: (row[0], row[1])):
        found = list(group)
        if len({forest.root(row[3]) for row in found}) > 1:
            counts.ambiguous += 1
            continue
        _, _, e, named, title, local, document = found[0]
        reason = f"{title!r} is an alias in chain {local} of document {document}, and of no other {type_ or 'entity'}"
        counts.alias += forest.merge(e, named, "alias", reason)


def _merge_similar(store: FactStore, forest: MergeForest, counts: MergeCounts, threshold: float, embed: Embed) -> None:
    types = [t for (t,) in store.connection.execute("SELECT DISTINCT type FROM entity ORDER BY type")]
    for type_ in types:
        rows = store.connection.execute(
            "SELECT e, title FROM entity WHERE type = ? AND instr(key, '/@') = 0 ORDER BY e", (type_,)
        )
        names = [(e, title) for e, title in islice(rows, MOST_NAMES + 1) if forest.root(e) == e]
        if len(names) > MOST_NAMES:
            raise OpenMIEError(
                f"more than {MOST_NAMES:,} names of type {type_!r}",
                expected=f"at most {MOST_NAMES:,} of a type with --similarity, which compares all pairs",
                remedy="leave --similarity out, or build from fewer results",
            )
        for i, j, score in _similar_pairs([title for _, title in names], threshold, embed):
            reason = f"similarity {score:.3f} of {names[j][1]!r} to {names[i][1]!r}"
            counts.similarity += forest.merge(names[j][0], names[i][0], "similarity", reason)


def _similar_pairs(names: list[str], threshold: float, embed: Embed) -> Iterator[tuple[int, int, float]]:
    """Pairs i < j at or above the threshold, block by block."""
    if len(names) < 2:
        return
    parts = [np.asarray(embed(names[at : at + BLOCK]), dtype=np.float32) for at in range(0, len(names), BLOCK)]
    vectors = np.concatenate(parts)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    for first in range(0, len(names), BLOCK):
        for second in range(first, len(names), BLOCK):
            scores = vectors[first : first + BLOCK] @ vectors[second : second + BLOCK].T
            for a, b in np.argwhere(scores >= threshold):
                i, j = first + int(a), second + int(b)
                if i < j:
                    yield i, j, float(scores[a, b])
