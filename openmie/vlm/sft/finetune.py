"""Fine-tuning of a vision-language model on prompts with images and their answers, by TRL's trainer.

    facts = finetune(model, processor, train, dev, "runs/qwen", SFTTraining(), seed=1)

The loss is the mean negative log-likelihood of the answers' tokens, its end token among them; prompt, images and
padding count for nothing, and nothing is cut to a length. The defaults are those of M-MRE (Gan et al., 2025, section
4): Qwen's fine-tuning with rates of 1e-5 for the language model and 2e-6 for vision tower and merger, batch 4, three
epochs, all parameters, bf16. What a paper calls merger is LLaVA's projector, Qwen's merger and Idefics3's connector.

After each epoch the loss on dev is taken; the epoch with the lowest is what the folder holds in the end (`keep="last"`:
the last one, and dev may be empty). The folder is what `AutoModelForImageTextToText` and `AutoProcessor`,
`openmie.vlm.Local`, `transformers serve` and vLLM load. Several GPUs: start the command with `torchrun`; the batch is
that of one GPU, and where all parameters are trained each GPU keeps a part of them (`openmie.vlm.sft.memory`).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from openmie.data.folder_lock import hold_folder
from openmie.errors import ModelError, TrainError
from openmie.model import safe_loading
from openmie.model.hub_names import check_model_name
from openmie.train.card import named_corpora
from openmie.vlm.backends.model_loading import load_processor
from openmie.vlm.sft import memory
from openmie.vlm.sft.example import SFTExample
from openmie.vlm.sft.model_folder import CHECKPOINTS, FACTS, facts_of_training, save
from openmie.vlm.sft.settings import SFTTraining, part_of

# Called with `start`, `step`, `dev`, `step_end`, `interrupted` or `done`, and values; True at `step_end` ends it
Watch = Callable[[str, Mapping[str, Any]], bool | None]


def load_model(name: str, training: SFTTraining, revision: str = "") -> tuple[Any, Any]:
    """(model, processor) of a hub id or folder, ready to be trained, from safetensors only.

    `revision`: the commit, branch or tag of a hub id; "" is its main branch, which its owner can change. Errors: no
    such model, weights that are a pickle, code that would have to run.
    """
    from transformers import AutoModelForImageTextToText

    try:
        check_model_name(name, expected="a vision-language model: a hub id, or a folder")
    except ModelError as error:
        raise TrainError.of(error.record) from None
    pinned = {"revision": revision} if revision else {}
    try:
        with safe_loading.loading(name, TrainError):
            model = AutoModelForImageTextToText.from_pretrained(
                name, use_safetensors=True, trust_remote_code=False, dtype=training.weights, **pinned
            )
        return model, load_processor(name, revision)
    except ModelError as error:
        raise TrainError.of(error.record) from None
    except (OSError, ValueError) as error:
        raise TrainError(
            f"{name!r}: {str(error).splitlines()[0][:200]}",
            where="a vision-language model",
            expected="a hub id or a folder with processor and safetensors weights",
            remedy="check the name, or download it first: huggingface-cli download NAME",
        ) from None


def finetune(
    model: Any,
    processor: Any,
    train: Sequence[SFTExample],
    dev: Sequence[SFTExample],
    out: str | Path,
    training: SFTTraining | None = None,
    *,
    seed: int = 0,
    watch: Watch = lambda kind, values: None,
    name: str = "",
) -> dict[str, Any]:
    """Fine-tune a model and keep the weights of the lowest dev loss.

    An interrupted run resumes from its last checkpoint when it is started again with the same settings: that of its
    last dev loss, or of the step at whose end `watch` stopped it. A finished one is not run again. Adapters are merged
    into what is saved, and are also in `out/adapter`.

    Args:
        model: of Transformers, for images and text.
        processor: its processor.
        train: examples to learn from.
        dev: examples whose loss chooses the epoch.
        out: the model folder to write.
        training: rates, epochs and the like; None: the defaults of `SFTTraining`.
        seed: of dropout and of the order.
        watch: called with what happens and its values; True at `step_end` ends the training, saved.
        name: of the recipe, for the card.

    Returns:
        The facts that are written to `out/training.json`.

    Raises:
        TrainError: no examples, a run of other settings or data in `out`, another process that trains into it, TRL or
            PEFT not installed.
        KeyboardInterrupt: `watch` ended it.
    """
    training, out = training or SFTTraining(), Path(out)
    if not train or (training.keep == "best" and not dev):
        raise TrainError(
            f"{len(train)} lessons to train on, {len(dev)} of dev",
            expected="some of each",
            where="finetune",
            remedy="dev chooses the epoch: put lessons aside for it, or keep the last weights (training.keep=last)",
        )
    mark = fingerprint(training, seed, train, dev)
    if (facts := _finished(out, mark)) is not None:
        return facts
    with hold_folder(out) if os.environ.get("RANK", "0") == "0" else nullcontext():
        return _finetuned((model, processor), (train, dev), out, training, seed, watch, name, mark)


def _finetuned(
    initial: tuple[Any, Any],
    examples: tuple[Sequence[SFTExample], Sequence[SFTExample]],
    out: Path,
    training: SFTTraining,
    seed: int,
    watch: Watch,
    name: str,
    mark: str,
) -> dict[str, Any]:
    """`finetune` in a folder that is held."""
    from openmie.vlm.sft.checkpoint import latest
    from openmie.vlm.sft.trainer import Trainer, sharding

    (model, processor), (train, dev) = initial, examples
    started = time.perf_counter()
    model = adapted(model, training, seed)
    memory.check(model, training, int(os.environ.get("WORLD_SIZE", "1")) if sharding(training) else 1)
    trainer = Trainer.of(model, processor, (train, dev), out / CHECKPOINTS, training, seed)
    processes = trainer.args.world_size
    trainer.watch, trainer.mark = watch, mark if processes == 1 else f"{mark}, {processes} processes"
    with trainer.accelerator.main_process_first():
        before = latest(out / CHECKPOINTS, trainer.mark)
    watch("start", {"lessons": len(train), "steps": trainer.planned(), "from": str(before or "")})
    trainer.resume(before)
    facts = facts_of_training(trainer, training, seed, mark) | {
        "lessons": {"train": len(train), "dev": len(dev)},
        "corpora": named_corpora(x.document for x in train),
        "seconds": round(time.perf_counter() - started, 1),
        "name": name,
    }
    save(trainer, processor, out, facts)
    watch("done", {k: facts[k] for k in ("best", "curve", "seconds")})
    return dict(json.loads(json.dumps(facts)))  # as it is read again


def fingerprint(training: SFTTraining, seed: int, train: Sequence[SFTExample], dev: Sequence[SFTExample]) -> str:
    """sha256 of settings, seed, prompts, answers and image names, in order."""
    digest = hashlib.sha256(json.dumps([asdict(training), seed], sort_keys=True).encode())
    for lesson in (*train, None, *dev):
        row = [lesson.id, lesson.system, lesson.prompt, lesson.answer, *(i.id for i in lesson.images)] if lesson else []
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def adapted(model: Any, training: SFTTraining, seed: int = 0) -> Any:
    """The model with adapters on its language model, all else frozen, statistics of batch norms too; or as it is.

    `seed` draws the adapters' first weights, so that a run begins alike whatever was drawn before it.
    """
    if training.lora is None:
        return model
    import torch
    from peft import LoraConfig, get_peft_model

    lora = training.lora
    names = [
        name
        for name, _ in model.named_modules()
        if part_of(name) == "language" and name.rpartition(".")[2] in lora.targets
    ]
    if not names:
        raise TrainError(
            f"no module of the language model is called {', '.join(lora.targets)}",
            where="Lora.targets",
            expected="names of its linear layers",
            remedy="print model to see them",
        )
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=names, task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = get_peft_model(model, config)
    for module in made.modules():
        if "batchnorm" in type(module).__name__.lower():
            module.register_forward_pre_hook(_as_it_is)
    return made


def _as_it_is(norm: Any, _: Any) -> None:
    """A frozen batch norm uses what it has seen before, whatever mode the model is put in."""
    norm.train(False)


def _finished(out: Path, mark: str) -> dict[str, Any] | None:
    if not (out / FACTS).exists():
        return None
    facts = json.loads((out / FACTS).read_text(encoding="utf8"))
    if facts["fingerprint"] != mark:
        raise TrainError(
            "a finished training with other settings or data",
            expected="an empty folder",
            where=str(out),
            remedy="name another folder, or remove this one",
        )
    return facts
