"""Slots: what may stand in a frame, as vectors, each with a first guess at its place."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.layers import FeedForward, LayerConfig, MultiHeadAttention, sinusoidal_code
from openmie.nn.ops import masked_softmax
from openmie.nn.streams import Stream, by_group

POSITION_STEPS = 1024  # the positions that the code of a point in a frame goes over, from side to side


class SlotOutput(NamedTuple):
    """The slots of one layer."""

    slots: Tensor  # (B, F, Q, E)
    initial_box: Tensor  # (B, F, Q, 4) a first guess at (cx, cy, w, h), in logits


class FrameSlots(nn.Module):
    """M3D's: one linear layer, frames (B, F, D) -> slots (B, F, Q, D) and a guess of 0, the middle, in logits."""

    def __init__(self, slots: int, width: int) -> None:
        super().__init__()
        self.slots, self.width = slots, width
        self.split = nn.Linear(width, slots * width)

    def forward(self, frames: Stream, patches: Stream) -> list[SlotOutput]:
        x = self.split(frames.tokens).unflatten(-1, (self.slots, -1))
        return [SlotOutput(x, x.new_zeros(*x.shape[:3], 4))]


class PatchSlots(nn.Module):
    """Learnt queries that look at their frame's patches again: frames (B, F, D), patches (B, N, D') -> (B, F, Q, E).

    As in DETR (Carion et al., 2020), with what the frame's vector knows of the text added to each query, and the code
    of a point as in conditional DETR (Meng et al., 2021): of a grid at first, then of where the layer before looked.
    The slots of every layer are given out. The guess at a box is where a look rests: with weights a over the patches'
    middles c, mean m = sum a c, and a width of (12 sum a (c - m)^2 + s^2)^(1/2), that of even weights over a stretch of
    patches of side s. Patches are laid out as a square, after a class token if their number says so; for other numbers
    the guess is 0, the middle.
    """

    start: Tensor  # (Q, 2) the point that each slot begins at

    def __init__(self, config: Any, width: int, patches: int) -> None:
        super().__init__()
        e = config.width
        self.queries = nn.Parameter(torch.randn(config.num_slots, e))
        self.register_buffer("start", grid_points(config.num_slots), persistent=False)
        self.input_projection = nn.Linear(width, e)
        self.keys = nn.Sequential(nn.Linear(patches, e), nn.LayerNorm(e))
        self.position_projection = nn.Linear(2 * e, e, bias=False)
        self.layers = nn.ModuleList(SlotLayer(config) for _ in range(config.layers))
        self.norm, self.locator = nn.LayerNorm(e), nn.Linear(e, e)

    def forward(self, frames: Stream, patches: Stream) -> list[SlotOutput]:
        b, f = frames.tokens.shape[:2]
        tokens, mask = self._patches_of_frames(patches, f)  # (K, N, D'), K = B F
        middle, side, placed = patch_grid(mask, tokens.dtype)
        keys = self.keys(tokens) + self._position_code(middle) * placed[..., None]  # (K, N, E)
        x = self.queries + self.input_projection(frames.tokens).flatten(0, 1)[:, None]  # (K, Q, E)
        point, outputs = self.start.expand(len(x), -1, -1), []
        for layer in self.layers:
            x = layer(x, self._position_code(point), keys, mask)
            slots = self.norm(x)
            scores = self.locator(slots) @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
            box = initial_box(masked_softmax(scores, placed[:, None]), middle, side, placed)
            point = box[..., :2].detach().sigmoid()
            outputs.append(SlotOutput(slots.unflatten(0, (b, f)), box.unflatten(0, (b, f))))
        return outputs

    def _patches_of_frames(self, patches: Stream, f: int) -> tuple[Tensor, Tensor]:
        """The patches of each of f frames: (B f, N, D') and mask (B f, N)."""
        there = patches.mask & patches.present[:, None]  # type: ignore[index]
        tokens, mask = by_group(replace(patches, mask=there))  # (B, G, N, D'), G at most f
        tokens, mask = F.pad(tokens, (0, 0, 0, 0, 0, f - tokens.shape[1])), F.pad(mask, (0, 0, 0, f - mask.shape[1]))
        return tokens.flatten(0, 1), mask.flatten(0, 1)

    def _position_code(self, points: Tensor) -> Tensor:
        """Points (K, N, 2) in 0..1 -> (K, N, E), from the sine codes of column and row.

        A code goes over into that of the next point without a step: with steps, what rounding does to a point on the
        border of two, which depends on the batch, moved its box.
        """
        width = self.position_projection.out_features
        place = points.float().clamp(0, 1) * POSITION_STEPS
        code = sinusoidal_code(place, width).to(self.position_projection.weight.dtype)
        return self.position_projection(code.flatten(2))


class SlotLayer(nn.Module):
    """Self-attention of slots, cross-attention to patches, feed-forward, norms first, as in a decoder layer of DETR.

    Slots x and the codes of their points (K, Q, E), keys (K, N, E), mask (K, N) -> (K, Q, E).
    """

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        e, p = config.width, config.dropout
        self.norms = nn.ModuleList(nn.LayerNorm(e) for _ in range(3))
        self.self_attention = MultiHeadAttention(e, config.heads, packed="qkv", dropout=p)
        self.cross_attention = MultiHeadAttention(e, config.heads, dropout=p)
        self.outputs = nn.ModuleList(nn.Linear(e, e) for _ in range(2))
        self.ffn = FeedForward(e, config.expansion * e, p)
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor, points: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        every = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        attended = self.self_attention(self.norms[0](x) + points, None, every)
        x = x + self.dropout(self.outputs[0](attended))
        attended = self.cross_attention(self.norms[1](x) + points, keys, mask)
        x = x + self.dropout(self.outputs[1](attended))
        return x + self.dropout(self.ffn(self.norms[2](x)))


def patch_grid(mask: Tensor, kind: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Where patches lie: mask (K, N), real ones first -> middles (K, N, 2) as (x, y) in 0..1, side (K,), placed (K, N).

    n = s s patches lie in rows of s; n = s s + 1 alike after a class token, which has no place; others have none.
    """
    n = mask.sum(1)  # (K,)
    s = n.double().sqrt().floor().long()
    first = (n - s * s).clamp_max(2)  # 0 or 1: the class token
    square = (first < 2) & (n - first > 0)
    rank = torch.arange(mask.shape[1], device=mask.device) - first[:, None]
    placed = mask & square[:, None] & (rank >= 0)
    s = s.clamp_min(1)[:, None]
    middle = (torch.stack([rank % s, rank // s], -1).to(kind) + 0.5) / s[..., None]
    return torch.where(placed[..., None], middle, 0.5), 1.0 / s[:, 0].to(kind), placed


def initial_box(weights: Tensor, middle: Tensor, side: Tensor, placed: Tensor) -> Tensor:
    """weights (K, Q, N), middles (K, N, 2), side (K,) -> logits of (cx, cy, w, h), (K, Q, 4); 0 where nothing lies."""
    mean = weights @ middle
    variance = (weights @ middle.square() - mean.square()).clamp_min(0)
    size = (12 * variance + side[:, None, None].square()).sqrt()
    box = torch.cat([mean, size], -1).clamp(0.01, 0.99)
    return torch.where(placed.any(1)[:, None, None], box.logit(), 0.0)


def grid_points(slots: int) -> Tensor:
    """(Q, 2): points in rows over the unit square."""
    side = math.ceil(slots**0.5)
    at = torch.arange(slots)
    return torch.stack([at % side + 0.5, at // side + 0.5], -1) / side
