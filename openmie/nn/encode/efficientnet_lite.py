"""EfficientNet-Lite0: a small convolutional network, (K, 3, H, W) -> maps of four depths.

Tan, Le: EfficientNet, ICML 2019, arXiv 1905.11946; its Lite form (2020) has ReLU6 for swish and no squeeze and
excitation. Layers are padded as TensorFlow's `same` does, which is not symmetric, for so the weights were trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.limits import Count

BLOCKS = (  # kernel, stride of the first, expansion, channels, how many (table 1 of the paper)
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, HEAD = 32, 1280
EPS = 1e-3  # of the norms


@dataclass(frozen=True, kw_only=True)
class EfficientNetLite0:
    """The network and the size of its images."""

    size: Count = 224  # pixels of both sides; a map has a cell for every 32

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Channels of the maps at a fourth, an eighth, a sixteenth and a thirty-second of the image's size."""
        return (24, 40, 112, HEAD)

    def build(self) -> EfficientNetLiteModel:
        return EfficientNetLiteModel(self)


class Maps(NamedTuple):
    """What the network gives, by the names of the transformers library."""

    last_hidden_state: Tensor  # (K, 1280, H / 32, W / 32)
    hidden_states: tuple[Tensor, ...]  # of the four depths, the last one last


class Conv(nn.Module):
    """Convolution with `same` padding, norm, and ReLU6 where asked for."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outer, eps=EPS)
        self.kernel, self.stride, self.act = kernel, stride, act

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(same_padding(x, self.kernel, self.stride)))
        return F.relu6(x) if self.act else x


class Block(nn.Module):
    """Expand, convolve each channel by itself, project; the input is added where the shapes allow it."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        self.expand = Conv(inner, wide, 1) if expansion > 1 else None
        self.depthwise = Conv(wide, wide, kernel, stride, groups=wide)
        self.project = Conv(wide, outer, 1, act=False)
        self.residual = stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else self.expand(x)
        made = self.project(self.depthwise(wide))
        return x + made if self.residual else made


class EfficientNetLiteModel(nn.Module):
    """Pixels (K, 3, H, W), (value - 127) / 128 -> `Maps`; called as the transformers library's ResNet is."""

    def __init__(self, config: EfficientNetLite0) -> None:
        super().__init__()
        self.config = config
        self.stem = Conv(3, STEM, 3, 2)
        blocks, inner = [], STEM
        for kernel, stride, expansion, outer, count in BLOCKS:
            for i in range(count):
                blocks.append(Block(inner, outer, kernel, stride if i == 0 else 1, expansion))
                inner = outer
        self.blocks = nn.ModuleList(blocks)
        self.head = Conv(inner, HEAD, 1)

    def forward(self, pixel_values: Tensor, output_hidden_states: bool = True) -> Maps:
        x, maps = self.stem(pixel_values), []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in ENDS:
                maps.append(x)
        last = self.head(x)
        return Maps(last, (*maps, last))


ENDS = (2, 4, 10)  # the last blocks of 24, 40 and 112 channels


def same_padding(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around a map so that a convolution gives one cell for each stride; an odd one more behind than before."""
    if kernel == 1 and stride == 1:
        return x
    sides = [max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in (x.shape[-1], x.shape[-2])]
    return F.pad(x, [part for side in sides for part in (side // 2, side - side // 2)])
