"""Write generated documents to disk: PNG files, and documents.jsonl with image paths relative to the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image as Pillow

from openmie.data import replace_file as writing
from openmie.data.document import Document, Image
from openmie.data.folder_lock import hold_folder
from openmie.errors import CorpusError


def save(documents: Iterable[Document], folder: str | os.PathLike[str]) -> Path:
    """Write `documents.jsonl` and `images/<document id>-<image id>.png` into a folder.

    Args:
        documents: Documents, as `generate` makes them; consumed lazily, so any number fits in memory.
        folder: Created if it does not exist. Patches are boxes of another image and have no file.

    Returns:
        The path of `documents.jsonl`.

    Raises:
        CorpusError: If `documents.jsonl` exists (nothing is overwritten), or an id cannot be part of a file name.
    """
    root = Path(folder)
    with hold_folder(root):
        return _saved(documents, root)


def _saved(documents: Iterable[Document], root: Path) -> Path:
    out = root / "documents.jsonl"
    writing.make_folder(root / "images")
    if os.path.lexists(out):
        raise CorpusError(
            "documents.jsonl exists",
            expected="a folder without posts",
            where=str(root),
            remedy="name another folder, or remove the posts in it",
        )
    with writing.replace_file(out) as file:
        for document in documents:
            images = tuple(_written(image, document.id, root) for image in document.images)
            file.write(document.replace(images=images).to_json().encode() + b"\n")
    return out


def _written(image: Image, document: str, root: Path) -> Image:
    """The same image with its path, once its pixels are in a file."""
    if image.pixels is None:
        return image
    name = f"{document}-{image.id}"
    if not re.fullmatch(r"[\w-][\w.-]{0,199}", name):
        raise CorpusError(
            f"ids {document!r} and {image.id!r}",
            expected="letters, digits, '_', '-' and '.' only",
            where=str(root),
            remedy="give the document and its images ids that can be file names",
        )
    path = f"images/{name}.png"
    with writing.replace_file(root / path) as file:
        Pillow.fromarray(image.pixels).save(file, format="PNG")
    return Image(**{**image.model_dump(), "path": path})
