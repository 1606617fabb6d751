"""Align: which loss, on which two sides, tapped where.

A side is one role or several; the pooled states of several are concatenated. Documents that lack a side are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.align.infonce import InfoNCE
from openmie.nn.limits import CountOrZero, NonNegative
from openmie.nn.ops import masked_softmax
from openmie.nn.streams import Stream, Streams

Gather = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Align:
    """An alignment is data. `loss` is any callable (B, D) x (B, D) -> scalar that is a config, such as InfoNCE.

    A loss with `warmup_steps` above 0 is also given `ramp`, the share of these training steps that is over, at most 1.
    """

    loss: Any = field(default_factory=InfoNCE)
    first: tuple[str, ...] = ("text",)
    second: tuple[str, ...] = ("vision",)
    at: Literal["encoded", "fused"] = "encoded"  # `encoded`, before the fusion, or `fused`, after it
    width: CountOrZero = 128  # both sides are projected to it; 0: not at all, or the second to the first's width
    weight: NonNegative = 0.1  # of this loss in the sum
    name: str = ""  # default: the loss and the sides
    learned: bool = False  # pool tokens by learned weights, then linear and GELU (f, g of MGIPS-CL's eq. 14)

    def needs(self) -> frozenset[str]:
        return frozenset((*self.first, *self.second))

    def build(self, widths: dict[str, int]) -> Alignment:
        return Alignment(self, widths)


class Alignment(nn.Module):
    """Streams -> (unweighted loss, number of rows that took part)."""

    steps: Tensor

    def __init__(self, config: Align, widths: dict[str, int]) -> None:
        super().__init__()
        self.loss, self.at, self.weight = config.loss, config.at, config.weight
        self.sides = (config.first, config.second)
        kind = type(config.loss).__name__.lower()
        self.name = config.name or f"{kind}({'+'.join(config.first)},{'+'.join(config.second)})"
        have = [sum(widths[r] for r in side) for side in self.sides]
        want = config.width or have[0]
        self.pool: nn.ModuleList | None = None
        if config.learned:
            self.pool = nn.ModuleList(nn.ModuleDict({r: Pool(widths[r]) for r in side}) for side in self.sides)
            self.project = nn.ModuleList(nn.Sequential(nn.Linear(n, want), nn.GELU()) for n in have)
        else:
            as_is = [not config.width and n == want for n in have]
            self.project = nn.ModuleList(nn.Identity() if a else nn.Linear(n, want) for a, n in zip(as_is, have))
        self.warmup = int(getattr(config.loss, "warmup_steps", 0))
        if self.warmup:
            self.register_buffer("steps", torch.zeros((), dtype=torch.long))  # of training; saved, for the next start
        self.gather: Gather = _same  # set by the trainer when several processes share a batch

    def forward(self, streams: Streams) -> tuple[Tensor, Tensor]:
        a, b = self.rows(streams)
        return self.compare(a, b), torch.tensor(len(a))

    def rows(self, streams: Streams) -> tuple[Tensor, Tensor]:
        """The documents that have both sides, of all processes: two (rows, D), in one order."""
        pooled, present = [], None
        for i, (side, project) in enumerate(zip(self.sides, self.project)):
            pooled.append(project(torch.cat([self._pooled(i, r, streams[r]) for r in side], -1)))  # (B, D)
            for role in side:
                here = streams[role].present
                present = here if present is None else present & here  # type: ignore[operator]
        assert present is not None
        keep = self.gather(present)
        a, b = (self.gather(x)[keep] for x in pooled)
        return a, b

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """The loss of two (rows, D); in training it is one more step of a warm-up."""
        if not self.warmup:
            return self.loss(a, b)
        ramp = (self.steps / self.warmup).clamp(max=1.0)
        if self.training and torch.is_grad_enabled():
            self.steps += 1
        return self.loss(a, b, ramp)

    @torch.no_grad()
    def watch(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """For the log: the share of rows of `a` whose own partner is the nearest, and what the loss watches.

        Empty with fewer than two rows. Of several as near the share counts, so that equal rows are at chance.
        """
        if len(a) < 2:
            return {}
        similarity = F.normalize(a.float(), dim=-1) @ F.normalize(b.float(), dim=-1).T  # (rows, rows)
        best = similarity >= similarity.amax(1, keepdim=True)
        own = (best.diagonal() / best.sum(1)).mean()
        more = self.loss.watch(a, b) if hasattr(self.loss, "watch") else {}
        return {"own nearest": own, **more}

    def _pooled(self, side: int, role: str, stream: Stream) -> Tensor:
        return stream.pooled if self.pool is None else self.pool[side][role](stream)  # type: ignore[index]


class Pool(nn.Module):
    """Learned weights over real tokens: p = softmax_n(w h_n), sum_n p_n h_n; (B, N, D) -> (B, D), 0 without tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, stream: Stream) -> Tensor:
        weights = masked_softmax(self.score(stream.tokens), stream.mask[..., None], 1)  # (B, N, 1)
        return (weights * stream.tokens).sum(1)


def _same(x: Tensor) -> Tensor:
    return x
