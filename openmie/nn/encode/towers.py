"""Vision backbones of the transformers library behind one call: pixels (K, 3, H, W) -> tokens (K, V, D)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 4  # of a pyramid that is made of patch states; maps have as many as the backbone has stages


class VisionTower(nn.Module):
    """Patch states of a ViT or CLIP behind their class token, or the last feature map of a ResNet, row by row.

    `whole` says whether the first token is the class token, the tower's own state of the whole image; for CLIP it
    passes the tower's last norm, as its pooled output does.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        config = model.config
        self.is_map = hasattr(config, "hidden_sizes")
        self.whole = not self.is_map
        self.width: int = config.hidden_sizes[-1] if self.is_map else config.hidden_size  # type: ignore[union-attr,index,assignment]

    def forward(self, pixels: Tensor) -> Tensor:
        states = self.model(pixel_values=pixels).last_hidden_state
        if self.is_map:
            return states.flatten(2).transpose(1, 2)
        norm = getattr(self.model, "post_layernorm", None)
        return states if norm is None else torch.cat([norm(states[:, :1]), states[:, 1:]], 1)

    def hierarchy(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What `forward` gives, and the states before the first layer and after each, all (K, V, D); not of maps."""
        found = self.model(pixel_values=pixels, output_hidden_states=True)
        norm, last = getattr(self.model, "post_layernorm", None), found.last_hidden_state
        last = last if norm is None else torch.cat([norm(last[:, :1]), last[:, 1:]], 1)
        return last, list(found.hidden_states)

    @property
    def levels(self) -> list[int]:
        """Layers that a pyramid of patch states is made of, counted from 1: evenly spaced, the last one last."""
        layers: int = self.model.config.num_hidden_layers  # type: ignore[union-attr,assignment]
        n = min(LEVELS, layers)
        return [-(-layers * i // n) for i in range(1, n + 1)]

    @property
    def pyramid_width(self) -> int:
        """Channels of a pyramid's cell: of all stages, or of all levels."""
        if self.is_map:
            return sum(self.model.config.hidden_sizes)  # type: ignore[union-attr,arg-type]
        return len(self.levels) * self.width

    def read_as_pyramid(self) -> None:
        """Take out of training what `pyramid` never reads: CLIP's norm of the class token."""
        norm = getattr(self.model, "post_layernorm", None)
        if norm is not None:
            norm.requires_grad_(False)

    def pyramid(self, pixels: Tensor, side: int) -> Tensor:
        """States of several depths on one grid: (K, 3, H, W) -> (K, side * side, C), cells in reading order.

        Of a ResNet the maps of its stages, without the stem; of a ViT or CLIP the patches of four evenly spaced layers,
        without the class token, the last of them the tower's last state. One pass of the tower.
        """
        found = self.model(pixel_values=pixels, output_hidden_states=True)
        if self.is_map:
            return pool_cells(found.hidden_states[-len(self.model.config.hidden_sizes) :], side)  # type: ignore[union-attr,arg-type]
        patch = self.model.config.patch_size  # type: ignore[union-attr]
        h, w = (n // patch for n in pixels.shape[-2:])  # type: ignore[operator]
        states = [*(found.hidden_states[i] for i in self.levels[:-1]), found.last_hidden_state]
        return pool_cells([x[:, -h * w :].transpose(1, 2).unflatten(2, (h, w)) for x in states], side)


def pool_cells(maps: Sequence[Tensor], side: int) -> Tensor:
    """Maps (K, C_i, h_i, w_i), each averaged on a grid of side x side -> (K, side * side, sum of C_i)."""
    return torch.cat([F.adaptive_avg_pool2d(m, side) for m in maps], 1).flatten(2).transpose(1, 2)
