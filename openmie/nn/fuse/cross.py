"""Cross-attention: words attend to other modalities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from openmie.nn.layers import CrossAttentionLayer
from openmie.nn.limits import Count, Dropout, Problem, heads_divide
from openmie.nn.streams import Streams


@dataclass(frozen=True, kw_only=True)
class Cross:
    """Transformer decoder layers without self-attention (Vaswani et al., 2017): x + A(LN x, keys), then x + FFN(LN x).

    A word of a document that lacks the modalities passes through the attention unchanged.

    Reads `input_stream` (B, T, D) and `modalities`, writes `fused` (B, T, D). The baseline's fusion; no paper's own.

    Args:
        modalities: names of the streams that the words attend to, concatenated as one key sequence.
        input_stream: name of the stream whose tokens are the queries, usually the words.
        width: hidden size of the attention, which `heads` must divide.
        heads: number of attention heads.
        layers: number of layers.
        expansion: inner size of the feed-forward layers, as a multiple of `width`.
        dropout: probability of dropout.
    """

    modalities: tuple[str, ...] = ("vision",)
    input_stream: str = "text"
    width: Count = 128
    heads: Count = 4
    layers: Count = 2
    expansion: Count = 2
    dropout: Dropout = 0.1

    def needs(self) -> frozenset[str]:
        return frozenset((*self.modalities, self.input_stream))

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
        self.input_stream, self.modalities = config.input_stream, config.modalities
        d, e = widths[config.input_stream], config.width
        self.widths = {"fused": d}
        self.input_projection = nn.ModuleDict(
            {s: nn.Sequential(nn.Linear(widths[s], e), nn.LayerNorm(e)) for s in config.modalities}
        )
        self.layers = nn.ModuleList(CrossAttentionLayer(d, config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)

    def forward(self, streams: Streams) -> Streams:
        words = streams[self.input_stream]
        keys = torch.cat([self.input_projection[s](streams[s].tokens) for s in self.modalities], 1)  # (B, M, E)
        mask = torch.cat([streams[s].mask for s in self.modalities], 1)  # (B, M)
        x = words.tokens
        for layer in self.layers:
            x = layer(x, keys, mask)
        return {**streams, "fused": words.with_tokens(self.norm(x))}
