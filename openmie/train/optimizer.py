"""Optimiser groups and schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from openmie.errors import RecipeError
from openmie.recipe import Group, Training


def build_optimizer(named: Iterable[tuple[str, nn.Parameter]], groups: tuple[Group, ...]) -> AdamW:
    """AdamW (fused: on CPU about a fifth of the time) with a learning rate for each group; vectors are not decayed.

    A group may take none: an ablation keeps the groups of the full system. Errors: a parameter that no group takes.
    """
    taken: dict[tuple[int, bool], list[nn.Parameter]] = {}
    unmatched = []
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        index = next((i for i, g in enumerate(groups) if _fits(name, g.match)), None)
        if index is None:
            unmatched.append(name)
        else:
            taken.setdefault((index, parameter.ndim > 1), []).append(parameter)
    if unmatched:
        raise RecipeError(
            f"{len(unmatched)} parameters in no group, the first {unmatched[0]!r}",
            where="training.param_groups",
            expected="every parameter in one group",
            remedy='add Group(match="", lr=...) as the last one',
        )
    return AdamW(
        [
            {"params": p, "lr": groups[i].lr, "weight_decay": groups[i].weight_decay if decays else 0.0}
            for (i, decays), p in sorted(taken.items())
        ],
        fused=True,
    )


def _fits(name: str, match: str) -> bool:
    return not match or name == match or name.startswith(match + ".") or f".{match}." in name


def build_schedule(optimizer: torch.optim.Optimizer, training: Training, steps: int) -> LambdaLR:
    """Linear warm-up over a share of the steps, then down to zero: linear, cosine, or not at all."""
    warm = max(1, round(training.warmup_ratio * steps))
    after: dict[str, Callable[[float], float]] = {
        "linear": lambda x: 1.0 - x,
        "cosine": lambda x: 0.5 * (1.0 + math.cos(math.pi * x)),
        "constant": lambda x: 1.0,
    }
    if training.lr_schedule not in after:
        raise RecipeError.unknown("lr_schedule", training.lr_schedule, after, where="training.lr_schedule")
    down = after[training.lr_schedule]

    def factor(step: int) -> float:
        return (step + 1) / warm if step < warm else down(min(1.0, (step - warm) / max(1, steps - warm)))

    return LambdaLR(optimizer, factor)
