"""A small vision transformer with a convolution stem: the built-in vision encoder, trained from scratch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from openmie.nn.encode.towers import pool_cells


@dataclass(frozen=True, kw_only=True)
class TinyVision:
    """Sizes of the built-in vision encoder; a patch is 2 ** len(stem) pixels wide."""

    size: int = 64  # pixels that an image is resized to, both sides
    stem: tuple[int, ...] = (32, 64, 128, 128)  # channels of the stride-2 convolutions
    width: int = 128
    layers: int = 1
    heads: int = 4
    dropout: float = 0.0

    def build(self) -> TinyVisionTower:
        return TinyVisionTower(self)


def grid_positions(height: int, width: int, dim: int, device: torch.device) -> Tensor:
    """Sine-cosine positions of a grid, (height * width, dim): half of the channels for rows, half for columns."""
    quarter = dim // 4
    rate = 100.0 ** (-torch.arange(quarter, device=device) / quarter)
    rows = torch.linspace(0, 8, height, device=device)[:, None] * rate
    columns = torch.linspace(0, 8, width, device=device)[:, None] * rate
    row = torch.cat([rows.sin(), rows.cos()], 1)[:, None].expand(-1, width, -1)
    column = torch.cat([columns.sin(), columns.cos()], 1)[None].expand(height, -1, -1)
    return torch.cat([row, column], 2).flatten(0, 1)


class TinyVisionTower(nn.Module):
    """pixels (K, 3, H, W) in [-1, 1] -> tokens (K, V, D), V = (H * W) / patch area, in reading order."""

    def __init__(self, config: TinyVision) -> None:
        super().__init__()
        self.width, self.whole = config.width, False  # no class token
        self.pyramid_width = sum(config.stem[:-1]) + config.width
        steps: list[nn.Module] = []
        for narrow, wide in zip((3, *config.stem), config.stem):
            steps += [nn.Conv2d(narrow, wide, 3, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
        self.stem = nn.Sequential(*steps)
        self.project = nn.Conv2d(config.stem[-1], config.width, 1)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.width, config.heads, 2 * config.width, config.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.tokens(self.stem(pixels))

    def pyramid(self, pixels: Tensor, side: int) -> Tensor:
        """States of several depths on one grid: (K, 3, H, W) -> (K, side * side, C), cells in reading order.

        The maps of the stem's stages, the tower's own tokens in the place of the last one. One pass of the tower.
        """
        maps = [pixels]
        for i in range(0, len(self.stem), 3):  # a stage: convolution, norm, ReLU
            maps.append(self.stem[i : i + 3](maps[-1]))
        last = maps.pop()
        tokens = self.tokens(last).transpose(1, 2).unflatten(2, last.shape[2:])
        return pool_cells([*maps[1:], tokens], side)

    def tokens(self, stemmed: Tensor) -> Tensor:
        """The stem's last map (K, C, h, w) -> (K, h * w, D)."""
        return self.norm(self.states(stemmed)[-1])

    def states(self, stemmed: Tensor) -> list[Tensor]:
        """Of the stem's last map: the states before the first layer and after each, (K, h * w, D)."""
        maps = self.project(stemmed)  # (K, D, h, w)
        tokens = maps.flatten(2).transpose(1, 2)
        found = [tokens + grid_positions(maps.shape[2], maps.shape[3], tokens.shape[-1], tokens.device)]
        for layer in self.layers:
            found.append(layer(found[-1]))
        return found

    def hierarchy(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What `forward` gives, and the states before the first layer and after each, all (K, V, D)."""
        found = self.states(self.stem(pixels))
        return self.norm(found[-1]), found
