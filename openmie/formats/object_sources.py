"""Posts of files in object stores: a file is copied to this machine when its turn comes, read, and removed.

Image paths lead to the folder of their file in the store, or to the folder of images that is named; the files are
fetched where they are looked at (`openmie.data.object_stores.local_images`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openmie.data.document import Document
from openmie.data.object_stores import fetched, is_url, path_in
from openmie.errors import ErrorRecord
from openmie.formats import registry
from openmie.formats.post_columns import PostColumns


def read_object(url: str, format: str | None, options: dict[str, Any]) -> Iterator[Document | ErrorRecord]:
    """The posts of a file of an object store, with an error record in place of each that cannot be read.

    Args:
        url: of the file.
        format: a name of `registry.FORMATS`; None: recognised by name or content.
        options: of the reader; `images` may be the address of a folder.

    Raises:
        CorpusError: no such file, or none of the format.
    """
    with fetched(url) as local:
        name = format or registry.guess(local, reading=True, columns=PostColumns.of(options))
        yield from read_with_images(local, url, name, options)


def read_with_images(path: Path, where: str, format: str, options: dict[str, Any]) -> Iterator[Document | ErrorRecord]:
    """The posts of a file on this machine, whose images, or which itself, lie in an object store.

    Args:
        path: the file.
        where: what records call it.
        format: a name of `registry.FORMATS`.
        options: of the reader.
    """
    images = str(options.get("images") or "")
    with TemporaryDirectory(prefix="openmie-") as empty:
        roots = {}
        if is_url(where):
            roots[str(path.parent)] = where.rpartition("/")[0]
        if is_url(images):
            roots[empty] = images
            options = {**options, "images": empty}
        for item in registry.read_items(path, format, **options):
            if isinstance(item, Document):
                item = _in_store(item, roots)
            yield _renamed(item, str(path), where)


def _in_store(document: Document, roots: dict[str, str]) -> Document:
    moved = []
    for image in document.images:
        found = image.path
        for root, url in roots.items():
            found = path_in(url, found, Path(root)) if found and not is_url(found) else found
        moved.append(image.model_copy(update={"path": found}))
    return document.model_copy(update={"images": tuple(moved)})


def _renamed(item: Document | ErrorRecord, local: str, where: str) -> Document | ErrorRecord:
    if isinstance(item, ErrorRecord):
        return item.model_copy(update={"where": item.where.replace(local, where)})
    if not any(local in record.where for record in item.errors):
        return item
    told = tuple(r.model_copy(update={"where": r.where.replace(local, where)}) for r in item.errors)
    return item.model_copy(update={"errors": told})
