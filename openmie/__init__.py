"""openmie: an open toolkit for multimodal information extraction.

Public names are loaded when first used; importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from openmie.base.extract import extract, predict_entities
    from openmie.base.loading import load
    from openmie.data.document import Chain, Document, Image, Mention, Region, Relation, Word
    from openmie.errors import OpenMIEError
    from openmie.formats.registry import read, write
    from openmie.model.pretrained import Model

_MODULES = {
    **dict.fromkeys(("Document", "Image", "Mention", "Chain", "Relation", "Region", "Word"), "openmie.data.document"),
    "OpenMIEError": "openmie.errors",
    **dict.fromkeys(("read", "write"), "openmie.formats.registry"),
    "Model": "openmie.model.pretrained",
    **dict.fromkeys(("extract", "predict_entities"), "openmie.base.extract"),
    "load": "openmie.base.loading",
}
__all__ = [
    "Chain",
    "Document",
    "Image",
    "Mention",
    "Model",
    "OpenMIEError",
    "Region",
    "Relation",
    "Word",
    "extract",
    "load",
    "predict_entities",
    "read",
    "write",
]


def __getattr__(name: str) -> Any:
    try:
        if name in _MODULES:
            return getattr(import_module(_MODULES[name]), name)
        if name in ("base", "corpora", "data", "metrics", "papers", "recipe", "train", "nn", "model", "report"):
            return import_module(f"openmie.{name}")
    except ModuleNotFoundError as error:
        from openmie.errors import MissingPackageError

        raise MissingPackageError.of_import(error) or error from None
    raise AttributeError(f"module 'openmie' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
