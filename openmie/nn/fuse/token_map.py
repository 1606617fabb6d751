"""TokenMap: a linear layer over the token axis, which brings one modality to the other's number of tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TokenMap(nn.Module):
    """f_1 of MGIPS-CL's eq. 5: GELU(A y + b), A over tokens; each row of the result is a fixed mixture of all of y.

    The lengths are baked into A (the release has 40 words and 49 visual tokens). Real tokens take the columns in their
    order, so that neither padding nor the other documents of a batch change a result. Tokens of y beyond `source` are
    not read, and tokens of x beyond `target` get zero.

    Args:
        source: the most tokens of y that are read.
        target: the most tokens of x that get a result.
    """

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        self.source, self.target = source, target
        self.map = nn.Linear(source, target)

    def forward(self, y: Tensor, mask: Tensor, other_mask: Tensor) -> Tensor:
        """y (B, h, M, E), mask (B, N) of x, other_mask (B, M) of y -> (B, h, N, E)."""
        column = ranks(other_mask, self.source)[:, None, :, None].expand_as(y)
        packed = y.new_zeros(*y.shape[:2], self.source + 1, y.shape[3]).scatter(2, column, y)[:, :, : self.source]
        made = F.gelu(self.map(packed.transpose(2, 3))).transpose(2, 3)  # (B, h, target, E)
        row = ranks(mask, self.target)[:, None, :, None].expand(-1, y.shape[1], -1, y.shape[3])
        return F.pad(made, (0, 0, 0, 1)).gather(2, row)


def ranks(mask: Tensor, most: int) -> Tensor:
    """mask (B, N) -> (B, N): the place of a real token among the real ones; `most` for padding and from there on."""
    rank = mask.long().cumsum(1) - 1
    return torch.where(mask, rank.clamp(max=most), most)
