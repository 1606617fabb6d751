"""The public names of data: `load` a dataset, `read` and `write` files, and the generated corpus `diorama`.

They live in `openmie.datasets`, `openmie.formats`, `openmie.data` and `openmie.diorama`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from openmie.data.corpus import Corpus, Labels, Split
from openmie.datasets import load
from openmie.datasets.registry import DATASETS, Spec

if TYPE_CHECKING:
    from openmie.formats.registry import read, write

__all__ = ["DATASETS", "Corpus", "Labels", "Spec", "Split", "load", "read", "write"]


def __getattr__(name: str) -> Any:
    if name in ("read", "write"):
        return getattr(import_module("openmie.formats.registry"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
