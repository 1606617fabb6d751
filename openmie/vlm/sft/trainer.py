"""TRL's trainer as `openmie.vlm.sft.finetune` drives it: groups with their own rates, and checkpoints without pickle.

Transformers writes optimiser, schedule and random states with `torch.save`; here they are safetensors and JSON, as in
`openmie.train.checkpoint`, so that going on from a folder that somebody else wrote runs none of its code. A checkpoint
counts only when the file `whole` stands in it, which is written last.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence, Sized
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file

from openmie.data import replace_file as writing
from openmie.errors import TrainError
from openmie.train import checkpoint as states
from openmie.vlm.backends.chat_template import break_special_tokens, render_prompt
from openmie.vlm.sft.example import SFTExample
from openmie.vlm.sft.settings import SFTTraining, parameter_groups

try:
    import trl
    from datasets import Dataset
except ImportError as missing:  # of the extra `lvlm`
    raise TrainError(
        f"no package {missing.name}",
        expected="TRL, PEFT and datasets",
        where="openmie.vlm.sft.finetune",
        remedy="pip install 'openmie[vlm]'",
    ) from None

LEARNT = "learnt.safetensors"
WHOLE, STATE, SCALARS = "whole", "trainer-{}.safetensors", "trainer-{}.json"


class Trainer(trl.SFTTrainer):
    """Adds to TRL's: `watch`, `mark` (of settings and data) and the changed saving."""

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
        """The trainer of one run; `lessons` are those of train and of dev."""
        train, dev = (as_dataset(part, processor) for part in lessons)
        made = cls(
            model=model,
            args=arguments(training, seed, folder),
            train_dataset=train,
            eval_dataset=dev,
            processing_class=processor,
        )
        made.training = training
        return made

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with the rates of `parameter_groups`."""
        if self.optimizer is None:
            groups = parameter_groups(model or self.model, self.training)
            self.optimizer = torch.optim.AdamW(groups, betas=self.training.betas, fused=True)
        return self.optimizer

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

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """What is trained, by the names that it has here; not the arguments, which would be pickled.

        `save_pretrained` writes old names for some families, LLaVA among them, which Transformers' trainer then looks
        for in vain, and goes on with whatever weights there are (5.23: it warns of missing keys).
        """
        if self.args.should_save:
            at = Path(output_dir or str(self.args.output_dir))
            at.mkdir(parents=True, exist_ok=True)
            kept = {n: p.detach().cpu().contiguous() for n, p in self._learnt().items()}
            save_file(kept, at / LEARNT)

    def _learnt(self) -> dict[str, torch.Tensor]:
        """Trained parameters, each once, and what a forward in training writes down."""
        model = self.accelerator.unwrap_model(self.model)
        held = set(model.state_dict())
        found = {n: p for n, p in model.named_parameters() if p.requires_grad}
        return found | {n: b for n, b in model.named_buffers() if n in held}

    def _put_back(self, checkpoint: str) -> None:
        kept, own = load_file(Path(checkpoint) / LEARNT), self._learnt()
        if kept.keys() != own.keys():
            raise TrainError(
                f"{len(kept.keys() ^ own.keys())} weights too many or too few",
                where=str(checkpoint),
                expected="those of this model",
                remedy="remove the checkpoints and start again",
            )
        with torch.no_grad():
            for name, value in kept.items():
                own[name].copy_(value)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            self._put_back(resume_from_checkpoint)

    def _load_best_model(self) -> None:
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            super()._load_best_model()
        else:
            self._put_back(str(self.state.best_model_checkpoint))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            at = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
            writing.replace_text(at / WHOLE, self.mark)

    def _running(self) -> tuple[torch.optim.Optimizer, Any]:
        """Optimizer and scheduler, which exist once training has begun."""
        assert self.optimizer is not None and self.lr_scheduler is not None
        return self.optimizer, self.lr_scheduler

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:  # sharded: theirs, in their own formats
            super()._save_optimizer_and_scheduler(output_dir)
        elif self.args.should_save:
            optimizer, scheduler = self._running()
            tensors, scalars = states._optimizer_state(optimizer)
            save_file(tensors, Path(output_dir) / STATE.format("optimizer"))
            schedule = {k: v for k, v in scheduler.state_dict().items() if k != "lr_lambdas"}
            told = {"scalars": scalars, "groups": optimizer.state_dict()["param_groups"], "schedule": schedule}
            _write(Path(output_dir) / SCALARS.format("optimizer"), told)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or self.is_deepspeed_enabled or self.is_fsdp_enabled:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        told = json.loads((Path(checkpoint) / SCALARS.format("optimizer")).read_text(encoding="utf8"))
        kept: dict[int, dict[str, Any]] = {}
        values = {**load_file(Path(checkpoint) / STATE.format("optimizer")), **told["scalars"]}
        for key, value in values.items():
            index, _, field = key.partition(".")
            kept.setdefault(int(index), {})[field] = value
        groups = [{**g, "betas": tuple(g["betas"])} for g in told["groups"]]
        optimizer, scheduler = self._running()
        optimizer.load_state_dict({"state": kept, "param_groups": groups})
        lambdas = [None] * len(getattr(scheduler, "lr_lambdas", ()))
        scheduler.load_state_dict({**told["schedule"], **({"lr_lambdas": lambdas} if lambdas else {})})

    def _save_rng_state(self, output_dir: str) -> None:
        os.makedirs(output_dir, exist_ok=True)
        tensors, scalars = states._rng_state()
        name = f"random-{self.args.process_index}"
        save_file(tensors, Path(output_dir) / STATE.format(name))
        _write(Path(output_dir) / SCALARS.format(name), scalars)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        name = f"random-{self.args.process_index}"
        if checkpoint is not None and (path := Path(checkpoint) / SCALARS.format(name)).exists():
            tensors = load_file(Path(checkpoint) / STATE.format(name))
            states._set_rng_state(tensors, json.loads(path.read_text(encoding="utf8")))


def arguments(training: SFTTraining, seed: int, folder: Path) -> Any:
    """TRL's arguments. Nothing is cut (`max_length`), nothing reported anywhere."""
    strategy: dict[str, Any] = {"eval_strategy": "epoch", "save_strategy": "epoch"}
    if training.every:
        strategy = {
            "eval_strategy": "steps",
            "save_strategy": "steps",
            "eval_steps": training.every,
            "save_steps": training.every,
        }
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
        load_best_model_at_end=True,
        metric_for_best_model="loss",
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


def as_dataset(lessons: Sequence[SFTExample], processor: Any) -> Dataset:
    """Rows that are made when they are asked for: pictures of a whole corpus do not lie in memory.

    The prompt is the text that `openmie.vlm.backends.local` gives to the model, to the letter; the answer follows with
    what the chat template puts behind it.
    """
    return Dataset.from_dict({"index": list(range(len(lessons)))}).with_transform(_Rows(lessons, processor))


class _Rows:
    """Indices -> rows. Known to `datasets` by its number alone, which would else pickle all documents for a hash."""

    def __init__(self, lessons: Sequence[SFTExample], processor: Any) -> None:
        self.lessons, self.processor, self.ending = lessons, processor, end_of_turn(processor)

    def __reduce__(self) -> tuple[Any, ...]:
        return id, (id(self),)

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {"prompt": [], "completion": [], "images": []}
        for request, answer in ((self.lessons[i].request(), self.lessons[i].answer) for i in batch["index"]):
            found["prompt"].append(render_prompt(self.processor, request))
            found["completion"].append(break_special_tokens(self.processor, answer) + self.ending)
            found["images"].append(list(request.images))
        return found


def end_of_turn(processor: Any) -> str:
    """What a chat template writes behind an answer; the end token where it writes nothing that ends one."""
    filler = processor if getattr(processor, "chat_template", None) else processor.tokenizer
    mark, end = "the answer", str(processor.tokenizer.eos_token or "")
    if not getattr(filler, "chat_template", None):
        return end
    for said in ([{"type": "text", "text": "?"}], "?"):  # templates of language models read a string
        told: Any = [{"type": "text", "text": mark}] if isinstance(said, list) else mark
        messages = [{"role": "user", "content": said}, {"role": "assistant", "content": told}]
        try:
            text = str(filler.apply_chat_template(messages, tokenize=False))
        except Exception:  # a template raises what it likes
            continue
        if mark in text and (told == mark or str(told) not in text):  # a list that was written out is none of its turns
            behind = text.rpartition(mark)[2]
            return behind if behind.strip() else end + behind
    return end


def latest(folder: Path, mark: str) -> Path | None:
    """The whole checkpoint to go on from; half-written ones are removed. Errors: it is of another run."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))
    for path in [p for p in found if not (p / WHOLE).exists()]:
        shutil.rmtree(path)
    whole = [p for p in found if (p / WHOLE).exists()]
    if whole and any((p / WHOLE).read_text(encoding="utf8") != mark for p in whole):
        raise TrainError(
            "checkpoints of a run with other settings or data",
            expected="the run that wrote them",
            where=str(folder),
            remedy="name another folder, or remove this one",
        )
    return whole[-1] if whole else None


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data), encoding="utf8")
