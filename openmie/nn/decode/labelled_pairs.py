"""Head over pairs of spans: relations that are given at call time.

A relation's logit is the product of the pair's vector with that of the relation's encoded name and description. The
pair's vector is made of the states of both spans, of the mean between them, and of their order and distance.

N pairs, D width of a word's states, R relations, K width of the common space.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DISTANCES = (0, 1, 2, 4, 8, 16, 32, 64)  # lower bounds of the buckets of words between two spans


@dataclass(frozen=True, kw_only=True)
class LabelledPairs:
    """Sizes of the relation head."""

    width: int  # D of a word's states
    label_width: int  # of a relation's vector
    hidden: int = 512  # of the layer between states and the common space
    common: int = 256  # K
    dropout: float = 0.2  # of the hidden layer

    def build(self) -> LabelledPairHead:
        """The head with drawn weights."""
        return LabelledPairHead(self)


class LabelledPairHead(nn.Module):
    """Logits of relations for pairs of spans."""

    def __init__(self, sizes: LabelledPairs) -> None:
        super().__init__()
        self.sizes = sizes
        self.norm = nn.LayerNorm(sizes.width)
        self.spans = nn.Linear(5 * sizes.width, sizes.hidden)
        self.distance = nn.Embedding(2 * len(DISTANCES), sizes.hidden)
        self.pairs = nn.Linear(sizes.hidden, sizes.common)
        self.labels = nn.Sequential(nn.LayerNorm(sizes.label_width), nn.Linear(sizes.label_width, sizes.common))
        self.bias = nn.Parameter(torch.tensor(-3.0))

    def forward(self, states: Tensor, pairs: Tensor, labels: Tensor) -> Tensor:
        """states (B, T, D), pairs (N, 5): row, head start and end, tail start and end; labels (R, .) -> (N, R)."""
        return self.score(states, pairs, self.labels(labels))

    def score(self, states: Tensor, pairs: Tensor, vectors: Tensor) -> Tensor:
        """`forward`, of relations in the common space, `self.labels(labels)` (R, K): the same for all texts."""
        row, a, b, c, d = pairs.unbind(1)
        x = self.norm(states)
        first, last = torch.minimum(b, d), torch.maximum(a, c)  # words between the spans
        between = mean_of(x, row, torch.minimum(first, last), last)
        parts = (x[row, a], x[row, b - 1], x[row, c], x[row, d - 1], between)
        code = bucket(last - first) + len(DISTANCES) * (a > c)
        h = self.spans(torch.cat(parts, -1)) + self.distance(code)
        h = F.dropout(F.gelu(h), self.sizes.dropout, self.training)
        found: Tensor = self.pairs(h) @ vectors.T / self.sizes.common**0.5 + self.bias
        return found


def mean_of(x: Tensor, row: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Means over words start..end of rows of x (B, T, D): (N, D); zeros for an empty span."""
    total = F.pad(x.cumsum(1), (0, 0, 1, 0))  # (B, T + 1, D)
    return (total[row, end] - total[row, start]) / (end - start).clamp(min=1)[:, None]


def bucket(distance: Tensor) -> Tensor:
    """The bucket of each distance in words; negative ones count as 0."""
    return torch.bucketize(distance.clamp(min=0), torch.tensor(DISTANCES[1:], device=distance.device), right=True)
