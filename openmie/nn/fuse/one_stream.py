"""One stream: words and frames in one sequence through one transformer (a baseline of M3D, after VisualBERT)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from openmie.nn.layers import FramePositions, SelfAttentionLayer
from openmie.nn.limits import Count, Dropout, Problem, heads_divide
from openmie.nn.streams import Streams, pool_frames


@dataclass(frozen=True, kw_only=True)
class OneStream:
    """[words ; frames] through self-attention layers; what comes out is `fused` and `frames` (Li et al., 2019).

    The paper describes this baseline only as one channel that processes all. A frame is one token, the mean of its
    patches, so that a long video stays affordable; modalities are told apart by a vector each, frames by H^p.

    A baseline of M3D's table III. Writes `fused` (B, T, D) and `frames` (B, F, D').

    Args:
        input_stream: name of the stream whose tokens are the words.
        modality: name of the stream whose tokens are the patches, whose groups are frames.
        width: hidden size of the joint sequence, which `heads` must divide.
        heads: number of attention heads.
        layers: number of self-attention layers.
        expansion: inner size of the feed-forward layers, as a multiple of `width`.
        dropout: probability of dropout.
    """

    input_stream: str = "text"
    modality: str = "vision"
    width: Count = 128
    heads: Count = 4
    layers: Count = 2
    expansion: Count = 4
    dropout: Dropout = 0.1

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream, self.modality})

    def makes(self) -> frozenset[str]:
        return frozenset({"fused", "frames"})

    def problems(self) -> Iterator[Problem]:
        yield from heads_divide(self.heads, self.width)

    def build(self, widths: dict[str, int]) -> OneStreamFusion:
        return OneStreamFusion(self, widths)


class OneStreamFusion(nn.Module):
    """Streams -> Streams plus `fused` (B, T, D) and `frames` (B, F, D'): input plus projection of the sequence."""

    def __init__(self, config: OneStream, widths: dict[str, int]) -> None:
        super().__init__()
        self.input_stream, self.modality = config.input_stream, config.modality
        d, v, e = widths[config.input_stream], widths[config.modality], config.width
        self.widths = {"fused": d, "frames": v}
        self.positions = FramePositions(v)
        self.input_projection = nn.ModuleList([nn.Linear(d, e), nn.Linear(v, e)])
        self.modality_embedding = nn.Parameter(0.02 * torch.randn(2, e))
        self.layers = nn.ModuleList(SelfAttentionLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(e)
        self.output_projection = nn.ModuleList([nn.Linear(e, d), nn.Linear(e, v)])

    def forward(self, streams: Streams) -> Streams:
        text, frames = streams[self.input_stream], pool_frames(streams[self.modality])
        frames = frames.with_tokens(self.positions(frames.tokens))
        inputs = zip((text, frames), self.input_projection, self.modality_embedding)
        x = torch.cat([project(s.tokens) + embedding for s, project, embedding in inputs], 1)  # (B, T + F, E)
        mask = torch.cat([text.mask, frames.mask], 1)
        for layer in self.layers:
            x = layer(x, mask)
        t = text.tokens.shape[1]
        halves = zip(self.output_projection, (self.norm(x[:, :t]), self.norm(x[:, t:])))
        words, seen = (project(half) for project, half in halves)
        fused = text.with_tokens(text.tokens + words)
        return {**streams, "fused": fused, "frames": frames.with_tokens(frames.tokens + seen)}
