"""Vision backbones of the transformers library behind one call: pixels (K, 3, H, W) -> tokens (K, V, D)."""

from __future__ import annotations

from torch import Tensor, nn


class VisionTower(nn.Module):
    """Patch states of a ViT or CLIP (its class token left out), or the last feature map of a ResNet, row by row."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        config = model.config
        self.is_map = hasattr(config, "hidden_sizes")
        self.width: int = config.hidden_sizes[-1] if self.is_map else config.hidden_size  # type: ignore[union-attr,index,assignment]

    def forward(self, pixels: Tensor) -> Tensor:
        states = self.model(pixel_values=pixels).last_hidden_state
        return states.flatten(2).transpose(1, 2) if self.is_map else states[:, 1:]
