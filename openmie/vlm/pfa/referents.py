"""The entities that an image-entity pair means."""

from __future__ import annotations

from collections.abc import Sequence

from openmie.vlm.pfa.image_entity_pairs import EntityRef
from openmie.vlm.pfa.parsing import AnswerEntity


class Referents:
    """The entities of an answer by what a pair may call them."""

    def __init__(self, entities: Sequence[AnswerEntity]) -> None:
        self.number = len(entities)
        self.exact: dict[str, list[int]] = {}
        self.folded: dict[str, list[int]] = {}
        for n, entity in enumerate(entities):
            self.exact.setdefault(entity.text, []).append(n)
            self.folded.setdefault(_folded(entity.text), []).append(n)

    def of(self, ref: EntityRef) -> list[int]:
        """Indices of the entities that a value refers to: by number, by name, or by name up to case and blanks."""
        if isinstance(ref, int):
            return [ref - 1] if 0 < ref <= self.number else []
        return self.exact.get(ref) or self.folded.get(_folded(ref), [])


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()
