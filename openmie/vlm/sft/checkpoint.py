"""Checkpoints of a fine-tuning: all that it needs to go on to the same bits, in safetensors and JSON.

Transformers and Accelerate write optimiser, schedule and random states with `torch.save`, and weights under names that
they do not find again for some families (LLaVA, 5.23). Here each process writes what it holds, so that nothing is
gathered and no process waits for another's memory: process 0 all of it where every process has the whole model, else
each its own shards. Going on from a folder that somebody else wrote runs none of its code.

    learnt-K.safetensors       trained parameters and buffers of process K, by their own names
    optimizer-K.safetensors    the optimiser's tensors, with optimizer-K.json: scalars, groups and schedule
    random-K.safetensors       random generators, with random-K.json
    whole                      what the run is of; written when every process has written
    trainer_state.json         steps, epochs and losses, by the transformers library; written last
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from openmie.errors import TrainError
from openmie.train.random_state import random_state, set_random_state

WHOLE, PROGRESS = "whole", "trainer_state.json"
LEARNT, OPTIMIZER, RANDOM = "learnt-{}", "optimizer-{}", "random-{}"


def is_sharded(model: nn.Module) -> bool:
    """Whether each process holds a part of the model (FSDP2)."""
    return any(isinstance(p, DTensor) for p in model.parameters())


def write(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, schedule: Any, process: int) -> None:
    """Write what this process holds.

    Args:
        folder: of the checkpoint; made where it is not there.
        model: unwrapped, or sharded.
        optimizer: of its trained parameters.
        schedule: of the learning rates.
        process: number of this process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if process == 0 or is_sharded(model):
        save_file({name: _own(tensor) for name, tensor in _learnt(model).items()}, _tensors(folder, LEARNT, process))
        tensors, scalars, told = {}, {}, optimizer.state_dict()
        for index, state in told["state"].items():
            for field, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"{index}.{field}"] = _own(value)
                else:
                    scalars[f"{index}.{field}"] = value
        save_file(tensors, _tensors(folder, OPTIMIZER, process))
        rates = {k: v for k, v in schedule.state_dict().items() if k != "lr_lambdas"}
        _write(folder, OPTIMIZER, process, {"scalars": scalars, "groups": told["param_groups"], "schedule": rates})
    generators, more = random_state()
    save_file(generators, _tensors(folder, RANDOM, process))
    _write(folder, RANDOM, process, more)


def restore_weights(folder: Path, model: nn.Module, process: int) -> None:
    """Put trained parameters and buffers back. Errors: they are those of another model."""
    kept, own = load_file(_tensors(folder, LEARNT, process if is_sharded(model) else 0)), _learnt(model)
    shapes = {name: _local(tensor).shape for name, tensor in own.items()}
    wrong = kept.keys() ^ own.keys() or {name for name in kept if kept[name].shape != shapes[name]}
    if wrong:
        raise TrainError(
            f"{len(wrong)} weights too many, too few or of another shape",
            where=str(folder),
            expected="those of this model",
            remedy="remove the checkpoints and start again",
        )
    with torch.no_grad():
        for name, value in kept.items():
            _local(own[name]).copy_(value)


def restore_optimizer(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, schedule: Any, process: int
) -> None:
    """Put the optimiser's state and the schedule back."""
    process = process if is_sharded(model) else 0
    told = _read(folder, OPTIMIZER, process)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    kept: dict[int, dict[str, Any]] = {}
    for key, value in {**load_file(_tensors(folder, OPTIMIZER, process)), **told["scalars"]}.items():
        index, _, field = key.partition(".")
        kept.setdefault(int(index), {})[field] = _as(parameters[int(index)], value)
    groups = [{**g, "betas": tuple(g["betas"])} for g in told["groups"]]
    optimizer.load_state_dict({"state": kept, "param_groups": groups})
    lambdas = [None] * len(getattr(schedule, "lr_lambdas", ()))
    schedule.load_state_dict({**told["schedule"], **({"lr_lambdas": lambdas} if lambdas else {})})


def restore_random(folder: Path, process: int) -> None:
    """Put this process's random generators back."""
    set_random_state(load_file(_tensors(folder, RANDOM, process)), _read(folder, RANDOM, process))


def latest(folder: Path, mark: str) -> Path | None:
    """The whole checkpoint to go on from; half-written ones are removed.

    Args:
        folder: of all checkpoints of a run.
        mark: what the run is of, as `whole` has it.

    Raises:
        TrainError: it is of another run, or of another number of processes.
    """
    found = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))
    whole = [p for p in found if (p / WHOLE).exists() and _progress(p)]
    for path in [p for p in found if p not in whole]:
        shutil.rmtree(path, ignore_errors=True)
    if whole and any((p / WHOLE).read_text(encoding="utf8") != mark for p in whole):
        raise TrainError(
            "checkpoints of a run with other settings or data, or of another number of processes",
            expected="the run that wrote them",
            where=str(folder),
            remedy="name another folder, or remove this one",
        )
    return whole[-1] if whole else None


def _progress(path: Path) -> bool:
    try:
        return bool(json.loads((path / PROGRESS).read_text(encoding="utf8")))
    except (OSError, ValueError):
        return False


def _learnt(model: nn.Module) -> dict[str, Tensor]:
    """Trained parameters, each once, and what a forward in training writes down."""
    held = set(model.state_dict())
    found: dict[str, Tensor] = {n: p for n, p in model.named_parameters() if p.requires_grad}
    return found | {n: b for n, b in model.named_buffers() if n in held}


def _local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _own(tensor: Tensor) -> Tensor:
    return _local(tensor.detach()).to("cpu", copy=True).contiguous()


def _as(parameter: Tensor, value: Any) -> Any:
    """A state of a parameter, sharded as that is; counters stay as they are."""
    if not isinstance(parameter, DTensor) or not isinstance(value, Tensor) or not value.ndim:
        return value
    return DTensor.from_local(
        value.to(parameter.device),
        parameter.device_mesh,
        parameter.placements,
        run_check=False,
        shape=parameter.shape,
        stride=parameter.stride(),
    )


def _tensors(folder: Path, name: str, process: int) -> Path:
    return folder / f"{name.format(process)}.safetensors"


def _write(folder: Path, name: str, process: int, data: Any) -> None:
    (folder / f"{name.format(process)}.json").write_text(json.dumps(data), encoding="utf8")


def _read(folder: Path, name: str, process: int) -> Any:
    return json.loads((folder / f"{name.format(process)}.json").read_text(encoding="utf8"))
