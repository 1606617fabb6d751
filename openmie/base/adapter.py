"""Low-rank adapters of an encoder's upper layers: W + scale * B A, with A and B trained and W frozen.

Hu et al.: LoRA, 2022. While training they are parametrizations of the weights; merged, nothing of them is left to pay.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Size, Tensor, nn
from torch.nn.utils import parametrize

SCALE = 2.0
ADAPTER = "parametrizations.weight.0"  # where a linear map has its adapter


class LowRank(nn.Module):
    """W -> W + scale * B A; B begins at zero, so that nothing has changed before training.

    Args:
        weight: W, of shape (out, in).
        rank: of the change.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        out, width = weight.shape
        self.a = nn.Parameter(torch.randn(rank, width) / width**0.5)
        self.b = nn.Parameter(torch.zeros(out, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """(out, in) -> (out, in)."""
        return changed(weight, self.a, self.b)


def changed(weight: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """W + scale * B A, (out, in)."""
    return weight + SCALE * (b @ a)


def adapt(layers: nn.Module, rank: int) -> None:
    """Freeze layers but for their norms, and give every linear map an adapter."""
    layers.requires_grad_(False)
    for module in [*layers.modules()]:
        if isinstance(module, nn.Linear):
            parametrize.register_parametrization(module, "weight", LowRank(module.weight, rank))
        elif isinstance(module, nn.LayerNorm):
            module.requires_grad_(True)


def merge(layers: nn.Module) -> None:
    """Write the adapters into the weights, and remove them."""
    for module in [*layers.modules()]:
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def merge_state(layers: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Write what was trained of other such layers into these: adapters into the weights, norms as they are.

    It is `adapt`, a copy into the parameters and `merge`, without drawing and computing what is then replaced.

    Args:
        layers: without adapters.
        state: as `trained_state` gives it.
    """
    with torch.no_grad():
        for name, module in layers.named_modules():
            if isinstance(module, nn.Linear):
                a, b = (state[f"{name}.{ADAPTER}.{factor}"].to(module.weight.dtype) for factor in "ab")
                module.weight = nn.Parameter(changed(module.weight, a, b), requires_grad=False)
            elif isinstance(module, nn.LayerNorm):
                for own, value in module.named_parameters():
                    value.copy_(state[f"{name}.{own}"])


def trained_shapes(layers: nn.Module, rank: int) -> dict[str, Size]:
    """The shapes of `trained_state`, of layers that have no adapters yet."""
    found: dict[str, Size] = {}
    for name, module in layers.named_modules():
        if isinstance(module, nn.Linear):
            out, width = module.weight.shape
            found |= {f"{name}.{ADAPTER}.a": Size((rank, width)), f"{name}.{ADAPTER}.b": Size((out, rank))}
        elif isinstance(module, nn.LayerNorm):
            found |= {f"{name}.{own}": value.shape for own, value in module.named_parameters()}
    return found


def trained_state(layers: nn.Module) -> dict[str, Tensor]:
    """What was trained: the adapters and the norms, by name."""
    return {name: value.detach() for name, value in layers.named_parameters() if value.requires_grad}
