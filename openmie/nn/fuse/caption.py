"""Caption-aware alignment: image regions bent towards a caption, as a whole and word by word (CAMIM, 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.errors import RecipeError
from openmie.nn.layers import FeedForward, MultiHeadAttention, merge_heads
from openmie.nn.limits import Count, Dropout, Problem
from openmie.nn.ops import attend, masked_mean, masked_sum
from openmie.nn.streams import Stream, Streams, by_group, group_seconds


@dataclass(frozen=True, kw_only=True)
class Caption:
    """Eq. 5-14 of CAMIM (Zhang et al., 2024), each pair with the same weights. With v the regions, w the words:

        S = mean of the words,   O_S = MLP_v(W1 v + W2 S + b),   C = MLP_w(w)                     (eq. 5, 6)
        H_S = SA(O_S) + CA(O_S, C),      H_W = SA(C) + CA(C, O_S)                                 (eq. 7-10)
        O_F = ELU(Dropout(Linear([LN(H_S) ; LN(H_W)]))), one after the other as tokens            (eq. 11)

    MLP is D -> 2 D, tanh, D; SA and CA are one module with q, k, v of their own each; LN has no weights. The modality's
    stream becomes O_F. A role of `objects` goes object by object, and each becomes one token, its pooled O_F.

    Print and release differ, and we take the release where it can be read: S is joined to the features of each region
    (as W1 v + W2 S, so that S is multiplied once), + inside LN is a sum, the outer one a sequence. We depart from it in
    these: padding is masked, also in S; the words' own scores are not transposed; an object's tokens are averaged,
    where a sum grows with the caption's length. Without an image the words' half stays, without words the regions'
    one. `present` and `relevance` stay the modality's own, so that an alignment counts documents that have the image.

    Args:
        pairs: (modality, its caption's stream) for each pair; all read the streams as they came in.
        sentence: eq. 5; False: O_S = MLP_v(v), row `W` of figure 4b.
        word: eq. 7-11; False: O_F = ELU(Dropout(Linear(LN(O_S)))), regions only, row `S` of figure 4b.
        keep: which halves of eq. 11 the stream keeps: `both`, or `image`, whose length stays as it was.
        objects: streams whose groups are objects, which are aligned one by one.
        object_pool: what an object becomes: the `mean` of its tokens (ours), their `sum` (as released), or `none`: all
            its tokens stay.
        heads: number of attention heads; 1 as released.
        dropout: probability of dropout after each of q, k, v, and in eq. 11; 0.3 as released.
    """

    pairs: tuple[tuple[str, str], ...] = (("vision", "context"),)
    sentence: bool = True
    word: bool = True
    keep: Literal["both", "image"] = "both"
    objects: tuple[str, ...] = ("objects", "generated_objects")
    object_pool: Literal["mean", "sum", "none"] = "mean"
    heads: Count = 1
    dropout: Dropout = 0.3

    def needs(self) -> frozenset[str]:
        return frozenset(role for pair in self.pairs for role in pair)

    def makes(self) -> frozenset[str]:
        return frozenset(modality for modality, _ in self.pairs)

    def problems(self) -> Iterator[Problem]:
        if not self.pairs or len(self.makes()) < len(self.pairs):
            yield Problem(
                where="pairs",
                found=f"pairs {self.pairs}",
                expected="at least one, and each modality in one",
                remedy="for two captions of a modality put two Caption parts one after the other",
            )
        if not (self.sentence or self.word):
            yield Problem(
                where="sentence",
                found="sentence=False and word=False",
                expected="at least one of the two",
                remedy="to do without captions, leave the part out of the recipe",
            )

    def build(self, widths: dict[str, int]) -> CaptionAligned:
        """Errors: heads that do not divide the width."""
        if widths[self.pairs[0][1]] % self.heads:
            raise RecipeError(
                f"{self.heads} heads in a width of {widths[self.pairs[0][1]]}",
                where="fuse",
                expected="a width that the heads divide",
                remedy="change `heads`",
            )
        return CaptionAligned(self, widths)


class CaptionAligned(nn.Module):
    """Streams -> Streams with each modality anew, D the width of the first pair's words.

    (B, V, D') -> (B, V + C, D), regions first; (B, V, D) without the words' half; objects (B, O * V, D') -> (B, O, D).
    """

    def __init__(self, config: Caption, widths: dict[str, int]) -> None:
        super().__init__()
        self.pairs, self.objects, self.both = config.pairs, config.objects, config.keep == "both"
        self.object_pool = config.object_pool
        d = widths[config.pairs[0][1]]
        self.widths = {modality: d for modality, _ in config.pairs}
        # one linear layer for all roles of a width, as they come from one tower
        projections = {str(w): nn.Linear(w, d) for w in sorted({widths[r] for r in config.needs()} - {d})}
        self.input_projection = nn.ModuleDict({str(d): nn.Identity(), **projections})
        self.sentence = SentenceJoin(d) if config.sentence else None
        self.region_mlp = FeedForward(d, 2 * d, activation=nn.Tanh())  # MLP_v
        self.word_mlp = FeedForward(d, 2 * d, activation=nn.Tanh()) if config.word else None  # MLP_w
        self.attention = SelfAndCross(d, config.heads, config.dropout) if config.word else None
        self.output = nn.Sequential(nn.Linear(d, d), nn.Dropout(config.dropout), nn.ELU())  # MLP_H

    def forward(self, streams: Streams) -> Streams:
        words = {role: self._words(streams[role]) for role in dict.fromkeys(words for _, words in self.pairs)}
        made = {}
        for modality, role in self.pairs:
            align = self._objects if modality in self.objects else self._image
            made[modality] = align(streams[modality], self._sentence(streams[role]), words[role])
        return {**streams, **made}

    def _image(self, image: Stream, s: Tensor, words: Projected | None) -> Stream:
        tokens, mask = self._aligned(self._project(image.tokens), image.mask, s, words)
        more = tokens.shape[1] - image.mask.shape[1]  # the words' half
        seconds = None if image.seconds is None else F.pad(image.seconds, (0, more), value=torch.nan)
        return image.with_positions(tokens, mask, image.groups if not more else None, seconds)

    def _objects(self, objects: Stream, s: Tensor, words: Projected | None) -> Stream:
        """The objects of a document as rows of their own, with its words."""
        each, mask = by_group(objects.with_tokens(self._project(objects.tokens)))  # (B, O, V, D), (B, O, V)
        b, o = mask.shape[:2]
        repeated = None if words is None else Projected(*(x.repeat_interleave(o, 0) for x in words))
        made = self._aligned(each.flatten(0, 1), mask.flatten(0, 1), s.repeat_interleave(o, 0), repeated)
        groups, seconds = torch.arange(o, device=mask.device), group_seconds(objects, o)
        if self.object_pool == "none":
            n = made[0].shape[1]
            tokens, real = (x.unflatten(0, (b, o)).flatten(1, 2) for x in made)  # (B, O * N, D), (B, O * N)
            real = real & mask.any(2).repeat_interleave(n, 1)
            seconds = None if seconds is None else seconds.repeat_interleave(n, 1)
            return objects.with_positions(tokens, real, groups.repeat_interleave(n).expand(b, -1), seconds)
        pool = masked_sum if self.object_pool == "sum" else masked_mean
        return objects.with_positions(pool(*made).unflatten(0, (b, o)), mask.any(2), groups.expand(b, -1), seconds)

    def _aligned(self, v: Tensor, mask: Tensor, s: Tensor, words: Projected | None) -> tuple[Tensor, Tensor]:
        """O_F (B, V or V + C, D) and its mask, of regions v (B, V, D), mask (B, V), sentence s (B, D) and words."""
        x = self.region_mlp(v if self.sentence is None else self.sentence(v, s))  # O_S
        if self.attention is None or words is None:
            return self.output(_norm(x)), mask
        regions = self.attention.project(x, mask)
        halves, masks = [self.attention(regions, words)], [mask]
        if self.both:
            halves, masks = [*halves, self.attention(words, regions)], [*masks, words.mask]
        return self.output(_norm(torch.cat(halves, 1))), torch.cat(masks, 1)

    def _sentence(self, words: Stream) -> Tensor:
        """S (B, D), zero without words."""
        return torch.where(words.mask.any(1, keepdim=True), self._project(words.pooled), 0.0)

    def _words(self, words: Stream) -> Projected | None:
        if self.attention is None or self.word_mlp is None:
            return None
        return self.attention.project(self.word_mlp(self._project(words.tokens)), words.mask)

    def _project(self, x: Tensor) -> Tensor:
        return self.input_projection[str(x.shape[-1])](x)


class SentenceJoin(nn.Module):
    """Linear([v ; S]) of eq. 5, factored: regions v (B, V, D), sentence s (B, D) -> (B, V, D)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.region, self.sentence = nn.Linear(d, d), nn.Linear(d, d, bias=False)  # W1 and b, W2

    def forward(self, v: Tensor, s: Tensor) -> Tensor:
        return self.region(v) + self.sentence(s)[:, None]


class Projected(NamedTuple):
    """A sequence of N tokens after the projections of SA and CA, h heads."""

    self_attention: Tensor  # (B, h, N, D / h) SA of the sequence to itself
    query: Tensor  # (B, h, N, D / h), of CA, and alike key and value
    key: Tensor
    value: Tensor
    mask: Tensor  # (B, N)


class SelfAndCross(nn.Module):
    """SA(x) + CA(x, y) (B, N, D) of two projected sequences (eq. 7-10); a row without keys gives zero."""

    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.self_attention = MultiHeadAttention(d, heads, packed="qkv")
        self.cross_attention = MultiHeadAttention(d, heads, packed="qkv")

    def project(self, x: Tensor, mask: Tensor) -> Projected:
        """x (B, N, D), mask (B, N)."""
        both = (self.self_attention.query_key_value(x), self.cross_attention.query_key_value(x))
        parts = self.dropout(torch.cat(both, -1)).unflatten(-1, (6, self.heads, -1))
        q, k, v, query, key, value = parts.permute(2, 0, 3, 1, 4)
        return Projected(attend(q, k, v, mask), query, key, value, mask)

    def forward(self, x: Projected, y: Projected) -> Tensor:
        return merge_heads(x.self_attention + attend(x.query, y.key, y.value, y.mask))


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])
