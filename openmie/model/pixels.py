"""Images to the pixels that a vision backbone takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

    from openmie.nn.encode.efficientnet_lite import EfficientNetLite0
    from openmie.nn.encode.tiny import TinyVision
    from openmie.nn.encode.tiny_clip import TinyClip


class Rescale:
    """Images to pixels of a built-in encoder: (K, 3, size, size), (value - mean) / scale.

    Args:
        config: of the encoder, whose `size` images are resized to, whole.
        mean: of the values 0 to 255; the default and that of `scale` give -1 to 1.
        scale: what they are divided by.
    """

    def __init__(
        self, config: TinyVision | TinyClip | EfficientNetLite0, mean: float = 127.5, scale: float = 127.5
    ) -> None:
        self.config, self.mean, self.scale = config, mean, scale

    def __call__(self, images: Sequence[Image]) -> Tensor:
        side = (self.config.size, self.config.size)
        arrays = [np.asarray(i if i.size == side else i.resize(side, 2)) for i in images]  # 2: bilinear
        pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float()
        return pixels.div_(self.scale).sub_(self.mean / self.scale)


class Processed:
    """Images to pixels by an image processor of the transformers library."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, images: Sequence[Image]) -> Tensor:
        pixels = self.processor(images=list(images), return_tensors="pt")["pixel_values"]
        return pixels.flatten(0, 1) if pixels.dim() == 5 else pixels  # some take them for the frames of one video
