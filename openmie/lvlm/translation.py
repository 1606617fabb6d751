"""Translation images: a text-to-image model draws each text, so that a system can hold text and picture side by side.

TMR (Zheng et al., 2023) does so with Stable Diffusion. Any such model is a `Paint`, for example one of diffusers:

    pipe = diffusers.AutoPipelineForText2Image.from_pretrained(...)
    documents = translate(documents, lambda texts: pipe(list(texts)).images, Path("drawn"), name="stable-diffusion")
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.document import Document, Image
from openmie.errors import ErrorRecord

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Paint = Callable[[Sequence[str]], Sequence["Picture | None"]]  # a picture for each text; None: refused, as by a filter
ID = "translation"


def translate(
    documents: Iterable[Document], paint: Paint, folder: Path, *, name: str, batch: int = 8, replace: bool = False
) -> Iterator[Document]:
    """The documents, each with an image of kind `generated` that was made from its text alone, lazily and in order.

    Pictures are PNG files in `folder`, named by `name` (the model and its settings) and text, so that equal texts are
    drawn once and a stopped run goes on where it was. A document without text, and without `replace` one that has such
    an image, comes out as it was. What cannot be drawn leaves the document and a record in its `errors`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rest = iter(documents)
    while part := list(islice(rest, batch)):
        asked = [d for d in part if d.text.strip() and (replace or all(i.kind != "generated" for i in d.images))]
        files = {d.text: folder / f"{_key(name, d.text)}.png" for d in asked}
        failed = _draw({text: file for text, file in files.items() if not file.exists()}, paint, name)
        chosen = {d.id for d in asked}
        yield from (_with(d, files[d.text], failed.get(d.text)) if d.id in chosen else d for d in part)


def _key(name: str, text: str) -> str:
    return hashlib.sha256("\0".join((name, text)).encode("utf8", "surrogatepass")).hexdigest()[:24]


def _draw(missing: dict[str, Path], paint: Paint, name: str) -> dict[str, str]:
    """Draw and write what is not there yet; text -> what went wrong."""
    if not missing:
        return {}
    try:
        made: Sequence[Any] = list(paint(list(missing)))
    except Exception as error:  # whatever a model raises, its documents are not lost
        return dict.fromkeys(missing, f"{name}: {type(error).__name__}: {error}")
    failed = {}
    for at, (text, file) in enumerate(missing.items()):
        picture = made[at] if at < len(made) else None
        if picture is None:
            failed[text] = f"{name}: no picture"
            continue
        beside = file.with_suffix(f".{os.getpid()}.tmp")
        picture.convert("RGB").save(beside, format="PNG")
        beside.replace(file)
    return failed


def _with(document: Document, file: Path, failed: str | None) -> Document:
    if failed is not None:
        record = ErrorRecord(
            where=f"document {document.id}, translation image", found=failed, expected="a picture of the text",
            remedy="run again: what is drawn is kept",
        )
        return document.replace(errors=(*document.errors, record))
    kept = [i for i in document.images if i.kind != "generated" and i.parent != ID]
    ids = {i.id for i in kept}
    id = next(n for n in (ID, *(f"{ID} {k}" for k in range(len(ids) + 1))) if n not in ids)
    return document.replace(images=(*kept, Image(kind="generated", id=id, path=str(file))))
