"""Relation head: the states of two entities to a label (Soares et al., 2019, "entity start" and "mention pooling")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.decode.spans import ordered_pairs, spans_of
from openmie.nn.limits import CountOrZero, Dropout, NonNegative, Problem, labels_given
from openmie.nn.ops import gather_rows
from openmie.nn.streams import Streams

CHUNK = 4096  # pairs of a document scored at once


@dataclass(frozen=True, kw_only=True)
class EntityMarkers:
    """Linear(GELU(Linear([h ; t]))), h and t the states of the two entities; see `single_layer` and `activation`.

    With `markers` the text carries a start and an end marker around head and tail, one pair per encoded row, and h, t
    are the states of the start markers. Without, all pairs of a document share one pass, and h, t are the states of
    the entities' first and last words.

    Baldini Soares et al., 2019. Reads `input_stream` (B, T, D), predicts `relations` (B,
    P).

    Args:
        labels: relation labels, with `None` where the corpus has it.
        symmetric: labels without a direction: behind a tagger they are learnt in both directions and predicted once.
        markers: insert markers around head and tail, one pair of entities per encoded row; False: all pairs share one
            pass.
        input_stream: name of the stream whose tokens are read at the entities.
        single_layer: one linear layer, HVPNeT's classifier, in place of two.
        hidden: width between two layers; 0: that of the input stream.
        activation: between two layers, `gelu` (ours) or `none`: MLP_final of CAMIM's eq. 17 as released.
        dropout: probability of dropout before each layer.
        weight: weight of this head's loss in the sum of all losses.
        name: name of the head's loss in logs and records.
    """

    labels: tuple[str, ...] = ()
    symmetric: tuple[str, ...] = ()
    markers: bool = True
    input_stream: str = "fused"
    single_layer: bool = False
    hidden: CountOrZero = 0
    activation: Literal["gelu", "none"] = "gelu"
    dropout: Dropout = 0.1
    weight: NonNegative = 1.0
    name: str = "relations"

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream})

    def makes(self) -> frozenset[str]:
        return frozenset({"relations"})

    @property
    def alone(self) -> bool:
        """Whether no other head can be in the recipe: markers enclose entities that are given."""
        return self.markers

    def problems(self) -> Iterator[Problem]:
        yield from labels_given(self.labels)

    def build(self, widths: dict[str, int]) -> nn.Module:
        return RelationHead(self, widths[self.input_stream])


class RelationHead(nn.Module):
    """given `pairs` (B, P, 4): first and last position of head and tail in the stream, and `pairs_mask` (B, P).

    predict gives `relations` (B, P), `relation_scores` (B, P), and the pairs where it made them itself: from `tags`,
    when a tagging head came before and no pairs are given.
    """

    def __init__(self, config: EntityMarkers, width: int) -> None:
        super().__init__()
        self.name, self.weight, self.input_stream = config.name, config.weight, config.input_stream
        self.columns = [0, 2] if config.markers else [0, 1, 2, 3]
        wide, inner = len(self.columns) * width, config.hidden or width
        between = nn.GELU() if config.activation == "gelu" else nn.Identity()
        first = [nn.Dropout(config.dropout), nn.Linear(wide, inner), between] if not config.single_layer else []
        last = [nn.Dropout(config.dropout), nn.Linear(wide if config.single_layer else inner, len(config.labels))]
        self.score = nn.Sequential(*first, *last)

    def logits(self, streams: Streams, pairs: Tensor) -> Tensor:
        """(B, P, L); pairs are taken some thousands at a time, so that a long document's fit in memory."""
        tokens = streams[self.input_stream].tokens
        parts = pairs[..., self.columns].split(CHUNK, 1)
        return torch.cat([self.score(gather_rows(tokens, p).flatten(2)) for p in parts], 1)

    def loss(self, streams: Streams, given: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        real = given["pairs_mask"]
        logits = self.logits(streams, given["pairs"])[real]  # (K, L)
        return F.cross_entropy(logits, targets["relations"][real]) if len(logits) else logits.sum()

    def predict(self, streams: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        made: dict[str, Tensor] = {}
        if "pairs" not in given:
            pairs, real = ordered_pairs(*spans_of(given["tags"], streams[self.input_stream].mask))
            made = {"pairs": pairs, "pairs_mask": real}
        pairs, real = (made or given)["pairs"], (made or given)["pairs_mask"]
        scores, labels = self.logits(streams, pairs).softmax(-1).max(-1)
        return {**made, "relations": labels.masked_fill(~real, 0), "relation_scores": torch.where(real, scores, 0.0)}
