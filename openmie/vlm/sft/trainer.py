"""TRL's trainer as `openmie.vlm.sft.finetune` drives it: parts with their own rates, and our checkpoints.

All that changes it goes through its public methods and a callback; the one exception is named where it stands. Several
GPUs that train all parameters keep a part of weights, gradients and optimiser each (FSDP2, by Accelerate), so that a
model fits that one GPU cannot hold; adapters are small, and every process has the whole model.
"""

from __future__ import annotations

import os
from collections.abc import Sequence, Sized
from pathlib import Path
from typing import Any, cast

import torch

from openmie.data import replace_file as writing
from openmie.errors import TrainError
from openmie.vlm.sft import checkpoint
from openmie.vlm.sft.example import SFTExample
from openmie.vlm.sft.rows import as_dataset
from openmie.vlm.sft.settings import SFTTraining, parameter_groups

try:
    import trl
    from transformers import TrainerCallback
except ImportError as missing:  # of the extra `vlm`
    raise TrainError(
        f"no package {missing.name}",
        expected="TRL, PEFT and datasets",
        where="openmie.vlm.sft.finetune",
        remedy="pip install 'openmie[vlm]'",
    ) from None


class Trainer(trl.SFTTrainer):
    """Adds to TRL's: `watch`, `mark` (of settings and data), rates by part, and checkpoints (`sft.checkpoint`).

    Where `watch` answers True at the end of a step, the training ends there, once it is saved (`_StopWhenAsked`).
    """

    watch: Any = staticmethod(lambda kind, values: None)
    mark: str = ""
    training: SFTTraining

    @classmethod
    def of(
        cls,
        model: Any,
        processor: Any,
        lessons: tuple[Sequence[SFTExample], Sequence[SFTExample]],
        folder: Path,
        training: SFTTraining,
        seed: int,
    ) -> Trainer:
        """The trainer of one run; `lessons` are those of train and of dev. Errors: DeepSpeed, or sharded adapters."""
        train, dev = (as_dataset(part, processor) if part else None for part in lessons)
        made = cls(
            model=model,
            args=arguments(training, seed, folder, dev is not None),
            train_dataset=train,
            eval_dataset=dev,
            processing_class=processor,
        )
        made.training = training
        made.model_accepts_loss_kwargs = (
            True  # TRL's loss does, for any model: the mean over the tokens of all processes
        )
        if made.is_deepspeed_enabled or (made.is_fsdp_enabled and training.lora):
            raise TrainError(
                "DeepSpeed" if made.is_deepspeed_enabled else "adapters under FSDP",
                expected="FSDP2 for all parameters, whole models for adapters: both are set without being asked for",
                where="openmie.vlm.sft.finetune",
                remedy="start the command with torchrun --nproc-per-node N, without a configuration of Accelerate",
            )
        return made

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with the rates of `parameter_groups`."""
        if self.optimizer is None:
            groups = parameter_groups(model or self.model, self.training)
            self.optimizer = torch.optim.AdamW(groups, betas=self.training.betas, fused=True)
        return self.optimizer

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """TRL's mean negative log-likelihood of the answers' tokens; of a sharded model through its own last layer.

        TRL (1.16) gathers that layer's weights by `full_tensor()`, whose backward keeps each process's own gradient for
        its shard, instead of the mean over processes: two of them learnt another last layer than one.
        """
        if not checkpoint.is_sharded(model):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:]
        outputs = model(**{k: v for k, v in inputs.items() if k != "labels"}, use_cache=False)
        held = labels != -100
        total = torch.nn.functional.cross_entropy(outputs.logits[:, :-1][held].float(), labels[held], reduction="sum")
        if num_items_in_batch is None:
            loss = total / held.sum().clamp(min=1)
        else:  # of all processes, and FSDP takes the mean of their gradients
            loss = total * self.accelerator.num_processes / num_items_in_batch
        return (loss, outputs) if return_outputs else loss

    def planned(self) -> int:
        """Steps of the whole run."""
        a_step = self.args.per_device_train_batch_size * self.args.world_size * self.training.accumulate
        return -(-len(cast(Sized, self.train_dataset)) // a_step) * self.training.epochs

    def curve(self) -> list[dict[str, float]]:
        """Step, epoch and loss of each look at dev."""
        return [
            {"step": row["step"], "epoch": round(row["epoch"], 3), "loss": row["eval_loss"]}
            for row in self.state.log_history
            if "eval_loss" in row
        ]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep TRL's log, and tell whoever watches."""
        super().log(logs, start_time)
        step = {"step": self.state.global_step, "steps": self.state.max_steps, "epoch": self.state.epoch}
        if "eval_loss" in logs:
            self.watch("dev", {**step, "loss": logs["eval_loss"]})
        elif "loss" in logs:
            self.watch("step", {**step, "loss": float(logs["loss"]), "lr": float(logs.get("learning_rate", 0.0))})

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """`openmie.vlm.sft.finetune` writes the card, once."""

    def bare(self) -> Any:
        """The model without what Accelerate put around it; sharded, where it is."""
        return self.accelerator.unwrap_model(self.model)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write a checkpoint: all but the counters, which the transformers library writes next, and then older go."""
        assert self.optimizer is not None and self.lr_scheduler is not None  # they exist once training has begun
        at = Path(output_dir or str(self.args.output_dir))
        checkpoint.write(at, self.bare(), self.optimizer, self.lr_scheduler, self.args.process_index)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            writing.replace_text(at / checkpoint.WHOLE, self.mark)

    def resume(self, folder: Path | None) -> None:
        """Train, from a checkpoint where there is one; then put the weights of the lowest dev loss back."""
        self.add_callback(_StopWhenAsked(self))
        if folder is not None:
            self.add_callback(_Restore(self, folder))
        self.train(resume_from_checkpoint=str(folder) if folder else None)
        if self.training.keep == "best" and self.state.best_model_checkpoint:
            checkpoint.restore_weights(Path(self.state.best_model_checkpoint), self.bare(), self.args.process_index)

    def in_any_process(self, value: bool) -> bool:
        """Whether it is true in any of the processes, all of which ask at the same time."""
        if self.args.world_size == 1:
            return value
        here = torch.tensor(float(value), device=self.accelerator.device)
        return bool(self.accelerator.reduce(here, "sum").item())

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Nothing: `_Restore` puts all back once the model is sharded; the library's own wants files of its own.

        It is called by `train(resume_from_checkpoint=...)`, which is the only way to have its counters read.
        """


class _StopWhenAsked(TrainerCallback):  # type: ignore[misc]
    """Ends the training in all processes at the end of a step at which a watcher answers True, once it is saved."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.stopping = trainer, False

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Have this step saved; at an epoch's end it is saved with the dev loss that is taken there."""
        asked = self.trainer.in_any_process(self.trainer.watch("step_end", {"step": state.global_step}) is True)
        if asked and state.global_step < state.max_steps:  # the last step ends it by itself
            self.stopping = True
            control.should_save |= args.save_strategy == "steps" or not float(state.epoch).is_integer()

    def on_save(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Before dev is looked at within an epoch, as it would be at the end of one."""
        if self.stopping:
            self.trainer.accelerator.wait_for_everyone()
            self.trainer.watch("interrupted", {"step": state.global_step})
            raise KeyboardInterrupt


class _Restore(TrainerCallback):  # type: ignore[misc]
    """Puts weights, optimiser and schedule back before the first step, and random generators where they were left."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self.trainer, self.folder, self.waiting = trainer, folder, True

    def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """After Accelerate prepared all of them."""
        process = args.process_index
        checkpoint.restore_weights(self.folder, self.trainer.bare(), process)
        checkpoint.restore_optimizer(
            self.folder, self.trainer.bare(), parts["optimizer"], parts["lr_scheduler"], process
        )

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """A checkpoint of an epoch's end was written before the next epoch drew its order."""
        if float(state.epoch or 0.0).is_integer():
            self._generators(args)

    def on_step_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """One within an epoch, after its order was drawn and the batch was read."""
        self._generators(args)

    def _generators(self, args: Any) -> None:
        if self.waiting:
            checkpoint.restore_random(self.folder, args.process_index)
        self.waiting = False


def sharding(training: SFTTraining) -> bool:
    """Whether a process keeps a part of the model: of several that train all parameters, on GPUs or as told."""
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    told = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    return several and training.lora is None and (told or torch.accelerator.is_available())


def arguments(training: SFTTraining, seed: int, folder: Path, dev: bool = True) -> Any:
    """TRL's arguments. Nothing is cut (`max_length`), nothing reported anywhere; `dev`: there are examples of dev."""
    when = "steps" if training.every else "epoch"
    strategy: dict[str, Any] = {"eval_strategy": when if dev else "no", "save_strategy": when}
    if training.every:
        strategy |= {"eval_steps": training.every, "save_steps": training.every}
    if sharding(training):
        strategy |= {"fsdp": True, "fsdp_config": {"version": 2, "reshard_after_forward": True}}
    gpu = torch.accelerator.is_available()
    bf16 = training.precision == "bf16" or (
        training.precision == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    )
    schedule = {"constant": "constant_with_warmup"}.get(training.schedule, training.schedule)
    return trl.SFTConfig(
        output_dir=str(folder),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch,
        per_device_eval_batch_size=training.dev_batch,
        gradient_accumulation_steps=training.accumulate,
        learning_rate=training.lr,
        weight_decay=training.decay,
        lr_scheduler_type=schedule,
        warmup_steps=training.warmup,
        max_grad_norm=training.clip,
        bf16=bf16,
        seed=seed,
        data_seed=seed,
        gradient_checkpointing=training.checkpointing,
        completion_only_loss=True,
        max_length=None,
        pad_to_multiple_of=None,
        remove_unused_columns=False,
        save_only_model=True,  # the rest is written by `Trainer.save_model`
        metric_for_best_model="loss" if training.keep == "best" else None,
        greater_is_better=False,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
        logging_steps=10,
        dataloader_num_workers=0,
        use_cache=False,
        dataloader_pin_memory=gpu,
        use_cpu=not gpu,  # unless told, torchrun without a GPU starts runs that know nothing of each other
        **strategy,
    )
