"""How a model writes boxes: the words that ask for them, and the adapter that reads them (`families`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openmie.data.document import Box
from openmie.errors import OpenMIEError, RecipeError
from openmie.formats import jsonl
from openmie.vlm.boxes.families import ADAPTERS, Adapter, Grid, Pixels, Resized, family_of


def model_of(backend: Any) -> str:
    """What tells the family of a backend's model: the type in its folder's config, else its name."""
    while hasattr(backend, "backend"):  # a cache before it
        backend = backend.backend
    config = Path(str(getattr(backend, "model", ""))) / "config.json"
    kind = jsonl.load_json(config).get("model_type") if config.is_file() else None
    return str(kind or backend.name)


@dataclass(frozen=True)
class Coordinates:
    """Of one family of models."""

    family: str
    adapter: Adapter

    @classmethod
    def of(cls, family: str, model: str, max_pixels: int = 0) -> Coordinates:
        """Of the family that is named, else of the model's.

        `max_pixels`: of the images as the model is let see them, where that is not its family's default. Errors: a
        family or model that is not known.
        """
        try:
            name = family_of(family or model)
        except OpenMIEError as error:
            raise RecipeError(
                error.record.found, expected=error.record.expected, where="boxes",
                remedy="name its family (family=...); `openmie doctor boxes --model NAME` tells which it is",
            ) from None  # fmt: skip
        adapter = ADAPTERS[name]
        if max_pixels and not isinstance(adapter, Resized):
            raise RecipeError(f"max_pixels={max_pixels} of {name}", expected="a family that counts in resized pixels",
                              where="boxes", remedy="leave it out")  # fmt: skip
        return cls(
            name, replace(adapter, max_pixels=max_pixels) if isinstance(adapter, Resized) and max_pixels else adapter
        )

    @property
    def words(self) -> str:
        """What a box looks like."""
        adapter = self.adapter
        rows_first = isinstance(adapter, Grid) and adapter.rows_first
        order = "[top, left, bottom, right]" if rows_first else "[left, top, right, bottom]"
        if isinstance(adapter, Grid):
            top = adapter.top - 1 if adapter.cells else adapter.top
            over = "the square that the image is padded to" if adapter.square else "each side of the image"
            return f"{order}, where 0 to {top:g} is {over}"
        return f"{order} in pixels of the image" + (" as you see it" if isinstance(adapter, Resized) else "")

    @property
    def tells_sizes(self) -> bool:
        """Whether a prompt has to tell the sizes of images. Models that see them resized would count in those."""
        return isinstance(self.adapter, Pixels)

    def decode(self, values: Sequence[float], size: tuple[int, int]) -> Box | None:
        """Pixels of the upright original; None where the values are no box."""
        return self.adapter.decode(values, size)
