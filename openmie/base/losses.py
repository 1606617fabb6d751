"""Losses of the labelled heads, over what is known only.

B sentences, T words, W widest span, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from openmie.base.examples import Example, Label, targets
from openmie.nn.decode.labelled import span_logits


def span_loss(logits: Tensor, examples: Sequence[Example], labels: Sequence[Label], widest: int) -> dict[str, Tensor]:
    """Binary cross-entropies of words and of spans, a real word.

    A word counts for a label where it is known whether it is inside; a span, where all of its words are known.

    Args:
        logits: (B, T, L, 3) of begin, inside and end.
        examples: B.
        labels: L.
        widest: W.
    """
    size, length, n, _ = logits.shape
    inside, known = np.zeros((2, size, length, n), bool)
    spans = span_logits(logits, widest)  # (B, T, W, L)
    holds = torch.zeros_like(spans)
    for row, example in enumerate(examples):
        positive, inside[row, : len(example.words)], known[row, : len(example.words)] = targets(example, labels)
        start, end, column = positive[positive[:, 1] - positive[:, 0] <= spans.shape[2]].T
        holds[row, start, end - start - 1, column] = 1.0
    seen = torch.from_numpy(known)
    words = F.binary_cross_entropy_with_logits(
        logits[..., 1][seen], torch.from_numpy(inside)[seen].float(), reduction="sum"
    )
    counted = known_spans(seen, spans.shape[2])
    whole = F.binary_cross_entropy_with_logits(spans[counted], holds[counted], reduction="sum")
    number = sum(len(example.words) for example in examples)
    return {"words": words / number, "spans": whole / number}


def known_spans(known: Tensor, widest: int) -> Tensor:
    """Whether all words of a span are known: (B, T, L) -> (B, T, W, L); never beyond the last word."""
    length = known.shape[1]
    unknown = F.pad((~known).int().cumsum(1), (0, 0, 1, 0))  # (B, T + 1, L)
    start = torch.arange(length)
    end = start[:, None] + torch.arange(1, widest + 1)  # (T, W)
    lacking = unknown[:, end.clamp(max=length)] - unknown[:, start][:, :, None]
    return (lacking == 0) & (end <= length)[None, :, :, None]


def pair_loss(logits: Tensor, holds: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy of relations over what is known, a pair: (N, R) each -> ()."""
    return F.binary_cross_entropy_with_logits(logits[known], holds[known], reduction="sum") / max(len(logits), 1)
