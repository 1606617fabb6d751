"""A vision tower as deep and wide as a text encoder, untrained: CLIP's, with a convolution stem for its patches.

The patches of a tower that starts at random are best made by a few small convolutions (Xiao et al., 2021), and told
apart by positions that are not noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.encode.tiny import grid_positions


@dataclass(frozen=True, kw_only=True)
class TinyClip:
    """Sizes of the tower; all but the stem's and the image's are the text encoder's."""

    width: int
    layers: int
    heads: int
    hidden: int  # width inside the feed-forward layers
    size: int = 128  # pixels that an image is resized to, both sides
    stem: tuple[int, ...] = (32, 64, 128)  # channels of the stride-2 convolutions before the last one

    @property
    def patch(self) -> int:
        """Pixels, both sides."""
        return 2 ** (len(self.stem) + 1)


class Stem(nn.Module):
    """pixels (K, 3, H, W) -> patches (K, D, H / patch, W / patch), in the place of CLIP's patch convolution."""

    def __init__(self, config: TinyClip) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for narrow, wide in zip((3, *config.stem), config.stem):
            steps += [nn.Conv2d(narrow, wide, 3, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
        self.steps = nn.Sequential(*steps)
        self.project = nn.Conv2d(config.stem[-1], config.width, 3, 2, 1, bias=False)

    @property
    def weight(self) -> Tensor:
        """CLIP asks its patch convolution for the type that pixels are turned into."""
        return self.project.weight

    def forward(self, pixels: Tensor) -> Tensor:
        return self.project(self.steps(pixels))


def init_from_config(clip: nn.Module, config: TinyClip) -> nn.Module:
    """A CLIP vision model of these sizes with the stem, its patch positions started as those of a grid."""
    clip.embeddings.patch_embedding = Stem(config)  # type: ignore[union-attr,assignment]
    side = config.size // config.patch
    grid = grid_positions(side, side, config.width, torch.device("cpu"))
    with torch.no_grad():
        clip.embeddings.position_embedding.weight[1:] = F.pad(grid, (0, config.width - grid.shape[1]))  # type: ignore[union-attr,index,operator]
    return clip
