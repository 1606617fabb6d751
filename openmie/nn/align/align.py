"""Align: which loss, on which two sides, tapped where.

A side is one role or several; the pooled states of several are concatenated. Documents that lack a side are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from openmie.nn.align.infonce import InfoNCE
from openmie.nn.streams import Streams

Gather = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Align:
    """An alignment is data. `loss` is any callable (B, D) x (B, D) -> scalar that is a config, such as InfoNCE."""

    loss: Any = field(default_factory=InfoNCE)
    first: tuple[str, ...] = ("text",)
    second: tuple[str, ...] = ("vision",)
    at: str = "encoded"  # `encoded`, before the fusion, or `fused`, after it
    width: int = 128  # both sides are projected to this width; 0: as they are, the second to the first's if it differs
    weight: float = 0.1  # of this loss in the sum
    name: str = ""  # default: the loss and the sides

    def needs(self) -> frozenset[str]:
        return frozenset((*self.first, *self.second))

    def build(self, widths: dict[str, int]) -> Alignment:
        return Alignment(self, widths)


class Alignment(nn.Module):
    """Streams -> (unweighted loss, number of rows that took part)."""

    def __init__(self, config: Align, widths: dict[str, int]) -> None:
        super().__init__()
        self.loss, self.at, self.weight = config.loss, config.at, config.weight
        self.sides = (config.first, config.second)
        kind = type(config.loss).__name__.lower()
        self.name = config.name or f"{kind}({'+'.join(config.first)},{'+'.join(config.second)})"
        have = [sum(widths[r] for r in side) for side in self.sides]
        want = config.width or have[0]
        as_is = [not config.width and n == want for n in have]
        self.project = nn.ModuleList(nn.Identity() if a else nn.Linear(n, want) for a, n in zip(as_is, have))
        self.gather: Gather = _same  # set by the trainer when several processes share a batch

    def forward(self, streams: Streams) -> tuple[Tensor, Tensor]:
        pooled, present = [], None
        for side, project in zip(self.sides, self.project):
            pooled.append(project(torch.cat([streams[r].pooled for r in side], -1)))  # (B, D)
            for role in side:
                here = streams[role].present
                present = here if present is None else present & here  # type: ignore[operator]
        assert present is not None
        keep = self.gather(present)
        a, b = (self.gather(x)[keep] for x in pooled)
        return self.loss(a, b), keep.sum()


def _same(x: Tensor) -> Tensor:
    return x
