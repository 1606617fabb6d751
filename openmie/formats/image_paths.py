"""Image paths in data files: relative to the file, and never out of its folder unless the caller names another.

The path guard of every reader. A refused path leaves its image in the document, without a file, and a record in
`Document.errors`: no document is lost for its picture, and nothing outside the named folders is ever opened.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from openmie.data import images as pictures
from openmie.data.document import Document, Image
from openmie.data.object_stores import is_url
from openmie.errors import ErrorRecord, ImageError

Folder = str | os.PathLike[str]


def parent_folder(path: Folder) -> Path:
    """The folder of a data file; of standard input, the working folder."""
    return Path() if os.fspath(path) == "-" else Path(path).parent


def resolve_paths(document: Document, folder: Folder, images: Folder | None = None) -> Document:
    """The document with its image paths led to files in `images` (where given and found there) or in `folder`."""
    if not any(i.path for i in document.images):
        return document
    found = [resolve_path(i.path, folder, images) if i.path else i.path for i in document.images]
    records = tuple(
        f.model_copy(update={"where": f"document {document.id}, image {i.path[:200]}"})
        for i, f in zip(document.images, found)
        if isinstance(f, ErrorRecord)
    )
    moved = tuple(
        i.model_copy(update={"path": "" if isinstance(f, ErrorRecord) else str(f)})
        for i, f in zip(document.images, found)
    )
    return document.model_copy(update={"images": moved, "errors": document.errors + records})


def image_refusals(document: Document) -> tuple[ErrorRecord, ...]:
    """The records of the images whose paths were refused when the document was read."""
    return tuple(e for e in document.errors if e.where.startswith(f"document {document.id}, image "))


def resolve_path(path: str, folder: Folder, images: Folder | None = None) -> str | ErrorRecord:
    """Where the file is; an absolute path only counts inside `images`. The record says why a path is refused."""
    roots: list[Folder] = [folder] if images is None else [images, folder]
    refused: ErrorRecord | None = None
    allowed: list[str] = []
    for root in roots:
        try:
            if images is None and _absolute(path):
                raise ImageError(
                    "an absolute path",
                    expected=f"a path inside {os.fspath(folder) or '.'}",
                    where=path,
                    remedy="name the folder that holds the images (--image-dir FOLDER, or images=FOLDER)",
                )
            allowed.append(str(pictures.resolve_inside(path, root, *roots)))
        except ImageError as error:
            refused = refused or error.record
    if allowed:
        return next((p for p in allowed if os.path.exists(p)), allowed[0])
    assert refused is not None
    return refused


def _absolute(path: str) -> bool:
    return os.path.isabs(path) or path.startswith(("/", "\\")) or path[1:3] in (":\\", ":/")


def relative_paths(document: Document, folder: Path | None) -> tuple[Document, Sequence[Image]]:
    """For writers: paths inside `folder` made relative to it; also the images whose files lie elsewhere.

    A relative path of theirs gets `..`, an absolute one stays: a reader finds both where `images=` names their folder.
    """
    if folder is None or not any(i.path for i in document.images):
        return document, ()
    root = os.path.abspath(folder)
    here = [bool(i.path) and not is_url(i.path) for i in document.images]
    paths = [os.path.relpath(os.path.abspath(i.path), root) if h else i.path for h, i in zip(here, document.images)]
    outside = [i for i, p in zip(document.images, paths) if p.split(os.sep)[0] == os.pardir or is_url(p)]
    moved = tuple(
        i
        if not i.path or (i in outside and (os.path.isabs(i.path) or is_url(i.path)))
        else i.model_copy(update={"path": Path(p).as_posix()})
        for i, p in zip(document.images, paths)
    )
    return document.model_copy(update={"images": moved}), outside


def paths_from(document: Document, folder: Path) -> Document:
    """The inverse of `relative_paths`, for a row that is read back: paths of files in `folder` led to them."""
    if not any(i.path for i in document.images):
        return document
    moved = tuple(
        i.model_copy(update={"path": str(folder / i.path)}) if i.path and (folder / i.path).exists() else i
        for i in document.images
    )
    return document.model_copy(update={"images": moved})
