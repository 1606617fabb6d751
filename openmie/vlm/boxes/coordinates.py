"""How a model writes boxes: the words that ask for them, and the adapter that reads them (`families`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openmie.data.document import Box
from openmie.errors import RecipeError
from openmie.formats import jsonl
from openmie.vlm.boxes.adapters import BoxAdapter, FittedPixels, GridCoordinates, OriginalPixels, ResizedPixels
from openmie.vlm.boxes.families import ADAPTERS, find_boxless, find_family


class UnknownBoxFamily(RecipeError):
    """It is unknown how a model writes boxes."""


def model_type(backend: Any) -> str:
    """What determines the family of a backend's model: the type in its folder's config.json, else its name."""
    while hasattr(backend, "backend"):  # behind a cache
        backend = backend.backend
    config = Path(str(getattr(backend, "model", ""))) / "config.json"
    kind = jsonl.load_json(config).get("model_type") if config.is_file() else None
    return str(kind or backend.name)


def family_for(family: str, model: str) -> str:
    """The key of `ADAPTERS` for a family that is named, else for the model.

    Args:
        family: name of a family; "": by the model.
        model: name or type of the model.

    Raises:
        UnknownBoxFamily: neither is known.
    """
    name = find_family(family or model)
    if name is None:
        hint = "`openmie doctor boxes --model NAME` finds out which one fits"
        if family:
            raise UnknownBoxFamily.unknown("box family", family, ADAPTERS, remedy=hint)
        if boxless := find_boxless(model):
            raise UnknownBoxFamily(
                f"model {model!r} gives no boxes"[:200],
                expected=f"a model that writes boxes; of {boxless.family} none are known ({boxless.source})",
                remedy=f"leave boxes out, or set family=NAME if it was trained to write them; {hint}",
            )
        raise UnknownBoxFamily(
            f"unknown box family of model {model!r}"[:200],
            expected=f"one of: {', '.join(ADAPTERS)}",
            remedy=f"set it with family=NAME; {hint}",
        )
    return name


@dataclass(frozen=True)
class BoxFormat:
    """How one family of models writes boxes."""

    family: str
    adapter: BoxAdapter

    @classmethod
    def of(cls, family: str, model: str, max_pixels: int = 0) -> BoxFormat:
        """The format of a family that is named, else of the model's.

        Args:
            family: a key of `ADAPTERS`; "": by the model.
            model: name or type of the model.
            max_pixels: area of the largest image that the model gets; 0: its family's default.

        Raises:
            UnknownBoxFamily: a family or model that is unknown.
            RecipeError: `max_pixels` for a family that does not count in resized pixels.
        """
        name = family_for(family, model)
        adapter = ADAPTERS[name]
        if max_pixels and not isinstance(adapter, ResizedPixels):
            raise RecipeError(
                f"max_pixels={max_pixels}",
                expected=f"a family that counts in resized pixels, which {name} does not",
                remedy="leave it out",
            )
        if max_pixels and isinstance(adapter, ResizedPixels):
            adapter = replace(adapter, max_pixels=max_pixels)
        return cls(name, adapter)

    @property
    def description(self) -> str:
        """The words of a prompt that describe a box."""
        adapter = self.adapter
        y_first = isinstance(adapter, GridCoordinates) and adapter.y_first
        order = "[top, left, bottom, right]" if y_first else "[left, top, right, bottom]"
        if isinstance(adapter, GridCoordinates):
            top = adapter.far_edge - 1 if adapter.cells else adapter.far_edge
            over = "the square that the image is padded to" if adapter.padded_to_square else "each side of the image"
            return f"{order}, where 0 to {top:g} is {over}"
        return f"{order} in pixels of the image" + (
            " as you see it" if isinstance(adapter, ResizedPixels | FittedPixels) else ""
        )

    @property
    def needs_image_size(self) -> bool:
        """Whether a prompt states the sizes of images. Models that see them resized would count in those."""
        return isinstance(self.adapter, OriginalPixels)

    def decode(self, values: Sequence[float], size: tuple[int, int]) -> Box | None:
        """A box in pixels of the upright original; None for values that are no box."""
        return self.adapter.decode(values, size)
