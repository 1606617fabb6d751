"""Can Diorama's images be read? If a detector reads less than 99.5% of the figures, the ceilings are but bounds.

    python benchmarks/diorama_readability.py [training images] [test images]

The detector is a plain one (centres, sizes and types on a 16 x 16 grid, after CenterNet, Zhou et al. 2019). A figure is
read when a peak has its type, says rightly whether it is young, and gives a box with an IoU above 0.5. Printed too:
figures found that are not there, signs read, flags read, and scenes in which everything is right.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from openmie.diorama import Config
from openmie.diorama.drawing.layout import GRID, Layout
from openmie.diorama.drawing.render import render
from openmie.diorama.posts.distributions import COLOURS, SIGNED, TYPES
from openmie.diorama.posts.posts import PIXELS, iou, sample_post

CELLS = 16  # of the grid, a side
STEP = GRID // CELLS
SIGNS = ("", *SIGNED)
Found = tuple[str, bool, tuple[int, int, int, int]]  # type, young, box


def images(config: Config, split: str, first: int, n: int) -> tuple[Tensor, list[Layout]]:
    """(n, 3, 128, 128) in [-1, 1], and what stands in them."""
    pixels, layouts = [], []
    for i in range(first, first + n):
        _, layout, streams = sample_post(config, split, i)
        pixels.append(render(layout, config.size, config.noise, streams[PIXELS]))
        layouts.append(layout)
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1, layouts


class Detector(nn.Module):
    """Maps (B, 4 types + young + 2 centre + 2 size, 16, 16), sign (B, 6), flags (B, 2, 4)."""

    def __init__(self) -> None:
        super().__init__()
        widths, layers = (3, 24, 48, 96), []
        for a, b in pairwise(widths):
            layers += [nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU()]
        for dilation in (1, 2, 4):
            layers += [nn.Conv2d(96, 96, 3, 1, dilation, dilation), nn.BatchNorm2d(96), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.maps = nn.Conv2d(96, 9, 1)
        self.sign = nn.Linear(96, len(SIGNS))
        self.flag = nn.Linear(96, len(COLOURS))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        body = self.body(pixels)
        halves = body[:, :, :4].unflatten(3, (2, CELLS // 2)).amax((2, 4))  # (B, 96, 2): upper left, upper right
        return self.maps(body), self.sign(body.amax((2, 3))), self.flag(halves.transpose(1, 2))


def named(layout: Layout) -> list[Found]:
    return [(p.figure.type, p.figure.young, p.box) for p in layout.figures if p.figure and p.figure.type in TYPES]


def centre(box: tuple[int, int, int, int]) -> tuple[int, int]:
    return (box[0] + box[2]) // 2, (box[1] + box[3]) // 2


def loss(out: tuple[Tensor, Tensor, Tensor], layouts: list[Layout]) -> Tensor:
    """Centres by balanced cross-entropy, the rest where a figure is."""
    maps, sign, flag = out
    heat = torch.zeros(len(layouts), len(TYPES), CELLS, CELLS)
    weight = torch.ones_like(heat)
    rows, rest = [], []
    for b, layout in enumerate(layouts):
        for type_, young, box in named(layout):
            x, y = centre(box)
            u, v = x // STEP, y // STEP
            weight[b, :, max(v - 1, 0) : v + 2, max(u - 1, 0) : u + 2] = 0  # beside a centre: either answer will do
            weight[b, :, v, u] = 1
            heat[b, TYPES.index(type_), v, u] = 1
            rows.append((b, v, u))
            rest.append((float(young), x / STEP - u, y / STEP - v, (box[2] - box[0]) / STEP, (box[3] - box[1]) / STEP))
    logits = maps[:, : len(TYPES)]
    chance = torch.where(heat > 0, logits.sigmoid(), 1 - logits.sigmoid())
    total = (F.binary_cross_entropy_with_logits(logits, heat, reduction="none") * weight * (1 - chance) ** 2).sum()
    total = total / max(len(rows), 1)
    b, v, u = torch.tensor(rows).T
    at, goal = maps[b, len(TYPES) :, v, u], torch.tensor(rest)
    total = total + F.binary_cross_entropy_with_logits(at[:, 0], goal[:, 0]) + F.smooth_l1_loss(at[:, 1:], goal[:, 1:])
    total = total + F.cross_entropy(sign, torch.tensor([SIGNS.index(x.sign) for x in layouts]))
    two = [i for i, x in enumerate(layouts) if x.flags]
    colours = torch.tensor([[COLOURS.index(c) for c in layouts[i].flags] for i in two])
    return total + F.cross_entropy(flag[two].flatten(0, 1), colours.flatten()) if two else total


def read(maps: Tensor) -> Iterator[Found]:
    """Peaks of one image's maps (9, 16, 16) above 0.3 (two cells share a centre on their edge), one box each."""
    heat = maps[: len(TYPES)].sigmoid()
    best, type_ = heat.max(0)
    peak = (F.max_pool2d(best[None], 5, 1, 2)[0] == best) & (best > 0.3)
    for v, u in peak.nonzero().tolist():
        young, dx, dy, w, h = maps[len(TYPES) :, v, u].tolist()
        x, y = (u + dx) * STEP, (v + dy) * STEP
        box = (round(x - w * STEP / 2), round(y - h * STEP / 2), round(x + w * STEP / 2), round(y + h * STEP / 2))
        yield TYPES[int(type_[v, u])], young > 0, box


def same(a: Found, b: Found) -> bool:
    return a[:2] == b[:2] and iou(a[2], b[2]) > 0.5


def train(config: Config, n: int, batch: int = 32) -> Detector:
    model = Detector()
    steps = n // batch
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(steps):
        pixels, layouts = images(config, "train", step * batch, batch)  # every image is seen once
        cost = loss(model(pixels), layouts)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}, loss {cost.item():.3f}", flush=True)
    return model.eval()


@torch.no_grad()
def test(model: Detector, config: Config, n: int) -> dict[str, float]:
    count = dict.fromkeys(("figures", "read", "false", "images", "signs", "flagged", "flags", "whole"), 0)
    for first in range(0, n, 100):
        pixels, layouts = images(config, "test", first, 100)
        maps, sign, flag = model(pixels)
        for i, layout in enumerate(layouts):
            gold, found = named(layout), list(read(maps[i]))
            hit = sum(any(same(g, f) for f in found) for g in gold)
            signed = SIGNS[int(sign[i].argmax())] == layout.sign
            flags = tuple(COLOURS[c] for c in flag[i].argmax(-1).tolist()) == layout.flags if layout.flags else True
            for key, more in (
                ("figures", len(gold)),
                ("read", hit),
                ("false", sum(not any(same(g, f) for g in gold) for f in found)),
                ("images", 1),
                ("signs", signed),
                ("flagged", bool(layout.flags)),
                ("flags", flags and bool(layout.flags)),
                ("whole", hit == len(gold) == len(found) and signed and flags),
            ):
                count[key] += int(more)
    return {
        "figures read": 100 * count["read"] / count["figures"],
        "false": 100 * count["false"] / count["figures"],
        "signs": 100 * count["signs"] / count["images"],
        "flags": 100 * count["flags"] / count["flagged"],
        "whole scenes": 100 * count["whole"] / count["images"],
    }


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    tests = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    torch.manual_seed(0)
    config = Config(two_names=0.5, translation=False)
    start = time.perf_counter()
    scores = test(train(config, n), config, tests)
    print(f"{n} training images, {time.perf_counter() - start:.0f} s")
    for name, value in scores.items():
        print(f"{name:<14}{value:7.2f}%")


if __name__ == "__main__":
    main()
