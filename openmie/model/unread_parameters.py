"""Parameters of a backbone that nothing here reads: kept and saved as they are, and not trained.

They get no gradient, so that to train them would only count them, hold them in the optimiser's groups and make several
processes wait for them. They stay in the model's file, which loads as before.
"""

from __future__ import annotations

from torch import nn

UNREAD: dict[str, dict[str, str]] = {  # model type -> part of a parameter's name -> why it is never read; "": all types
    "": {
        "pooler.": "the pooled output of the class token: encoders read the states of all tokens",
        "mask_token": "stands for patches that are masked in pretraining",
        "query_global.": "of tokens with global attention: none has it, all of a window attend alike",
        "key_global.": "of tokens with global attention",
        "value_global.": "of tokens with global attention",
    },
    "siglip_vision_model": {"model.head.": "the pooled output", "head.": "the pooled output"},
    "convnext": {"layernorm.": "of the pooled output: encoders read the last feature map, which is before it"},
    "convnextv2": {"layernorm.": "of the pooled output: encoders read the last feature map, which is before it"},
}


def unread(model: nn.Module, model_type: str) -> dict[str, str]:
    """The parameters of a backbone that no encoder reads: name -> why.

    Args:
        model: a backbone of the transformers library.
        model_type: as its configuration names it.
    """
    names = [name for name, _ in model.named_parameters()]
    found: dict[str, str] = {}
    for part, why in UNREAD[""].items():
        found |= {name: why for name in names if name.startswith(part) or f".{part}" in f".{name}"}
    for part, why in UNREAD.get(model_type, {}).items():
        found |= {name: why for name in names if name.startswith(part)}
    return found


def freeze_unread(model: nn.Module, model_type: str) -> None:
    """Take the parameters that no encoder reads out of training."""
    for name in unread(model, model_type):
        model.get_parameter(name).requires_grad_(False)
