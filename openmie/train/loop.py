"""One run: events, the machine, and optimiser steps."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from torch import Tensor
from torch.utils.data import DataLoader

from openmie.errors import TrainError
from openmie.model.extractor import Output
from openmie.model.features.encoded_document import Batch, EncodedDocument
from openmie.model.pretrained import Model
from openmie.recipe import Recipe
from openmie.train import checkpoint
from openmie.train.gather import across_processes
from openmie.train.lazy_examples import LazyExamples
from openmie.train.length_buckets import Buckets
from openmie.train.optimizer import build_optimizer, build_schedule
from openmie.train.shared_batch import SharedBatch, weighted_sum


@dataclass(frozen=True)
class Event:
    """What `fit` reports while it trains.

    `kind` is `start`, `resume`, `step`, `dev`, `stop` (early), `interrupted` (as asked) or `done`.

    Args:
        kind: what happened.
        step: steps done so far.
        epoch: epoch, from 0.
        steps: steps of the whole run.
        values: named values, such as losses, or `f1` of a `dev` event, in percent.
    """

    kind: str
    step: int = 0
    epoch: int = 0
    steps: int = 0
    values: dict[str, Any] = field(default_factory=dict)


def prepare_machine(seed: int, precision: str) -> Accelerator:
    """Seeds all generators; one process, or those that `torchrun` or `accelerate launch` started."""
    if not 0 <= seed < 2**32:
        raise TrainError(f"seed {seed}", expected="0 to 4294967295", where="seed", remedy="choose another")
    _check_launch()
    set_seed(seed)
    # torchrun on a machine without a GPU: unless told, Accelerate takes each process for a run of its own
    several = int(os.environ.get("WORLD_SIZE", 1)) > 1 and not torch.accelerator.is_available()
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)  # a process whose batch has no image at all
    try:
        return Accelerator(mixed_precision=precision, cpu=several, kwargs_handlers=[unused])
    except ValueError as error:
        raise TrainError(
            str(error),
            expected="`no`, `bf16` or `fp16`, and the same for all trainings of one process",
            where="precision",
            remedy="choose one of them, or train in a process of its own",
        ) from error


def _check_launch() -> None:
    """TrainError where `accelerate launch --cpu` was asked for several processes: it starts one, without a word."""
    asked = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true") and "MASTER_PORT" in os.environ
    if asked and not {"WORLD_SIZE", "RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"} & {*os.environ}:
        raise TrainError(
            "one process, where `accelerate launch --cpu` was asked for several (without mpirun it starts one)",
            expected="as many as --num_processes says",
            where="accelerate launch",
            remedy="start the command with torchrun --nproc-per-node N, or with accelerate launch --multi_gpu "
            "--num_processes N, which starts N processes without a GPU, too",
        )


def _collate(model: Model, examples: LazyExamples, chosen: list[EncodedDocument]) -> Batch:
    """A batch, whose images are read now; what cannot be is noted."""
    batch = model.featurizer.collate(chosen)
    examples.note(chosen)
    return batch


class Run:
    """Model, optimiser, schedule and batches of one run, prepared for the machine."""

    def __init__(
        self, model: Model, accelerator: Accelerator, recipe: Recipe, examples: LazyExamples, seed: int
    ) -> None:
        training = recipe.training
        self.accelerator, self.clip, self.progress = accelerator, training.max_grad_norm, checkpoint.TrainingProgress()
        processes = accelerator.num_processes
        if training.batch_size < processes:
            raise TrainError(
                f"a batch of {training.batch_size} for {processes} processes, which share it",
                expected="at least one document for each",
                where="training.batch_size",
                remedy="start fewer processes, or raise it (--set training.batch_size=N)",
            )
        self.buckets = Buckets(
            examples.lengths, training.batch_size, seed, process=accelerator.process_index, processes=processes
        )
        self.loader: DataLoader[Any] = DataLoader(  # of this process's share: nothing else is read
            examples,  # type: ignore[arg-type]
            batch_sampler=self.buckets,
            collate_fn=partial(_collate, model, examples),
            generator=torch.Generator().manual_seed(seed),
        )
        self.steps = training.epochs * len(self.buckets)
        optimizer = build_optimizer(model.extractor.named_parameters(), training.param_groups)
        schedule = build_schedule(optimizer, training, self.steps)
        self.model, self.optimizer = accelerator.prepare(model.extractor, optimizer)
        self.schedule = schedule  # stepped once a step, whatever the number of processes
        if processes > 1:
            for align in model.extractor.align:
                align.gather = across_processes
            set_seed((seed + accelerator.process_index) % 2**32)  # dropout of its own in each, with equal weights

    def size(self) -> int:
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def event(self, kind: str, values: dict[str, Any]) -> Event:
        return Event(kind, self.progress.step, self.progress.epoch, self.steps, values)

    def in_any_process(self, value: bool) -> bool:
        """Whether the value is true in this process or another one; all of them have to call this at one step."""
        if self.accelerator.num_processes == 1:
            return value
        count = torch.tensor(int(value), device=self.accelerator.device)
        return bool(self.accelerator.reduce(count, "sum"))

    def epoch(self) -> Iterator[dict[str, Any]]:
        """One optimiser step at a time; yields the losses."""
        self.model.train()
        self.buckets.epoch, self.buckets.skip = self.progress.epoch, self.progress.in_epoch
        started = time.perf_counter()
        for batch in self.loader:
            values = self._step(batch.to(self.accelerator.device))
            self.progress.step += 1
            self.progress.in_epoch += 1
            now = time.perf_counter()
            yield values | {"seconds": now - started}
            started = now

    def _step(self, batch: Batch) -> dict[str, Any]:
        output = self.model(batch)
        shared = SharedBatch(output, self.accelerator.num_processes)
        losses = shared.losses()
        loss = self._finite(losses, output)
        self.accelerator.backward(shared.total())
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip) if self.clip else None
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        values: dict[str, Any] = {"loss": loss, "lr": self.schedule.get_last_lr()[0]}
        values |= {f"loss/{k}": v.item() for k, v in losses.items()} | {
            f"num_pairs/{k}": int(v) for k, v in output.num_pairs.items()
        }
        self._count(output)
        values |= {f"diagnostics/{k}": v.item() for k, v in output.diagnostics.items()}
        return values | ({"norm": float(norm)} if norm is not None else {})

    def _finite(self, losses: dict[str, Tensor], output: Output) -> float:
        """The weighted sum of the losses of a batch, in every process the same."""
        loss = weighted_sum(losses, output.weights)
        if not math.isfinite(loss):
            raise TrainError(
                f"loss {loss} at step {self.progress.step}",
                expected="a finite loss",
                remedy="lower the learning rates, or set training.max_grad_norm=1.0",
                where=", ".join(f"{name} {value.item():.4g}" for name, value in losses.items()),
            )
        return loss

    def _count(self, output: Output) -> None:
        """Add the rows of a step to those of the epoch; an alignment has counted those of all processes itself."""
        counts = {k: v.to(self.accelerator.device) for k, v in output.num_rows.items()}
        if self.accelerator.num_processes > 1:
            own = [k for k in counts if k not in output.num_pairs]
            counts |= {k: self.accelerator.reduce(counts[k], "sum") for k in own}
        rows = self.progress.rows
        for name, number in counts.items():
            rows[name] = rows.get(name, 0) + int(number)
