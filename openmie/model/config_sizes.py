"""Whether the sizes in a model's configuration fit the file of its weights, before anything of these sizes is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openmie.errors import ModelError

# of the configurations of transformers, and of the encoders that are built in
WIDTHS = ("hidden_size", "embedding_size", "d_model", "dim", "width")
SIZES = (
    *("vocab_size", "num_hidden_layers", "intermediate_size", "type_vocab_size", "ffn_dim", "d_ff", "num_layers"),
    *("layers", "hidden", "heads"),
)


def check_sizes(config: Mapping[str, Any], weights: Path) -> None:
    """Every matrix is in the file, and a number takes a byte at least.

    Args:
        config: of an encoder, as JSON data.
        weights: the safetensors file.

    Raises:
        ModelError: the configuration needs more numbers than the file has bytes: made, they could fill the memory.
        OSError: no such file.
    """
    most = weights.stat().st_size
    width = max((n for key in WIDTHS if (n := _number(config.get(key)))), default=1)
    largest = max((n for key in SIZES if (n := _number(config.get(key)))), default=1)
    if width * largest > most or max(map(_number, config.values()), default=0) > 2**40:
        raise ModelError(
            f"sizes of {str(width)[:20]} times {str(largest)[:20]} for {most:,} bytes of weights",
            expected="the configuration that the weights were saved with",
            where=str(weights.parent),
            remedy="the folder is damaged; copy or train it anew",
        )


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
