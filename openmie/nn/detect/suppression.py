"""From the scores of all cells to the objects of a picture: threshold, then non-maximum suppression within a class."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

MOST = 1000  # candidates of a picture that are compared, the best by score


class Objects(NamedTuple):
    """The objects of one picture, best first."""

    boxes: Tensor  # (K, 4) x0, y0, x1, y1
    scores: Tensor  # (K,)
    labels: Tensor  # (K,) index of the class


def objects_of(boxes: Tensor, scores: Tensor, threshold: float, iou: float = 0.6, most: int = 100) -> Objects:
    """Objects of a picture by the boxes and scores of its cells; a cell may hold objects of several classes.

    Args:
        boxes: (N, 4) x0, y0, x1, y1.
        scores: (N, C).
        threshold: lowest score of an object.
        iou: of two boxes of a class with a higher intersection over union, only the better one is kept.
        most: number of objects at most.

    Returns:
        At most `most` objects, best first.
    """
    cell, label = (scores >= threshold).nonzero(as_tuple=True)
    values, order = scores[cell, label].sort(descending=True, stable=True)
    values, order = values[:MOST], order[:MOST]
    cell, label = cell[order], label[order]
    kept = class_wise_nms(boxes[cell], label, iou)[:most]
    return Objects(boxes[cell[kept]], values[kept], label[kept])


def class_wise_nms(boxes: Tensor, labels: Tensor, iou: float) -> Tensor:
    """Indices of the boxes that no better box of their class, itself kept, overlaps by more than `iou`.

    The rule is that of the greedy loop, which takes boxes from the best down and drops what a taken one overlaps. It is
    applied to all boxes at once until nothing changes. After k rounds the best k are as in the loop, so it ends there;
    in practice it takes as many rounds as the longest chain of boxes of which each would drop the next, about four.

    Args:
        boxes: (K, 4) x0, y0, x1, y1, best first.
        labels: (K,).
        iou: in [0, 1].

    Returns:
        Indices (kept,), ascending.
    """
    near = (box_iou(boxes, boxes) > iou) & (labels[:, None] == labels)
    near = near.triu(1)  # (K, K): the row's box is better than the column's and would drop it
    keep = torch.ones_like(labels, dtype=torch.bool)
    while True:
        now = ~(near & keep[:, None]).any(0)
        if torch.equal(now, keep):
            return keep.nonzero().flatten()
        keep = now


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of all pairs: (N, 4), (M, 4) of x0, y0, x1, y1 -> (N, M); 0 where both are empty."""
    sides = torch.minimum(a[:, None, 2:], b[:, 2:]) - torch.maximum(a[:, None, :2], b[:, :2])
    common = sides.clamp_min(0).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).clamp_min(0).prod(-1) for x in (a, b))
    return common / (area_a[:, None] + area_b - common).clamp_min(torch.finfo(a.dtype).tiny)
