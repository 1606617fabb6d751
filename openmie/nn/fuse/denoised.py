"""Denoised: words read frames and frames read words in a narrow latent space, on three levels (DFFM of M3D, V-D)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.layers import FeedForward, FramePositions, MultiHeadAttention
from openmie.nn.limits import Count, CountOrZero, Dropout, NonNegative, Problem, heads_divide
from openmie.nn.ops import TimeBias, frame_means
from openmie.nn.streams import Losses, Stream, Streams, group_seconds, levels_of

Pool = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Denoised:
    """Eq. 8-12 of M3D. For words H^x and the levels H_k^g of the frames' patches, k = low, middle, high:

        Q = Enc_k(H^x),   K = Enc_k(W_k^K H_k^g),   V = Enc_k(W_k^V H_k^g)                      (eq. 8)
        Z = LN(Q + MultiHead(Q, K, V)),   H_k = Dec_k(LN(Z + FFN(Z)))                           (eq. 9, 10)
        fused = sum_k W_k H_k + W H^x                                                           (eq. 11)

    and with the two modalities changed, patch by patch, frames = the mean over a frame's patches + H^p   (eq. 12).

    Enc and Dec of a level are an auto-encoder, D-256-ReLU-64-ReLU and 64-256-ReLU-D, as in the release; `variational`
    samples its latent in training and adds a KL loss. The release has no W^K and W^V (`project`), its attention
    also reads the own modality (`own_keys`), its decoder ends in a sigmoid, eq. 11 in scalars (`mix`) and eq. 12 in a
    sum. The print has no layer norms in eq. 9 and 10 (`residual_norm="none"`); the release has them after each
    residual, once more in its FFN (`released`), and after the sum over patches; and its fused words pass a feed-forward
    layer of their own (`word_ffn`). H^p is a linear map of the sine code of the frame's index, zero at the start as the
    release's table (`frame_table`) is, for any number of frames. W starts at the identity, so that words begin as they
    are, and layers as PyTorch starts them, which hardly lets pictures move the words at first: starts that keep a
    state's size (Kaiming, Xavier) are worse by 10 points after three epochs of 1,200 documents. Codes are small and,
    behind a ReLU, all positive: normed before the attention's maps (`norm`), pictures move words nine times as much at
    first (0.05%), and two words of one frame learn to read a half of it each in half the steps. A document that lacks
    the other modality keeps W H^x. Streams without levels give their tokens to all three. Attention's weights have no
    dropout: 4,096 words by 120 frames of 197 patches make 1.5 thousand million of them in 16 heads, which are never
    held where nothing is done to each.

    Reads `input_stream` (B, T, D) and `modality` (B, N, D'), writes `fused` (B, T, D) and `frames` (B, F, D').

    Args:
        input_stream: name of the stream whose tokens are the words.
        modality: name of the stream whose tokens are the patches, whose groups are frames.
        frames: compute eq. 12, too; False where no head reads frames.
        levels: K, number of levels.
        latent: d_vae, width of the auto-encoder's latent space, which `heads` must divide.
        hidden: width of the auto-encoder's hidden layers.
        heads: number of attention heads.
        ffn_width: inner width of FFN in eq. 10.
        variational: a variational auto-encoder, whose latent is sampled in training.
        kl_weight: weight of its KL loss, in nats per position; eq. 24 has none.
        sigmoid: a sigmoid after the decoder; True as released.
        project: W^K and W^V of eq. 8; False as released, which needs modalities of equal width.
        own_keys: keys and values of the own modality beside the other's; True as released.
        mix: W of eq. 11: a `matrix`, as printed, or a `scalar`, drawn from N(0, 1) at first, as released.
        residual_norm: layer normalisation after the residuals of eq. 9 and 10: `layer_norm`, `none`, as printed, or
            `released`, where FFN has a residual and a norm of its own besides.
        word_ffn: a feed-forward layer D-D/2-ReLU-D over the fused words; True as released.
        frame_table: rows of H^p, a learned table, as released; 0: a linear map of the sine code of the frame's index.
        norm: layer normalisation before the attention's projections (ours); False as released.
        time_decay: a learned decay of attention with the seconds between word and frame, per head (ours).
        pool: over a frame's patches: `mean`, as printed, or `sum` and LN, as released.
        dropout: probability of dropout on the outputs of attention and FFN.
        attention_dropout: probability of dropout on the attention weights, which are then held; 0.5 in the release.
    """

    input_stream: str = "text"
    modality: str = "vision"
    frames: bool = True
    levels: Count = 3
    latent: Count = 64
    hidden: Count = 256
    heads: Count = 16
    ffn_width: Count = 32
    variational: bool = False
    kl_weight: NonNegative = 0.001
    sigmoid: bool = False
    project: bool = True
    own_keys: bool = False
    mix: Literal["matrix", "scalar"] = "matrix"
    residual_norm: Literal["layer_norm", "none", "released"] = "layer_norm"
    word_ffn: bool = False
    frame_table: CountOrZero = 0
    norm: bool = True
    time_decay: bool = False
    pool: Literal["mean", "sum"] = "mean"
    dropout: Dropout = 0.1
    attention_dropout: Dropout = 0.0

    def needs(self) -> frozenset[str]:
        return frozenset((self.input_stream, self.modality))

    def makes(self) -> frozenset[str]:
        return frozenset({"fused", "frames"} if self.frames else {"fused"})

    def problems(self) -> Iterator[Problem]:
        yield from heads_divide(self.heads, self.latent, "latent")
        if self.attention_dropout and self.time_decay:
            yield Problem(
                where="attention_dropout",
                found=f"attention_dropout={self.attention_dropout:g} with time_decay",
                expected="0, where attention heeds the time",
                remedy="set one of them back",
            )

    def build(self, widths: dict[str, int]) -> DenoisedFusion:
        return DenoisedFusion(self, widths)


class DenoisedFusion(nn.Module):
    """Streams -> Streams with `fused` (B, T, D), of the words that documents have themselves, and `frames` (B, F, D').

    The loss `kl` of a variational auto-encoder is returned with the streams, in training.
    """

    def __init__(self, config: Denoised, widths: dict[str, int]) -> None:
        super().__init__()
        self.input_stream, self.modality, self.kl = config.input_stream, config.modality, config.kl_weight
        d, v = widths[config.input_stream], widths[config.modality]
        self.widths = {"fused": d, "frames": v} if config.frames else {"fused": d}
        self.to_text = Direction(config, d, v)
        self.to_frames = FramePooling(config, Direction(config, v, d), v) if config.frames else None
        self.word_ffn = FeedForward(d, max(d // 2, 1), config.dropout, nn.ReLU()) if config.word_ffn else None

    def forward(self, streams: Streams) -> tuple[Streams, Losses]:
        text, vision = streams[self.input_stream], streams[self.modality]
        words = own_words(text)
        tokens, losses = self.to_text(words, vision, lambda x: x)
        tokens = tokens if self.word_ffn is None else self.word_ffn(tokens)
        padding = text.mask.shape[1] - tokens.shape[1]
        mask = F.pad(words.mask, (0, padding))
        fused = text.with_positions(F.pad(tokens, (0, 0, 0, padding)), mask, text.groups, text.seconds)
        made = {"fused": fused}
        if self.to_frames is not None:
            made["frames"], more = self.to_frames(vision, text)
            losses = [*losses, *more]
        own = {"kl": (self.kl, torch.stack(losses).mean())} if losses and self.training else {}
        return {**streams, **made}, own


def own_words(text: Stream) -> Stream:
    """The columns up to the last one that holds a word of a document's own; other words are masked.

    Frames read a text that was only constructed, and no head predicts anything of it, so it needs no queries: one made
    of 120 frames would have 23,704.
    """
    own = text.mask & text.present[:, None]  # type: ignore[index]
    last = int((own.any(0) * torch.arange(1, own.shape[1] + 1, device=own.device)).max())
    cut = slice(0, max(last, 1))
    groups, seconds = (None if x is None else x[:, cut] for x in (text.groups, text.seconds))
    return text.with_positions(text.tokens[:, cut], own[:, cut], groups, seconds)


class FramePooling(nn.Module):
    """Eq. 12: patches (B, N, D') that have read the text -> frames (B, F, D') with their place in time.

    The mean is taken as early as the maps after it are linear. LN of a sum, as released, is LN of the mean but for its
    epsilon.
    """

    def __init__(self, config: Denoised, read: Direction, width: int) -> None:
        super().__init__()
        self.read, self.norm = read, nn.LayerNorm(width) if config.pool == "sum" else None
        self.positions = FramePositions(width, config.frame_table)  # H^p

    def forward(self, vision: Stream, text: Stream) -> tuple[Stream, list[Tensor]]:
        _, count = frame_means(vision.tokens[..., :1], vision.groups, vision.mask)  # (B, F)
        x, losses = self.read(vision, text, lambda x: frame_means(x, vision.groups, vision.mask)[0])
        if self.norm is not None:
            x = self.norm(x * count[..., None])
        x = self.positions(x)
        return vision.with_positions(x, count > 0, seconds=group_seconds(vision, x.shape[1])), losses


class Direction(nn.Module):
    """Own modality (B, N, D), the other's levels (B, M, D'), pool -> eq. 11 of the pooled (B, N or F, D), KL losses."""

    def __init__(self, config: Denoised, own: int, other: int) -> None:
        super().__init__()
        k, self.own_keys = config.levels, config.own_keys
        self.levels = nn.ModuleList(Level(config, own, other) for _ in range(k))
        matrix = config.mix == "matrix"
        self.level_maps = nn.ModuleList(nn.Linear(own, own, bias=False) for _ in range(k + 1)) if matrix else None
        self.level_scales = None if matrix else nn.Parameter(torch.randn(k + 1))
        if self.level_maps is not None:
            nn.init.eye_(self.level_maps[0].weight)  # type: ignore[arg-type]

    def forward(self, own: Stream, other: Stream, pool: Pool) -> tuple[Tensor, list[Tensor]]:
        some = (other.mask | own.mask.any(1, keepdim=True) if self.own_keys else other.mask).any(1)[:, None, None]
        total, losses = self._weighted(0, pool(own.tokens)), []
        for k, (level, states) in enumerate(zip(self.levels, levels_of(other, len(self.levels)))):
            made, more = level(own, states, other, pool)
            total = total + torch.where(some, self._weighted(k + 1, made), 0.0)
            losses += more
        return total, losses

    def _weighted(self, k: int, x: Tensor) -> Tensor:
        return self.level_maps[k](x) if self.level_maps is not None else self.level_scales[k] * x  # type: ignore[index]


class Level(nn.Module):
    """Eq. 8-10 of one level: own modality, keys (B, M, D') of the other, pool -> (B, N or F, D) and KL losses."""

    def __init__(self, config: Denoised, own: int, other: int) -> None:
        super().__init__()
        e, self.own_keys = config.latent, config.own_keys
        self.auto_encoder = AutoEncoder(config, own)
        project = config.project or own != other
        self.key = nn.Linear(other, own, bias=False) if project else None  # W^K
        self.value = nn.Linear(other, own, bias=False) if project else None  # W^V
        self.attention = MultiHeadAttention(
            e, config.heads, packed="none", output_width=e, dropout=config.attention_dropout
        )
        self.time_decay = nn.Parameter(torch.linspace(-4.0, 1.0, config.heads)) if config.time_decay else None
        bare = config.residual_norm == "none"
        self.norms = nn.ModuleList(nn.Identity() if bare else nn.LayerNorm(e) for _ in range(2))
        self.ffn_norm = nn.LayerNorm(e, eps=1e-12) if config.residual_norm == "released" else None
        self.dropout, self.norm_inputs = nn.Dropout(config.dropout), config.norm
        self.ffn = FeedForward(e, config.ffn_width, config.dropout, nn.ReLU())

    def forward(self, own: Stream, states: Tensor, other: Stream, pool: Pool) -> tuple[Tensor, list[Tensor]]:
        mask, seconds = other.mask, other.seconds
        q, *losses = self.auto_encoder.encode(own.tokens, own.mask)
        k, *more = self.auto_encoder.encode(states, mask, self.key)
        v, *rest = (k, *more) if self.value is None else self.auto_encoder.encode(states, mask, self.value)
        if self.own_keys:
            k, v, mask = torch.cat([k, q], 1), torch.cat([v, q], 1), torch.cat([mask, own.mask], 1)
            seconds = None if seconds is None or own.seconds is None else torch.cat([seconds, own.seconds], 1)
        three = [F.layer_norm(x, x.shape[-1:]) for x in (q, k, v)] if self.norm_inputs else [q, k, v]
        attended = self.attention(three[0], three[1], mask, three[2], time_bias=self._time_bias(own.seconds, seconds))
        z = self.norms[0](q + self.dropout(attended))
        z = self.norms[1](z + self._feed_forward(z))
        return self.auto_encoder.decode(z, pool), [*losses, *more, *rest]

    def _feed_forward(self, z: Tensor) -> Tensor:
        """FFN(z); as released with a residual and a norm of its own."""
        x = self.dropout(self.ffn(z))
        return x if self.ffn_norm is None else self.ffn_norm(z + x)

    def _time_bias(self, query_seconds: Tensor | None, key_seconds: Tensor | None) -> TimeBias | None:
        """softplus(time_decay) a second, of each head; None where the times of one modality are not there."""
        if self.time_decay is None or query_seconds is None or key_seconds is None:
            return None
        return TimeBias(query_seconds, key_seconds, F.softplus(self.time_decay))


class AutoEncoder(nn.Module):
    """Enc: (B, N, D) -> (B, N, E); Dec and back. As a VAE, Enc samples N(mu, sigma^2) in training, else gives mu."""

    def __init__(self, config: Denoised, width: int) -> None:
        super().__init__()
        self.variational = config.variational
        self.encoder1 = nn.Linear(width, config.hidden)
        self.encoder2 = nn.Linear(config.hidden, config.latent * (2 if config.variational else 1))
        self.decoder1 = nn.Sequential(nn.Linear(config.latent, config.hidden), nn.ReLU())
        self.decoder2, self.sigmoid = nn.Linear(config.hidden, width), config.sigmoid

    def encode(self, x: Tensor, mask: Tensor, projection: nn.Linear | None = None) -> tuple[Tensor, ...]:
        """Enc(W x), W that of `projection`, multiplied into the first layer, so that W x is never held; and the KL."""
        weight = self.encoder1.weight if projection is None else self.encoder1.weight @ projection.weight
        z = self.encoder2(F.linear(x, weight, self.encoder1.bias).relu())
        if not self.variational:
            return (z.relu(),)
        mean, log_variance = z.chunk(2, -1)
        if not self.training:
            return (mean,)
        loss = kl(mean, log_variance, mask)
        return mean + torch.randn_like(mean) * (0.5 * log_variance).exp(), loss

    def decode(self, z: Tensor, pool: Pool) -> Tensor:
        """pool(Dec(z)); without a sigmoid the last layer is linear, and a mean may be taken before it."""
        x = self.decoder1(z)
        return pool(self.decoder2(x).sigmoid()) if self.sigmoid else self.decoder2(pool(x))


def kl(mean: Tensor, log_variance: Tensor, mask: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) in nats, summed over features and averaged over the real positions (B, N)."""
    each = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1)  # (B, N)
    return torch.where(mask, each, 0.0).sum() / mask.sum().clamp_min(1)
