"""Two streams: what frames show and how it changes, in a channel each, which words then read (a baseline of M3D)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.layers import CrossAttentionLayer, FramePositions, SelfAttentionLayer
from openmie.nn.limits import Count, Dropout, Problem, heads_divide
from openmie.nn.streams import Stream, Streams, pool_frames


@dataclass(frozen=True, kw_only=True)
class TwoStream:
    """Spatial: each frame by itself. Temporal: the steps from frame to frame, through self-attention.

    Words read both channels by cross-attention, each channel's frames read the words, as in ViLBERT (Lu et al., 2019).
    The paper says of this baseline that one channel has static frames and the other the motion between them; the rest
    is ours. A frame is the mean of its patches in both channels.

    A baseline of M3D's table III. Writes `fused` (B, T, D) and `frames` (B, F, D').

    Args:
        input_stream: name of the stream whose tokens are the words.
        modality: name of the stream whose tokens are the patches, whose groups are frames.
        width: hidden size of each channel, which `heads` must divide.
        heads: number of attention heads.
        layers: number of layers of each kind.
        expansion: inner size of the feed-forward layers, as a multiple of `width`.
        dropout: probability of dropout.
    """

    input_stream: str = "text"
    modality: str = "vision"
    width: Count = 128
    heads: Count = 4
    layers: Count = 1
    expansion: Count = 4
    dropout: Dropout = 0.1

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream, self.modality})

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
        self.input_stream, self.modality = config.input_stream, config.modality
        d, v, e = widths[config.input_stream], widths[config.modality], config.width
        self.widths = {"fused": d, "frames": v}
        self.positions = FramePositions(v)
        self.input_projection = nn.ModuleList([nn.Linear(v, e), nn.Linear(v, e)])
        self.word_projection = nn.Linear(d, e)
        self.temporal = nn.ModuleList(SelfAttentionLayer(config) for _ in range(config.layers))
        self.words_to_channel = nn.ModuleList(CrossAttentionLayer(d, config) for _ in range(2 * config.layers))
        self.channel_to_words = nn.ModuleList(CrossAttentionLayer(e, config) for _ in range(2))
        self.output_projection = nn.Linear(2 * e, v)
        self.norm = nn.LayerNorm(d)

    def forward(self, streams: Streams) -> Streams:
        text, frames = streams[self.input_stream], pool_frames(streams[self.modality])
        frames = frames.with_tokens(self.positions(frames.tokens))
        spatial = self.input_projection[0](frames.tokens)  # (B, F, E)
        temporal = self.input_projection[1](frame_differences(frames))
        for layer in self.temporal:
            temporal = layer(temporal, frames.mask)
        x, channels = text.tokens, (spatial, temporal)
        for i, layer in enumerate(self.words_to_channel):
            x = layer(x, channels[i % 2], frames.mask)
        words = self.word_projection(text.tokens)
        read = [layer(channel, words, text.mask) for layer, channel in zip(self.channel_to_words, channels)]
        seen = frames.tokens + self.output_projection(torch.cat(read, -1))
        return {**streams, "fused": text.with_tokens(self.norm(x)), "frames": frames.with_tokens(seen)}


def frame_differences(frames: Stream) -> Tensor:
    """Each frame less the one before it; 0 for the first, and where one of the two is not there: (B, F, D)."""
    both = frames.mask & F.pad(frames.mask, (1, 0))[:, :-1]
    return torch.where(both[..., None], frames.tokens - F.pad(frames.tokens, (0, 0, 1, 0))[:, :-1], 0.0)
