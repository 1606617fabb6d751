"""Where the name of a box is written, so that names stay in the picture and do not hide each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal, NamedTuple

from openmie.data.document import Box

Side = Literal["above", "inside", "below"]
LINES, GAP = 8, 1.0  # of names that are written below each other in one box, and between two of them


class LabelPosition(NamedTuple):
    """The left upper corner of a name, and where that is, seen from its box."""

    side: Side
    x: float
    y: float


def place_labels(
    boxes: Sequence[Box], sizes: Sequence[tuple[float, float]], width: float, height: float
) -> list[LabelPosition]:
    """A spot for each box, given the (width, height) of its name and the size of the picture, all in one unit.

    Each takes the first of above, below and inside that lies in the picture and covers no name placed before, or else
    the first line further down that does; where there is none, inside.
    """
    taken: list[Box] = []
    found = []
    for (x0, y0, _, y1), (w, h) in zip(boxes, sizes):
        x = max(min(x0, width - w), 0.0)
        inside = LabelPosition("inside", x, y0)
        lines = (LabelPosition("inside", x, y0 + n * (h + GAP)) for n in range(1, LINES))
        choices = chain([LabelPosition("above", x, y0 - h), LabelPosition("below", x, y1), inside], lines)
        free = (
            s
            for s in choices
            if s.y >= 0 and s.y + h <= height and not any(_intersect((s.x, s.y, s.x + w, s.y + h), t) for t in taken)
        )
        spot = next(free, inside)
        taken.append((spot.x, spot.y, spot.x + w, spot.y + h))
        found.append(spot)
    return found


def _intersect(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
