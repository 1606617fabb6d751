"""Boxes as tensors: overlap, matching with gold, and duplicates. Boxes are (cx, cy, w, h) in 0..1 of their picture."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def corners(boxes: Tensor) -> Tensor:
    """(cx, cy, w, h) -> (x0, y0, x1, y1)."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def box_iou_giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al., 2019) of boxes that broadcast: (..., 4) each -> (...) each.

    GIoU = IoU - (hull - union) / hull, hull the smallest box around both; in (-1, 1]. Boxes without area have 0.
    """
    a, b = corners(a), corners(b)
    area_a, area_b = ((x[..., 2:] - x[..., :2]).clamp_min(0).prod(-1) for x in (a, b))
    both = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp_min(0).prod(-1)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp_min(0).prod(-1)
    union = area_a + area_b - both
    tiny = torch.finfo(a.dtype).tiny
    iou = both / union.clamp_min(tiny)
    return iou, iou - (hull - union) / hull.clamp_min(tiny)


def matched(cost: Tensor, real: Tensor) -> Tensor:
    """The slot of each gold box in the cheapest one-to-one matching of a frame (Kuhn, 1955), -1 for one without a slot.

    cost (K, Q, G) of slot and gold box, real (K, G) bool -> (K, G) long.
    """
    slots = torch.full(real.shape, -1, dtype=torch.long)
    table, there = cost.detach().float().nan_to_num(1e6, 1e6, -1e6).cpu().numpy(), real.cpu().numpy()
    for k in np.flatnonzero(there.any(1)):
        gold = np.flatnonzero(there[k])
        row, column = linear_sum_assignment(table[k][:, gold])
        slots[k, gold[column]] = torch.from_numpy(row)
    return slots.to(real.device)


def in_order(cost: Tensor, real: Tensor) -> Tensor:
    """As released: gold box g is slot g's, whatever it costs."""
    at = torch.arange(real.shape[1], device=real.device)
    return torch.where(real & (at < cost.shape[1]), at, -1)


def distinct(boxes: Tensor, scores: Tensor, real: Tensor, most: float) -> Tensor:
    """Boxes that no better one of their frame overlaps by more than `most`: (K, Q, 4), (K, Q), (K, Q) -> (K, Q) bool.

    Taken from the best score down, each kept box dropping the later ones that overlap it.
    """
    order = scores.masked_fill(~real, -1.0).argsort(dim=1, descending=True, stable=True)
    boxes = boxes.gather(1, order[..., None].expand_as(boxes))
    keep = real.gather(1, order)
    near = (box_iou_giou(boxes[:, :, None], boxes[:, None])[0] > most).triu(1)  # (K, Q, Q), better first
    for q in range(keep.shape[1]):
        keep = keep & ~(near[:, q] & keep[:, q : q + 1])
    return torch.zeros_like(keep).scatter(1, order, keep)
