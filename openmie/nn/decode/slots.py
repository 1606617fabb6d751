"""Slots: what may stand in a frame, as vectors, each with a first guess at its place."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.decode.channels import positions
from openmie.nn.ops import attend, masked_softmax
from openmie.nn.streams import Stream, by_group

CELLS = 1024  # steps of the code of a place in a frame
Looked = tuple[Tensor, Tensor]  # slots (B, F, Q, E) and the logits of a first guess at their boxes (B, F, Q, 4)


class FrameSlots(nn.Module):
    """M3D's: one linear layer, frames (B, F, D) -> slots (B, F, Q, D) and a guess of 0, the middle, in logits."""

    def __init__(self, slots: int, width: int) -> None:
        super().__init__()
        self.slots, self.width = slots, width
        self.split = nn.Linear(width, slots * width)

    def forward(self, frames: Stream, patches: Stream) -> list[Looked]:
        x = self.split(frames.tokens).unflatten(-1, (self.slots, -1))
        return [(x, x.new_zeros(*x.shape[:3], 4))]


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
        self.queries = nn.Parameter(torch.randn(config.count, e))
        self.register_buffer("start", spread(config.count), persistent=False)
        self.inlet = nn.Linear(width, e)
        self.keys = nn.Sequential(nn.Linear(patches, e), nn.LayerNorm(e))
        self.place = nn.Linear(2 * e, e, bias=False)
        self.layers = nn.ModuleList(SlotLayer(config) for _ in range(config.layers))
        self.norm, self.look = nn.LayerNorm(e), nn.Linear(e, e)

    def forward(self, frames: Stream, patches: Stream) -> list[Looked]:
        b, f = frames.tokens.shape[:2]
        there = patches.mask & patches.present[:, None]  # type: ignore[index]
        tokens, mask = by_group(replace(patches, mask=there))  # (B, G, N, D'), G at most F
        tokens, mask = F.pad(tokens, (0, 0, 0, 0, 0, f - tokens.shape[1])), F.pad(mask, (0, 0, 0, f - mask.shape[1]))
        tokens, mask = tokens.flatten(0, 1), mask.flatten(0, 1)  # (K, N, D'), K = B F
        middle, side, placed = grid(mask, tokens.dtype)
        keys = self.keys(tokens) + self._code(middle) * placed[..., None]  # (K, N, E)
        x = self.queries + self.inlet(frames.tokens).flatten(0, 1)[:, None]  # (K, Q, E)
        point, looked = self.start.expand(len(x), -1, -1), []
        for layer in self.layers:
            x = layer(x, self._code(point), keys, mask)
            slots = self.norm(x)
            scores = self.look(slots) @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
            place = guess(masked_softmax(scores, placed[:, None]), middle, side, placed)
            point = place[..., :2].detach().sigmoid()
            looked.append((slots.unflatten(0, (b, f)), place.unflatten(0, (b, f))))
        return looked

    def _code(self, points: Tensor) -> Tensor:
        """Points (K, N, 2) in 0..1 -> (K, N, E), from the sine codes of column and row."""
        table = positions(CELLS, self.place.out_features, points.device).to(self.place.weight.dtype)
        return self.place(table[(points * CELLS).long().clamp(0, CELLS - 1)].flatten(2))


class SlotLayer(nn.Module):
    """Slots ask each other, then the patches, then think: x and its place (K, Q, E), keys (K, N, E), mask (K, N)."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        e, inner, self.heads, self.p = config.width, config.expansion * config.width, config.heads, config.dropout
        self.norms = nn.ModuleList(nn.LayerNorm(e) for _ in range(3))
        self.own, self.query, self.pair = nn.Linear(e, 3 * e), nn.Linear(e, e), nn.Linear(e, 2 * e)
        self.out = nn.ModuleList(nn.Linear(e, e) for _ in range(2))
        self.mix = nn.Sequential(nn.Linear(e, inner), nn.GELU(), nn.Dropout(self.p), nn.Linear(inner, e))
        self.drop = nn.Dropout(self.p)

    def forward(self, x: Tensor, place: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        every = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        q, k, v = self.own(self.norms[0](x) + place).chunk(3, -1)
        x = x + self._ask(0, q, k, v, every)
        k, v = self.pair(keys).chunk(2, -1)
        x = x + self._ask(1, self.query(self.norms[1](x) + place), k, v, mask)
        return x + self.drop(self.mix(self.norms[2](x)))

    def _ask(self, i: int, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        heard = attend(q, k, v, mask, self.p if self.training else 0.0)
        return self.drop(self.out[i](heard.transpose(1, 2).flatten(2)))


def grid(mask: Tensor, kind: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
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


def guess(weights: Tensor, middle: Tensor, side: Tensor, placed: Tensor) -> Tensor:
    """weights (K, Q, N), middles (K, N, 2), side (K,) -> logits of (cx, cy, w, h), (K, Q, 4); 0 where nothing lies."""
    mean = weights @ middle
    spread = (weights @ middle.square() - mean.square()).clamp_min(0)
    size = (12 * spread + side[:, None, None].square()).sqrt()
    box = torch.cat([mean, size], -1).clamp(0.01, 0.99)
    return torch.where(placed.any(1)[:, None, None], box.logit(), 0.0)


def spread(slots: int) -> Tensor:
    """(Q, 2): points in rows over the unit square."""
    side = math.ceil(slots**0.5)
    at = torch.arange(slots)
    return torch.stack([at % side + 0.5, at // side + 0.5], -1) / side
