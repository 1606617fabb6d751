"""The models of a service by the names that requests use: NAME=MODEL, or the last part of a model's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openmie.base.loading import BASE, check_trained_name, load
from openmie.data.document import Document, Image
from openmie.errors import OpenMIEError
from openmie.serve.served_model import ServedBase, ServedModel, ServedTrained, ServedVisionLanguage

if TYPE_CHECKING:
    from openmie.vlm.prompting.request import ExtractionRequest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


def load_models(models: Sequence[str], request: ExtractionRequest | None = None) -> dict[str, ServedModel]:
    """Load the models of a service.

    Args:
        models: "base", model folders or hub ids, each with `NAME=` before it or not.
        request: of a vision-language model, which comes last; None: there is none.

    Returns:
        Name -> model, in the order given.

    Raises:
        OpenMIEError: two models of one name, or one that cannot be loaded.
    """
    named = _by_name([*models, *([request.model] if request else [])])
    places = list(named.values())
    for place in places[: len(models)]:
        check_trained_name(place)  # all of them, before one is loaded
    served: list[ServedModel] = [_served(load(place)) for place in places[: len(models)]]
    if request:
        served.append(ServedVisionLanguage(request))
    return dict(zip(named, served, strict=True))


def _served(model: Any) -> ServedModel:
    return ServedBase(model) if hasattr(model, "with_query") else ServedTrained(model)


def _by_name(models: Sequence[str]) -> dict[str, str]:
    """Name -> folder or id."""
    found: dict[str, str] = {}
    for model in models or [BASE]:
        name, equals, place = model.partition("=")
        if not equals:
            name, place = model.replace("\\", "/").rstrip("/").rpartition("/")[2], model
        if not _NAME.fullmatch(name) or name in found:
            raise OpenMIEError(
                f"two models that are called {name!r}" if name in found else f"a model that is called {name!r}",
                expected="a name of its own for each, of letters, digits and ._+-",
                where="--model",
                remedy="write --model NAME=FOLDER",
            )
        found[name] = place
    return found


def warm_up(models: Sequence[ServedModel]) -> None:
    """Predict a made-up post with each model that runs here, so that the first request finds it loaded whole."""
    import numpy as np

    grey = Image(id="main", pixels=np.full((32, 32, 3), 128, dtype=np.uint8))
    for model in models:
        if not isinstance(model, ServedVisionLanguage):
            images = (grey,) if model.reads_images else ()
            model.query(None, None, None).predict([Document(id="warm-up", text="Ada in Turin", images=images)])
