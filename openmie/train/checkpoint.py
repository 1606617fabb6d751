"""Checkpoints: all that a run needs to go on to the same bits, in safetensors and JSON.

Random generators are those of each process; model and optimiser are the same in all.

A checkpoint is written to a temporary folder, synced, renamed to a name not used before, and only then named by the
small file `latest`, which is replaced in one step: a kill at any moment leaves the one before intact.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from openmie.data import replace_file as writing
from openmie.errors import TrainError
from openmie.model.tensor_file import save_tensors
from openmie.train.random_state import RandomState, random_state, set_random_state


class OtherRunError(TrainError):
    """A checkpoint of another run: its recipe, seed or data are not those that are trained now."""


class DamagedCheckpointError(TrainError):
    """A checkpoint that cannot be read."""


@dataclass
class TrainingProgress:
    """Counters of a run; written with every checkpoint."""

    step: int = 0
    epoch: int = 0
    in_epoch: int = 0  # global batches of this epoch that are done
    best: float = -1.0  # dev score
    best_epoch: int = -1
    finished: bool = False
    rows: dict[str, int] = field(default_factory=dict)  # of each loss, in this epoch so far
    epoch_rows: dict[str, int] = field(default_factory=dict)  # of each loss, in the last whole epoch


def save(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: LambdaLR,
    progress: TrainingProgress,
    fingerprint: str,
    generators: Sequence[RandomState] = (),
) -> None:
    """Write `folder/step-N`, point `folder/latest` at it, and remove older ones.

    Args:
        folder: of all checkpoints of the run.
        model: its parameters and buffers.
        optimizer: its state.
        schedule: its state.
        progress: how far the run has come.
        fingerprint: of recipe, seed and data.
        generators: the random state of each process; none: of this one, which is the only one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{progress.step}-{progress.epoch}-{progress.in_epoch}-{int(progress.finished)}"
    beside, final = folder / f"{name}.tmp", folder / name
    if latest(folder) == final:  # this very state is there already
        return
    for stale in (beside, final):
        shutil.rmtree(stale, ignore_errors=True)
    beside.mkdir()
    save_tensors(model.state_dict(), beside / "model.safetensors")
    tensors, scalars = _optimizer_state(optimizer)
    each = generators or [random_state()]
    random_tensors = {f"rng.{i}.{name}": value for i, (found, _) in enumerate(each) for name, value in found.items()}
    save_tensors(tensors | random_tensors, beside / "trainer.safetensors")
    state = {
        "progress": progress.__dict__,
        "scalars": scalars,
        "rng": [told for _, told in each],
        "fingerprint": fingerprint,
        "groups": optimizer.state_dict()["param_groups"],
        "schedule": {k: v for k, v in schedule.state_dict().items() if k != "lr_lambdas"},
    }
    (beside / "trainer.json").write_text(json.dumps(state), encoding="utf8")
    for path in (*beside.iterdir(), beside):
        _sync(path)
    beside.rename(final)
    writing.replace_text(folder / "latest", name, sync=True)
    _sync(folder)
    for old in folder.glob("step-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)


def latest(folder: Path) -> Path | None:
    """The checkpoint to go on from, if there is one. Errors: a pointer that names none."""
    try:
        name = (folder / "latest").read_text(encoding="utf8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _damaged(folder / "latest", error) from None
    if not re.fullmatch(r"step-[\d-]{1,60}", name) or not (folder / name).is_dir():
        raise _damaged(folder / "latest", ValueError(f"no checkpoint {name[:60]!r}"))
    return folder / name


def restore(
    checkpoint: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: LambdaLR,
    fingerprint: str,
    process: int = 0,
) -> TrainingProgress:
    """Put everything back, the random generators last.

    Args:
        checkpoint: of `latest`.
        model: takes its parameters and buffers.
        optimizer: takes its state.
        schedule: takes its state.
        fingerprint: of recipe, seed and data.
        process: number of this process, whose generators are set; where fewer wrote it, they stay as they are.

    Returns:
        How far the run had come.

    Raises:
        OtherRunError: the run was started with other settings or data.
        DamagedCheckpointError: files that are broken, lacking, or do not fit the model.
    """
    try:
        state = json.loads((checkpoint / "trainer.json").read_text(encoding="utf8"))
        if state["fingerprint"] != fingerprint:
            raise OtherRunError(
                "a checkpoint of a run with another recipe, seed or data",
                expected="the run that wrote it",
                where=str(checkpoint),
                remedy="use another --out, or give the same recipe, seed and corpus; --restart begins anew",
            )
        return _restore(checkpoint, state, model, optimizer, schedule, process)
    except _DAMAGE as error:
        raise _damaged(checkpoint, error) from error


_DAMAGE = (OSError, SafetensorError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


def _restore(
    checkpoint: Path,
    state: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: LambdaLR,
    process: int,
) -> TrainingProgress:
    model.load_state_dict(load_file(checkpoint / "model.safetensors"))
    tensors = load_file(checkpoint / "trainer.safetensors")
    kept: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *state["scalars"].items()]:
        if not key.startswith("rng."):
            index, _, field = key.partition(".")
            kept.setdefault(int(index), {})[field] = value
    groups = [{**g, "betas": tuple(g["betas"])} if "betas" in g else g for g in state["groups"]]
    optimizer.load_state_dict({"state": kept, "param_groups": groups})
    schedule.load_state_dict({**state["schedule"], "lr_lambdas": [None] * len(schedule.lr_lambdas)})
    progress = TrainingProgress(**state["progress"])
    if process < len(state["rng"]):
        start = f"rng.{process}."
        set_random_state(
            {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}, state["rng"][process]
        )
    return progress


def _damaged(where: Path, error: Exception) -> DamagedCheckpointError:
    return DamagedCheckpointError(
        f"a damaged checkpoint ({type(error).__name__}: {' '.join(str(error).split())[:160]})",
        expected="what a training wrote there",
        where=str(where),
        remedy="begin anew with --restart (in Python: resume=False), or copy the folder again",
    )


def _optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, scalars = {}, {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value.detach().cpu().contiguous()
            else:
                scalars[f"{index}.{key}"] = value
    return tensors, scalars


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
