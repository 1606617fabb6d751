"""Box adapters: the values that a model writes, to and from absolute xyxy pixels of the upright original.

    adapter.encode((x1, y1, x2, y2), size) -> the values that the model writes
    adapter.decode(values, size) -> (x1, y1, x2, y2), or None where the values are no box

`size` is (width, height) of the upright original, as `data.images.image_size` gives it: EXIF is applied before anything
here. Encoding then decoding is off by at most half a step of the family's grid (`step`), for boxes inside the image.

Values of a model are clamped to the image and put in order (left before right, top before bottom); four numbers that
are not finite, more or fewer than four, or no numbers at all are no box. To encode what is no box, or an image without
size, is an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from openmie.data.document import Box
from openmie.errors import OpenMIEError

Size = tuple[int, int]  # width, height of the upright original
Values = tuple[float, ...]


class BoxAdapter(Protocol):
    """Converts between a family's values and pixels."""

    def encode(self, box: Sequence[float], size: Size) -> Values:
        """The values that the family writes for a box.

        Args:
            box: x1, y1, x2, y2 in pixels of the upright original.
            size: (width, height) of the upright original in pixels.

        Raises:
            OpenMIEError: a box that is not four finite numbers, or an invalid size.
        """
        ...

    def decode(self, values: Sequence[Any], size: Size) -> Box | None:
        """The box in pixels for the values that a model wrote, inside the image; None where they are no box.

        Raises:
            OpenMIEError: an invalid size.
        """
        ...

    def step(self, size: Size) -> tuple[float, float]:
        """Pixels of the original between two adjacent values, by width and height; 0 where values are not rounded."""
        ...


@dataclass(frozen=True, kw_only=True)
class GridCoordinates:
    """value = round(far_edge * pixels / side): positions relative to the sides of the image.

    Args:
        far_edge: value of the right and lower edge; with `cells`, the number of cells.
        digits: decimals that are written; None: all.
        cells: value = floor(far_edge * pixels / side), the index of a cell, which stands for its centre.
        y_first: the order is ymin, xmin, ymax, xmax.
        padded_to_square: the image lies in the middle of a square, and values are relative to that.
        source: what the family does, and where that is documented.
    """

    far_edge: float
    digits: int | None = 0
    cells: bool = False
    y_first: bool = False
    padded_to_square: bool = False
    source: str = ""

    def encode(self, box: Sequence[float], size: Size) -> Values:
        width, height, left, above = self._frame(_sized(size))
        x1, y1, x2, y2 = _inside(_boxed(box), size)
        values = [
            self._value((p + shift) / side)
            for p, shift, side in ((x1, left, width), (y1, above, height), (x2, left, width), (y2, above, height))
        ]
        return _swapped(values) if self.y_first else tuple(values)

    def _value(self, share: float) -> float:
        if self.cells:
            return min(int(self.far_edge * share), int(self.far_edge) - 1)
        return self.far_edge * share if self.digits is None else _rounded(self.far_edge * share, self.digits)

    def decode(self, values: Sequence[Any], size: Size) -> Box | None:
        width, height, left, above = self._frame(_sized(size))
        read = _numbers(values)
        if read is None:
            return None
        x1, y1, x2, y2 = _swapped(read) if self.y_first else read
        half = 0.5 if self.cells else 0.0
        found = [
            (v + half) / self.far_edge * side - shift
            for v, side, shift in ((x1, width, left), (y1, height, above), (x2, width, left), (y2, height, above))
        ]
        return _inside(found, size)

    def step(self, size: Size) -> tuple[float, float]:
        width, height, _, _ = self._frame(_sized(size))
        unit = 0.0 if self.digits is None else 10.0**-self.digits / self.far_edge
        return width * unit, height * unit

    def _frame(self, size: Size) -> tuple[float, float, float, float]:
        """(width, height, left, top): the sides that values are relative to, and the offset of the image in them."""
        width, height = size
        side = max(size)
        return (
            (side, side, (side - width) / 2, (side - height) / 2)
            if self.padded_to_square
            else (width, height, 0.0, 0.0)
        )


@dataclass(frozen=True, kw_only=True)
class ResizedPixels:
    """Absolute pixels of the image as the model gets it: resized to multiples of `factor` and between two areas.

    Args:
        factor: sides are multiples of it, in pixels.
        min_pixels: area of the smallest image.
        max_pixels: area of the largest image.
        source: where the family's format is documented.
    """

    factor: int = 28
    min_pixels: int = 56 * 56
    max_pixels: int = 14 * 14 * 4 * 16384  # 12,845,056
    source: str = ""

    def encode(self, box: Sequence[float], size: Size) -> Values:
        wide, high = self._scale(size)
        x1, y1, x2, y2 = _inside(_boxed(box), size)
        return tuple(_rounded(p * scale) for p, scale in ((x1, wide), (y1, high), (x2, wide), (y2, high)))

    def decode(self, values: Sequence[Any], size: Size) -> Box | None:
        wide, high = self._scale(size)
        read = _numbers(values)
        return _inside([v / s for v, s in zip(read, (wide, high, wide, high))], size) if read else None

    def step(self, size: Size) -> tuple[float, float]:
        wide, high = self._scale(size)
        return 1 / wide, 1 / high

    def _scale(self, size: Size) -> tuple[float, float]:
        width, height = self.resized(size)
        return width / size[0], height / size[1]

    def resized(self, size: Size) -> Size:
        """(width, height) of the resized image: `smart_resize` of the family's image processor.

        Raises:
            OpenMIEError: a side more than 200 times the other, which the processor rejects.
        """
        width, height = _sized(size)
        if max(size) > 200 * min(size):
            raise OpenMIEError(
                f"an image of {width} x {height}",
                expected="sides of at most 200 to 1",
                where="boxes",
                remedy="crop the image, which this family of models cannot read",
            )
        sides = [round(side / self.factor) * self.factor for side in size]
        if sides[0] * sides[1] > self.max_pixels:
            shrink = math.sqrt(width * height / self.max_pixels)
            sides = [max(self.factor, math.floor(side / shrink / self.factor) * self.factor) for side in size]
        elif sides[0] * sides[1] < self.min_pixels:
            grow = math.sqrt(self.min_pixels / (width * height))
            sides = [math.ceil(side * grow / self.factor) * self.factor for side in size]
        return sides[0], sides[1]


@dataclass(frozen=True, kw_only=True)
class FittedPixels:
    """Absolute pixels of the image as the model gets it: a large one is scaled down until it fits, sides in proportion.

    Args:
        longest: pixels of the longer side at most.
        patches: square patches that cover the image, at most.
        patch: pixels of a patch's side.
        source: where the family's format is documented.
    """

    longest: int
    patches: int
    patch: int = 28
    source: str = ""

    def encode(self, box: Sequence[float], size: Size) -> Values:
        scale = self.scale(size)
        return tuple(_rounded(p * scale) for p in _inside(_boxed(box), size))

    def decode(self, values: Sequence[Any], size: Size) -> Box | None:
        scale = self.scale(size)
        read = _numbers(values)
        return _inside([v / scale for v in read], size) if read else None

    def step(self, size: Size) -> tuple[float, float]:
        scale = self.scale(size)
        return 1 / scale, 1 / scale

    def scale(self, size: Size) -> float:
        """Pixels of the scaled image for one of the original, by bisection over its longer side; 1 if it fits."""
        width, height = _sized(size)
        longer = max(width, height)
        if self._fits(width, height, longer):
            return 1.0
        low, high = 1, min(longer, self.longest + 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits(width, height, middle) else (low, middle)
        return low / longer

    def _fits(self, width: float, height: float, longer: float) -> bool:
        """Whether the image fits when its longer side has so many pixels."""
        across, down = (math.ceil(max(side * longer / max(width, height), 1) / self.patch) for side in (width, height))
        return longer <= self.longest and across * down <= self.patches


@dataclass(frozen=True, kw_only=True)
class OriginalPixels:
    """Absolute pixels of the original image, rounded to integers."""

    source: str = ""

    def encode(self, box: Sequence[float], size: Size) -> Values:
        return tuple(_rounded(p) for p in _inside(_boxed(box), _sized(size)))

    def decode(self, values: Sequence[Any], size: Size) -> Box | None:
        _sized(size)
        read = _numbers(values)
        return _inside(read, size) if read else None

    def step(self, size: Size) -> tuple[float, float]:
        return 1.0, 1.0


def _rounded(value: float, digits: int = 0) -> float:
    """Round half up, so that equal steps stay equal; an integer without digits."""
    if not digits:
        return math.floor(value + 0.5)
    return math.floor(value * 10**digits + 0.5) / 10**digits


def _swapped(values: Sequence[float]) -> tuple[float, float, float, float]:
    """Exchange x and y of both corners."""
    a, b, c, d = values
    return b, a, d, c


def _inside(corners: Sequence[float], size: Size) -> Box:
    """Put corners in order, and clamp them to the image."""
    width, height = size
    xs = sorted(min(max(float(v), 0.0), float(width)) for v in (corners[0], corners[2]))
    ys = sorted(min(max(float(v), 0.0), float(height)) for v in (corners[1], corners[3]))
    return xs[0], ys[0], xs[1], ys[1]


def _numbers(values: Any) -> tuple[float, float, float, float] | None:
    """Four finite numbers, or None."""
    try:
        listed = list(values)
    except TypeError:
        return None
    if len(listed) != 4 or any(isinstance(v, (bool, str, bytes)) for v in listed):
        return None
    try:
        a, b, c, d = (float(v) for v in listed)
    except (TypeError, ValueError, OverflowError):
        return None
    return (a, b, c, d) if all(map(math.isfinite, (a, b, c, d))) else None


def _boxed(box: Any) -> tuple[float, float, float, float]:
    read = _numbers(box)
    if read is None:
        raise OpenMIEError(
            f"invalid box {box!r}"[:200],
            expected="four finite numbers: x1, y1, x2, y2 in pixels",
            where="boxes",
            remedy="correct the box before it is encoded",
        )
    return read


def _sized(size: Any) -> Size:
    try:
        width, height = size
        fine = width > 0 and height > 0 and all(map(math.isfinite, (width, height)))
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise OpenMIEError(
            f"invalid size {size!r}"[:200],
            expected="(width, height) of the upright original in pixels",
            where="boxes",
            remedy="use openmie.data.images.image_size, which reads it without decoding",
        )
    return width, height
