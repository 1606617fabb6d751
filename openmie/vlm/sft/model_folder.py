"""The folder that a fine-tuning leaves: model and processor as the transformers library loads them, facts, a card."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from openmie.data import replace_file as writing
from openmie.model.tensor_file import make_readable
from openmie.train.card import DIORAMA
from openmie.vlm.backends.model_loading import save_processor
from openmie.vlm.sft.checkpoint import is_sharded
from openmie.vlm.sft.settings import SFTTraining

FACTS, CARD, ADAPTER, CHECKPOINTS = "training.json", "card.md", "adapter", "checkpoints"


def facts_of_training(trainer: Any, training: SFTTraining, seed: int, mark: str) -> dict[str, Any]:
    """What `training.json` says of a run."""
    parameters = list(trainer.model.parameters())
    return {
        "training": asdict(training),
        "seed": seed,
        "fingerprint": mark,
        "curve": trainer.curve(),
        "best": trainer.state.best_metric,
        "best_step": trainer.state.best_global_step,
        "steps": trainer.state.global_step,
        "parameters": sum(p.numel() for p in parameters),
        "trained": sum(p.numel() for p in parameters if p.requires_grad),
        "bf16": bool(trainer.args.bf16),
        "processes": trainer.args.world_size,
        "sharded": is_sharded(trainer.model),
        "device": str(trainer.args.device),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "versions": {p: version(p) for p in ("openmie", "torch", "transformers", "trl", "peft", "accelerate")},
    }


def save(trainer: Any, processor: Any, out: Path, facts: Mapping[str, Any]) -> None:
    """Write the folder, its facts last: they say that it is whole.

    Every process calls it: of a sharded model the parts are gathered (by Accelerate), and process 0 writes. Weights
    that were trained in bf16 arithmetic are written in bfloat16, as the Qwen fine-tuning scripts write them.

    Args:
        trainer: after training.
        processor: of its model.
        out: the folder.
        facts: of `facts_of_training`, and more.
    """
    model = trainer.bare()
    if trainer.args.bf16:
        model = model.to(torch.bfloat16)
    gathered = trainer.accelerator.get_state_dict(trainer.model) if is_sharded(model) else None
    if trainer.is_world_process_zero():
        _write(model, gathered, processor, out, facts)
    trainer.accelerator.wait_for_everyone()


def _write(model: Any, gathered: Any, processor: Any, out: Path, facts: Mapping[str, Any]) -> None:
    from openmie.train.evaluate import write_record

    if hasattr(model, "merge_and_unload"):
        model.save_pretrained(out / ADAPTER)
        model = model.merge_and_unload()
    model.save_pretrained(out, **({} if gathered is None else {"state_dict": gathered}))
    make_readable(out)
    save_processor(processor, out)
    writing.replace_text(out / CARD, card(model, facts))
    write_record(out / FACTS, dict(facts))
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)


def card(model: Any, facts: Mapping[str, Any]) -> str:
    """Markdown: what it was made from, on how much, and what chose it. No test score."""
    kind = type(model).__name__.removeprefix("FSDP")  # which sharding puts before it
    came, training = getattr(model.config, "_name_or_path", "") or "random weights", facts["training"]
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            "pipeline_tag: image-text-to-text",
            "tags: [multimodal-information-extraction, openmie]",
            "---",
            f"# {facts.get('name') or 'A vision-language model'}: {kind}, fine-tuned",
            "",
            f"* from {came}; {facts['parameters']:,} parameters, {facts['trained']:,} of them trained"
            + (f" (LoRA of rank {training['lora']['rank']}, merged)" if training["lora"] else ""),
            f"* corpus: {facts.get('corpora') or 'not named'}",
            f"* {facts['lessons']['train']} lessons, {facts['steps']} steps, seed {facts['seed']}, {facts['date']}",
            f"* {_chosen(facts)}",
            f"* sha256 of settings, seed and lessons: `{facts['fingerprint']}`",
            *([DIORAMA] if str(facts.get("corpora", "")).startswith("diorama") else []),
            "",
            "```json",
            json.dumps(training, indent=1),
            "```",
            "",
        ]
    )


def _chosen(facts: Mapping[str, Any]) -> str:
    if facts["best"] is None:
        return "the weights of the last step; no dev examples chose them"
    return f"chosen by the loss on {facts['lessons']['dev']} dev lessons: {facts['best']:.4f} at {facts['best_step']}"
