"""Channels: a part-of-speech and a position embedding of each word, joined to its state (Shap-CA, section 3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from openmie.nn.layers import sinusoidal_positions
from openmie.nn.limits import Count, NonNegative


@dataclass(frozen=True, kw_only=True)
class Channels:
    """M^s and M^p of eq. 12 and 14, d1 wide each.

    M^s is learnt, a row a tag. M^p is the sine-cosine code of the word's index (Vaswani et al., 2017): the paper does
    not say which, and a learnt table would bake a greatest length into the weights.

    Of Shap-CA. Writes two embeddings (B, T, d1).

    Args:
        width: d1, size of each of the two embeddings.
        init_scale: initial scale of both; below 1 they start small beside the words (ours).
        tagger: part-of-speech tagger, such as `hanta:en`; empty: the one that is installed.
        num_tags: number of part-of-speech tags, 0 standing for none; as in `openmie.text.pos`.
    """

    width: Count = 100
    init_scale: NonNegative = 1.0
    tagger: str = ""
    num_tags: Count = 18

    def build(self) -> ChannelEmbedding:
        return ChannelEmbedding(self)


class ChannelEmbedding(nn.Module):
    """mask (B, T), given["pos"] (B, T) long -> `pos` (B, T, d1), `positions` (B, T, d1); without tags all are 0."""

    def __init__(self, config: Channels) -> None:
        super().__init__()
        self.width, self.scale = config.width, config.init_scale
        self.pos = nn.Embedding(config.num_tags, config.width)
        self.pos.weight.data *= config.init_scale

    def forward(self, mask: Tensor, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        tags = given.get("pos", torch.zeros_like(mask, dtype=torch.long))
        where = self.scale * sinusoidal_positions(mask.shape[1], self.width, mask.device)
        return {"pos": self.pos(tags), "positions": where.expand(len(mask), -1, -1)}
