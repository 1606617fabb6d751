"""How much memory of a GPU a fine-tuning takes before the first activation, counted from its parameters.

Trained parameters are float32 (4 bytes), with a gradient (4) and AdamW's two moments (8): 16 bytes each. That is what
DeepSpeed's ZeRO keeps for bf16 training too (master weights and moments in float32; it keeps the gradient in bf16, and
a bf16 copy of the weights). Over N GPUs that share them (FSDP2, as ZeRO-3) it is 16 / N. Arithmetic in bf16 adds
copies of the weights: of all of them where each GPU has the whole model (autocast keeps them for the backward pass),
of two layers, the one that computes and the one that is fetched, where they are shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openmie.errors import TrainError
from openmie.vlm.sft.settings import SFTTraining

STATE = 4 + 4 + 8  # bytes of a trained parameter: weight, gradient, AdamW's moments, all float32
GB = 10**9


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of one GPU, without activations."""

    trained: int  # weights, gradients and moments of what is trained
    frozen: int  # weights of what is not
    copies: int  # bf16 copies of weights that a step computes with

    @property
    def total(self) -> int:
        """All of it."""
        return self.trained + self.frozen + self.copies


def needed(model: Any, training: SFTTraining, shards: int = 1, *, bf16: bool = True) -> Memory:
    """Count a model's memory.

    Args:
        model: with its adapters where there are some; it may be on the meta device.
        training: precision of the weights.
        shards: GPUs that share what is trained; 1: each has the whole model.
        bf16: arithmetic in bf16.

    Returns:
        Bytes of one GPU.
    """
    parameters = list(model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    frozen = sum(p.numel() * p.element_size() for p in parameters if not p.requires_grad)
    copied = 2 * _largest(model) if shards > 1 else trained
    return Memory(trained=-(-trained * STATE // shards), frozen=-(-frozen // shards), copies=2 * copied if bf16 else 0)


def _largest(model: Any) -> int:
    """Parameters of the largest unit that is gathered at once: a layer, or a matrix of embeddings."""
    layers = set(getattr(model, "_no_split_modules", None) or ())
    units = [m for m in model.modules() if type(m).__name__ in layers]
    sizes = [sum(p.numel() for p in m.parameters()) for m in units]
    for name in ("get_input_embeddings", "get_output_embeddings"):
        made = getattr(model, name, lambda: None)()
        sizes += [sum(p.numel() for p in made.parameters())] if made is not None else []
    return max(sizes, default=0)


def check(model: Any, training: SFTTraining, shards: int = 1, room: int | None = None) -> None:
    """Refuse a training that cannot fit before it begins.

    Args:
        model: with its adapters where there are some.
        training: its precision.
        shards: GPUs that share what is trained.
        room: bytes of the smallest GPU; None: of this process's GPU, and no check where there is none.

    Raises:
        TrainError: more is needed than there is.
    """
    import torch

    if room is None:
        if not torch.cuda.is_available():
            return
        room = torch.cuda.mem_get_info()[1]
    memory = needed(model, training, shards, bf16=training.precision != "no")
    if memory.total > room:
        parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
        raise TrainError(
            f"{memory.total / GB:.0f} GB a GPU, before activations, to train {parameters / 1e9:.2f} billion parameters "
            f"on {shards} GPU{'s' * (shards > 1)}",
            expected=f"at most {room / GB:.0f} GB, which the GPU has",
            where="openmie.vlm.sft.finetune",
            remedy="share them over more GPUs (torchrun --nproc-per-node 4 -m openmie train pfa ...), or train "
            "adapters (--option lora=16)",
        )
