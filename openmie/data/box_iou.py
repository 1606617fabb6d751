"""The intersection over union of two boxes."""

from __future__ import annotations

from collections.abc import Sequence


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes.

    Args:
        a: x1, y1, x2, y2 in any unit.
        b: the same, in the same unit.

    Returns:
        A number in [0, 1]; 0 for boxes that do not overlap, or of which one is empty.
    """
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
