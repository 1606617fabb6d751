"""How many of the images that a recipe reads cannot be read: told, and judged, before the first step.

A training goes on without an image that is broken; without most of them it would be a training on the text alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from openmie.data import images as pictures
from openmie.data.document import Document
from openmie.errors import ErrorRecord, ImageError, TrainError
from openmie.formats.image_paths import image_refusals
from openmie.model.features.images import select_images
from openmie.recipe import Recipe

KNOWN = 4096  # images that are remembered: posts of one image mostly follow each other


def check_images(recipe: Recipe, documents: Iterable[Document]) -> None:
    """TrainError where more of the images cannot be read than may be; headers are read, nothing is decoded.

    Args:
        recipe: whose encoder selects images, and whose `training.max_unreadable_images` says how many.
        documents: of the training.

    Raises:
        TrainError: a larger share, with the first reason.
    """
    if not recipe.encode.inputs.reads_images:
        return
    most = recipe.training.max_unreadable_images
    look = lru_cache(KNOWN)(_record)
    total, bad, first = 0, 0, ""
    for document in documents:
        refused = image_refusals(document)
        for _, image in select_images(document, recipe.encode.inputs):
            if image.pixels is None and not image.path:
                if image.kind != "main" or not refused:  # no file was named, or it is cut out of another image
                    continue
                record: ErrorRecord | None = refused[0]
            elif image.pixels is None:
                record = look(image.path)
            else:
                record = None
            total += 1
            bad += record is not None
            first = first or str(record or "")
    if bad > most * total:
        raise TrainError(
            f"{bad:,} of {total:,} images that cannot be read, the first: {first}",
            expected=f"at most {most:.0%}",
            where="training documents",
            remedy="correct the images or their folder, train on the text alone (--ablate text), or allow more "
            "(--set training.max_unreadable_images=1)",
        )


def _record(path: str) -> ErrorRecord | None:
    """Why a file cannot be opened as an image; None where it can."""
    try:
        pictures.image_size(path)
    except ImageError as error:
        return error.record
    return None
