"""The weights of a text model as a file: adapters, norms and heads, in half precision.

The tower stays in its package.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from openmie.base import adapter
from openmie.data.replace_file import replace_file
from openmie.errors import ModelError
from openmie.model.finite_weights import check_finite

if TYPE_CHECKING:
    from openmie.base.text_model import TextModel

FILE = "text.safetensors"


def state_of(model: TextModel) -> dict[str, Tensor]:
    """What was trained of a model whose adapters are not merged."""
    upper = {f"upper.{name}": value for name, value in adapter.trained_state(model.upper).items()}
    return upper | _heads(model)


def _heads(model: TextModel) -> dict[str, Tensor]:
    return {
        f"{name}.{k}": v.detach() for name in ("spans", "pairs") for k, v in getattr(model, name).state_dict().items()
    }


def save(model: TextModel, folder: Path) -> None:
    """Write settings and weights into a folder, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    with replace_file(folder / FILE, sync=True) as file:
        file.write(to_bytes({name: value.half().contiguous() for name, value in state_of(model).items()}))
    model.settings.write(folder)


def load_into(model: TextModel, folder: Path, merged: bool = True) -> None:
    """Read weights into a model.

    Args:
        model: of the folder's settings, on its tower.
        folder: with the weights.
        merged: write the adapters into the layers, for prediction; else they stay, to be trained further.

    Raises:
        ModelError: no such file, or tensors of another model.
    """
    path = folder / FILE
    upper = adapter.trained_shapes(model.upper, model.settings.rank)
    expected = {f"upper.{name}": shape for name, shape in upper.items()}
    expected |= {name: value.shape for name, value in _heads(model).items()}
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _error(f"no weights: {error}", path) from None
    if {name: value.shape for name, value in found.items()} != expected:
        odd = sorted(name for name in {*found, *expected} if name not in found or name not in expected)[:3]
        raise _error(f"tensors of another model ({', '.join(odd) or 'other shapes'})", path)
    check_finite(found, path)
    if merged:
        adapter.merge_state(model.upper, {name: found.pop(f"upper.{name}") for name in upper})
        model.requires_grad_(False)
    else:
        adapter.adapt(model.upper, model.settings.rank)
    with torch.no_grad():
        own = dict(model.named_parameters())
        for name, value in found.items():
            own[name].copy_(value)
    model.eval()


def _error(found: str, path: Path) -> ModelError:
    return ModelError(
        found,
        expected="weights that belong to the settings beside them, on the same tower",
        where=str(path),
        remedy="copy both files of one model, or train it again on this tower",
    )
