"""Images to the pixels that a vision backbone takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from openmie.data.small_pictures import FULL, MinSize

GAP = 3  # times as long as what is read are the sides that a picture is read with, at least
LARGEST_SIDE = 1024  # that a processor may ask for, to be taken for a number of pixels

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
        self.min_size = MinSize(shorter=GAP * config.size)

    def __call__(self, images: Sequence[Image]) -> Tensor:
        side = (self.config.size, self.config.size)
        arrays = [np.asarray(i if i.size == side else i.resize(side, 2)) for i in images]  # 2: bilinear
        pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float()
        return pixels.div_(self.scale).sub_(self.mean / self.scale)


class Processed:
    """Images to pixels by an image processor of the transformers library."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.min_size = _size_of(processor)

    def __call__(self, images: Sequence[Image]) -> Tensor:
        pixels = self.processor(images=list(images), return_tensors="pt")["pixel_values"]
        return pixels.flatten(0, 1) if pixels.dim() == 5 else pixels  # some take them for the frames of one video


def _size_of(processor: Any) -> MinSize:
    """The sides that a processor of the library needs, by its sizes; in full size, if it does not resize pictures."""
    if not getattr(processor, "do_resize", False):
        return FULL
    sizes = [getattr(processor, name, None) for name in ("size", "crop_size")]
    values = [v for size in sizes for v in _numbers(size)]
    return MinSize(shorter=GAP * max(values)) if values and max(values) <= LARGEST_SIDE else FULL


def _numbers(size: Any) -> list[int]:
    if isinstance(size, int):
        return [size]
    values = size.values() if hasattr(size, "values") else vars(size).values() if hasattr(size, "__dict__") else ()
    return [v for v in values if isinstance(v, int)]
