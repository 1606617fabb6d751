"""Cross-attention: words ask the other sides, and add what they hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from openmie.nn.limits import Count, Dropout, Problem, heads_divide
from openmie.nn.ops import attend
from openmie.nn.streams import Stream, Streams


@dataclass(frozen=True, kw_only=True)
class Cross:
    """Transformer decoder layers without self-attention: x + A(LN x, side), then x + FFN(LN x) (Vaswani et al., 2017).

    A word of a document that lacks the sides passes through the attention unchanged.
    """

    sides: tuple[str, ...] = ("vision",)  # roles that the words attend to, as one key sequence
    reads: str = "text"  # role that asks
    width: Count = 128  # inside the attention; narrower than a large encoder, so that a step stays its encoder's
    heads: Count = 4
    layers: Count = 2
    expansion: Count = 2  # of the feed-forward layer, in inner widths
    dropout: Dropout = 0.1

    def needs(self) -> frozenset[str]:
        return frozenset((*self.sides, self.reads))

    def makes(self) -> frozenset[str]:
        return frozenset({"fused"})

    def problems(self) -> Iterator[Problem]:
        yield from heads_divide(self.heads, self.width)

    def build(self, widths: dict[str, int]) -> CrossFusion:
        return CrossFusion(self, widths)


class CrossFusion(nn.Module):
    """Streams -> Streams plus `fused` (B, T, D); D the width of the words, E the inner one."""

    def __init__(self, config: Cross, widths: dict[str, int]) -> None:
        super().__init__()
        self.reads, self.sides = config.reads, config.sides
        d, e = widths[config.reads], config.width
        self.widths = {"fused": d}
        self.inlet = nn.ModuleDict({s: nn.Sequential(nn.Linear(widths[s], e), nn.LayerNorm(e)) for s in config.sides})
        self.layers = nn.ModuleList(CrossLayer(d, config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)

    def forward(self, streams: Streams) -> Streams:
        asks = streams[self.reads]
        keys = torch.cat([self.inlet[s](streams[s].tokens) for s in self.sides], 1)  # (B, M, E)
        mask = torch.cat([streams[s].mask for s in self.sides], 1)  # (B, M)
        x = asks.tokens
        for layer in self.layers:
            x = layer(x, keys, mask)
        return {**streams, "fused": Stream(self.norm(x), asks.mask, asks.groups, asks.present)}


Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class CrossLayer(nn.Module):
    """One layer: x (B, T, D), keys (B, M, E), mask (B, M) -> (B, T, D).

    `config` tells width, heads, expansion and dropout. `change` may turn queries (B, T, E) and keys (B, M, E) into
    others before the attention.
    """

    def __init__(self, d: int, config: Any) -> None:
        super().__init__()
        e, inner = config.width, config.expansion * config.width
        self.heads, self.p = config.heads, config.dropout
        self.query, self.pair, self.out = nn.Linear(d, e), nn.Linear(e, 2 * e), nn.Linear(e, d, bias=False)
        self.before, self.between = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mix = nn.Sequential(nn.Linear(d, inner), nn.GELU(), nn.Dropout(self.p), nn.Linear(inner, d))
        self.drop = nn.Dropout(self.p)

    def forward(self, x: Tensor, keys: Tensor, mask: Tensor, change: Change | None = None) -> Tensor:
        q = self.query(self.before(x))  # (B, T, E)
        k, v = self.pair(keys).chunk(2, -1)  # (B, M, E)
        if change is not None:
            q, k = change(q, k)
        q, k, v = (self._split(t) for t in (q, k, v))  # (B, h, T or M, E / h)
        heard = attend(q, k, v, mask, self.p if self.training else 0.0)
        x = x + self.drop(self.out(heard.transpose(1, 2).flatten(2)))
        return x + self.drop(self.mix(self.between(x)))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
