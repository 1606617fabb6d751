"""Weights that are numbers: a model with NaN among its weights predicts nothing, and would say nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from openmie.errors import ModelError


def check_finite(state: Mapping[str, Tensor], where: Path) -> None:
    """Refuse weights that are not finite.

    Args:
        state: tensors by name.
        where: the file that they are of.

    Raises:
        ModelError: NaN or infinity in a tensor.
    """
    odd = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if odd:
        raise ModelError(
            f"NaN or infinity in {len(odd)} of {len(state)} tensors, such as {odd[0]}",
            expected="finite weights",
            where=str(where),
            remedy="train it again, with a lower learning rate or without --precision: such a model predicts nothing",
        )
