"""One stream: words and frames in one sequence through one transformer (a baseline of M3D, after VisualBERT)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from openmie.nn.fuse.frames import FramePlace, frame_stream
from openmie.nn.limits import Count, Dropout, Problem, heads_divide
from openmie.nn.ops import attend_in_chunks
from openmie.nn.streams import Stream, Streams


@dataclass(frozen=True, kw_only=True)
class OneStream:
    """[words ; frames] through self-attention layers; what comes out is `fused` and `frames` (Li et al., 2019).

    The paper says of this baseline only that one channel processes all. A frame is one token, the mean of its patches,
    so that a long video stays affordable; sides are told apart by a vector each, frames by H^p.
    """

    reads: str = "text"
    side: str = "vision"
    width: Count = 128  # of the one sequence
    heads: Count = 4
    layers: Count = 2
    expansion: Count = 4  # of the feed-forward layers, in widths
    dropout: Dropout = 0.1

    def needs(self) -> frozenset[str]:
        return frozenset({self.reads, self.side})

    def makes(self) -> frozenset[str]:
        return frozenset({"fused", "frames"})

    def problems(self) -> Iterator[Problem]:
        yield from heads_divide(self.heads, self.width)

    def build(self, widths: dict[str, int]) -> OneStreamFusion:
        return OneStreamFusion(self, widths)


class OneStreamFusion(nn.Module):
    """Streams -> Streams plus `fused` (B, T, D) and `frames` (B, F, D'): what was, plus what the sequence says."""

    def __init__(self, config: OneStream, widths: dict[str, int]) -> None:
        super().__init__()
        self.reads, self.side = config.reads, config.side
        d, v, e = widths[config.reads], widths[config.side], config.width
        self.widths = {"fused": d, "frames": v}
        self.place = FramePlace(v)
        self.inlet = nn.ModuleList([nn.Linear(d, e), nn.Linear(v, e)])
        self.kinds = nn.Parameter(0.02 * torch.randn(2, e))
        self.layers = nn.ModuleList(SelfLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(e)
        self.outlet = nn.ModuleList([nn.Linear(e, d), nn.Linear(e, v)])

    def forward(self, streams: Streams) -> Streams:
        text, frames = streams[self.reads], self.place(frame_stream(streams[self.side]))
        sides = zip((text, frames), self.inlet, self.kinds)
        x = torch.cat([inlet(s.tokens) + kind for s, inlet, kind in sides], 1)  # (B, T + F, E)
        mask = torch.cat([text.mask, frames.mask], 1)
        for layer in self.layers:
            x = layer(x, mask)
        t = text.tokens.shape[1]
        words, seen = (out(part) for out, part in zip(self.outlet, (self.norm(x[:, :t]), self.norm(x[:, t:]))))
        fused = Stream(text.tokens + words, text.mask, text.groups, text.present)
        return {**streams, "fused": fused, "frames": frames.with_tokens(frames.tokens + seen)}


class SelfLayer(nn.Module):
    """x + A(LN x, LN x), then x + FFN(LN x): x (B, N, E), mask (B, N).

    `config` tells width, heads, expansion and dropout.
    """

    def __init__(self, config: OneStream) -> None:
        super().__init__()
        e, inner, self.heads = config.width, config.expansion * config.width, config.heads
        self.three, self.out = nn.Linear(e, 3 * e), nn.Linear(e, e)
        self.before, self.between = nn.LayerNorm(e), nn.LayerNorm(e)
        self.mix = nn.Sequential(nn.Linear(e, inner), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(inner, e))
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.three(self.before(x)).chunk(3, -1))
        x = x + self.drop(self.out(attend_in_chunks(q, k, v, mask).transpose(1, 2).flatten(2)))
        return x + self.drop(self.mix(self.between(x)))
