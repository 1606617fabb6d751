"""Word-pair contrastive head (Shap-CA, eq. 14 to 18): a class for every pair of words, or for blocks of given entities.

Shapes: T words, D width of the stream, d2 width of a pair, C classes, K pairs of words ("cells") of a whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from openmie.nn.decode.channels import Channels
from openmie.nn.decode.tags import counted
from openmie.nn.layers import sinusoidal_positions
from openmie.nn.limits import Count, Dropout, NonNegative, Problem, labels_given
from openmie.nn.streams import Streams

CELLS_PER_CHUNK = 16_384  # word pairs scored at once, so that the allocator can use the memory between again
MAX_STORED_CELLS = 131_072  # word pairs of a batch up to which activations are stored, not computed again


@dataclass(frozen=True, kw_only=True)
class WordPairs:
    """P_final of eq. 17 over the classes of `openmie.model.codec.word_pairs`.

    Departures. eq. 17 takes the softmax of a probability plus a log-ratio ("literal"); `contrast="log"` is the usual
    contrastive decoding; None is the enhanced distribution alone, with no P^t to train. eq. 18 sums over all n_t^2
    cells, and so does `loss_per="document"`; `word` divides by the words, as the likelihood of tags is. A mean over
    cells, nearly all of which are nothing, would leave less than the alignments weigh. Either contrast drives P^t to be
    wrong, so it is never predicted. With entities given (MRE) a pair's distribution is the mean of log P_final over the
    block of its words, the loss is a mean over pairs, and `scheme`, `none_weight` and `loss_per` are not used. Each
    MLP^l is one hidden layer, MLP_2 and MLP_3 one more. Dropout is on the words' states, not on cells, of which there
    are too many.

    Args:
        labels: relation labels; `None`, if present, is class 0 of the grid.
        mentions: mention labels; empty: the entities are given.
        symmetric: labels without a direction.
        scheme: `exact`, or `as_released`: cells below the diagonal are not learnt.
        contrast: eq. 17 as printed (`literal`), contrastive decoding (`log`), or None.
        scale: lambda of eq. 17.
        width: d2, width of the pair layers; the paper does not print it.
        none_weight: weight of cells of class 0, which are nearly all; 1 as printed.
        channels: X^s and X^p of eq. 16; None: left out.
        input_stream: name of the stream whose tokens are paired.
        loss_per: the sum over cells is divided by the number of `word`s, or of `document`s (eq. 18).
        dropout: probability of dropout on the head's input.
        weight: weight of this head's loss in the sum of all losses.
        name: name of the head's loss in logs and records.
    """

    labels: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    symmetric: tuple[str, ...] = ()
    scheme: Literal["exact", "as_released"] = "exact"
    contrast: Literal["literal", "log"] | None = "literal"
    scale: NonNegative = 1.0
    width: Count = 100
    none_weight: NonNegative = 1.0
    channels: Channels | None = field(default_factory=Channels)
    input_stream: str = "fused"
    loss_per: Literal["word", "document"] = "word"
    dropout: Dropout = 0.1
    weight: NonNegative = 1.0
    name: str = "word_pairs"

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream})

    def makes(self) -> frozenset[str]:
        return frozenset({"cells" if self.mentions else "relations"})

    @property
    def alone(self) -> bool:
        """Whether no other head can be in the recipe: one grid holds entities and relations."""
        return True

    def problems(self) -> Iterator[Problem]:
        yield from labels_given(self.labels)

    def build(self, widths: dict[str, int]) -> nn.Module:
        return WordPairsHead(self, widths[self.input_stream])


class Pairwise(nn.Module):
    """X_ij = GELU(W [M_i ; M_j ; M_i - M_j] + b), eq. 14, without ever making the concatenation.

    W = [W1 W2 W3] gives (W1 + W3) M_i + (W2 - W3) M_j: two products a word, one sum a pair.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.first = nn.Linear(3 * width, out)

    def halves(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """states (..., D) -> what each word gives as the first and as the second of a pair, (..., d2)."""
        one, two, three = self.first.weight.chunk(3, 1)
        return F.linear(states, one + three, self.first.bias), F.linear(states, two - three)


class WordPairsHead(nn.Module):
    """given `pos` (B, T), parts of speech, optional.

    With mentions: targets `cells` (B, T, T), -1 ignored; predict gives `cells` (B, T, T) and `cell_scores`, their
    probabilities; 0 at padding. Without: given `pairs` (B, P, 4), first and last word of head and tail, `pairs_mask`
    (B, P), targets `relations` (B, P); predict gives `relations` and `relation_scores` (B, P).
    """

    def __init__(self, config: WordPairs, width: int) -> None:
        super().__init__()
        self.name, self.weight, self.input_stream, self.per = (
            config.name,
            config.weight,
            config.input_stream,
            config.loss_per,
        )
        self.contrast, self.scale, self.joint = config.contrast, config.scale, bool(config.mentions)
        self.upper, self.none_weight = config.scheme == "as_released", config.none_weight
        named = sum(label != "None" for label in config.labels)
        self.classes = 1 + len(config.mentions) + named if self.joint else len(config.labels)
        d = config.width
        self.dropout = nn.Dropout(config.dropout)
        self.channels = config.channels.build() if config.channels else None
        self.text = Pairwise(width, d)  # MLP^t
        if config.channels:
            self.pos = Pairwise(config.channels.width, d)  # MLP^s
            self.place = Pairwise(config.channels.width, d)  # MLP^p
        channels = 2 if config.channels else 0
        # MLP_3, first layer: t, s, p
        self.hidden = nn.ModuleList([nn.Linear(d, d), *(nn.Linear(d, d, bias=False) for _ in range(channels))])
        self.enhanced = nn.Linear(d, self.classes)  # MLP_3, second layer
        self.plain = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, self.classes)) if self.contrast else None

    # -- eq. 14 to 17

    def words(self, streams: Streams, given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """What each word brings to its pairs: text halves (B * T, d2) twice, part of speech (B * T,), then the tables
        X^s of tag pairs (tags * tags, d2) and the halves of positions (T, d2), all through the first layer of MLP_3.

        Without channels the text halves, and T zeros, which say how long the rows are.
        """
        stream = streams[self.input_stream]
        left, right = self.text.halves(self.dropout(stream.tokens).flatten(0, 1))
        if self.channels is None:
            return left, right, left.new_zeros(stream.mask.shape[1])
        tags = given["pos"].masked_fill(~stream.mask, 0) if "pos" in given else stream.mask.long() * 0
        one, two = self.pos.halves(self.channels.pos.weight)
        table = self.hidden[1](F.gelu(one[:, None] + two)).flatten(0, 1)
        where = self.channels.scale * sinusoidal_positions(
            stream.mask.shape[1], self.channels.width, stream.tokens.device
        ).to(stream.tokens.dtype)
        return left, right, tags.flatten(), table, *self.place.halves(where)

    def log_final(
        self, words: tuple[Tensor, ...], row: Tensor, i: Tensor, j: Tensor, band: slice | None = None
    ) -> Tensor:
        """log P_final (K, C) of the cells (row, i, j), each (K,). `band`: the rows of the grid that they fill."""
        left, right, *_, last = words
        first, second = row * len(last) + i, row * len(last) + j
        text = F.gelu(left.index_select(0, first).add_(right.index_select(0, second)))  # X^t, (K, d2)
        mixed = self.hidden[0](text)
        if self.channels is not None:
            mixed = mixed.add_(self._channel_hidden(words, first, second, i, j, band))
        enhanced = log_softmax(self.enhanced(F.gelu(mixed)))  # eq. 16
        if self.plain is None:
            return enhanced
        return contrasted(enhanced, log_softmax(self.plain(text)), self.contrast or "", self.scale)

    def _channel_hidden(
        self, words: tuple[Tensor, ...], first: Tensor, second: Tensor, i: Tensor, j: Tensor, band: slice | None
    ) -> Tensor:
        """(K, d2): what X^s and X^p add in the first layer of MLP_3; positions of a band once for the whole batch."""
        _, _, tags, table, one, two = words
        kinds, length = self.channels.pos.num_embeddings, len(two)  # type: ignore[union-attr]
        spoken = table.index_select(0, tags[first] * kinds + tags[second])
        if band is None:
            return spoken.add_(self.hidden[2](F.gelu(one.index_select(0, i).add_(two.index_select(0, j)))))
        placed = self.hidden[2](F.gelu(one[band, None] + two)).flatten(0, 1)
        return spoken.add_(placed.index_select(0, (i - band.start) * length + j))

    # -- loss and prediction

    def loss(self, streams: Streams, given: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        words = self.words(streams, given)
        if not self.joint:
            real = given["pairs_mask"]
            scores, label = self._blocks(words, given), targets["relations"][real]
            return F.nll_loss(scores, label) if len(scores) else scores.sum()
        mask, cells = streams[self.input_stream].mask, targets["cells"]
        total = words[0][:0].sum()  # 0, whatever stands at padding
        for band, grid in self._grid(mask):
            label = cells[grid]
            label, *at = (x[label >= 0] for x in (label, *grid))
            part = self._scored(words, (*at, band), mask.numel() * mask.shape[1]).gather(1, label[:, None])[:, 0]
            share = torch.where(label == 0, self.none_weight, 1.0).to(part.dtype)
            total = total - (share * part).sum()
        return total / counted(mask, self.per)

    def predict(self, streams: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        words, mask = self.words(streams, given), streams[self.input_stream].mask
        if not self.joint:
            real = given["pairs_mask"]
            score, label = self._blocks(words, given).softmax(-1).max(-1)
            return {
                "relations": real.long().masked_scatter(real, label),
                "relation_scores": real.to(score.dtype).masked_scatter(real, score),
            }
        b, t = mask.shape
        cells = mask.new_zeros(b, t, t, dtype=torch.long)
        scores = cells.to(torch.promote_types(words[0].dtype, torch.float32))
        for band, at in self._grid(mask):
            best = self._scored(words, (*at, band), 0).max(-1)
            cells[at], scores[at] = best.indices, best.values.exp().to(scores.dtype)
        return {"cells": cells, "cell_scores": scores}

    def _grid(self, mask: Tensor) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
        """Rows of the grid, some at a time, and (row, i, j) of all pairs of real words that the scheme uses there."""
        step, t = max(1, CELLS_PER_CHUNK // max(mask.numel(), 1)), mask.shape[1]
        for at in range(0, t, step):
            real = mask[:, at : at + step, None] & mask[:, None]
            if self.upper:
                real &= torch.ones(t, t, dtype=torch.bool, device=mask.device).triu()[at : at + step]
            row, i, j = real.nonzero(as_tuple=True)
            yield slice(at, at + step), (row, i + at, j)

    def _blocks(self, words: tuple[Tensor, ...], given: Mapping[str, Tensor]) -> Tensor:
        """(pairs, C): for each real pair the mean of log P_final over the cells of head x tail."""
        real = given["pairs_mask"]
        row, pairs = real.nonzero(as_tuple=True)[0], given["pairs"][real]  # (pairs,), (pairs, 4)
        tall, wide = pairs[:, 1] - pairs[:, 0] + 1, pairs[:, 3] - pairs[:, 2] + 1
        size = tall * wide
        owner = torch.repeat_interleave(torch.arange(len(size), device=size.device), size)  # (K,)
        inside = torch.arange(len(owner), device=size.device) - (size.cumsum(0) - size)[owner]
        i = pairs[owner, 0] + torch.div(inside, wide[owner], rounding_mode="floor")
        j = pairs[owner, 2] + inside % wide[owner]
        out = words[0].new_zeros(len(size), self.classes)
        for cells in zip(*(x.split(CELLS_PER_CHUNK) for x in (owner, row[owner], i, j))):
            part = self._scored(words, cells[1:], len(owner))
            out = out.to(part.dtype).index_add(0, cells[0], part)
        return out / size[:, None]

    def _scored(self, words: tuple[Tensor, ...], at: Sequence[Any], total: int) -> Tensor:
        """`log_final`; with more than MAX_STORED_CELLS cells activations are computed again in the backward pass."""
        if total > MAX_STORED_CELLS and torch.is_grad_enabled():
            return checkpoint(self.log_final, words, *at, use_reentrant=False)
        return self.log_final(words, *at)


def log_softmax(logits: Tensor) -> Tensor:
    """Over the last axis, in at least float32."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)


def contrasted(enhanced: Tensor, plain: Tensor, form: str, scale: float) -> Tensor:
    """log P_final of eq. 17 from log P^tsp and log P^t (..., C); finite wherever these are.

    "literal": softmax(P + scale * log(P / P^t)); "log": softmax(log P + scale * (log P - log P^t)).
    """
    base = enhanced.exp() if form == "literal" else enhanced
    return (base + scale * (enhanced - plain)).log_softmax(-1)
