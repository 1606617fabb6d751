"""Tags to spans and spans to ordered pairs, as tensors, for heads that follow a tagging head."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_PAIRS = 4096  # ordered pairs of a document up to which all are looked at: those of 64 spans
PAIRS_PER_SPAN = 16  # of more, the nearest are, so many a span
FOLLOWING = 64  # spans behind one that may be among its nearest


def limit_of_pairs(spans: int) -> int:
    """How many ordered pairs of so many spans are looked at, at most."""
    return min(spans * (spans - 1), max(MOST_PAIRS, PAIRS_PER_SPAN * spans))


def near_pairs(spans: Tensor) -> Tensor:
    """Ordered pairs of two different spans: all of them, or the nearest where they are more than `limit_of_pairs`.

    Args:
        spans: (S, 2) first and last word, in the order of the text.

    Returns:
        (P, 2) numbers of head and tail, ordered by these. Near is by the words between; of equals, what stands first.
    """
    s = len(spans)
    most = limit_of_pairs(s)
    first = torch.arange(s, device=spans.device)[:, None]
    if most == s * (s - 1):
        pairs = torch.cartesian_prod(first[:, 0], first[:, 0]).view(-1, 2)
        return pairs[pairs[:, 0] != pairs[:, 1]]
    second = first + torch.arange(1, min(FOLLOWING, s - 1) + 1, device=spans.device)  # (S, 64)
    gap = (spans[second.clamp(max=s - 1), 0] - spans[:, 1:]).clamp_min(0)
    gap = gap.masked_fill(second >= s, int(torch.iinfo(gap.dtype).max)).flatten()
    near = gap.argsort(stable=True)[: most // 2]
    a, b = first.expand_as(second).flatten()[near], second.flatten()[near]
    head, tail = torch.cat([a, b]), torch.cat([b, a])
    order = (head * s + tail).argsort()
    return torch.stack([head[order], tail[order]], 1)


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
    """spans (B, S, 2), real ones first -> `near_pairs` of each row (B, P, 4) as head and tail, their mask (B, P)."""
    pairs = [own[near_pairs(own)].flatten(1) for own in (row[real] for row, real in zip(spans, mask))]
    count = torch.tensor([len(p) for p in pairs], device=spans.device)
    most = int(count.max()) if len(pairs) else 0
    out = spans.new_zeros(len(spans), most, 4)
    for row, found in zip(out, pairs):
        row[: len(found)] = found
    return out, torch.arange(most, device=spans.device) < count[:, None]
