"""Translate: words beside an image and beside the picture that was drawn from them (TMR, as in CAMIM, 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.limits import Count, Dropout, Problem
from openmie.nn.ops import attend, masked_mean
from openmie.nn.streams import Stream, Streams, by_group


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
    release has them, two numbers that sum to one, and gives an image without objects its own alone. P is the mean of Q.
    MLP_final is Dropout, Linear, GELU, Dropout, Linear; its first layer is factored, so that [P ; O_final ; G_final] is
    multiplied once a document.

    Departures. Eq. 15 asks with a sentence state O_S: text and release ask with the tokens of the image. Eq. 17 reads
    O_final and G_final alone, which would lose the two entities; the release lets its classifier read two marker
    states, P, O_final and G_final. Here every word reads them, so that any head may follow. The release sums over a
    fixed number of tokens, padding too; a sum grows with their number and saturates tanh, so ours is the mean
    (`pool="sum"`: over the real tokens; the residual of the objects is a mean in either). Measured where only the
    objects of both images together tell the label (as in the tests; 150 steps, 10 seeds, chance 50%): means reach 99%
    in all, sums stay at chance in 5. P is a sum there. Its phrases are masked altogether; ours are read, and objects of
    a document without any ask its words. Its dropout is 0.5, and its MLP_final has no GELU.

    A document without the image, or without objects, lacks that term; without both the branch is masked, its state 0,
    unless a part before this one, such as Caption, left words in the image's place.
    """

    original: tuple[str, ...] = ("vision", "objects")  # roles of the whole image and of its objects; one: no objects
    translated: tuple[str, ...] = ("generated", "generated_objects")  # the same of the translation; empty: none
    reads: str = "text"  # role of the words
    object_words: Literal["phrases", "text"] = "phrases"  # what objects ask: `phrases`, or the words, `text`
    pool: Literal["mean", "sum"] = "mean"  # over tokens; or `sum`
    expansion: Count = 2  # of MLP_final's inner layer, in widths of the words, as released
    dropout: Dropout = 0.1  # in MLP_final

    def problems(self) -> Iterator[Problem]:
        for name, sides, least in (("original", self.original, 1), ("translated", self.translated, 0)):
            if not least <= len(sides) <= 2:
                yield Problem(
                    where=name,
                    found=f"{name}={sides}",
                    expected="the role of a whole image, and of its objects if read",
                    remedy="only `translated` may be empty",
                )

    def needs(self) -> frozenset[str]:
        return frozenset((*self.original, *self.translated, self.reads, *(("phrases",) if self.by_phrases else ())))

    def makes(self) -> frozenset[str]:
        return frozenset({"fused", "original"} | ({"generated"} if self.translated else set()))

    @property
    def by_phrases(self) -> bool:
        """Whether there are objects, and they ask the phrases."""
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
        self.reads, self.by_phrases = config.reads, config.by_phrases
        self.branches = {"original": config.original, "generated": config.translated}
        self.branches = {name: sides for name, sides in self.branches.items() if sides}
        objects = any(len(sides) > 1 for sides in self.branches.values())
        d, inner = widths[config.reads], config.expansion * widths[config.reads]
        self.widths = dict.fromkeys(sorted(config.makes()), d)
        others = sorted({widths[r] for sides in self.branches.values() for r in sides} - {d})
        self.inlets = nn.ModuleDict({str(n): nn.Linear(n, d) for n in others})
        pool = {"mean": masked_mean, "sum": masked_sum}[config.pool]
        self.whole = Ask(d, pool, pool)  # A_1
        self.objects = Ask(d, pool, masked_mean) if objects else None  # A_2
        self.final = nn.Linear(d, d)
        self.word = nn.Linear(d, inner)
        self.document = nn.Linear((len(self.branches) + self.by_phrases) * d, inner, bias=False)
        self.out, self.norm, self.drop = nn.Linear(inner, d), nn.LayerNorm(d), nn.Dropout(config.dropout)

    def forward(self, streams: Streams) -> Streams:
        words = streams[self.reads]
        finals = self.finals(streams)
        about = [final.tokens[:, 0] for final in finals.values()]
        if self.by_phrases:
            about.insert(0, masked_mean(streams["phrases"].tokens, streams["phrases"].mask))
        told = self.document(self.drop(torch.cat(about, -1)))[:, None]  # (B, 1, E)
        inner = F.gelu(self.word(self.drop(words.tokens)) + told)  # (B, T, E)
        z = self.norm(words.tokens + self.out(self.drop(inner)))
        return {**streams, **finals, "fused": Stream(z, words.mask, words.groups, words.present)}

    def finals(self, streams: Streams) -> dict[str, Stream]:
        """O_final and, where there is a translation, G_final."""
        sides = {
            name: [self.side(streams[r], i > 0) for i, r in enumerate(roles)] for name, roles in self.branches.items()
        }
        whole = self.whole([s[0] for s in sides.values()], streams[self.reads])
        terms = {name: [term] for name, term in zip(sides, whole)}
        if self.objects is not None:
            some = {name: s[1] for name, s in sides.items() if len(s) > 1}
            for name, term in zip(some, self.objects(list(some.values()), self.asked(streams))):
                terms[name].append(term)
        return {name: self.state(weighted(terms[name], sides[name]), sides[name]) for name in sides}

    def side(self, stream: Stream, objects: bool) -> Stream:
        """As wide as the words; objects as one token each."""
        stream = one_each(stream) if objects else stream
        if str(stream.width) not in self.inlets:
            return stream
        return stream.with_tokens(self.inlets[str(stream.width)](stream.tokens))

    def asked(self, streams: Streams) -> Stream:
        """What objects ask: a document's phrases, or its words where it has none."""
        words = streams[self.reads]
        if not self.by_phrases:
            return words
        phrases = streams["phrases"]
        without = ~phrases.mask.any(1, keepdim=True)
        tokens = torch.cat([phrases.tokens, words.tokens], 1)
        return Stream(tokens, torch.cat([phrases.mask, words.mask & without], 1))

    def state(self, total: Tensor, sides: Sequence[Stream]) -> Stream:
        """The weighted sum of whole and objects (B, D) -> O_final or G_final as a stream of one token."""
        mask = torch.stack([s.mask.any(1) for s in sides]).any(0)  # (B,)
        present = torch.stack([s.present for s in sides]).any(0)  # type: ignore[arg-type,misc]
        tokens = torch.where(mask[:, None], torch.tanh(self.final(total)), 0.0)
        return Stream(tokens[:, None], mask[:, None], present=present & mask)


Pool = Callable[[Tensor, Tensor], Tensor]


class Ask(nn.Module):
    """Sides (B, N, D), words (B, M, D) -> pool tanh(A(side, words)) + tanh(rest side), (B, D) a side."""

    def __init__(self, d: int, pool: Pool, rest: Pool) -> None:
        super().__init__()
        self.pool, self.rest = pool, rest
        self.query, self.pair = nn.Linear(d, d), nn.Linear(d, 2 * d)

    def forward(self, sides: Sequence[Stream], words: Stream) -> list[Tensor]:
        query = self.query(torch.cat([s.tokens for s in sides], 1))  # (B, all N, D)
        key, value = self.pair(words.tokens).chunk(2, -1)
        heard = attend(query[:, None], key[:, None], value[:, None], words.mask)[:, 0].tanh()
        parts = heard.split([s.tokens.shape[1] for s in sides], 1)
        return [self.pool(h, s.mask) + self.rest(s.tokens, s.mask).tanh() for s, h in zip(sides, parts)]


def weighted(terms: Sequence[Tensor], sides: Sequence[Stream]) -> Tensor:
    """Terms (B, D), one a side -> their mean over the sides that are there, by relevance if that of each is known."""
    here = torch.stack([s.mask.any(1) for s in sides])  # (S, B)
    unknown = terms[0].new_full((len(terms[0]),), torch.nan)
    score = torch.stack([unknown if s.relevance is None else s.relevance.to(unknown.dtype) for s in sides])
    known = (here <= (score >= 0) & score.isfinite()).all(0)  # of every side that is there
    weights = torch.where(known, score.nan_to_num(0.0, 0.0, 0.0).clamp_min(0.0), 1.0) * here
    even = weights.sum(0) <= 0  # all are said not to fit at all
    weights = torch.where(even, here.to(weights.dtype), weights)
    return ((weights / weights.sum(0).clamp_min(1e-30))[..., None] * torch.stack([*terms])).sum(0)


def masked_sum(x: Tensor, mask: Tensor) -> Tensor:
    """Sum over real positions: x (B, N, D), mask (B, N) -> (B, D)."""
    return torch.where(mask[..., None], x, 0.0).sum(1)


def one_each(stream: Stream) -> Stream:
    """(B, N, D) with `groups` 0 .. O-1 -> (B, O, D): each object the mean of its real tokens, masked without any."""
    if stream.groups is None:
        return stream
    each, mask = by_group(stream)  # (B, O, N', D), (B, O, N')
    tokens = masked_mean(each.flatten(0, 1), mask.flatten(0, 1)).unflatten(0, mask.shape[:2])
    return replace(stream, tokens=tokens, mask=mask.any(2), groups=None, levels=None, whole=None)
