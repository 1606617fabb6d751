"""Where the label of a link is written: on its curve, where it hides no node, no name and no other label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from openmie.data.document import Box
from openmie.graph.layout import Point

SHARES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73)  # of the way from head to tail, in the order in which they are tried
HEIGHT = 14.0


class LinkCurve(NamedTuple):
    """A quadratic Bézier curve from a head to a tail."""

    head: Point
    control: Point
    tail: Point

    def at(self, share: float) -> Point:
        """The point at a share of the way, from 0 to 1."""
        parts = (1 - share) ** 2, 2 * share * (1 - share), share**2
        x, y = (sum(p * point[axis] for p, point in zip(parts, self)) for axis in (0, 1))
        return x, y


def place_link_labels(curves: Sequence[LinkCurve], widths: Sequence[float], taken: Iterable[Box]) -> list[float]:
    """For each label the share of the way at which its middle stands.

    Args:
        curves: of the links.
        widths: of their labels; 0 for none.
        taken: boxes (x0, y0, x1, y1) of nodes and names.

    Returns:
        The first of `SHARES` where a label lies on nothing, or else the one where it covers least.
    """
    boxes, found = list(taken), []
    for curve, width in zip(curves, widths):
        tried = [(_around(curve.at(share), width), share) for share in SHARES]
        costs = [sum(_overlap(box, other) for other in boxes) for box, _ in tried]
        best = costs.index(min(costs)) if width else 0
        found.append(tried[best][1])
        if width:
            boxes.append(tried[best][0])
    return found


def _around(middle: Point, width: float) -> Box:
    (x, y), half = middle, width / 2
    return x - half, y - HEIGHT / 2, x + half, y + HEIGHT / 2


def _overlap(a: Box, b: Box) -> float:
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
