"""A trained model: the folder, the network, documents to tensors and back."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openmie.model.pretrained import Model, load

__all__ = ["Model", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("openmie.model.pretrained"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
