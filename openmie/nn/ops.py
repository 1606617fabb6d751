"""Small tensor operations that are safe on padding and on rows that are all padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

MAX_ATTN_ELEMENTS = 2**25  # attention scores that may be held in memory at once


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over real positions: x (B, N, D), mask (B, N) -> (B, D); a row without any is zero."""
    m = mask.unsqueeze(-1).to(x.dtype)
    return torch.where(mask.unsqueeze(-1), x, 0.0).sum(1) / m.sum(1).clamp_min(1.0)


def masked_sum(x: Tensor, mask: Tensor) -> Tensor:
    """Sum over real positions: x (B, N, D), mask (B, N) -> (B, D)."""
    return torch.where(mask[..., None], x, 0.0).sum(1)


def masked_softmax(x: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over positions where mask is True; a slice without any is zero, with zero gradient."""
    weights = x.masked_fill(~mask, torch.finfo(x.dtype).min).softmax(dim)
    return torch.where(mask, weights, 0.0)


class TimeBias(NamedTuple):
    """What the seconds between a query and a key cost its score: decay * |query_seconds - key_seconds|, per head.

    A temporal form of ALiBi's linear bias (Press et al., 2022). Where either time is not known nothing is subtracted.
    """

    query_seconds: Tensor  # (B, N), NaN where not known
    key_seconds: Tensor  # (B, M), NaN where not known
    decay: Tensor  # (h,) at least 0: a larger one makes a head look nearer


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, dropout: float = 0.0, attn_bias: Tensor | None = None
) -> Tensor:
    """Scaled dot-product attention, safe on rows without keys.

    Args:
        query: (B, h, N, d).
        key: (B, h, M, d).
        value: (B, h, M, d).
        mask: (B, M) bool, True where a key is real.
        dropout: Chance that an attention weight is dropped.
        attn_bias: (B, h, N, M), subtracted from the scaled scores: a positive bias weakens a pair.

    Returns:
        (B, h, N, d); zero for a row whose keys are all padding. Such a row attends to all its keys inside the kernel,
        which keeps its gradient finite, and the result is then dropped.
    """
    some = mask.any(1)
    seen = (mask | ~some[:, None])[:, None, None, :]
    seen = seen if attn_bias is None else (-attn_bias).masked_fill(~seen, torch.finfo(attn_bias.dtype).min)
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, dropout_p=dropout)
    return torch.where(some[:, None, None, None], out, 0.0)


def attend_in_chunks(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, time_bias: TimeBias | None = None
) -> Tensor:
    """`attend`, some queries at a time: at most `MAX_ATTN_ELEMENTS` scores are held.

    Each chunk is computed again for its gradient. `time_bias` is subtracted from the scores.
    """
    seconds, key_seconds, decay = time_bias if time_bias is not None else (None, None, None)

    def chunk(q: Tensor, t: Tensor | None) -> Tensor:
        if t is None or key_seconds is None or decay is None:
            return attend(q, key, value, mask)
        gap = (t[:, None, :, None] - key_seconds[:, None, None]).abs().nan_to_num(0.0)  # (B, 1, N, M)
        return attend(q, key, value, mask, attn_bias=gap * decay[:, None, None])

    step = max(1, MAX_ATTN_ELEMENTS // max(1, query.shape[0] * query.shape[1] * key.shape[2]))
    if step >= query.shape[2]:
        return chunk(query, seconds)
    chunks = query.split(step, 2)
    times = [None] * len(chunks) if seconds is None else seconds.split(step, 1)
    if not torch.is_grad_enabled():
        return torch.cat([chunk(q, t) for q, t in zip(chunks, times)], 2)
    return torch.cat([checkpoint(chunk, q, t, use_reentrant=False) for q, t in zip(chunks, times)], 2)


def convolve(conv: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
    """A convolution over positions that reads zeros where there is padding: x (B, N, D), mask (B, N) -> (B, N, D')."""
    return conv(torch.where(mask[..., None], x, 0.0).transpose(1, 2)).transpose(1, 2)


def frame_means(x: Tensor, frame: Tensor | None, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and number of each frame's real positions: x (B, N, D), frame and mask (B, N) -> (B, F, D), (B, F).

    Without frames all positions are of one; a frame without real positions is zero.
    """
    b, d = x.shape[0], x.shape[2]
    frame = torch.zeros_like(mask, dtype=torch.long) if frame is None else frame.masked_fill(~mask, 0)
    f = int(F.pad(frame.flatten(), (0, 1)).max()) + 1
    slot = (torch.arange(b, device=x.device)[:, None] * f + frame).flatten()
    kind = torch.promote_types(x.dtype, torch.float32)  # bfloat16 cannot count beyond 256
    total = x.new_zeros(b * f, d, dtype=kind)
    total = total.index_add(0, slot, torch.where(mask[..., None], x, 0.0).flatten(0, 1).to(kind))
    count = x.new_zeros(b * f, dtype=kind).index_add(0, slot, mask.flatten().to(kind))
    return (total / count.clamp_min(1.0)[:, None]).to(x.dtype).view(b, f, d), count.view(b, f)


def gate(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Convex mix weight * a + (1 - weight) * b."""
    return torch.lerp(b, a, weight.to(a.dtype))


def pool_words(states: Tensor, owner: Tensor, word: Tensor, shape: tuple[int, int], mean: bool) -> Tensor:
    """Word-piece states to words in one scatter.

    states (M, W, D): encoded rows (windows); owner (M,): the document of a row; word (M, W): the word of a piece, -1
    for pieces of no word -> (B, T, D) for shape = (B, T). `mean` averages a word's pieces, else its first one is taken.
    A word without pieces is zero.
    """
    b, t = shape
    real = word >= 0
    if not mean:
        real = real & (word != F.pad(word, (1, 0), value=-1)[:, :-1])
    slot = (owner[:, None] * t + word)[real]  # (K,) flat word index of each kept piece
    kept = states[real]  # (K, D)
    if not mean:
        return states.new_zeros(b * t, states.shape[-1]).index_copy(0, slot, kept).view(b, t, -1)
    total = states.new_zeros(b * t, states.shape[-1]).index_add(0, slot, kept)
    count = states.new_zeros(b * t).index_add(0, slot, states.new_ones(len(slot)))
    return (total / count.clamp_min(1.0)[:, None]).view(b, t, -1)


def max_words(states: Tensor, owner: Tensor, word: Tensor, shape: tuple[int, int]) -> Tensor:
    """Word-piece states to words by the largest value of each channel (M3D's release); shapes as in `pool_words`.

    The pieces of a word stand in one row, side by side, and words ascend through the rows of a document, and documents
    through the rows: so words are segments of what is kept. A word without pieces is zero.
    """
    b, t = shape
    real = word >= 0
    slot = (owner[:, None] * t + word)[real]  # (K,) ascending
    lengths = torch.bincount(slot, minlength=b * t)
    largest = torch.segment_reduce(states[real], "max", lengths=lengths, axis=0, unsafe=True)
    return torch.where((lengths > 0)[:, None], largest, 0.0).view(b, t, -1)


def gather_rows(x: Tensor, index: Tensor) -> Tensor:
    """x (B, N, D), index (B, ...) -> (B, ..., D), the rows of x at index."""
    flat = index.flatten(1)
    picked = x.gather(1, flat[..., None].expand(-1, -1, x.shape[-1]))
    return picked.view(*index.shape, x.shape[-1])


def stack(rows: Sequence[Any], fill: float, length: int = 0) -> Tensor:
    """Rows of unequal length, stacked and padded to the longest (at least `length`)."""
    rows = [torch.as_tensor(r) for r in rows]
    longest = max(length, max((len(r) for r in rows), default=0))
    out = rows[0].new_full((len(rows), longest, *rows[0].shape[1:]), fill)
    for i, r in enumerate(rows):
        out[i, : len(r)] = r
    return out
