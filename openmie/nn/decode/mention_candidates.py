"""Candidates of the heads of a document: mentions, and the chains that they belong to, as tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from openmie.nn.decode.spans import spans_of
from openmie.nn.streams import Stream


def candidates(given: Mapping[str, Tensor], stream: Stream) -> dict[str, Tensor]:
    """`spans`, `spans_mask` and `span_labels` of the tags, where no spans are given; else nothing.

    And `span_scores` (B, S), the mean probability of a span's tags, where the tags have theirs.
    """
    if "spans" in given:
        return {}
    spans, real = spans_of(given["tags"], stream.mask)
    labels = (given["tags"].gather(1, spans[..., 0]) - 1) // 2
    made = {"spans": spans, "spans_mask": real, "span_labels": labels.masked_fill(~real, 0)}
    if "tag_scores" in given:
        sums = F.pad(given["tag_scores"].cumsum(1), (1, 0))
        total = sums.gather(1, spans[..., 1] + 1) - sums.gather(1, spans[..., 0])
        made["span_scores"] = (total / (spans[..., 1] - spans[..., 0] + 1)).masked_fill(~real, 0.0)
    return made


def chains_of(given: Mapping[str, Tensor], stream: Stream) -> Tensor:
    """(B, S): the chain of each candidate, -1 on padding and in documents without their text.

    Gold chains first (a chains head keeps those that it was given), then those found, else each mention by itself.
    """
    real = given["spans_mask"] & stream.present[:, None]  # type: ignore[index]
    alone = torch.arange(real.shape[1], device=real.device).expand_as(real)
    return given.get("given_chain_of", given.get("chain_of", alone)).masked_fill(~real, -1)


def membership(chain_of: Tensor, chains: int) -> Tensor:
    """(B, S) -> (B, S, C) bool."""
    return chain_of[..., None] == torch.arange(chains, device=chain_of.device)


def span_means(stream: Stream, spans: Tensor) -> Tensor:
    """Mean of the real words' states of each span (B, S, 2), last word included -> (B, S, D); 0 where there is none."""
    word = torch.arange(stream.tokens.shape[1], device=spans.device)
    inside = (word >= spans[..., :1]) & (word <= spans[..., 1:]) & stream.mask[:, None]  # (B, S, T)
    tokens = torch.where(stream.mask[..., None], stream.tokens, 0.0)
    return inside.to(tokens.dtype) @ tokens / inside.sum(2, keepdim=True).clamp_min(1)


def chain_means(vectors: Tensor, member: Tensor) -> Tensor:
    """Mean of the mentions' vectors (B, S, D) of each chain, by membership (B, S, C) -> (B, C, D); 0 without any."""
    share = member.transpose(1, 2).to(vectors.dtype)
    return share @ vectors / share.sum(2, keepdim=True).clamp_min(1)


def count_chains(chain_of: Tensor) -> int:
    """One more than the highest index."""
    return int(F.pad(chain_of.flatten(), (0, 1), value=-1).max()) + 1
