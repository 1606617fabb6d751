"""Two streams: what frames show and how it changes, in a channel each, which words then read (a baseline of M3D)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.fuse.cross import CrossLayer
from openmie.nn.fuse.frames import FramePlace, frame_stream
from openmie.nn.fuse.one_stream import SelfLayer
from openmie.nn.limits import Count, Dropout, Problem, heads_divide
from openmie.nn.streams import Stream, Streams


@dataclass(frozen=True, kw_only=True)
class TwoStream:
    """Spatial: each frame by itself. Temporal: the steps from frame to frame, through self-attention.

    Words read both channels by cross-attention, each channel's frames read the words, as in ViLBERT (Lu et al., 2019).
    The paper says of this baseline that one channel has static frames and the other the motion between them; the rest
    is ours. A frame is the mean of its patches in both channels.
    """

    reads: str = "text"
    side: str = "vision"
    width: Count = 128  # of a channel, and inside the attention
    heads: Count = 4
    layers: Count = 1  # of each kind
    expansion: Count = 4  # of the feed-forward layers, in widths
    dropout: Dropout = 0.1

    def needs(self) -> frozenset[str]:
        return frozenset({self.reads, self.side})

    def makes(self) -> frozenset[str]:
        return frozenset({"fused", "frames"})

    def problems(self) -> Iterator[Problem]:
        yield from heads_divide(self.heads, self.width)

    def build(self, widths: dict[str, int]) -> TwoStreamFusion:
        return TwoStreamFusion(self, widths)


class TwoStreamFusion(nn.Module):
    """Streams -> Streams plus `fused` (B, T, D) and `frames` (B, F, D')."""

    def __init__(self, config: TwoStream, widths: dict[str, int]) -> None:
        super().__init__()
        self.reads, self.side = config.reads, config.side
        d, v, e = widths[config.reads], widths[config.side], config.width
        self.widths = {"fused": d, "frames": v}
        self.place = FramePlace(v)
        self.inlet = nn.ModuleList([nn.Linear(v, e), nn.Linear(v, e)])
        self.words = nn.Linear(d, e)
        self.temporal = nn.ModuleList(SelfLayer(config) for _ in range(config.layers))  # type: ignore[arg-type]
        self.listen = nn.ModuleList(CrossLayer(d, config) for _ in range(2 * config.layers))  # words ask a channel
        self.answer = nn.ModuleList(CrossLayer(e, config) for _ in range(2))  # a channel asks the words
        self.outlet = nn.Linear(2 * e, v)
        self.norm = nn.LayerNorm(d)

    def forward(self, streams: Streams) -> Streams:
        text, frames = streams[self.reads], self.place(frame_stream(streams[self.side]))
        spatial, moved = self.inlet[0](frames.tokens), self.inlet[1](steps(frames))  # (B, F, E)
        for layer in self.temporal:
            moved = layer(moved, frames.mask)
        x, channels = text.tokens, (spatial, moved)
        for i, layer in enumerate(self.listen):
            x = layer(x, channels[i % 2], frames.mask)
        words = self.words(text.tokens)
        heard = [ask(channel, words, text.mask) for ask, channel in zip(self.answer, channels)]
        seen = frames.tokens + self.outlet(torch.cat(heard, -1))
        fused = Stream(self.norm(x), text.mask, text.groups, text.present)
        return {**streams, "fused": fused, "frames": frames.with_tokens(seen)}


def steps(frames: Stream) -> Tensor:
    """Each frame less the one before it; 0 for the first, and where one of the two is not there: (B, F, D)."""
    both = frames.mask & F.pad(frames.mask, (1, 0))[:, :-1]
    return torch.where(both[..., None], frames.tokens - F.pad(frames.tokens, (0, 0, 1, 0))[:, :-1], 0.0)
