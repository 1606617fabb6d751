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
    """

    width: Count = 100  # d1
    init_scale: NonNegative = (
        1.0  # of both at the start; below 1 they are small compared with the words, and learnt later
    )
    tagger: str = ""  # of the parts of speech, such as `hanta:en`; empty: what the machine has
    num_tags: Count = 18  # parts of speech, 0 for none; `openmie.text.pos` counts alike (tested)

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
