"""Pyramids of vision towers: states of several depths on one grid of cells."""

import math
from itertools import product

import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel, ResNetConfig, ResNetModel, ViTConfig, ViTModel

from openmie.nn.encode.tiny import TinyVision
from openmie.nn.encode.towers import VisionTower

TINY = TinyVision(size=16, stem=(4, 6), width=8, heads=2)


def close(a, b, tolerance=1e-9):
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


def vision_tower(kind):
    """Small towers that start at random, in evaluation mode, and the pixels (height, width) of an image."""
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 24,
        "num_attention_heads": 3,
        "num_hidden_layers": 5,
        "intermediate_size": 32,
        "image_size": 32,
        "patch_size": 4,
    }
    if kind == "resnet":
        config = ResNetConfig(embedding_size=6, hidden_sizes=[4, 6, 8, 10], depths=[1, 2, 1, 1], layer_type="basic")
        made, size = VisionTower(ResNetModel(config)), (160, 96)
    elif kind == "vit":
        made, size = VisionTower(ViTModel(ViTConfig(**sizes), add_pooling_layer=False)), (32, 32)
    elif kind == "clip":
        made, size = VisionTower(CLIPVisionModel(CLIPVisionConfig(**sizes))), (32, 32)
    else:
        made, size = TINY.build(), (48, 32)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    return made.double().eval(), size


def slow_maps(tower, kind, pixels):
    """What the pyramid is made of, (K, C, h, w) each, layer by layer."""
    model = getattr(tower, "model", None)
    if kind == "resnet":
        maps = [model.embedder(pixels)]
        for stage in model.encoder.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]
    if kind == "tiny":
        (c1, n1, r1, c2, n2, r2), tokens = tower.stem, tower(pixels)
        first = r1(n1(c1(pixels)))
        h, w = r2(n2(c2(first))).shape[2:]
        return [first, tokens.transpose(1, 2).reshape(len(pixels), -1, h, w)]
    if kind == "vit":
        states, layers = [model.embeddings(pixels)], model.layers
    else:
        states, layers = [model.pre_layrnorm(model.embeddings(pixels))], model.encoder.layers
    for layer in layers:
        states.append(layer(states[-1], None))
    last = model.layernorm(states[5]) if kind == "vit" else states[5]
    return [x[:, 1:].transpose(1, 2).reshape(len(pixels), 24, 8, 8) for x in (states[2], states[3], states[4], last)]


def slow_pyramid(maps, side):
    """Cell by cell in reading order, the mean over each map's part of it."""
    cells = []
    for row, column in product(range(side), range(side)):
        here = []
        for m in maps:
            h, w = m.shape[2:]
            rows = slice(row * h // side, math.ceil((row + 1) * h / side))
            columns = slice(column * w // side, math.ceil((column + 1) * w / side))
            here.append(m[:, :, rows, columns].mean((2, 3)))
        cells.append(torch.cat(here, 1))
    return torch.stack(cells, 1)


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("kind", ["resnet", "vit", "clip", "tiny"])
def test_pyramid_equals_the_slow_one_in_one_pass(kind, side):
    tower, (h, w) = vision_tower(kind)
    pixels = torch.randn(2, 3, h, w, dtype=torch.float64)
    passes = []
    first = next(m for m in tower.modules() if isinstance(m, torch.nn.Conv2d))
    first.register_forward_hook(lambda *_: passes.append(1))
    found = tower.pyramid(pixels, side)
    assert len(passes) == 1
    assert found.shape == (2, side**2, tower.pyramid_width)
    close(found, slow_pyramid(slow_maps(tower, kind, pixels), side))


@pytest.mark.parametrize("kind", ["resnet", "vit", "clip", "tiny"])
def test_the_cell_of_a_bright_spot_reacts(kind):
    tower, (h, w) = vision_tower(kind)
    dark = torch.zeros(1, 3, h, w, dtype=torch.float64)
    for row, column in product(range(2), range(2)):
        spot = dark.clone()
        top, left = row * h // 2 + h // 8, column * w // 2 + w // 8
        spot[..., top : top + h // 4, left : left + w // 4] = 3.0
        moved = (tower.pyramid(spot, 2) - tower.pyramid(dark, 2)).norm(dim=-1)[0]
        assert moved.argmax() == 2 * row + column


def test_levels_and_widths():
    def vit(layers):
        config = ViTConfig(hidden_size=8, num_hidden_layers=layers, num_attention_heads=1, intermediate_size=8)
        return VisionTower(ViTModel(config, add_pooling_layer=False))

    assert [vit(n).levels for n in (12, 6, 2, 1)] == [[3, 6, 9, 12], [2, 3, 5, 6], [1, 2], [1]]
    assert [vit(n).pyramid_width for n in (12, 2)] == [32, 16]
    with torch.device("meta"):
        assert VisionTower(ResNetModel(ResNetConfig())).pyramid_width == 3840  # ResNet-50
    assert TinyVision().build().pyramid_width == 32 + 64 + 128 + 128
