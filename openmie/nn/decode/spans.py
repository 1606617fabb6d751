"""Tags to spans and spans to ordered pairs, as tensors, for heads that follow a tagging head."""

from __future__ import annotations

import torch
from torch import Tensor


def spans_of(tags: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """BIO tags (B, T), counted as O, B-0, I-0, B-1, I-1, ... -> word spans (B, S, 2), last word included, and (B, S).

    A span begins at a B, or at an I that does not go on with the label before it, and ends before the next beginning
    or O: what the codec calls a run.
    """
    tags = tags.masked_fill(~mask, 0)
    label, inside = (tags - 1) // 2, (tags > 0) & (tags % 2 == 0)
    before = torch.nn.functional.pad(tags, (1, 0))[:, :-1]
    goes_on = inside & (before > 0) & ((before - 1) // 2 == label)
    begins = (tags > 0) & ~goes_on
    after = torch.nn.functional.pad(goes_on, (0, 1))[:, 1:]
    ends = (tags > 0) & ~after
    order = begins.cumsum(1) - 1
    count = begins.sum(1)
    s = int(count.max()) if len(count) else 0
    spans = tags.new_zeros(tags.shape[0], s, 2)
    row, start = begins.nonzero(as_tuple=True)
    spans[row, order[row, start], 0] = start
    row, end = ends.nonzero(as_tuple=True)
    spans[row, order[row, end], 1] = end
    return spans, torch.arange(s, device=tags.device) < count[:, None]


def ordered_pairs(spans: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """spans (B, S, 2) -> all ordered pairs of two different ones (B, S * S, 4) as head, tail, and their mask."""
    b, s, _ = spans.shape
    head, tail = spans[:, :, None].expand(b, s, s, 2), spans[:, None].expand(b, s, s, 2)
    real = mask[:, :, None] & mask[:, None] & ~torch.eye(s, dtype=torch.bool, device=spans.device)
    return torch.cat([head, tail], -1).flatten(1, 2), real.flatten(1)
