"""Vision backbones of the transformers library behind one call: pixels (K, 3, H, W) -> tokens (K, V, D)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
