"""Slots: what may stand in a frame, as vectors, each with a first guess at its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.decode.channels import positions
from openmie.nn.ops import attend, masked_softmax
from openmie.nn.streams import Stream, by_group

CELLS = 1024  # steps of the code of a place in a frame


class FrameSlots(nn.Module):
    """M3D's: one linear layer, frames (B, F, D) -> slots (B, F, Q, D) and a guess of 0, the middle, in logits."""

    def __init__(self, slots: int, width: int) -> None:
        super().__init__()
        self.slots, self.width = slots, width
        self.split = nn.Linear(width, slots * width)

    def forward(self, frames: Stream, patches: Stream) -> tuple[Tensor, Tensor]:
        x = self.split(frames.tokens).unflatten(-1, (self.slots, -1))
        return x, x.new_zeros(*x.shape[:3], 4)


class PatchSlots(nn.Module):
    """Learnt queries that look at their frame's patches again: frames (B, F, D), patches (B, N, D') -> (B, F, Q, E).

    As in DETR (Carion et al., 2020), with what the frame's vector knows of the text added to each query. The guess at a
    box is where a last look rests: with weights a over the patches' middles c, mean m = sum a c, and a width of
    (12 sum a (c - m)^2 + s^2)^(1/2), that of even weights over a stretch of patches of side s. Patches are laid out
    as a square, after a class token if their number says so; for other numbers the guess is 0, the middle.
    """

    def __init__(self, config: Any, width: int, patches: int) -> None:
        super().__init__()
        e = config.width
        self.queries = nn.Parameter(torch.randn(config.count, e))
        self.inlet = nn.Linear(width, e)
        self.keys = nn.Sequential(nn.Linear(patches, e), nn.LayerNorm(e))
        self.place = nn.Linear(2 * e, e, bias=False)
        self.layers = nn.ModuleList(SlotLayer(config) for _ in range(config.layers))
        self.norm, self.look = nn.LayerNorm(e), nn.Linear(e, e)

    def forward(self, frames: Stream, patches: Stream) -> tuple[Tensor, Tensor]:
        b, f = frames.tokens.shape[:2]
        there = patches.mask & patches.present[:, None]  # type: ignore[index]
        tokens, mask = by_group(replace(patches, mask=there))  # (B, G, N, D'), G at most F
        tokens, mask = F.pad(tokens, (0, 0, 0, 0, 0, f - tokens.shape[1])), F.pad(mask, (0, 0, 0, f - mask.shape[1]))
        tokens, mask = tokens.flatten(0, 1), mask.flatten(0, 1)  # (K, N, D'), K = B F
        middle, side, placed = grid(mask)
        keys = self.keys(tokens) + self.place(self._code(middle, placed))  # (K, N, E)
        x = self.queries + self.inlet(frames.tokens).flatten(0, 1)[:, None]  # (K, Q, E)
        for layer in self.layers:
            x = layer(x, keys, mask)
        x = self.norm(x)
        weights = masked_softmax(self.look(x) @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5, placed[:, None])
        return x.unflatten(0, (b, f)), guess(weights, middle, side, placed).unflatten(0, (b, f))

    def _code(self, middle: Tensor, placed: Tensor) -> Tensor:
        """(K, N, 2) -> (K, N, 2 E): sine codes of column and row; 0 for what has no place."""
        table = positions(CELLS, self.place.out_features, middle.device).to(middle.dtype)
        return table[(middle * CELLS).long()].flatten(2) * placed[..., None]


class SlotLayer(nn.Module):
    """Slots ask each other, then the patches, then think: x (K, Q, E), keys (K, N, E), mask (K, N) -> (K, Q, E)."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        e, inner, self.heads, self.p = config.width, config.expansion * config.width, config.heads, config.dropout
        self.norms = nn.ModuleList(nn.LayerNorm(e) for _ in range(3))
        self.own, self.query, self.pair = nn.Linear(e, 3 * e), nn.Linear(e, e), nn.Linear(e, 2 * e)
        self.out = nn.ModuleList(nn.Linear(e, e) for _ in range(2))
        self.mix = nn.Sequential(nn.Linear(e, inner), nn.GELU(), nn.Dropout(self.p), nn.Linear(inner, e))
        self.drop = nn.Dropout(self.p)

    def forward(self, x: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        every = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        q, k, v = self.own(self.norms[0](x)).chunk(3, -1)
        x = x + self._ask(0, q, k, v, every)
        k, v = self.pair(keys).chunk(2, -1)
        x = x + self._ask(1, self.query(self.norms[1](x)), k, v, mask)
        return x + self.drop(self.mix(self.norms[2](x)))

    def _ask(self, i: int, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        heard = attend(q, k, v, mask, self.p if self.training else 0.0)
        return self.drop(self.out[i](heard.transpose(1, 2).flatten(2)))


def grid(mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
    middle = torch.stack([rank % s + 0.5, rank // s + 0.5], -1) / s[..., None]
    return torch.where(placed[..., None], middle, 0.5), 1.0 / s[:, 0], placed


def guess(weights: Tensor, middle: Tensor, side: Tensor, placed: Tensor) -> Tensor:
    """weights (K, Q, N), middles (K, N, 2), side (K,) -> logits of (cx, cy, w, h), (K, Q, 4); 0 where nothing lies."""
    mean = weights @ middle
    spread = (weights @ middle.square() - mean.square()).clamp_min(0)
    size = (12 * spread + side[:, None, None].square()).sqrt()
    box = torch.cat([mean, size], -1).clamp(0.01, 0.99)
    return torch.where(placed.any(1)[:, None, None], box.logit(), 0.0)
