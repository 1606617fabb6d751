"""NanoDet-g: an object detector of one stage and 3.8M parameters, (B, 3, H, W) -> class scores and boxes of N cells.

RangiLyu: NanoDet, 2021, github.com/RangiLyu/nanodet, configuration `nanodet-g`: a CSP backbone (Wang et al., CSPNet,
2020), a path aggregation network without parameters of its own, and a head for each of three strides that predicts
generalised focal scores and distributions of distances (Li et al., Generalized Focal Loss, 2020, eq. 3 and 6).

Departures: norms are folded into the convolutions before them, so the module predicts only. Pictures may have any sides
that 32 divides, where the published graph has 416 x 416.

Shapes: B pictures, H and W their sides, N cells (H W (1/8^2 + 1/16^2 + 1/32^2)), C classes, R bins of a distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.limits import Count, Pixels

STRIDES = (8, 16, 32)
STAGES = ((32, 1, 1), (64, 2, 2), (128, 2, 2), (256, 3, 2))  # channels, bottlenecks, stride
SLOPE = 0.1  # of the leaky ReLU
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)  # of blue, green and red


@dataclass(frozen=True, kw_only=True)
class NanoDetG:
    """The network; its defaults are those that the published weights have."""

    classes: Count = 80  # C
    bins: Count = 11  # R: a distance is 0 to R - 1 strides
    width: Count = 128  # channels of the neck and the heads
    size: Pixels = 416  # longer side of the pictures that it was trained on

    def build(self) -> NanoDetModel:
        return NanoDetModel(self)


class Cells(NamedTuple):
    """What the network says of each cell, stride by stride and row by row."""

    scores: Tensor  # (B, N, C) in [0, 1]
    boxes: Tensor  # (B, N, 4) x0, y0, x1, y1 in pixels of the picture that was given, not clipped


class NanoDetModel(nn.Module):
    """Red, green and blue of 0 to 255 (B, 3, H, W), with sides that 32 divides -> `Cells`."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: NanoDetG) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone()
        self.neck = Neck(tuple(2 * channels for channels, _, _ in STAGES[1:]), config.width)
        self.heads = nn.ModuleList(Head(config) for _ in STRIDES)
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Cells:
        maps = self.maps((pixels.flip(1) - self.mean) / self.std)  # blue first, as it was trained
        boxes = [box_of(bins, stride, *sides) for (_, bins, sides), stride in zip(maps, STRIDES)]
        return Cells(torch.cat([scores for scores, _, _ in maps], 1), torch.cat(boxes, 1))

    def maps(self, pixels: Tensor) -> list[tuple[Tensor, Tensor, tuple[int, int]]]:
        """Of each stride: scores (B, h w, C), logits of distances (B, h w, 4 R), and (h, w)."""
        levels = self.neck(self.backbone(pixels))
        return [head(x) for head, x in zip(self.heads, levels)]


class LeakyConv(nn.Module):
    """Convolution (its norm folded in) and leaky ReLU; the map keeps its sides, or halves them with stride 2."""

    def __init__(self, inner: int, outer: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, 3, stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(x), SLOPE)


class Bottleneck(nn.Module):
    """Two convolutions of half the channels, side by side: (B, D, h, w) -> (B, D, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = LeakyConv(channels, channels // 2), LeakyConv(channels // 2, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return torch.cat([self.second(x), x], 1)


class Stage(nn.Module):
    """Bottlenecks between two convolutions, and a way around them: (B, D', h, w) -> (B, 2 D, h', w')."""

    def __init__(self, inner: int, channels: int, count: int, stride: int) -> None:
        super().__init__()
        self.first = LeakyConv(inner, channels, stride)
        self.bottlenecks = nn.Sequential(*(Bottleneck(channels) for _ in range(count)))
        self.last = LeakyConv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return torch.cat([self.last(self.bottlenecks(x)), x], 1)


class Backbone(nn.Module):
    """Maps of strides 8, 16 and 32, of 128, 256 and 512 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = LeakyConv(3, 32, 2)
        stages, inner = [], 32
        for channels, count, stride in STAGES:
            stages.append(Stage(inner, channels, count, stride))
            inner = 2 * channels
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        x, maps = F.max_pool2d(self.stem(x), 3, 2, padding=1), []  # (B, 32, H / 4, W / 4)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[1:]


class Neck(nn.Module):
    """Path aggregation: coarse maps are added to finer ones from the top down, and then fine to coarser ones."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(nn.Conv2d(inner, width, 1) for inner in channels)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        levels = [conv(x) for conv, x in zip(self.reduce, maps)]  # (B, D, h, w) each
        for i in (1, 0):
            levels[i] = levels[i] + resized(levels[i + 1], levels[i])
        for i in (1, 2):
            levels[i] = levels[i] + resized(levels[i - 1], levels[i])
        return levels


class Head(nn.Module):
    """(B, D, h, w) -> scores (B, h w, C), logits of distances (B, h w, 4 R), and (h, w)."""

    def __init__(self, config: NanoDetG) -> None:
        super().__init__()
        self.classes = config.classes
        self.conv = LeakyConv(config.width, config.width)
        self.out = nn.Conv2d(config.width, config.classes + 4 * config.bins, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, tuple[int, int]]:
        made = self.out(self.conv(x)).flatten(2).transpose(1, 2)  # (B, h w, C + 4 R)
        return made[..., : self.classes].sigmoid(), made[..., self.classes :], (x.shape[2], x.shape[3])


def resized(x: Tensor, like: Tensor) -> Tensor:
    """A map at the sides of another one, bilinear between the centres of cells."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def box_of(bins: Tensor, stride: int, height: int, width: int) -> Tensor:
    """Boxes (B, h w, 4) in pixels around the cells of a stride, by logits of distances (B, h w, 4 R).

    A distance to the left, top, right and bottom is the mean of its distribution, sum_r r softmax(logits)_r, in
    strides (Li et al., 2020, eq. 6).
    """
    logits = bins.unflatten(-1, (4, -1))  # (B, h w, 4, R)
    distance = logits.softmax(-1) @ torch.arange(logits.shape[-1], dtype=bins.dtype, device=bins.device) * stride
    y, x = (stride * (torch.arange(n, dtype=bins.dtype, device=bins.device) + 0.5) for n in (height, width))
    centre = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1).view(-1, 2)  # (h w, 2)
    return torch.cat([centre - distance[..., :2], centre + distance[..., 2:]], -1)
