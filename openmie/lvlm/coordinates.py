"""How a model writes boxes: the words that ask for them, and the adapter that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openmie.document import Box
from openmie.lvlm.reading import Decode


def _pixels(values: Sequence[float], size: tuple[int, int]) -> Box:
    left, top, right, bottom = values
    return left, top, right, bottom


@dataclass(frozen=True)
class Coordinates:
    """Of one family of models."""

    words: str = "[left, top, right, bottom] in pixels of that image"
    decode: Decode = _pixels

    @classmethod
    def of(cls, family: str, model: str) -> Coordinates:
        return cls()
