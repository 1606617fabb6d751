"""Head over labels that are given at call time: words and labels meet in one space.

A label is a vector, the encoded text of its name and description. A word has three vectors, for the begin, the inside
and the end of a span, and so has a label; their products are logits. A span's logit is that of its first word to begin,
of its last word to end, and the log-probability that all of its words are inside:

    s(a, b, l) = begin(a, l) + end(b, l) + sum over t in a..b of log sigmoid(inside(t, l))

B batch, T words, L labels, W widest span, D width of states, K width of the common space.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class LabelledSpans:
    """Sizes of the head."""

    width: int  # D of a word's states
    label_width: int  # of a label's vector
    hidden: int = 768  # of the layer between states and the common space
    common: int = 256  # K
    guidelines: int = 1  # annotation guidelines that it can follow
    dropout: float = 0.2  # of the hidden layer

    def build(self) -> LabelledSpanHead:
        """The head with drawn weights."""
        return LabelledSpanHead(self)


class LabelledSpanHead(nn.Module):
    """Logits of begin, inside and end for each word and label."""

    def __init__(self, sizes: LabelledSpans) -> None:
        super().__init__()
        self.sizes = sizes
        self.norm = nn.LayerNorm(sizes.width)
        self.guideline = nn.Embedding(sizes.guidelines, sizes.hidden)
        nn.init.zeros_(self.guideline.weight)
        self.hidden = nn.Linear(sizes.width, sizes.hidden)
        self.words = nn.Linear(sizes.hidden, 3 * sizes.common)
        self.labels = nn.Sequential(nn.LayerNorm(sizes.label_width), nn.Linear(sizes.label_width, 3 * sizes.common))
        self.bias = nn.Parameter(torch.tensor([-1.0, -3.0, -1.0]))

    def forward(self, states: Tensor, labels: Tensor, guideline: Tensor | None = None) -> Tensor:
        """states (B, T, D), labels (L, label width), guideline (B,) or None: the first one -> logits (B, T, L, 3)."""
        return self.score(states, self.label_vectors(labels), guideline)

    def label_vectors(self, labels: Tensor) -> Tensor:
        """Labels (L, label width) in the common space, (L, 3, K): the same for all texts."""
        vectors: Tensor = self.labels(labels).unflatten(-1, (3, -1))
        return vectors

    def score(self, states: Tensor, vectors: Tensor, guideline: Tensor | None = None) -> Tensor:
        """`forward`, of `label_vectors` (L, 3, K)."""
        x = self.hidden(self.norm(states))
        x = x + (self.guideline.weight[0] if guideline is None else self.guideline(guideline)[:, None])
        x = F.dropout(F.gelu(x), self.sizes.dropout, self.training)
        words = self.words(x).unflatten(-1, (3, -1))  # (B, T, 3, K)
        return torch.einsum("btkd,lkd->btlk", words, vectors) / self.sizes.common**0.5 + self.bias


def span_logits(logits: Tensor, widest: int) -> Tensor:
    """Logits of all spans of up to W words: (B, T, L, 3) -> (B, T, W, L); spans beyond the last word have -inf."""
    begin, inside, end = logits.unbind(-1)  # (B, T, L)
    t = begin.shape[1]
    widest = min(widest, t)
    total = F.pad(F.logsigmoid(inside).double().cumsum(1), (0, 0, 1, 0))  # (B, T + 1, L)
    starts = torch.arange(t, device=logits.device)
    ends = starts[:, None] + torch.arange(widest, device=logits.device)  # (T, W)
    last = ends.clamp(max=t - 1)
    within = (total[:, last + 1] - total[:, starts][:, :, None]).to(logits.dtype)  # (B, T, W, L)
    found = begin[:, :, None] + end[:, last] + within
    return found.masked_fill((ends >= t)[None, :, :, None], float("-inf"))
