"""Attention whose keys and values are extended from outside: how a tower reads what is not its own input.

The transformers library looks its attention function up by name, and its layers pass unknown keyword arguments on to
it. So a backbone is coupled, without a fork, by registering `attention` as `NAME` (`model.backbones.register`; this
floor knows tensors only), choosing it with `set_attn_implementation(NAME)`, and calling the library's own layers with
`extra=` and `sink=`. A mask function has to be registered under the same name, or the library loses padding silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.errors import RecipeError

NAME = "openmie_coupled"
BERTS = ("bert", "roberta", "xlm-roberta", "camembert")  # model types whose layers are BERT's
Pair = tuple[Tensor, Tensor]  # keys and values, (B, h, N, d) each


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    extra: Pair | None = None,
    sink: list[Pair] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention over [extra; own]: query (B, h, N, d), key and value (B, h, M, d) -> (B, N, h, d).

    extra: keys and values (B, h, E, d) of another tower, or of a prefix, which stand first. The mask covers all keys,
    (B, 1, 1 or N, E + M), True or 0 where a key is read; without `extra`, it and the result are the library's own.
    sink: a list that takes this layer's own keys and values, for another tower to read.
    """
    if sink is not None:
        sink.append((key, value))
    if extra is not None:
        key, value = torch.cat([extra[0], key], 2), torch.cat([extra[1], value], 2)
    dropout, scale = options.get("dropout", 0.0), options.get("scaling")
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scale)
    return out.transpose(1, 2), None


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, D) -> (B, h, N, D / h)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def check_text(name: str, kind: str) -> None:
    """RecipeError unless a text encoder's model type is one whose layers can be coupled."""
    if kind not in BERTS:
        raise RecipeError(
            f"text encoder {name!r}, a {kind}",
            expected="one with BERT's layers: " + ", ".join(BERTS),
            where="encode.text.name",
            remedy="choose such an encoder, or encode with Dual",
        )


class FrozenBackboneMixin(nn.Module):
    """An encoder whose frozen towers, `still`, are not trained and stay in evaluation mode."""

    still: Sequence[nn.Module] = ()
    cacheable: tuple[str, ...] = ()  # "text", "vision": backbones whose states can be computed once and cached
    states_key: str = ""  # identifies which of its states `vision_states` returns, within the cache of one backbone

    def freeze(self, *towers: tuple[nn.Module | None, bool]) -> None:
        """(tower, whether it is frozen)."""
        self.still = [tower for tower, frozen in towers if frozen and tower is not None]
        for tower in self.still:
            tower.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for tower in self.still:
            tower.eval()
        return self
