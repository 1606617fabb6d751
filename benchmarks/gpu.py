"""A training step of the five papers at their printed sizes, on a GPU in bf16: speed, memory, ratio to the backbones.

    python benchmarks/gpu.py [--size small] [--device cpu] [--repeat 10] [--warm 2] [NAME ...]

Each system is its own recipe (flavour `paper`) at the batch that it prints, on backbones of the printed shapes with
random weights (`benchmarks/paper_sizes.py`): nothing is downloaded. Posts are made up: 32 words, a caption of 20, an
image, three objects, and where they are read a generated image with three; M3D reads a document of Diorama with chains
and frames; Qwen2.5-VL a prompt of 400 tokens with 144 more of an image and an answer of 100.

Printed for each: batch, steps a second (forward, backward, clipping and AdamW; the batch is already on the device),
the peak of the GPU's memory, and the ratio of a step to its backbones, both forward and backward alone, medians of
steps that alternate. AdamW of Qwen2.5-VL is left out, since 8.29 billion parameters with their moments do not fit one
GPU: what a run needs is printed as `openmie.vlm.sft.memory` counts it, alone and shared by four.
On CUDA: bf16 by autocast, Qwen's weights in bf16. `--size small` has the same families in few layers, for a CPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from paper_sizes import MARKS, SIZES, backbones, qwen
from torch import Tensor, nn
from train_step import backbones_alone, documents

from openmie import diorama
from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document, Phrase
from openmie.model.pretrained import Model
from openmie.papers import camim, m3d, mgips_cl, pfa, shap_ca
from openmie.recipe import set_field
from openmie.text import pos
from openmie.train.optimizer import build_optimizer
from openmie.vlm.sft import memory

KINDS = Labels(mentions=("LOC", "MISC", "ORG", "PER"), relations=("None", *(f"relation {i}" for i in range(22))))
LABELS = Corpus("bench", {}, declared=KINDS)
BIOGRAPHIES = diorama.Config(documents=True, seed=1)
GB = 1e9


class Work(NamedTuple):
    """What is measured of a system."""

    batch: int
    module: nn.Module
    step: Callable[[], Tensor]  # its loss
    alone: Callable[[], Tensor]  # a scalar of its backbones
    optimizer: torch.optim.Optimizer | None = None
    clip: float = 0.0
    note: str = ""


def recipes() -> dict[str, Any]:
    """The printed system of each paper that has encoders, by name."""
    biographies = diorama.corpus(BIOGRAPHIES, 4, 2, 2)
    tmr = camim.recipe(LABELS, flavour="paper")
    # its parts of speech by the tagger that is installed: they are found before the batch is made
    shapley = shap_ca.recipe(LABELS, task="ner", flavour="paper")
    return {
        "Shap-CA": set_field(shapley, "heads.0.channels.tagger", pos.resolve("en")),
        "MGIPS-CL": mgips_cl.recipe(LABELS, flavour="paper"),
        "CAMIM TMR": tmr,
        "CAMIM HVPNeT": camim.hvpnet(tmr),
        "M3D": m3d.recipe(biographies, flavour="paper", language="en"),
    }


def posts(name: str, n: int) -> list[Document]:
    """What a system's batch is made of."""
    if name == "M3D":
        return list(diorama.generate(BIOGRAPHIES, "train", n))
    return [d.replace(phrases=(Phrase(text="a city", image="object0"),)) for d in documents(n, 32)]


def prepare(name: str, size: str, device: torch.device) -> Work:
    """A system with encoders, and its batch on the device."""
    torch.manual_seed(0)
    recipe = recipes()[name]
    model = Model(recipe, *backbones(recipe, size))
    model.extractor.to(device).train()
    n = recipe.training.batch_size
    examples = model.featurizer.featurize(posts(name, n), gold=True)[:n]
    batch = model.featurizer.collate(examples).to(device)
    optimizer = build_optimizer(model.extractor.named_parameters(), recipe.training.param_groups)
    size_of = f"{sum(p.numel() for p in model.extractor.parameters()) / 1e6:.0f} M parameters"
    return Work(
        n,
        model.extractor,
        lambda: model.extractor(batch).total,
        lambda: backbones_alone(model, batch),
        optimizer,
        recipe.training.max_grad_norm,
        f"{size_of}, {tuple(batch.inputs['input_ids'].shape)} tokens, {len(batch.inputs['pixels'])} images",
    )


def prepare_qwen(size: str, device: torch.device) -> Work:
    """PFA's model, a batch of prompts with an image each, and the loss of their answers."""
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(0)
    training, config = pfa.recipe(LABELS, flavour="paper").training, qwen(size)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(config, dtype=dtype, trust_remote_code=False)
    if training.checkpointing:
        name = "activation_checkpointing_enable"  # as it is called from transformers 5.2x on
        enable = getattr(model, name, None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    model.train()
    side = 24 if size == "paper" else 4  # patches of 14 pixels, four of them a token
    prompt, answer, seen = (400, 100, side * side // 4) if size == "paper" else (24, 8, side * side // 4)
    ids = torch.randint(1000, 2000, (training.batch, prompt + seen + answer), device=device)
    ids[:, 8], ids[:, 9 : 9 + seen] = MARKS["vision_start_token_id"], MARKS["image_token_id"]
    labels = ids.clone()
    labels[:, : prompt + seen] = -100
    patch: Any = config.vision_config  # type: ignore[attr-defined]
    width = 3 * patch.temporal_patch_size * patch.patch_size**2
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == MARKS["image_token_id"]).int(),
        "pixel_values": torch.randn(training.batch * side * side, width, device=device, dtype=dtype),
        "image_grid_thw": torch.tensor([[1, side, side]] * training.batch, device=device),
    }
    need = [memory.needed(model, training, shards).total / GB for shards in (1, 4)]
    count = sum(p.numel() for p in model.parameters()) / 1e6
    return Work(
        training.batch,
        model,
        lambda: model(**inputs, labels=labels, use_cache=False).loss,
        lambda: model.model(**inputs, use_cache=False).last_hidden_state.float().square().mean(),
        note=f"{count:.0f} M parameters, {tuple(ids.shape)} tokens; a run needs {need[0]:.1f} GB, of each of 4 GPUs "
        f"{need[1]:.1f} GB, before activations",
    )


def seconds(device: torch.device, work: Callable[[], None]) -> float:
    """How long some work takes, its kernels included."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(name: str, size: str, device: torch.device, repeat: int, warm: int = 2) -> str:
    """Build one system, run it, and say what was found."""
    made = prepare_qwen(size, device) if name == "M-MRE/PFA" else prepare(name, size, device)
    cuda = device.type == "cuda"

    def autocast() -> Any:
        return torch.autocast("cuda", torch.bfloat16) if cuda else nullcontext()

    def gradient(loss: Callable[[], Tensor]) -> None:
        made.module.zero_grad(set_to_none=True)
        with autocast():
            value = loss()
        value.backward()

    def step() -> None:
        gradient(made.step)
        if made.optimizer is not None:
            if made.clip:
                nn.utils.clip_grad_norm_(made.module.parameters(), made.clip)
            made.optimizer.step()

    works: dict[str, Callable[[], None]] = {
        "step": step,
        "gradient": lambda: gradient(made.step),
        "alone": lambda: gradient(made.alone),
    }
    times: dict[str, list[float]] = {key: [] for key in works}
    peak = 0.0
    for turn in range(warm + repeat):
        for key, work in works.items():
            if cuda and key == "step":
                torch.cuda.reset_peak_memory_stats()
            took = seconds(device, work)
            if cuda and key == "step":
                peak = max(peak, torch.cuda.max_memory_allocated() / GB)
            if turn >= warm:  # the first ones choose kernels and make the optimiser's moments
                times[key].append(took)
    step_s, gradient_s, alone_s = (statistics.median(times[key]) for key in works)
    held = f"{peak:.1f} GB" if cuda else "memory: on CUDA only"
    return (
        f"{name:13} batch {made.batch:2}: {1 / step_s:.2f} steps a second, {held}, "
        f"ratio to the backbones alone {gradient_s / alone_s:.3f} ({made.note})"
    )


NAMES = ("Shap-CA", "MGIPS-CL", "CAMIM TMR", "CAMIM HVPNeT", "M3D", "M-MRE/PFA")


def lines(arguments: list[str] | None = None) -> Iterator[str]:
    """A line for each system that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all where none is given")
    parser.add_argument("--size", choices=SIZES, default="paper")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeat", type=int, default=10, help="steps that are measured")
    parser.add_argument("--warm", type=int, default=2, help="steps before them")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.names if name not in NAMES]:
        parser.error(f"no system {unknown[0]!r}: choose of {', '.join(NAMES)}")
    device = torch.device(asked.device)
    where = torch.cuda.get_device_name(device) + ", bf16" if device.type == "cuda" else "CPU, float32"
    yield f"{where}, size {asked.size}, torch {torch.__version__}"
    for name in asked.names or NAMES:
        try:
            yield measure(name, asked.size, device, asked.repeat, asked.warm)
        except RuntimeError as error:  # such as no memory left: the others are still measured
            yield f"{name:13} failed: {str(error).splitlines()[0]}"
        if device.type == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)
