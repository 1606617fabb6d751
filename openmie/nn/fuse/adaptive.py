"""Adaptive fusion: words attend to image regions, both bent towards the context that bridges them (Shap-CA, 3.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from openmie.nn.layers import CrossAttentionLayer, Modulate, merge_heads, split_heads
from openmie.nn.limits import Count, Dropout, Finite, Problem, heads_divide
from openmie.nn.ops import attend, gate
from openmie.nn.streams import Stream, Streams


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """Eq. 8-11 of Shap-CA (Luo et al., 2024).

    bridge  b = C^T (C 1) / D^1.5, which is mean(C^T C / sqrt(D)) of eq. 8 without the D x D matrix: C^T C is
            symmetric, so its row and column means are one.
    gate    g = tanh(Linear([Q ; b])),  Q' = g * Q + (1 - g) * b, and alike K'  (eq. 9, 10)
    fuse    CrossAttention(Q', K', V)  (eq. 11)

    Queries are the words and keys and values the regions, for the result must have a row a word; the printed Q_v, K_t,
    V_t has one a region. `block="attention"` is that and no more: linear projections to Q, K, V, C, gates, attention;
    M^t (B, T, D) holds values of the image alone, and the words decide where they are taken from. Departures:
    `block="transformer"` sets the attention in a transformer layer (norm, residual, feed-forward), which keeps the
    words. Gates start open (`gate_bias`): at tanh(0) every query would be the same b. A document without context keeps
    Q and K as they are; one without an image, as `attention`, has M^t = Q.

    Reads `input_stream` (B, T, D'), `modalities` and `bridge`, writes `fused` (B, T, D'), as `attention` (B, T, D).

    Args:
        modalities: names of the streams that the words attend to, concatenated as one key sequence.
        input_stream: name of the stream whose tokens are the queries, the words.
        bridge: name of the stream that the bridge b is computed from.
        width: D, hidden size of the attention; the paper does not print it.
        heads: number of attention heads.
        layers: number of layers; 1 of `attention`.
        block: `transformer` layers (ours) or the printed `attention` alone.
        gates: activation of the gates: `tanh`, as printed, in (-1, 1), or `sigmoid`, in (0, 1), with which eq. 9 is a
            convex combination; `none` for Q and K as they are, without the context.
        bridge_pooling: over the context's tokens: `sum`, as printed, which grows with their number, or `mean`.
        gate_bias: initial bias of the gates; 0 as printed.
        expansion: inner size of the feed-forward layers, as a multiple of `width`.
        dropout: probability of dropout.
    """

    modalities: tuple[str, ...] = ("vision",)
    input_stream: str = "text"
    bridge: str = "context"
    width: Count = 256
    heads: Count = 4
    layers: Count = 1
    block: Literal["transformer", "attention"] = "transformer"
    gates: Literal["tanh", "sigmoid", "none"] = "tanh"
    bridge_pooling: Literal["sum", "mean"] = "sum"
    gate_bias: Finite = 2.0
    expansion: Count = 2
    dropout: Dropout = 0.1

    def needs(self) -> frozenset[str]:
        bridge = set() if self.gates == "none" else {self.bridge}
        return frozenset({*self.modalities, self.input_stream} | bridge)

    def makes(self) -> frozenset[str]:
        return frozenset({"fused"})

    def problems(self) -> Iterator[Problem]:
        yield from heads_divide(self.heads, self.width)
        if self.block == "attention" and self.layers > 1:
            yield Problem(
                where="layers",
                found=f"layers={self.layers} of block='attention'",
                expected="1, as printed",
                remedy="set layers=1, or block='transformer'",
            )

    def build(self, widths: dict[str, int]) -> nn.Module:
        return AdaptiveFusion(self, widths) if self.block == "transformer" else PrintedFusion(self, widths)


class AdaptiveFusion(nn.Module):
    """Streams -> Streams plus `fused` (B, T, D'); D' the width of the words, D the inner one."""

    def __init__(self, config: Adaptive, widths: dict[str, int]) -> None:
        super().__init__()
        self.input_stream, self.modalities, self.bridge = config.input_stream, config.modalities, config.bridge
        own, d = widths[config.input_stream], config.width
        self.widths = {"fused": own}
        self.input_projection = nn.ModuleDict(
            {s: nn.Sequential(nn.Linear(widths[s], d), nn.LayerNorm(d)) for s in config.modalities}
        )
        self.layers = nn.ModuleList(CrossAttentionLayer(own, config) for _ in range(config.layers))
        gated = config.layers if config.gates != "none" else 0
        self.bridges = nn.ModuleList(Bridge(widths[config.bridge], config) for _ in range(gated))
        self.norm = nn.LayerNorm(own)

    def forward(self, streams: Streams) -> Streams:
        words = streams[self.input_stream]
        keys = torch.cat([self.input_projection[s](streams[s].tokens) for s in self.modalities], 1)  # (B, M, D)
        mask = torch.cat([streams[s].mask for s in self.modalities], 1)  # (B, M)
        x = words.tokens
        for i, layer in enumerate(self.layers):
            modulate = self.bridges[i].modulation(streams[self.bridge]) if len(self.bridges) else None  # type: ignore[operator]
            x = layer(x, keys, mask, modulate)
        return {**streams, "fused": words.with_tokens(self.norm(x))}


class PrintedFusion(nn.Module):
    """Streams -> Streams plus `fused` (B, T, D): M^t = softmax(Q' K'^T / sqrt(D / h)) V in h heads, side by side."""

    def __init__(self, config: Adaptive, widths: dict[str, int]) -> None:
        super().__init__()
        self.input_stream, self.modalities, self.bridge = config.input_stream, config.modalities, config.bridge
        d, self.heads = config.width, config.heads
        self.widths = {"fused": d}
        self.query = nn.Linear(widths[config.input_stream], d)
        self.key = nn.ModuleDict({s: nn.Linear(widths[s], d) for s in config.modalities})
        self.value = nn.ModuleDict({s: nn.Linear(widths[s], d) for s in config.modalities})
        self.gates = None if config.gates == "none" else Bridge(widths[config.bridge], config)

    def forward(self, streams: Streams) -> Streams:
        words = streams[self.input_stream]
        q = self.query(words.tokens)  # (B, T, D)
        k, v = (torch.cat([p[s](streams[s].tokens) for s in self.modalities], 1) for p in (self.key, self.value))
        mask = torch.cat([streams[s].mask for s in self.modalities], 1)  # (B, M)
        asks, k = (q, k) if self.gates is None else self.gates.modulation(streams[self.bridge])(q, k)
        asks, k, v = (split_heads(x, self.heads) for x in (asks, k, v))
        found = merge_heads(attend(asks, k, v, mask))
        return {**streams, "fused": words.with_tokens(torch.where(mask.any(1)[:, None, None], found, q))}


class Bridge(nn.Module):
    """Eq. 8-10: the context as one vector b (B, D), and the gates that mix it into queries and keys."""

    def __init__(self, width: int, config: Adaptive) -> None:
        super().__init__()
        d = config.width
        self.squash = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[config.gates]
        self.mean = config.bridge_pooling == "mean"
        self.context = nn.Linear(width, d)
        self.query, self.key = Gate(d, config.gate_bias), Gate(d, config.gate_bias)

    def vector(self, context: Stream) -> Tensor:
        """b (B, D), 0 without context."""
        c = torch.where(context.mask[..., None], self.context(context.tokens), 0.0)  # C (B, N, D)
        b = torch.einsum("bnd,bn->bd", c, c.sum(-1)) / c.shape[-1] ** 1.5
        return b / context.mask.sum(1, keepdim=True).clamp_min(1) if self.mean else b

    def modulation(self, context: Stream) -> Modulate:
        """(Q, K) -> (Q', K')."""
        b = self.vector(context)[:, None]  # (B, 1, D)
        some = context.mask.any(1)[:, None, None]

        def modulate(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
            q2, k2 = (gate(x, b, self.squash(g(x, b))) for x, g in ((q, self.query), (k, self.key)))
            return torch.where(some, q2, q), torch.where(some, k2, k)

        return modulate


class Gate(nn.Module):
    """Linear([x ; b]) of eq. 10, factored: W1 x + W2 b, so that b is multiplied once a document."""

    def __init__(self, d: int, opening: float) -> None:
        super().__init__()
        self.own, self.bridge = nn.Linear(d, d), nn.Linear(d, d, bias=False)
        nn.init.constant_(self.own.bias, opening)

    def forward(self, x: Tensor, b: Tensor) -> Tensor:
        return self.own(x) + self.bridge(b)
