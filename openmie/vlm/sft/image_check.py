"""Pictures read once, before the first step: a truncated file ends no training in its middle and no export half-way.

The header of a file says nothing of its end, so each file is decoded whole, once for each state of it on disk (path,
size, time), by a few threads: about 10 ms for a photograph of a megapixel. What was found is kept while the program
runs, so that the six runs of a table read their pictures once. A picture itself is dropped as soon as it was read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from openmie.data import images
from openmie.data.document import Document, Image
from openmie.errors import ErrorRecord, ImageError

THREADS = min(8, os.cpu_count() or 1)
AHEAD = 64  # documents that are read before the first of them is asked for

Key = tuple[Any, ...]
T = TypeVar("T")
R = TypeVar("R")
_known: dict[Key | None, ErrorRecord | None] = {}


def broken_image(document: Document, group: Sequence[Image]) -> ErrorRecord | None:
    """Read all images of a group, as training will read them.

    Args:
        document: that holds the images.
        group: main image and patches.

    Returns:
        The record of the first that cannot be read; None where all can.
    """
    key = _key(document, group)
    found = _known[key] if key in _known else _read(document, group)
    if key is not None:
        _known[key] = found
    return found and found.model_copy(update={"where": f"document {document.id}, {found.where}"})


def checked(of: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results of a function that reads pictures, in order, a few of them at a time and not many ahead."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: list[Any] = []
        for item in items:
            waiting.append(pool.submit(of, item))
            if len(waiting) >= AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _read(document: Document, group: Sequence[Image]) -> ErrorRecord | None:
    known: dict[str, Any] = {}
    for image in group:
        found = images.image_or_crop(document, image, known)
        if isinstance(found, ImageError):
            return found.record
    return None


def _key(document: Document, group: Sequence[Image]) -> Key | None:
    """What the group's pictures are on disk; None where some are in memory only, or there is no such file."""
    files = [image for image in document.images if image.path or image.pixels is not None]
    if any(image.pixels is not None for image in files):
        return None
    try:
        states = [(i.id, i.path, s.st_size, s.st_mtime_ns) for i in files for s in (os.stat(i.path),)]
    except (OSError, ValueError):
        return None
    return tuple(states), tuple((i.id, i.path, i.parent, i.box) for i in (*group, *document.images))
