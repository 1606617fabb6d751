"""Encoders whose backbones may be frozen: not trained, in evaluation mode, their states computed once and cached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from torch import nn


class FrozenBackboneMixin(nn.Module):
    """An encoder whose frozen backbones are not trained and stay in evaluation mode.

    Attributes:
        frozen_backbones: Those that `freeze` was told of.
        cacheable: Of "text" and "vision", the names of backbones whose states can be computed once and cached: those
            that are frozen and read nothing but their own input.
        states_key: Which of its states the encoder's `vision_states` returns; part of the key of a cached state.
    """

    frozen_backbones: Sequence[nn.Module] = ()
    cacheable: tuple[str, ...] = ()
    states_key: str = ""

    def freeze(self, *backbones: tuple[nn.Module | None, bool]) -> None:
        """Freeze each backbone of the pairs (backbone, whether it is frozen)."""
        self.frozen_backbones = [backbone for backbone, frozen in backbones if frozen and backbone is not None]
        for backbone in self.frozen_backbones:
            backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for backbone in self.frozen_backbones:
            backbone.eval()
        return self
