"""Checkpoints: all that a run needs to go on to the same bits, in safetensors and JSON.

A checkpoint is written to a temporary folder, synced, renamed to a name not used before, and only then named by the
small file `latest`, which is replaced in one step: a kill at any moment leaves the one before intact.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from openmie.data import replace_file as writing
from openmie.errors import TrainError


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
) -> None:
    """Write `folder/step-N`, point `folder/latest` at it, and remove older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{progress.step}-{progress.epoch}-{progress.in_epoch}-{int(progress.finished)}"
    beside, final = folder / f"{name}.tmp", folder / name
    if latest(folder) == final:  # this very state is there already
        return
    for stale in (beside, final):
        shutil.rmtree(stale, ignore_errors=True)
    beside.mkdir()
    save_file({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}, beside / "model.safetensors")
    tensors, scalars = _optimizer_state(optimizer)
    rng_tensors, rng = _rng_state()
    save_file(tensors | rng_tensors, beside / "trainer.safetensors")
    state = {
        "progress": progress.__dict__,
        "scalars": scalars,
        "rng": rng,
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
    """The checkpoint to go on from, if there is one."""
    pointer = folder / "latest"
    return folder / pointer.read_text(encoding="utf8") if pointer.exists() else None


def restore(
    checkpoint: Path, model: nn.Module, optimizer: torch.optim.Optimizer, schedule: LambdaLR, fingerprint: str
) -> TrainingProgress:
    """Put everything back, the random generators last. Errors: the run was started with other settings or data."""
    state = json.loads((checkpoint / "trainer.json").read_text(encoding="utf8"))
    if state["fingerprint"] != fingerprint:
        raise TrainError(
            "a checkpoint of a run with another recipe, seed or data",
            expected="the run that wrote it",
            where=str(checkpoint),
            remedy="use another --out, or give the same recipe, seed and corpus",
        )
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
    _set_rng_state(tensors, state["rng"])
    return TrainingProgress(**state["progress"])


def _optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, scalars = {}, {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value.detach().cpu().contiguous()
            else:
                scalars[f"{index}.{key}"] = value
    return tensors, scalars


def _rng_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    version, internal, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    tensors = {
        "rng.torch": torch.get_rng_state(),
        "rng.python": torch.tensor(internal, dtype=torch.int64),
        "rng.numpy": torch.from_numpy(np.asarray(keys).astype(np.int64)),
    }
    if torch.cuda.is_available():
        tensors |= {f"rng.cuda{i}": s for i, s in enumerate(torch.cuda.get_rng_state_all())}
    return tensors, {"python": [version, gauss], "numpy": [kind, int(position), int(has_gauss), float(cached)]}


def _set_rng_state(tensors: dict[str, Tensor], rng: dict[str, Any]) -> None:
    version, gauss = rng["python"]
    random.setstate((version, tuple(tensors["rng.python"].tolist()), gauss))
    kind, *rest = rng["numpy"]
    np.random.set_state((kind, tensors["rng.numpy"].numpy().astype(np.uint32), *rest))
    torch.set_rng_state(tensors["rng.torch"])
    cuda = [tensors[k] for k in sorted(tensors) if k.startswith("rng.cuda")]
    if cuda and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(cuda)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
