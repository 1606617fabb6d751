"""How a vision-language model is fine-tuned: the numbers, and which parameters learn at which rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openmie.errors import TrainError

LINEAR = (
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
    "out_proj",
    "w1",
    "w2",
    "w3",
)  # the last four are LFM2's
PARTS = ("language", "vision", "merger")


@dataclass(frozen=True, kw_only=True)
class Lora:
    """W + (alpha / rank) B A in place of training W (Hu et al., 2022)."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: tuple[str, ...] = LINEAR  # modules of the language model, by the end of their names


@dataclass(frozen=True, kw_only=True)
class SFTTraining:
    """How a vision-language model is fine-tuned."""

    epochs: int = 3
    batch: int = 4  # of one device
    accumulate: int = 1  # batches a step
    lr: float = 1e-5  # of the language model, and of adapters
    vision_lr: float = 2e-6
    merger_lr: float = 2e-6
    schedule: str = "cosine"  # linear, cosine or constant; after the warm-up
    warmup: float = 0.03  # share of the steps
    decay: float = 0.1  # of weights; never of biases and norms
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0  # of the gradient's norm
    lora: Lora | None = None  # adapters on the language model; None: all parameters
    checkpointing: bool = False  # less memory, about a third more time
    precision: str = "auto"  # bf16, no, or auto: bf16 where the GPU has it
    every: int = 0  # steps between two looks at dev; 0: an epoch
    dev_batch: int = 16
    keep: str = "best"  # which weights: best (lowest dev loss) or last
    weights: str = "float32"  # what the parameters are kept in; adapters need no more than bfloat16 under them

    def __post_init__(self) -> None:
        for name, fine in (
            ("epochs", self.epochs >= 1),
            ("batch", self.batch >= 1),
            ("accumulate", self.accumulate >= 1),
            ("schedule", self.schedule in ("linear", "cosine", "constant")),
            ("warmup", 0 <= self.warmup < 1),
            ("precision", self.precision in ("auto", "bf16", "no")),
            ("every", self.every >= 0),
            ("keep", self.keep in ("best", "last")),
            ("weights", self.weights in ("float32", "bfloat16")),
            ("dev_batch", self.dev_batch >= 1),
            *((n, getattr(self, n) >= 0) for n in ("lr", "vision_lr", "merger_lr", "decay", "clip")),
        ):
            if not fine:
                raise TrainError(
                    f"{name}={getattr(self, name)!r}",
                    where=f"SFTTraining.{name}",
                    expected="numbers of at least 0, a warm-up below 1, and a known name",
                    remedy="see the comments of SFTTraining",
                )


def part_of(name: str) -> str:
    """`language`, `vision` or `merger`: whose rate a parameter of this name learns at.

    The merger is asked for first: Qwen's stands inside its vision tower.
    """
    pieces = set(name.split("."))
    if pieces & {"merger", "deepstack_merger_list", "multi_modal_projector", "connector", "mm_projector"}:
        return "merger"
    return "vision" if pieces & {"visual", "vision_tower", "vision_model", "vision_encoder"} else "language"


def parameter_groups(model: Any, training: SFTTraining) -> list[dict[str, Any]]:
    """Groups of an optimiser: three parts, each with and without decay; every trained parameter in just one."""
    rates = dict(zip(PARTS, (training.lr, training.vision_lr, training.merger_lr)))
    bare = _undecayed(model)
    found: dict[tuple[str, bool], list[Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found.setdefault((part_of(name), name not in bare), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rates[part],
            "weight_decay": training.decay if decays else 0.0,
            "name": f"{part}{'' if decays else ', no decay'}",
        }
        for (part, decays), parameters in sorted(found.items())
    ]


def _undecayed(model: Any) -> set[str]:
    """Names of biases and of all parameters of norms."""
    norms = {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if "norm" in type(module).__name__.lower()
        for name, _ in module.named_parameters(recurse=False)
    }
    return norms | {name for name, _ in model.named_parameters() if name.endswith("bias")}
