"""Generated images: a text-to-image model draws each text, so that a system can compare text and image.

TMR (Zheng et al., 2023) does so with Stable Diffusion. Any function of texts will do, for example by diffusers:

    pipe = diffusers.AutoPipelineForText2Image.from_pretrained(...)
    documents = translate(documents, lambda texts: pipe(list(texts)).images, "drawn", name="stable-diffusion")
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.data import images
from openmie.data import replace_file as writing
from openmie.data.document import Document, Image
from openmie.errors import ErrorRecord, ImageError, OpenMIEError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

TextToImage = Callable[
    [Sequence[str]], Sequence["Picture | None"]
]  # an image for each text; None: rejected by a filter
IMAGE_ID = "translation"


def translate(
    documents: Iterable[Document],
    text_to_image: TextToImage,
    folder: str | os.PathLike[str],
    *,
    name: str,
    batch_size: int = 8,
    replace: bool = False,
) -> Iterator[Document]:
    """Add to each document an image of kind `generated`, made from its text alone, lazily and in order.

    Images are PNG files named by `name` and text, so that equal texts are drawn once and an interrupted run resumes.

    Args:
        documents: documents; one without text comes out unchanged.
        text_to_image: a function of texts that returns an RGB image (Pillow) for each, or None.
        folder: where the images are written; created if missing.
        name: the model and its settings.
        batch_size: texts in one call.
        replace: replace a generated image that the document has, with the images cut from it; else it is kept.

    Returns:
        The documents; one whose image could not be drawn has a record in `errors`.

    Raises:
        OpenMIEError: a batch size below 1.
    """
    if batch_size < 1:
        raise OpenMIEError(
            f"batch_size={batch_size}", expected="at least 1", where="translate", remedy="8 is the default"
        )
    root, remaining = Path(folder), iter(documents)
    root.mkdir(parents=True, exist_ok=True)
    while part := list(islice(remaining, batch_size)):
        draws = [bool(d.text.strip()) and (replace or all(i.kind != "generated" for i in d.images)) for d in part]
        files = {d.text: root / f"{_key(name, d.text)}.png" for d, drawn in zip(part, draws) if drawn}
        missing = {text: file for text, file in files.items() if not _is_readable(file)}
        failures = _draw(missing, text_to_image, name)
        yield from (
            _with_image(d, files[d.text], failures.get(d.text)) if drawn else d for d, drawn in zip(part, draws)
        )


def _key(name: str, text: str) -> str:
    return hashlib.sha256("\0".join((name, text)).encode("utf8", "surrogatepass")).hexdigest()[:24]


def _is_readable(file: Path) -> bool:
    """Whether the file is an image that can be read."""
    try:
        images.load_image(file)
    except ImageError:
        return False
    return True


def _draw(missing: dict[str, Path], text_to_image: TextToImage, name: str) -> dict[str, str]:
    """Draw and write missing images; returns text -> failure."""
    if not missing:
        return {}
    try:
        drawn: Sequence[Any] = list(text_to_image(list(missing)))
    except Exception as error:  # whatever a model raises, its documents are not lost
        return dict.fromkeys(missing, f"model {name} failed with {type(error).__name__}: {error}")
    drawn = [*drawn, *[None] * (len(missing) - len(drawn))]
    failures = {text: _write(picture, file) for (text, file), picture in zip(missing.items(), drawn)}
    return {text: f"model {name} returned {failure}" for text, failure in failures.items() if failure}


def _write(picture: Any, file: Path) -> str:
    """Write one image, whole or not at all; returns what was wrong with it, or ""."""
    from PIL.Image import Image as Picture

    if not isinstance(picture, Picture):
        return "no image" if picture is None else f"a {type(picture).__name__} instead of a Pillow image"
    try:
        with writing.replace_file(file) as stream:
            picture.convert("RGB").save(stream, format="PNG")
    except Exception as error:
        return f"an image that cannot be written: {error}"
    return ""


def _with_image(document: Document, file: Path, failure: str | None) -> Document:
    if failure is not None:
        record = ErrorRecord(
            where=f"document {document.id}, translation image",
            found=failure,
            expected="an image of the text",
            remedy="run again; images that exist are not drawn again",
        )
        return document.replace(errors=(*document.errors, record))
    replaced = {i.id for i in document.images if i.kind == "generated"}
    kept = [i for i in document.images if i.id not in replaced and i.parent not in replaced]
    taken = {i.id for i in kept}
    lost = {i.id for i in document.images} - taken
    id = next(n for n in (IMAGE_ID, *(f"{IMAGE_ID} {k}" for k in range(len(taken) + 1))) if n not in taken)
    phrases = tuple(p for p in document.phrases if p.image not in lost)
    return document.replace(images=(*kept, Image(kind="generated", id=id, path=str(file))), phrases=phrases)
