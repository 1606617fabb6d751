"""Layers that fusion parts and heads share: attention, feed-forward, transformer layers and positional codes.

Shape legend: B batch, N queries, M keys, D width of the states, E inner width of all heads together, h heads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from openmie.nn.ops import TimeBias, attend, attend_in_chunks

FRAME_CODE = 64  # width of the sine-cosine code of a frame's index

Modulate = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # queries (B, N, E), keys (B, M, E) -> the same, changed


class LayerConfig(Protocol):
    """What a transformer layer reads of a part's config."""

    @property
    def width(self) -> int: ...  # E

    @property
    def heads(self) -> int: ...

    @property
    def expansion(self) -> int: ...  # inner width of the feed-forward layer, in E

    @property
    def dropout(self) -> float: ...


class MultiHeadAttention(nn.Module):
    """softmax(Q K^T / sqrt(E / h) - bias) V in h heads, then an output projection (Vaswani et al., 2017, eq. 1).

    Args:
        width: E, of all heads together; `heads` divides it.
        heads: h.
        query_width: Width of the query states; 0: E.
        key_width: Width of the key and value states; 0: E.
        packed: Which projections are one matrix: "qkv" (self-attention), "kv", or "none". It decides how weights are
            drawn at the start, nothing else.
        query_parts: Number of projections of the query states; the first one is Q. Only with "kv".
        output_width: Width of the output; 0: no output projection, the heads are concatenated.
        output_bias: Whether the output projection has a bias.
        dropout: Chance that training drops an attention weight. At 0 long sequences are attended to in chunks.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        query_width: int = 0,
        key_width: int = 0,
        packed: Literal["qkv", "kv", "none"] = "kv",
        query_parts: int = 1,
        output_width: int = 0,
        output_bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads, self.packed, self.query_parts, self.dropout = heads, packed, query_parts, dropout
        queries, keys = query_width or width, key_width or width
        if packed == "qkv":
            self.query_key_value = nn.Linear(queries, 3 * width)
        else:
            self.query = nn.Linear(queries, query_parts * width)
            if packed == "kv":
                self.key_value = nn.Linear(keys, 2 * width)
            else:
                self.key, self.value = nn.Linear(keys, width), nn.Linear(keys, width)
        self.output = nn.Linear(width, output_width, bias=output_bias) if output_width else None

    def project(self, queries: Tensor, keys: Tensor | None = None, values: Tensor | None = None) -> tuple[Tensor, ...]:
        """The projections of the states, in order: those of the queries, then keys and values.

        Args:
            queries: (B, N, D).
            keys: (B, M, D'); None: the queries, in self-attention.
            values: (B, M, D'); None: the keys.

        Returns:
            Q, with `query_parts` above 1 its other projections, K and V: each (B, N or M, E).
        """
        if self.packed == "qkv":
            return self.query_key_value(queries).chunk(3, -1)
        keys = queries if keys is None else keys
        q = self.query(queries).chunk(self.query_parts, -1)
        if self.packed == "kv":
            return (*q, *self.key_value(keys).chunk(2, -1))
        return *q, self.key(keys), self.value(keys if values is None else values)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, time_bias: TimeBias | None = None) -> Tensor:
        """Attention of split heads: q (B, h, N, E / h), k and v (B, h, M, E / h), mask (B, M) -> (B, h, N, E / h)."""
        if self.training and self.dropout:
            return attend(q, k, v, mask, self.dropout)
        return attend_in_chunks(q, k, v, mask, time_bias)

    def merge(self, attended: Tensor) -> Tensor:
        """Heads side by side, then the output projection: (B, h, N, E / h) -> (B, N, D)."""
        merged = merge_heads(attended)
        return merged if self.output is None else self.output(merged)

    def forward(
        self,
        queries: Tensor,
        keys: Tensor | None,
        mask: Tensor,
        values: Tensor | None = None,
        modulate: Modulate | None = None,
        time_bias: TimeBias | None = None,
    ) -> Tensor:
        """Attention of the queries to the keys.

        Args:
            queries: (B, N, D).
            keys: (B, M, D'); None: the queries, in self-attention.
            mask: (B, M) bool, True where a key is real. A row without any gives zero before the output projection.
            values: (B, M, D'); None: the keys.
            modulate: Changes Q and K before the heads are split, as the gates of Shap-CA do.
            time_bias: What is subtracted from the scores for the seconds between a query and a key.

        Returns:
            (B, N, D), or (B, N, E) without an output projection.
        """
        q, k, v = self.project(queries, keys, values)
        if modulate is not None:
            q, k = modulate(q, k)
        q, k, v = (split_heads(x, self.heads) for x in (q, k, v))
        return self.merge(self.attend(q, k, v, mask, time_bias))


class FeedForward(nn.Module):
    """W_2 dropout(f(W_1 x + b_1)) + b_2: x (..., D) -> (..., D), `hidden` features between (Vaswani et al., eq. 2)."""

    def __init__(
        self, width: int, hidden: int, dropout: float = 0.0, activation: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.hidden, self.activation = nn.Linear(width, hidden), activation or nn.GELU()
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.dropout(self.activation(self.hidden(x))))


class SelfAttentionLayer(nn.Module):
    """x + A(LN x, LN x), then x + FFN(LN x): x (B, N, E), mask (B, N) -> (B, N, E); norms first."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        e = config.width
        self.attention = MultiHeadAttention(e, config.heads, packed="qkv", output_width=e)
        self.norm1, self.norm2 = nn.LayerNorm(e), nn.LayerNorm(e)
        self.ffn = FeedForward(e, config.expansion * e, config.dropout)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x), None, mask))
        return x + self.dropout(self.ffn(self.norm2(x)))


class CrossAttentionLayer(nn.Module):
    """x + A(LN x, keys), then x + FFN(LN x): x (B, N, D), keys (B, M, E), mask (B, M) -> (B, N, D); norms first.

    A transformer decoder layer without self-attention. `modulate` changes Q and K before the attention.
    """

    def __init__(self, width: int, config: LayerConfig) -> None:
        super().__init__()
        d, e, p = width, config.width, config.dropout
        self.attention = MultiHeadAttention(
            e, config.heads, query_width=d, output_width=d, output_bias=False, dropout=p
        )
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.ffn = FeedForward(d, config.expansion * e, p)
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor, keys: Tensor, mask: Tensor, modulate: Modulate | None = None) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x), keys, mask, modulate=modulate))
        return x + self.dropout(self.ffn(self.norm2(x)))


class FramePositions(nn.Module):
    """H^p of M3D, added to frames (B, F, D): a linear map of the sine-cosine code of a frame's index, for any number of
    frames; or a table of `rows` vectors, as in the release, whose last row is that of all frames beyond.

    Zero at the start, as the release's table is.
    """

    def __init__(self, width: int, rows: int = 0) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(rows, width)) if rows else None
        self.map = nn.Linear(FRAME_CODE, width, bias=False) if not rows else None
        if self.map is not None:
            nn.init.zeros_(self.map.weight)

    def forward(self, frames: Tensor) -> Tensor:
        if self.table is not None:
            at = torch.arange(frames.shape[1], device=frames.device).clamp_max(len(self.table) - 1)
            return frames + self.table[at]
        code = sinusoidal_positions(frames.shape[1], FRAME_CODE, frames.device).to(frames.dtype)
        return frames + self.map(code)  # type: ignore[misc]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, E) -> (B, h, N, E / h)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, h, N, E / h) -> (B, N, E), the inverse of `split_heads`."""
    return x.transpose(1, 2).flatten(2)


def sinusoidal_positions(length: int, width: int, device: torch.device) -> Tensor:
    """`sinusoidal_code` of the indices 0 .. length - 1, (length, width)."""
    return sinusoidal_code(torch.arange(length, device=device), width)


def sinusoidal_code(positions: Tensor, width: int) -> Tensor:
    """Sine-cosine code of positions (...), whole numbers or not (Vaswani et al., 2017, section 3.5): (..., width).

    Sine in the first half of the channels, cosine in the second; an odd width ends in a zero.
    """
    half = width // 2
    rate = 10000.0 ** (-torch.arange(half, device=positions.device) / max(half, 1))
    angle = positions[..., None] * rate
    return nn.functional.pad(torch.cat([angle.sin(), angle.cos()], -1), (0, width - 2 * half))
