"""`openmie.load`: a trained model, or openmie-base, by name, folder or hub id. Nothing heavy is imported before it is
known which of them is meant."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.base.settings import FILE
from openmie.errors import MissingPackageError

if TYPE_CHECKING:
    from openmie.base.predictor import Base
    from openmie.model.pretrained import Model

BASE = "base"


def is_base(name: str | Path) -> bool:
    """Whether a model's name is openmie-base, or a folder that was fine-tuned from it."""
    return name == BASE or (Path(name) / FILE).is_file()


def check_trained_name(name: str) -> None:
    """Check the name of a model before torch is imported, see `openmie.model.hub_names`. Paths are told by `load`."""
    from openmie.model.hub_names import check_model_name

    if not is_base(name) and not Path(name).exists() and name.count("/") < 2 and not name.startswith((".", "/", "~")):
        check_model_name(name, (BASE,), 'a folder that `openmie train` wrote, "base", or a hub id')


def load(folder: str | Path, parts: Iterable[type] = (), **hub: Any) -> Model | Base:
    """A trained model from its folder or hub id, or openmie-base.

    Args:
        folder: a folder that `openmie train` wrote, a hub id, or "base": the model that is installed with openmie. A
            folder of that name is meant by "./base".
        parts: config classes of the user's own that the recipe of a trained model names.
        **hub: options of `huggingface_hub` for a hub id, such as `revision`.

    Returns:
        A `Base` for "base" (loaded once) and for a folder that was fine-tuned from it, else a `Model`.

    Raises:
        ModelError: no such folder or hub id, or a damaged one.
        MissingPackageError: the extra `models` is not installed.
    """
    try:
        if is_base(folder):
            from openmie.base.predictor import Base

            return shipped() if folder == BASE else Base.load(folder)
        check_trained_name(str(folder))
        from openmie.model import pretrained
    except ModuleNotFoundError as error:
        raise MissingPackageError.of_import(error) or error from None
    return pretrained.load(folder, parts, **hub)


@cache
def shipped() -> Base:
    """openmie-base with the weights that are installed with openmie, loaded at the first call.

    Raises:
        MissingPackageError: the extra `models` is not installed.
    """
    try:
        from openmie.base.predictor import Base

        return Base.load()
    except ModuleNotFoundError as error:
        raise MissingPackageError.of_import(error) or error from None
