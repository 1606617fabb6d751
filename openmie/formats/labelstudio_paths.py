"""Where the pictures of Label Studio tasks lie: uploads, served folders and cloud storage, as files of one's own.

A task names its picture as the server does: `/data/upload/3/ab12cd34-post.png` for a file that was uploaded, with eight
random digits before its name, `/data/local-files/?d=FOLDER/post.png` for a served folder, `s3://BUCKET/post.png` or a
link of the server's for a cloud. Nothing is fetched: the file is looked for in the folders that may be read.
"""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.formats import image_paths as paths

LOCAL_FILES_URL = "/data/local-files/?d="  # how Label Studio serves a local folder
BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # for a picture without file
_UPLOAD = re.compile(r"^/?data/(?=upload/)|^/?(?=static/)")
_CHOSEN = re.compile(r"^[0-9a-f]{8}-")  # what an upload gets before its name


def stored_path(value: str) -> str:
    """What a task's value says of a file: its path below the folder that was served; else the value itself."""
    if value.startswith("data:"):
        return "" if value == BLANK else value
    parts = urlsplit(value)
    query = parse_qs(parts.query)
    if parts.path.rstrip("/").endswith("data/local-files") and query.get("d"):
        return query["d"][0]
    if parts.path.rstrip("/").endswith("/resolve") and query.get("fileuri"):
        try:
            return urlsafe_b64decode(query["fileuri"][0] + "===").decode("utf-8")
        except (Base64Error, UnicodeDecodeError):
            return value
    if parts.scheme in ("http", "https") and "/data/upload/" in parts.path:
        return _UPLOAD.sub("", unquote(parts.path[parts.path.index("/data/upload/") :]))
    return _UPLOAD.sub("", unquote(value)) if _UPLOAD.match(value) else value


def was_served(value: str) -> bool:
    """Whether a server names the picture so: it is then looked for by the end of its path, too."""
    return value != stored_path(value) or bool(urlsplit(value).scheme)


def resolve_served(
    document: Document, served: frozenset[str], folder: paths.Folder, images: paths.Folder | None
) -> Document:
    """`image_paths.resolve_paths`, which also finds pictures that a server names.

    Args:
        document: with paths as `stored_path` returns them.
        served: ids of the images that a server names.
        folder: of the file.
        images: further folder that may be read; None: none.

    Returns:
        The document with paths of files. A served picture is looked for in both folders by its path, by the path
        behind a folder's own name, by its name, and by its name without the digits of an upload; where there is none,
        the path is that of the server behind the folder's own name, and `errors` says so for an upload.
    """
    moved, missing = [], []
    for image in document.images:
        found = _find(image.path, folder, images) if image.id in served and image.path else ""
        if found is None and image.path.startswith("upload/"):
            missing.append(_missing(document.id, image.path, folder, images))
        if found is None and image.path:
            found = next(_behind_own_name(image.path, Path(folder)), None)
        moved.append(image.model_copy(update={"path": found}) if found else image)
    placed = document.model_copy(update={"images": tuple(moved), "errors": document.errors + tuple(missing)})
    return paths.resolve_paths(placed, folder, images)


def _missing(id: str, path: str, folder: paths.Folder, images: paths.Folder | None) -> ErrorRecord:
    looked = " and ".join(os.fspath(f) or "." for f in (images, folder) if f is not None)
    return ErrorRecord(
        where=f"document {id}, image {path[:200]}",
        found=f"an image uploaded to Label Studio that is not in {looked}",
        expected="the file, by its path or its name",
        remedy="download Label Studio's media folder and name it (--image-dir, or images=FOLDER)",
    )


def _find(path: str, folder: paths.Folder, images: paths.Folder | None) -> str | None:
    """The path, below a folder that may be read, of the first file that can be what a server calls `path`."""
    for root in (folder,) if images is None else (images, folder):
        for name in _names(path, Path(root)):
            found = paths.resolve_path(name, root)
            if not isinstance(found, ErrorRecord) and os.path.isfile(found):
                return name
    return None


def _names(path: str, root: Path) -> Iterator[str]:
    path = urlsplit(path).path.lstrip("/") if "://" in path else path
    parts = PurePosixPath(path).parts
    if ".." in parts or not parts:
        return
    yield path
    if path.startswith("upload/"):
        yield f"media/{path}"
    yield from _behind_own_name(path, root)
    yield "/".join(parts[1:])  # or has another name by now
    yield parts[-1]
    if _CHOSEN.match(parts[-1]):
        yield _CHOSEN.sub("", parts[-1])


def _behind_own_name(path: str, root: Path) -> Iterator[str]:
    """What follows the folder's own name, and perhaps those above it, in a path: the folder that was served is it."""
    parts, own = PurePosixPath(path).parts, Path(os.path.abspath(root)).parts
    for n in range(min(len(parts) - 1, len(own)), 0, -1):
        if own[-n:] == parts[:n]:
            yield "/".join(parts[n:])
