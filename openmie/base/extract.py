"""`openmie.extract`: all that openmie-base finds in posts, in one call; `openmie.predict_entities`: entities alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.base import loading
from openmie.base.labels import LabelSet
from openmie.base.thresholds import Threshold
from openmie.data.document import Document, Image
from openmie.errors import DocumentError, ImageError, OpenMIEError

if TYPE_CHECKING:
    from openmie.base.predictor import Base

ImageInput = Any  # a path, a PIL image, or an array (height, width, 3) of uint8


def extract(
    text: str | Sequence[str] = "",
    image: ImageInput | Sequence[ImageInput | None] | None = None,
    labels: LabelSet | None = None,
    relations: LabelSet | None = None,
    threshold: Threshold = None,
    *,
    model: str | os.PathLike[str] | Base = loading.BASE,
    batch_size: int = 32,
) -> Any:
    """Extract from a post, or from a list of posts, with openmie-base.

    Args:
        text: the text, or a list of texts.
        image: the post's photograph: a path, a PIL image, or an array (height, width, 3) of uint8. With a list of
            texts, a list of as many of them, None where a post has none.
        labels: entity types, name -> description, or names; None: the built-in ones, which `openmie labels` prints.
        relations: the same for relations; None: the built-in ones between the types of `labels`; an empty list: none.
        threshold: least score of entities and relations, from 0 to 1: a number, or name -> number; None: calibrated.
        model: "base", a folder that was fine-tuned from it, or a loaded `Base`.
        batch_size: posts that are read together.

    Returns:
        A predicted `Document`; for a list of texts, a list of them in the same order.

    Raises:
        RecipeError: labels or thresholds that mean nothing.
        DocumentError: a text or an image of another type, or lists of different lengths.
        ImageError: the image of a single post cannot be read. In a list, the `errors` of its Document say so.
        ModelError: the model is damaged, or no openmie-base.
    """
    base = _base(model)
    many = not isinstance(text, str) and isinstance(text, Iterable)
    posts = _documents(list(text), image) if many else [make_post(text, image)]  # type: ignore[arg-type]
    found = base.predict(posts, batch_size, labels=labels, relations=relations, threshold=threshold)
    if many:
        return found
    (document,) = found
    if document.errors:
        record = document.errors[0]
        raise (ImageError if "image" in record.where else DocumentError).of(record)
    return document


def predict_entities(
    text: str,
    labels: LabelSet | None = None,
    threshold: Threshold = 0.5,
    *,
    model: str | os.PathLike[str] | Base = loading.BASE,
) -> list[dict[str, Any]]:
    """The entities of a text by openmie-base, as GLiNER's method of this name gives them.

    Args:
        text: the text, of any length.
        labels: entity types, names or name -> description; None: the built-in ones.
        threshold: least score, from 0 to 1: a number, or name -> number; None: calibrated.
        model: "base", a folder that was fine-tuned from it, or a loaded `Base`.

    Returns:
        Dictionaries with `start` and `end` (half-open code points), `text`, `label` and `score`, in text order, without
        overlap.

    Raises:
        RecipeError: labels or thresholds that mean nothing.
        DocumentError: something else than a text.
        ModelError: the model is damaged, or no openmie-base.
    """
    return _base(model).predict_entities(make_post(text).text, labels, threshold)


def make_post(text: str, image: ImageInput | None = None, id: str = "post") -> Document:
    """A Document of a text and a photograph.

    Args:
        text: the text.
        image: a path, a PIL image, an array (height, width, 3) of uint8, or None.
        id: of the Document.

    Raises:
        DocumentError: a text or an image of another type.
    """
    if not isinstance(text, str):
        raise DocumentError(
            f"a {type(text).__name__}", expected="a text", where=f"text of {id}", remedy="pass a str, or a list of str"
        )
    return Document(id=id, text=text, images=() if image is None else (_image(image, id),))


def _documents(texts: list[str], image: Any) -> list[Document]:
    images = [None] * len(texts) if image is None else image
    if not isinstance(images, list | tuple) or len(images) != len(texts):
        found = f"{len(images)} images" if isinstance(images, list | tuple) else "one image"
        raise DocumentError(
            f"{found} for {len(texts)} texts",
            expected="a list of as many images as texts, None where there is none",
            where="image",
            remedy="pass lists of equal length",
        )
    return [make_post(text, image, f"post-{i}") for i, (text, image) in enumerate(zip(texts, images), 1)]


def _image(image: Any, where: str) -> Image:
    """A path as it is, pixels of whatever kind as upright RGB."""
    if isinstance(image, Image):
        return image
    if isinstance(image, str | os.PathLike):
        return Image(path=os.fspath(image), id="main")
    import numpy as np
    import PIL.Image
    import PIL.ImageOps

    from openmie.data.image_pixels import image_error, to_rgb

    array = isinstance(image, np.ndarray) and image.dtype == np.uint8 and bool(image.size)
    if array and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))):
        image = PIL.Image.fromarray(image)
    if not isinstance(image, PIL.Image.Image):
        what = f"of shape {image.shape} and type {image.dtype}" if isinstance(image, np.ndarray) else ""
        raise DocumentError(
            f"a {type(image).__name__} {what}".strip(),
            expected="a path, a PIL image, or an array (height, width, 3) of uint8",
            where=f"image of {where}",
            remedy="pass one image for one text, and a list of images with a list of texts",
        )
    try:
        return Image(pixels=np.asarray(to_rgb(PIL.ImageOps.exif_transpose(image), Path("main"))), id="main")
    except (OSError, ValueError, SyntaxError) as error:  # Pillow decodes when the pixels are first asked for
        raise image_error(
            where, f"a broken image ({str(error)[:120]})", "a whole image", "fetch or export the image again"
        ) from error


def _base(model: str | os.PathLike[str] | Base) -> Base:
    if not isinstance(model, str | os.PathLike):
        return model
    if not loading.is_base(model):  # type: ignore[arg-type]
        raise OpenMIEError(
            f"the model {os.fspath(model)!r}, which is no openmie-base",
            expected='"base", or a folder that was fine-tuned from it',
            where="model",
            remedy="call openmie.load(FOLDER).predict(documents) for a trained model, whose labels are fixed",
        )
    return loading.load(model)  # type: ignore[arg-type, return-value]
