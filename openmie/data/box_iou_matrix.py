"""The intersection over union of all pairs of boxes, as arrays; see `box_iou` for two boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]  # of a floating type


def box_intersections(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Areas of the intersection and of the union of all pairs.

    Args:
        a: (N, 4) x1, y1, x2, y2 in any unit; a box that ends before it begins is empty.
        b: (M, 4) the same, in the same unit.

    Returns:
        (N, M) areas of the intersection, and (N, M) areas of the union.
    """
    a, b = a[:, None], b[None]
    with np.errstate(invalid="ignore"):  # an infinite box overlaps with nothing
        sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
        common = sides.clip(0).prod(-1)
        area_a, area_b = ((x[..., 2:] - x[..., :2]).clip(0).prod(-1) for x in (a, b))
        return common, area_a + area_b - common


def box_iou_matrix(a: Floats, b: Floats) -> Floats:
    """Intersection over union of all pairs (N, M), in [0, 1]; 0 where both boxes are empty. Arguments as above."""
    common, union = box_intersections(a, b)
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
