"""Images that clients send: base64 of a file, never an address; judged by their headers before they are decoded."""

from __future__ import annotations

import base64
import binascii
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from openmie.data.document import Document
from openmie.data.images import image_size
from openmie.errors import ErrorRecord, ImageError
from openmie.serve.problems import Problem, without_paths
from openmie.serve.settings import Settings

# what a place of a file begins with, on this machine or on another: a scheme, a path, a share, a host, a host with port
_PLACE = re.compile(r"\s*(?:[a-z][a-z0-9+.\-]*:|[/\\.~]|\[|[^/+=\s]*[.:%@])", re.IGNORECASE)


def decode_base64(data: str, where: str, settings: Settings) -> bytes:
    """The bytes of a file in base64.

    Args:
        data: base64 of the standard alphabet; blanks and line ends in it are left out.
        where: field of the request, for errors.
        settings: bounds.

    Raises:
        Problem: an address or a path, which is never followed (422); no base64 (422).
    """
    if _PLACE.match(data[:200]) and not data.startswith("/9j/"):  # how a JPEG begins in base64
        raise Problem.of_facts(
            422,
            "an address or a path",
            "the file itself in base64: nothing is fetched and no file of the server is read",
            "read the file, and send what base64 makes of it (of a data: URL, what follows the comma)",
            where,
        )
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Problem.of_facts(
            422, "no base64", "a file in base64, with its padding", "encode the file, not its name", where
        ) from None


def check_image(file: bytes, where: str, settings: Settings) -> tuple[int, int]:
    """Width and height of an image in pixels, upright, from its header.

    Args:
        file: the contents.
        where: field of the request, for errors.
        settings: bounds.

    Raises:
        Problem: no image (422), or one with too many pixels (413).
    """
    with open_files([file]) as (path,):
        try:
            width, height = image_size(path)
        except ImageError as error:
            raise Problem(422, without_paths(error.record).model_copy(update={"where": where})) from None
    if width * height > settings.max_pixels:
        raise Problem.of_facts(
            413, f"{width} x {height} pixels", f"at most {settings.max_pixels:,} pixels", "scale the image down", where
        )
    return width, height


@contextmanager
def open_files(contents: Sequence[bytes]) -> Iterator[list[str]]:
    """Paths of files with these contents, which are gone afterwards.

    On Linux they are in memory only, and end with the process however it ends; elsewhere they are temporary files.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_memory_file(x) if hasattr(os, "memfd_create") else _file(x)) for x in contents]


@contextmanager
def _memory_file(content: bytes) -> Iterator[str]:
    with open(os.memfd_create("image"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    with tempfile.NamedTemporaryFile(prefix="openmie-") as file:
        file.write(content)
        file.flush()
        yield file.name


def with_paths(document: Document, paths: Sequence[str]) -> Document:
    """The document, its images with these paths, one for each."""
    images = tuple(x.model_copy(update={"path": path}) for x, path in zip(document.images, paths, strict=True))
    return document.model_copy(update={"images": images})


def without_image_paths(document: Document) -> Document:
    """A predicted document for its answer: images without paths, and error records in which images have their ids."""
    names = {image.path: image.id for image in document.images if image.path}

    def told(record: ErrorRecord) -> ErrorRecord:
        facts = {name: getattr(record, name) for name in ("where", "found", "expected", "remedy")}
        for path, id in names.items():
            facts = {name: text.replace(path, id) for name, text in facts.items()}
        return without_paths(record.model_copy(update=facts))

    images = tuple(image.model_copy(update={"path": ""}) for image in document.images)
    return document.model_copy(update={"images": images, "errors": tuple(map(told, document.errors))})
