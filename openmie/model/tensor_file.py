"""Tensors to safetensors files that others may read: the library (0.8) gives them to their owner alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file with the permission bits that the umask leaves.

    Args:
        tensors: of any device and layout.
        path: a new file, or one that is overwritten.
        metadata: of the file's header.
    """
    path.touch()
    mode = path.stat().st_mode & 0o777
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(kept, path, metadata=dict(metadata) if metadata else None)
    os.chmod(path, mode)


def make_readable(folder: Path) -> None:
    """Give the weights below a folder, which another library wrote there, the bits that its other files have."""
    mode = (folder / "config.json").stat().st_mode & 0o777
    for path in folder.rglob("*.safetensors"):
        os.chmod(path, mode)
