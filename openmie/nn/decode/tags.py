"""Sequence labelling heads: words of a stream to BIO tags, by a CRF or word by word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.decode.channels import Channels
from openmie.nn.decode.crf import LinearChainCrf
from openmie.nn.decode.partial_tags import UNKNOWN_TAG, partial_log_likelihood
from openmie.nn.limits import CountOrZero, Dropout, NonNegative, Problem, labels_given
from openmie.nn.streams import Stream, Streams


def bio_tags(labels: tuple[str, ...]) -> tuple[str, ...]:
    """O, then B- and I- of each label in turn; the codec on floor 1 counts alike (tested)."""
    return ("O", *(f"{p}-{label}" for label in labels for p in "BI"))


@dataclass(frozen=True, kw_only=True)
class Crf:
    """Linear-chain CRF over word emissions (Lafferty et al., 2001; Lample et al., 2016).

    Reads `input_stream` (B, T, D), predicts `tags` (B, T) and `tag_scores`. The loss is the negative log-likelihood.

    Args:
        labels: mention labels.
        input_stream: name of the stream whose tokens are tagged.
        channels: embeddings of part of speech and position, concatenated to the words; None: none.
        hidden: d2, width of a tanh layer before the tags (eq. 12 of Shap-CA); 0: none.
        loss_per: what the loss is averaged over: `word`, or `document` (eq. 13 of Shap-CA).
        dropout: probability of dropout on the head's input.
        weight: weight of this head's loss in the sum of all losses.
        name: name of the head's loss in logs and records.
    """

    labels: tuple[str, ...] = ()
    input_stream: str = "fused"
    channels: Channels | None = None
    hidden: CountOrZero = 0
    loss_per: Literal["word", "document"] = "word"
    dropout: Dropout = 0.1
    weight: NonNegative = 1.0
    name: str = "tags"

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream})

    def makes(self) -> frozenset[str]:
        return frozenset({"tags"})

    def problems(self) -> Iterator[Problem]:
        yield from labels_given(self.labels)

    def build(self, widths: dict[str, int]) -> nn.Module:
        return CrfHead(self, widths[self.input_stream])


@dataclass(frozen=True, kw_only=True)
class Softmax:
    """Each word by itself: softmax over tags. The baseline of the CRF.

    Reads `input_stream` (B, T, D), predicts `tags` (B, T) and `tag_scores`. The loss is the cross-entropy.

    Args:
        labels: mention labels.
        input_stream: name of the stream whose tokens are tagged.
        channels: embeddings of part of speech and position, concatenated to the words; None: none.
        hidden: d2, width of a tanh layer before the tags (eq. 12 of Shap-CA); 0: none.
        loss_per: what the loss is averaged over: `word`, or `document` (eq. 13 of Shap-CA).
        dropout: probability of dropout on the head's input.
        weight: weight of this head's loss in the sum of all losses.
        name: name of the head's loss in logs and records.
    """

    labels: tuple[str, ...] = ()
    input_stream: str = "fused"
    channels: Channels | None = None
    hidden: CountOrZero = 0
    loss_per: Literal["word", "document"] = "word"
    dropout: Dropout = 0.1
    weight: NonNegative = 1.0
    name: str = "tags"

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream})

    def makes(self) -> frozenset[str]:
        return frozenset({"tags"})

    def problems(self) -> Iterator[Problem]:
        yield from labels_given(self.labels)

    def build(self, widths: dict[str, int]) -> nn.Module:
        return SoftmaxHead(self, widths[self.input_stream])


class Emissions(nn.Module):
    """Words to scores of tags (B, T, L): Linear(M), M the word states, or MLP([M^t ; M^s ; M^p]) (Shap-CA, eq. 12).

    The paper names no activation: tanh, for with GELU names of Diorama were learnt by heart before images were used.
    """

    def __init__(self, config: Crf | Softmax, width: int) -> None:
        super().__init__()
        self.channels = config.channels.build() if config.channels else None
        width += 2 * config.channels.width if config.channels else 0
        layer = [nn.Linear(width, config.hidden), nn.Tanh(), nn.Dropout(config.dropout)] if config.hidden else []
        out = nn.Linear(config.hidden or width, len(bio_tags(config.labels)))
        self.score = nn.Sequential(nn.Dropout(config.dropout), *layer, out)

    def forward(self, stream: Stream, given: Mapping[str, Tensor]) -> Tensor:
        if self.channels is None:
            return self.score(stream.tokens)
        channels = self.channels(stream.mask, given)
        return self.score(torch.cat([stream.tokens, channels["pos"], channels["positions"]], -1))


def words_of(stream: Stream) -> Tensor:
    """(B, T) which words are real: none of a text that is only constructed, for it has no gold."""
    assert stream.present is not None
    return stream.mask & stream.present[:, None]


def gold_of(targets: Mapping[str, Tensor], mask: Tensor) -> Tensor:
    """The gold tags, padded to the stream's length: constructed text may be longer than the batch's words."""
    return F.pad(targets["tags"], (0, mask.shape[1] - targets["tags"].shape[1]))


def counted(mask: Tensor, per: str) -> Tensor:
    """mask (B, T) -> how many real words a batch has, or documents that have any; at least 1."""
    return (mask if per == "word" else mask.any(1)).sum().clamp_min(1)


class CrfHead(nn.Module):
    """loss: negative log-likelihood per word or document; predict: `tags` and `tag_scores` (B, T), 0 on padding."""

    def __init__(self, config: Crf, width: int) -> None:
        super().__init__()
        tags = bio_tags(config.labels)
        self.name, self.weight, self.input_stream, self.per = (
            config.name,
            config.weight,
            config.input_stream,
            config.loss_per,
        )
        self.emit = Emissions(config, width)
        self.crf = LinearChainCrf(tags)

    def loss(self, streams: Streams, given: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        stream = streams[self.input_stream]
        emissions, real = self.emit(stream, given), words_of(stream)  # (B, T, L)
        likelihood = partial_log_likelihood(self.crf, emissions, gold_of(targets, real), real)  # (B,)
        return -likelihood.sum() / counted(real, self.per)

    def predict(self, streams: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        stream = streams[self.input_stream]
        emissions, real = self.emit(stream, given), words_of(stream)
        tags = self.crf.decode(emissions, real).masked_fill(~real, 0)
        scores = self.crf.marginals(emissions, real).gather(2, tags[..., None]).squeeze(2)
        return {"tags": tags, "tag_scores": scores}


class SoftmaxHead(nn.Module):
    """loss: cross-entropy per real word or document; predict: the likeliest tag of each word."""

    def __init__(self, config: Softmax, width: int) -> None:
        super().__init__()
        self.name, self.weight, self.input_stream, self.per = (
            config.name,
            config.weight,
            config.input_stream,
            config.loss_per,
        )
        self.emit = Emissions(config, width)

    def loss(self, streams: Streams, given: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        stream = streams[self.input_stream]
        real = words_of(stream)
        gold = gold_of(targets, real)
        real = real & (gold != UNKNOWN_TAG)
        logits = self.emit(stream, given)[real]  # (K, L)
        total = F.cross_entropy(logits, gold[real], reduction="sum")
        return total / counted(real, self.per)

    def predict(self, streams: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        stream = streams[self.input_stream]
        scores, tags = self.emit(stream, given).softmax(-1).max(-1)
        real = words_of(stream)
        return {"tags": tags.masked_fill(~real, 0), "tag_scores": torch.where(real, scores, 0.0)}
