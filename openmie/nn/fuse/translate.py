"""Translate: words read an image and the picture that was generated from them (TMR, as in CAMIM, 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.layers import MultiHeadAttention
from openmie.nn.limits import Count, Dropout, Problem
from openmie.nn.ops import masked_mean, masked_sum
from openmie.nn.streams import Stream, Streams, by_group, group_seconds


@dataclass(frozen=True, kw_only=True)
class Translate:
    """Eq. 15-17 of CAMIM (Zhang et al., 2024) over TMR (Zheng et al., 2023), with what their release adds.

    One branch for the original image, one for its translation, a picture drawn from the text. F are the tokens of an
    image, o its objects, one token each, W the words, Q the phrases by which objects are found, all of width D:

        whole   = pool tanh(A_1(F, W)) + tanh(pool F)
        objects = mean tanh(A_2(o, Q)) + tanh(mean o)
        O_final = tanh(Linear(a whole + b objects)),   a + b = 1,   and alike G_final       (eq. 15, 16)
        fused_w = LN(w + MLP_final([w ; P ; O_final ; G_final]))  for every word w          (eq. 17)

    A(x, y) is attention with one head, linear queries from x, keys and values from y. A_1, A_2 and Linear are shared
    by the branches. a : b is how well the corpus says that an image and its objects fit the text (`Stream.relevance`),
    even where it does not say so of both; what is not there has no share. The paper leaves these weights out; the
    release has them, two numbers that sum to one, and gives an image without objects its own alone. P is the pooled Q.
    MLP_final is Dropout, Linear, GELU, Dropout, Linear; its first layer is factored, so that [P ; O_final ; G_final] is
    multiplied once a document.

    Departures. Eq. 15 has a sentence state O_S as query: text and release have the tokens of the image. Eq. 17 reads
    O_final and G_final alone, which would lose the two entities; the release lets its classifier read two marker
    states, P, O_final and G_final. Here every word reads them, so that any head may follow. The release sums over a
    fixed number of tokens, padding too; a sum grows with their number and saturates tanh, so ours is the mean
    (`pool="sum"`: over the real tokens; the residual of the objects is a mean in either). Measured where only the
    objects of both images together tell the label (as in the tests; 150 steps, 10 seeds, chance 50%): means reach 99%
    in all, sums stay at chance in 5. P is a sum there. Its phrases are masked altogether; ours are read, and objects of
    a document without any attend to its words. Its dropout is 0.5, and its MLP_final, which is the classifier's, has no
    GELU: that is `final="concat"`. There P passes a linear layer of its own, which MLP_final's first one absorbs; P is
    the sum of Q where `pool` is.

    A document without the image, or without objects, lacks that term; without both the branch is masked, its state 0,
    unless a part before this one, such as Caption, left words in the image's place.

    Writes `fused` (B, T, D), and `original` and `generated` (B, 1, D), which `Align` compares.

    Args:
        original: streams of the original image and of its objects; one name: no objects.
        translated: the same for the image generated from the text; empty: none.
        input_stream: name of the stream whose tokens are the words.
        object_words: what objects attend to: their `phrases`, or all words of the `text`.
        pool: pooling over tokens, `mean` (ours) or `sum`.
        final: where MLP_final of eq. 17 is. `mlp`: here, for every word. `concat`: `fused` is [w ; P ; O_final ;
            G_final], and the head's two linear layers are MLP_final, as released.
        expansion: inner size of MLP_final, as a multiple of the words' width; 2 as released.
        dropout: probability of dropout in MLP_final; 0.5 as released.
    """

    original: tuple[str, ...] = ("vision", "objects")
    translated: tuple[str, ...] = ("generated", "generated_objects")
    input_stream: str = "text"
    object_words: Literal["phrases", "text"] = "phrases"
    pool: Literal["mean", "sum"] = "mean"
    final: Literal["mlp", "concat"] = "mlp"
    expansion: Count = 2
    dropout: Dropout = 0.1

    def problems(self) -> Iterator[Problem]:
        for name, modalities, least in (("original", self.original, 1), ("translated", self.translated, 0)):
            if not least <= len(modalities) <= 2:
                yield Problem(
                    where=name,
                    found=f"{name}={modalities}",
                    expected="the role of a whole image, and of its objects if read",
                    remedy="only `translated` may be empty",
                )

    def needs(self) -> frozenset[str]:
        return frozenset(
            (*self.original, *self.translated, self.input_stream, *(("phrases",) if self.by_phrases else ()))
        )

    def makes(self) -> frozenset[str]:
        return frozenset({"fused", "original"} | ({"generated"} if self.translated else set()))

    def sources(self) -> dict[str, tuple[str, ...]]:
        """What its branches are present by: a document's image or objects of that side."""
        return {"original": self.original} | ({"generated": self.translated} if self.translated else {})

    @property
    def by_phrases(self) -> bool:
        """Whether there are objects, and they attend to the phrases."""
        return self.object_words == "phrases" and len((*self.original[1:], *self.translated[1:])) > 0

    def build(self, widths: dict[str, int]) -> Translation:
        return Translation(self, widths)


class Translation(nn.Module):
    """Streams -> Streams plus `original` (B, 1, D), O_final, `generated` (B, 1, D), G_final, and `fused` (B, T, D).

    D is the width of the words. Images of another width pass a linear layer, one for all that are equally wide.
    Objects are one token each, or several, then their mean, where `groups` say which object a token is of.
    """

    def __init__(self, config: Translate, widths: dict[str, int]) -> None:
        super().__init__()
        self.input_stream, self.by_phrases = config.input_stream, config.by_phrases
        self.branches = {"original": config.original, "generated": config.translated}
        self.branches = {name: modalities for name, modalities in self.branches.items() if modalities}
        objects = any(len(modalities) > 1 for modalities in self.branches.values())
        d, inner = widths[config.input_stream], config.expansion * widths[config.input_stream]
        self.widths = dict.fromkeys(sorted(config.makes()), d)
        others = sorted({widths[r] for roles in self.branches.values() for r in roles} - {d})
        self.input_projection = nn.ModuleDict({str(n): nn.Linear(n, d) for n in others})
        pool = {"mean": masked_mean, "sum": masked_sum}[config.pool]
        self.image_pool = CrossAttentionPool(d, pool, pool)  # A_1
        self.object_pool = CrossAttentionPool(d, pool, masked_mean) if objects else None  # A_2
        self.branch_output = nn.Linear(d, d)
        self.phrase_pool = pool
        more = (len(self.branches) + self.by_phrases) * d
        self.concat = config.final == "concat"
        if self.concat:
            self.widths["fused"] = d + more
            return
        self.word_hidden = nn.Linear(d, inner)
        self.document_hidden = nn.Linear(more, inner, bias=False)
        self.output, self.norm, self.dropout = nn.Linear(inner, d), nn.LayerNorm(d), nn.Dropout(config.dropout)

    def forward(self, streams: Streams) -> Streams:
        words = streams[self.input_stream]
        branches = self.branch_states(streams)
        states = [branch.tokens[:, 0] for branch in branches.values()]
        if self.by_phrases:
            states.insert(0, self.phrase_pool(streams["phrases"].tokens, streams["phrases"].mask))
        if self.concat:
            each = torch.cat(states, -1)[:, None].expand(-1, words.tokens.shape[1], -1)  # (B, T, ..)
            return {**streams, **branches, "fused": words.with_tokens(torch.cat([words.tokens, each], -1))}
        document = self.document_hidden(self.dropout(torch.cat(states, -1)))[:, None]  # (B, 1, E)
        inner = F.gelu(self.word_hidden(self.dropout(words.tokens)) + document)  # (B, T, E)
        z = self.norm(words.tokens + self.output(self.dropout(inner)))
        return {**streams, **branches, "fused": words.with_tokens(z)}

    def branch_states(self, streams: Streams) -> dict[str, Stream]:
        """O_final and, where there is a translation, G_final, each a stream of one token."""
        images = {
            name: [self._image(streams[r], i > 0) for i, r in enumerate(roles)] for name, roles in self.branches.items()
        }
        words = streams[self.input_stream]
        pooled = self.image_pool([s[0] for s in images.values()], words.tokens, words.mask)
        terms = {name: [term] for name, term in zip(images, pooled)}
        if self.object_pool is not None:
            some = {name: s[1] for name, s in images.items() if len(s) > 1}
            for name, term in zip(some, self.object_pool(list(some.values()), *self._object_words(streams))):
                terms[name].append(term)
        return {name: self._branch(weighted(terms[name], images[name]), images[name]) for name in images}

    def _image(self, stream: Stream, objects: bool) -> Stream:
        """As wide as the words; objects as one token each."""
        stream = mean_objects(stream) if objects else stream
        if str(stream.width) not in self.input_projection:
            return stream
        return stream.with_tokens(self.input_projection[str(stream.width)](stream.tokens))

    def _object_words(self, streams: Streams) -> tuple[Tensor, Tensor]:
        """What objects attend to, tokens (B, M, D) and mask (B, M): phrases, or a document's words without any."""
        words = streams[self.input_stream]
        if not self.by_phrases:
            return words.tokens, words.mask
        phrases = streams["phrases"]
        without = ~phrases.mask.any(1, keepdim=True)
        tokens = torch.cat([phrases.tokens, words.tokens], 1)
        return tokens, torch.cat([phrases.mask, words.mask & without], 1)

    def _branch(self, total: Tensor, images: Sequence[Stream]) -> Stream:
        """The weighted sum of image and objects (B, D) -> O_final or G_final as a stream of one token."""
        mask = torch.stack([s.mask.any(1) for s in images]).any(0)  # (B,)
        present = torch.stack([s.present for s in images]).any(0)  # type: ignore[arg-type,misc]
        tokens = torch.where(mask[:, None], torch.tanh(self.branch_output(total)), 0.0)
        return replace(images[0].with_positions(tokens[:, None], mask[:, None]), present=present & mask)


Pool = Callable[[Tensor, Tensor], Tensor]


class CrossAttentionPool(nn.Module):
    """Images (B, N, D), words (B, M, D) -> pool tanh(A(image, words)) + tanh(residual_pool image), (B, D) each.

    A is attention with one head and no output projection.
    """

    def __init__(self, d: int, pool: Pool, residual_pool: Pool) -> None:
        super().__init__()
        self.pool, self.residual_pool = pool, residual_pool
        self.attention = MultiHeadAttention(d, 1)

    def forward(self, images: Sequence[Stream], words: Tensor, mask: Tensor) -> list[Tensor]:
        tokens = torch.cat([s.tokens for s in images], 1)  # (B, all N, D)
        parts = self.attention(tokens, words, mask).tanh().split([s.tokens.shape[1] for s in images], 1)
        return [self.pool(h, s.mask) + self.residual_pool(s.tokens, s.mask).tanh() for s, h in zip(images, parts)]


def weighted(terms: Sequence[Tensor], images: Sequence[Stream]) -> Tensor:
    """Terms (B, D), one an image -> their mean over those that are there, by relevance if that of each is known."""
    here = torch.stack([s.mask.any(1) for s in images])  # (S, B)
    unknown = terms[0].new_full((len(terms[0]),), torch.nan)
    score = torch.stack([unknown if s.relevance is None else s.relevance.to(unknown.dtype) for s in images])
    known = (here <= (score >= 0) & score.isfinite()).all(0)  # of every image that is there
    weights = torch.where(known, score.nan_to_num(0.0, 0.0, 0.0).clamp_min(0.0), 1.0) * here
    even = weights.sum(0) <= 0  # the corpus says of all that they do not fit
    weights = torch.where(even, here.to(weights.dtype), weights)
    return ((weights / weights.sum(0).clamp_min(1e-30))[..., None] * torch.stack([*terms])).sum(0)


def mean_objects(stream: Stream) -> Stream:
    """(B, N, D) with `groups` 0 .. O-1 -> (B, O, D): each object the mean of its real tokens, masked without any."""
    if stream.groups is None:
        return stream
    each, mask = by_group(stream)  # (B, O, N', D), (B, O, N')
    tokens = masked_mean(each.flatten(0, 1), mask.flatten(0, 1)).unflatten(0, mask.shape[:2])
    return stream.with_positions(tokens, mask.any(2), seconds=group_seconds(stream, mask.shape[1]))
