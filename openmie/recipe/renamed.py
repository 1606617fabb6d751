"""Field names of recipes that development versions before openmie 0.1.0 wrote, and what they are called now."""

from __future__ import annotations

from collections.abc import Mapping

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
    "Mutual": {"context_pieces": "context_tokens", "full": "main_image_with_objects", "size": "image_size"},
    "Prefix": {"context_pieces": "context_tokens"},
    "Hierarchical": {"frames": "max_frames", "size": "image_size"},
}


def new_name(kind: str, name: str) -> str:
    """What a field of a config is called now, or nothing where it was not renamed."""
    return RENAMED.get(kind, {}).get(name, "")
