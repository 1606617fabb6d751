"""Interweave: words and image patches mined for each other in turn, then a gate back to the words (MGIPS-CL, 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.fuse.token_map import TokenMap, ranks
from openmie.nn.layers import FeedForward, MultiHeadAttention, merge_heads, split_heads
from openmie.nn.limits import Count, Dropout, Problem, heads_divide
from openmie.nn.ops import gate, masked_softmax
from openmie.nn.streams import Streams


@dataclass(frozen=True, kw_only=True)
class Interweave:
    """Eq. 5-13 of MGIPS-CL. With H the words, V the patches, MGE an `Excavator`, one for each modality:

        X_l = X_{l-1} + MGE_v(X_{l-1}, T_{l-1}),   T_l = T_{l-1} + MGE_t(T_{l-1}, X_l),   l = 1 .. L   (eq. 10, 11)
        X_{L+1} = X_L + MGE_v(X_L, T_L),           X_0 = V, T_0 = H
        I = sigmoid(W1 T_L + W2 H + b),            z = I * H + (1 - I) * T_L                           (eq. 12, 13)

    `fused` is z, and the stream of the patches becomes X_{L+1}, as wide as the words. The release has W of eq. 12 as
    one row (`scalar`) and leaves it at its random start; here either is trained. A document that lacks a modality
    keeps the other as it is, to the bit.

    Reads `input_stream` (B, T, D) and `modality` (B, V, D'), writes `fused` (B, T, D) and the modality anew (B, V, D).

    Args:
        layers: L, number of passes; all share the two excavators.
        row: row-grained weights, over the modality's own tokens.
        column: column-grained weights, over the features of a head.
        binding: f_1 of eq. 5: `attention` (ours) or `token_map`, as released; see `Excavator`.
        column_pooling: how M_4 of eq. 6 contracts the tokens: `attention`, a softmax of M w_4 (ours, of any length), or
            `position`, a learned number for each place, as released.
        token_map_lengths: with `token_map` and `position`: the numbers of words and patches that are mapped; further
            ones are left out.
        rescaled: weights of eq. 6 have a mean of one (ours); False: they sum to one, as printed.
        gate: I of eq. 12: a `vector` with a value per feature, as printed, a `scalar` per word, as released, or `none`
            (z = T_L).
        input_stream: name of the stream whose tokens are the words.
        modality: name of the stream whose tokens are the patches.
        width: hidden size of the excavators, which `heads` must divide.
        heads: number of attention heads.
        expansion: inner size of the feed-forward layers, as a multiple of `width`.
        dropout: probability of dropout.
    """

    layers: Count = 1
    row: bool = True
    column: bool = True
    binding: Literal["attention", "token_map"] = "attention"
    column_pooling: Literal["attention", "position"] = "attention"
    token_map_lengths: tuple[Count, Count] = (40, 49)
    rescaled: bool = True
    gate: Literal["vector", "scalar", "none"] = "vector"
    input_stream: str = "text"
    modality: str = "vision"
    width: Count = 128
    heads: Count = 4
    expansion: Count = 2
    dropout: Dropout = 0.1

    def needs(self) -> frozenset[str]:
        return frozenset((self.input_stream, self.modality))

    def makes(self) -> frozenset[str]:
        return frozenset({"fused", self.modality})

    def problems(self) -> Iterator[Problem]:
        yield from heads_divide(self.heads, self.width)
        if not (self.row or self.column):
            yield Problem(
                where="row",
                found="row=False and column=False",
                expected="at least one of the two",
                remedy="to fuse nothing, leave the part out of the recipe",
            )

    def build(self, widths: dict[str, int]) -> InterweaveFusion:
        return InterweaveFusion(self, widths)


class InterweaveFusion(nn.Module):
    """Streams -> Streams with `fused` (B, T, D) and the modality's tokens anew (B, V, D); D the width of the words."""

    def __init__(self, config: Interweave, widths: dict[str, int]) -> None:
        super().__init__()
        self.input_stream, self.modality, self.layers = config.input_stream, config.modality, config.layers
        d, own = widths[config.input_stream], widths[config.modality]
        self.widths = {"fused": d, config.modality: d}
        self.input_projection = nn.Identity() if own == d else nn.Sequential(nn.Linear(own, d), nn.LayerNorm(d))
        self.image_guided, self.text_guided = Excavator(d, config, True), Excavator(d, config, False)
        self.gate = None if config.gate == "none" else PrePostGate(d, d if config.gate == "vector" else 1)

    def forward(self, streams: Streams) -> Streams:
        words, patches = streams[self.input_stream], streams[self.modality]
        t, x = words.tokens, self.input_projection(patches.tokens)  # (B, T, D), (B, V, D)
        for _ in range(self.layers):
            x = x + self.image_guided(x, t, patches.mask, words.mask)
            t = t + self.text_guided(t, x, words.mask, patches.mask)
        x = x + self.image_guided(x, t, patches.mask, words.mask)
        z = t if self.gate is None else self.gate(words.tokens, t)
        return {**streams, self.modality: patches.with_tokens(x), "fused": words.with_tokens(z)}


class Excavator(nn.Module):
    """The multi-granularity excavator: own x (B, N, D), other y (B, M, D), their masks -> MGE(x, y) (B, N, D).

        Y = f_1(y): attention from the own tokens to the other modality's, (B, h, N, E / h)
        M = Y * (W x)                                                                     (eq. 5)
        r = N softmax_n(M w_3),   c = E/h softmax_e(sum_n a_n M_n),   a = softmax_n(M w_4)    (eq. 6)
                                                       as `position`: a_n a learned number
        u = Out((r + c) * Y)                                                              (eq. 7, 8)
        MGE = u + FFN(LN(x + u))                                                          (eq. 8)

    so that x + MGE(x, y) is a transformer layer: its residual and that of eq. 10 are one. Departures: f_1 is attention;
    the release has a linear layer over the token axis, which fixes both lengths (`binding="token_map"`). Eq. 6 as
    printed takes the softmax of a column over its one entry, always 1: w_4 contracts the tokens, by weights that any
    length has. Weights that sum to one, as printed (`rescaled=False`), shrink Y by N or E / h, so by default they are
    scaled to a mean of one. Measured on words whose
    class only the patch of the same key tells (as in the tests; 12 words, 24 patches, a third of the images of other
    things, learning rate 3e-4, 300 steps, two seeds; chance 25%): 87% so, 45% with sums of one, 85% without weights.
    """

    def __init__(self, d: int, config: Interweave, image_guided: bool) -> None:
        super().__init__()
        e, each, self.heads = config.width, config.width // config.heads, config.heads
        self.attends, self.rescaled = config.binding == "attention", config.rescaled
        self.norm1, self.other_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        if self.attends:
            self.attention = MultiHeadAttention(  # its two query projections are Q, and W x of eq. 5
                e, config.heads, query_width=d, key_width=d, query_parts=2, dropout=config.dropout
            )
        else:
            self.own, self.value = nn.Linear(d, e), nn.Linear(d, e)
        self.output = nn.Linear(e, d, bias=False)
        self.row = nn.Parameter(torch.randn(config.heads, each, 1) / each**0.5) if config.row else None  # w_3
        by_place = config.column and config.column_pooling == "position"
        self.column = (
            nn.Parameter(torch.randn(config.heads, each, 1) / each**0.5) if config.column and not by_place else None
        )  # w_4
        self.norm2 = nn.LayerNorm(d)
        self.ffn = FeedForward(d, config.expansion * e, config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        words, patches = config.token_map_lengths
        lengths = (words, patches) if image_guided else (patches, words)
        self.token_map = None if self.attends else TokenMap(*lengths)
        self.places = nn.Parameter(torch.randn(lengths[1]) / lengths[1] ** 0.5) if by_place else None  # M_4

    def forward(self, x: Tensor, y: Tensor, mask: Tensor, other_mask: Tensor) -> Tensor:
        bound, own = self._bind(self.norm1(x), self.other_norm(y), mask, other_mask)
        mined = bound * self._weights(bound * own, mask)
        u = self.dropout(self.output(merge_heads(mined)))
        u = u + self.dropout(self.ffn(self.norm2(x + u)))
        return torch.where(other_mask.any(1)[:, None, None], u, 0.0)

    def _bind(self, x: Tensor, y: Tensor, mask: Tensor, other_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Y of eq. 5, by attention or by the map over tokens, and W x, each (B, h, N, E / h)."""
        if self.token_map is None:
            q, own, k, v = (split_heads(t, self.heads) for t in self.attention.project(x, y))
            return self.attention.attend(q, k, v, other_mask), own
        own, value = (split_heads(t, self.heads) for t in (self.own(x), self.value(y)))
        return self.token_map(value, mask, other_mask), own

    def _weights(self, m: Tensor, mask: Tensor) -> Tensor:
        """r + c: M (B, h, N, E / h), mask (B, N) -> (B, h, N or 1, E / h or 1), as wide as what was built."""
        real = mask[:, None, :, None]
        weights = []
        if self.row is not None:
            tokens = real.sum(2, keepdim=True) if self.rescaled else 1
            weights.append(masked_softmax(m @ self.row, real, 2) * tokens)  # (B, h, N, 1)
        if self.column is not None or self.places is not None:
            token = self._contraction(m, mask)
            features = m.shape[-1] if self.rescaled else 1
            weights.append((token * m).sum(2, keepdim=True).softmax(-1) * features)  # (B, h, 1, E / h)
        return weights[0] + weights[1] if len(weights) > 1 else weights[0]

    def _contraction(self, m: Tensor, mask: Tensor) -> Tensor:
        """a of eq. 6 (B, h or 1, N, 1): by the tokens themselves, or by their places among the real ones."""
        if self.places is None:
            assert self.column is not None
            return masked_softmax(m @ self.column, mask[:, None, :, None], 2)
        return F.pad(self.places, (0, 1))[ranks(mask, len(self.places))][:, None, :, None]


class PrePostGate(nn.Module):
    """Eq. 12 and 13: words before h and after t (B, T, D) -> z (B, T, D); I has `out` features, D or 1."""

    def __init__(self, d: int, out: int) -> None:
        super().__init__()
        self.after, self.before = nn.Linear(d, out), nn.Linear(d, out, bias=False)  # W1 and b, W2

    def forward(self, h: Tensor, t: Tensor) -> Tensor:
        return gate(h, t, torch.sigmoid(self.after(t) + self.before(h)))
