"""Translation images: a text-to-image model draws each text, so that a system can hold text and picture side by side.

TMR (Zheng et al., 2023) does so with Stable Diffusion. Any such model is a `Paint`, for example one of diffusers:

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

Paint = Callable[[Sequence[str]], Sequence["Picture | None"]]  # a picture for each text; None: refused, as by a filter
ID = "translation"


def translate(
    documents: Iterable[Document],
    paint: Paint,
    folder: str | os.PathLike[str],
    *,
    name: str,
    batch: int = 8,
    replace: bool = False,
) -> Iterator[Document]:
    """The documents, each with an image of kind `generated` that was made from its text alone, lazily and in order.

    Pictures are PNG files in `folder`, named by `name` (the model and its settings) and text, so that equal texts are
    drawn once and a stopped run goes on where it was. A document without text, and without `replace` one that has such
    an image, comes out as it was; with it, images cut from the old one go too. What cannot be drawn leaves the document
    and a record in its `errors`. Errors: a batch of less than one text.
    """
    if batch < 1:
        raise OpenMIEError(f"batch={batch}", expected="at least 1", where="translate", remedy="8 is the default")
    at, rest = Path(folder), iter(documents)
    at.mkdir(parents=True, exist_ok=True)
    while part := list(islice(rest, batch)):
        asked = [bool(d.text.strip()) and (replace or all(i.kind != "generated" for i in d.images)) for d in part]
        files = {d.text: at / f"{_key(name, d.text)}.png" for d, wanted in zip(part, asked) if wanted}
        failed = _draw({text: file for text, file in files.items() if not _whole(file)}, paint, name)
        yield from (_with(d, files[d.text], failed.get(d.text)) if wanted else d for d, wanted in zip(part, asked))


def _key(name: str, text: str) -> str:
    return hashlib.sha256("\0".join((name, text)).encode("utf8", "surrogatepass")).hexdigest()[:24]


def _whole(file: Path) -> bool:
    """A picture that can be read stands there already."""
    try:
        images.load_image(file)
    except ImageError:
        return False
    return True


def _draw(missing: dict[str, Path], paint: Paint, name: str) -> dict[str, str]:
    """Draw and write what is not there yet; text -> what went wrong."""
    if not missing:
        return {}
    try:
        made: Sequence[Any] = list(paint(list(missing)))
    except Exception as error:  # whatever a model raises, its documents are not lost
        return dict.fromkeys(missing, f"{name}: {type(error).__name__}: {error}")
    made = [*made, *[None] * (len(missing) - len(made))]
    told = {text: _write(picture, file) for (text, file), picture in zip(missing.items(), made)}
    return {text: f"{name}: {wrong}" for text, wrong in told.items() if wrong}


def _write(picture: Any, file: Path) -> str:
    """Write one picture, whole or not at all; what was wrong with it."""
    from PIL.Image import Image as Picture

    if not isinstance(picture, Picture):
        return "no picture" if picture is None else f"a {type(picture).__name__}, no picture of Pillow"
    try:
        with writing.replace_file(file) as stream:
            picture.convert("RGB").save(stream, format="PNG")
    except Exception as error:
        return f"a picture that cannot be written: {error}"
    return ""


def _with(document: Document, file: Path, failed: str | None) -> Document:
    if failed is not None:
        record = ErrorRecord(
            where=f"document {document.id}, translation image",
            found=failed,
            expected="a picture of the text",
            remedy="run again: what is drawn is kept",
        )
        return document.replace(errors=(*document.errors, record))
    gone = {i.id for i in document.images if i.kind == "generated"}
    kept = [i for i in document.images if i.id not in gone and i.parent not in gone]
    taken = {i.id for i in kept}
    lost = {i.id for i in document.images} - taken
    id = next(n for n in (ID, *(f"{ID} {k}" for k in range(len(taken) + 1))) if n not in taken)
    phrases = tuple(p for p in document.phrases if p.image not in lost)
    return document.replace(images=(*kept, Image(kind="generated", id=id, path=str(file))), phrases=phrases)
