"""Field names of recipes that development versions before openmie 0.1.0 wrote, and what they are called now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED: Mapping[str, Mapping[str, str]] = {
    "Training": {
        "batch": "batch_size",
        "groups": "param_groups",
        "schedule": "lr_schedule",
        "warmup": "warmup_ratio",
        "clip": "max_grad_norm",
        "metric": "selection_metric",
        "share": "train_fraction",
    },
    "Dual": {"context_pieces": "context_tokens", "apart": "separate_context_pass"},
    "Mutual": {
        "context_pieces": "context_tokens",
        "full": "main_image_with_objects",
        "size": "image_size",
        "first": "first_layer_prefix",
    },
    "Prefix": {"context_pieces": "context_tokens", "cells": "grid_size"},
    "Hierarchical": {"frames": "max_frames", "size": "image_size", "chunk": "frames_per_pass", "local": "conv_width"},
    "Adaptive": {"spread": "bridge_pooling", "opening": "gate_bias", "reads": "input_stream"},
    "Regions": {
        "count": "num_slots",
        "empty": "no_object_weight",
        "same": "nms_iou",
        "l1": "l1_weight",
        "giou": "giou_weight",
        "reads": "input_stream",
    },
    "Chains": {"alike": "similarity_init", "reads": "input_stream"},
    "ChainRelations": {"chain": "aggregation", "reads": "input_stream"},
    "Crf": {"per": "loss_per", "reads": "input_stream"},
    "Softmax": {"per": "loss_per", "reads": "input_stream"},
    "WordPairs": {"per": "loss_per", "reads": "input_stream"},
    "TopK": {"positives": "topk_weight", "own": "pair_weight"},
    "Align": {"at": "stage", "learned": "learned_pooling"},
    "PromptConv": {"prompt": "prompt_length", "drop": "modality_dropout", "reconstruct": "reconstruction_weight"},
    "Denoised": {"times": "time_decay", "kl": "kl_weight", "ffn": "ffn_width", "reads": "input_stream"},
    "Interweave": {"lengths": "token_map_lengths", "reads": "input_stream"},
    "Channels": {"tags": "num_tags", "scale": "init_scale"},
    "EntityMarkers": {"reads": "input_stream"},
    "Cross": {"reads": "input_stream"},
    "OneStream": {"reads": "input_stream"},
    "TwoStream": {"reads": "input_stream"},
    "Translate": {"reads": "input_stream"},
}


def new_name(kind: str, name: str) -> str:
    """What a field of a config is called now, or nothing where it was not renamed."""
    return RENAMED.get(kind, {}).get(name, "")


def with_new_names(data: Any) -> Any:
    """Dumped recipes, or parts of them, of an earlier version: the same data under today's field names.

    A field given under both names stays twice, for `load` to refuse.
    """
    if isinstance(data, list | tuple):
        return [with_new_names(x) for x in data]
    if not isinstance(data, Mapping):
        return data
    names = RENAMED.get(kind, {}) if isinstance(kind := data.get("kind"), str) else {}
    return {(names.get(k, k) if names.get(k) not in data else k): with_new_names(v) for k, v in data.items()}
