"""From what the text part of openmie-base finds to the layers of a Document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from openmie.base.labels import RELATIONS
from openmie.data.document import Chain, Mention, Relation

if TYPE_CHECKING:
    from openmie.base.extraction_query import ExtractionQuery
    from openmie.base.text_model import Entity, Pair


def flat(entities: Sequence[Entity], text: str) -> list[Entity]:
    """The likeliest entities that do not overlap, in text order."""
    taken: list[Entity] = []
    used = bytearray(len(text))
    for entity in sorted(entities, key=lambda e: (-e.score, e.start, -e.end)):
        if entity.start < entity.end <= len(text) and not any(used[entity.start : entity.end]):
            used[entity.start : entity.end] = b"\1" * (entity.end - entity.start)
            taken.append(entity)
    return sorted(taken, key=lambda e: e.start)


def mentions_of(entities: Sequence[Entity]) -> list[Mention]:
    """Entities as mentions m0, m1, ..."""
    return [Mention(id=f"m{i}", start=e.start, end=e.end, label=e.label, score=e.score) for i, e in enumerate(entities)]


def relations_of(pairs: Sequence[Pair], query: ExtractionQuery, entities: Sequence[Entity]) -> list[Relation]:
    """Relations whose types fit; of a symmetric one the direction with the higher score."""
    best: dict[tuple[int, int, str], Pair] = {}
    for pair in pairs:
        if pair.head == pair.tail or not query.fits(pair.label, entities[pair.head].label, entities[pair.tail].label):
            continue
        known = RELATIONS.get(pair.label)
        ends = (pair.head, pair.tail)
        if known is not None and known.symmetric:
            ends = (min(ends), max(ends))
        key = (*ends, pair.label)
        if key not in best or pair.score > best[key].score:
            best[key] = pair
    ordered = sorted(best.values(), key=lambda p: (p.head, p.tail, -p.score))
    return [Relation(head=f"m{p.head}", tail=f"m{p.tail}", label=p.label, score=p.score) for p in ordered]


def chains_of(chains: Sequence[Sequence[int]], entities: Sequence[Entity]) -> list[Chain]:
    """Chains of two mentions or more, labelled as their likeliest mention."""
    several = [sorted(set(chain)) for chain in chains if len(set(chain)) > 1]
    return [
        Chain(
            id=f"c{i}",
            mentions=tuple(f"m{at}" for at in chain),
            label=max((entities[at] for at in chain), key=lambda e: e.score).label,
        )
        for i, chain in enumerate(sorted(several))
    ]
