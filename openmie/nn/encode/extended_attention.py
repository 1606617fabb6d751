"""Attention whose keys and values are extended from outside: how a backbone reads what is not its own input.

The transformers library looks its attention function up by name, and its layers pass unknown keyword arguments on to
it. So a backbone is coupled, without a fork, by registering `attention` as `NAME` (`model.backbones.register`; this
package knows tensors only), choosing it with `set_attn_implementation(NAME)`, and calling the library's own layers with
`prefix_kv=` and `kv_out=`. A mask function has to be registered under the same name, or the library loses padding
silently.
"""

from __future__ import annotations

from typing import Any

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
    prefix_kv: Pair | None = None,
    kv_out: list[Pair] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention over the keys [prefix_kv; own], as the transformers library calls it.

    Args:
        module: The library's attention layer; not used.
        query: (B, h, N, d).
        key: (B, h, M, d).
        value: (B, h, M, d).
        attention_mask: (B, 1, 1 or N, E + M) over all keys, True or 0 where a key is read.
        prefix_kv: Keys and values (B, h, E, d) of another backbone, or of a prefix, which stand first.
        kv_out: A list to which this layer's own keys and values are appended, for another backbone to read.
        options: Of these `dropout` and `scaling` are used.

    Returns:
        (B, N, h, d), and None in the place of the weights. Without `prefix_kv` the result is the library's own.
    """
    if kv_out is not None:
        kv_out.append((key, value))
    if prefix_kv is not None:
        key, value = torch.cat([prefix_kv[0], key], 2), torch.cat([prefix_kv[1], value], 2)
    dropout, scale = options.get("dropout", 0.0), options.get("scaling")
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scale)
    return out.transpose(1, 2), None


def check_text(name: str, kind: str) -> None:
    """RecipeError unless a text encoder's model type is one whose layers can be coupled."""
    if kind not in BERTS:
        raise RecipeError(
            f"text encoder {name!r}, a {kind}",
            expected="one with BERT's layers: " + ", ".join(BERTS),
            where="encode.text.name",
            remedy="choose such an encoder, or encode with Dual",
        )
