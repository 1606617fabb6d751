"""Low-rank adapters of an encoder's upper layers: W + scale * B A, with A and B trained and W frozen.

Hu et al.: LoRA, 2022. While training they are parametrizations of the weights; merged, nothing of them is left to pay.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

SCALE = 2.0


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
        return weight + SCALE * (self.b @ self.a)


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


def trained_state(layers: nn.Module) -> dict[str, Tensor]:
    """What was trained: the adapters and the norms, by name."""
    return {name: value.detach() for name, value in layers.named_parameters() if value.requires_grad}
