"""Files of object stores (`s3://`, `gs://`, `az://`, ...), by the library fsspec, as files on this machine.

Only what a user names is opened: a source of posts, or the folder of images that a user names. Addresses of web servers
are refused, and so is a path that leads out of its folder.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openmie.data.document import Document
from openmie.errors import CorpusError, ErrorRecord, MissingPackageError

_URL = re.compile(r"([a-z][a-z0-9+.\-]+)://", re.IGNORECASE)
_WEB = ("http", "https", "ftp", "ftps", "data", "blob", "github", "git", "gist")
IMAGE_BYTES = 1 << 28  # of one image file


def is_url(path: str) -> bool:
    """Whether a path is an address, such as `s3://bucket/posts.jsonl`."""
    return _URL.match(path) is not None


def file_system(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    Raises:
        CorpusError: a web server, or an object store that is not known or cannot be reached.
        MissingPackageError: without fsspec, or without its package for the store.
    """
    found = _URL.match(url)
    scheme = found[1].lower() if found else ""
    if scheme in _WEB:
        raise CorpusError(
            f"the address of a web server ({scheme}://)",
            expected="files, or an object store, such as s3://BUCKET/posts",
            where=url,
            remedy="download it first: nothing is fetched from the web",
        )
    try:
        import fsspec

        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"this needs the package {error.name}, which is not installed",
            remedy="install it: pip install 'openmie[ray]'",
        ) from None
    except ImportError as error:
        raise MissingPackageError(str(error), where=url, remedy="install the package that it names") from None
    except ValueError as error:
        raise CorpusError(
            str(error), expected="an object store that fsspec knows", where=url, remedy="check the address"
        ) from None


DATA = (".jsonl", ".ndjson", ".csv", ".parquet", ".pq")  # files of posts, which a folder of them stands for


def expand_url(url: str) -> list[str]:
    """The files that an address names, sorted: itself, the matches of a pattern, or the files of posts in a folder.

    Raises:
        CorpusError: there is none.
    """
    system, path = file_system(url)
    with store_errors(url):
        if any(mark in path for mark in "*?["):
            found = [name for name in system.glob(path) if system.isfile(name)]
        elif system.isdir(path):
            found = [name for name in system.ls(path, detail=False) if name.lower().endswith(DATA)]
        else:
            return [url] if system.exists(path) else _nothing(url)
    scheme = url[: url.index("://") + 3]
    return sorted(scheme + (name if scheme == "file://" else name.lstrip("/")) for name in found) or _nothing(url)


def _nothing(url: str) -> list[str]:
    raise CorpusError(
        "no such file or folder", expected="files that can be read", where=url, remedy="check the address"
    )


def facts_of(url: str) -> dict[str, Any]:
    """What tells a file from another without reading it: its size, and its checksum in the store."""
    system, path = file_system(url)
    with store_errors(url):
        return {"bytes": int(system.size(path) or 0), "checksum": str(system.checksum(path))}


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """A copy of a file, of its name, in a folder of its own, for as long as it is used. CorpusError: no such file."""
    system, path = file_system(url)
    with TemporaryDirectory(prefix="openmie-") as folder:
        local = Path(folder) / posixpath.basename(path)
        with store_errors(url), system.open(path, "rb") as source, open(local, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        yield local


@contextmanager
def store_errors(url: str) -> Iterator[None]:
    """Whatever a store raises becomes a `CorpusError`."""
    try:
        yield
    except (OSError, PermissionError) as error:
        raise CorpusError(
            (error.strerror or str(error) or type(error).__name__).lower()[:200],
            expected="a file that can be read",
            where=url,
            remedy="check the address, and the rights of this account",
        ) from None


def path_in(folder: str, local: str, root: Path) -> str:
    """The address in `folder` of what a reader led to `local`, a path inside `root`; others stay as they are."""
    with suppress(ValueError):
        return f"{folder.rstrip('/')}/{Path(local).relative_to(root).as_posix()}"
    return local


@contextmanager
def local_images(documents: Sequence[Document]) -> Iterator[tuple[list[Document], Callable[[Document], Document]]]:
    """Documents whose images lie on this machine, and what leads the paths of one of them back to their addresses.

    An image that cannot be fetched keeps no file; the document's `errors` say so.
    """
    if not any(is_url(image.path) for document in documents for image in document.images):
        yield list(documents), lambda document: document
        return
    with TemporaryDirectory(prefix="openmie-") as folder:
        back: dict[str, str] = {}
        yield [_with_local_images(d, Path(folder), back) for d in documents], lambda d: _led_back(d, back)


def _with_local_images(document: Document, folder: Path, back: dict[str, str]) -> Document:
    errors, images = list(document.errors), []
    for image in document.images:
        if is_url(image.path):
            local = folder / f"{len(back)}{posixpath.splitext(image.path)[1][:10]}"
            try:
                _copy_image(image.path, local)
            except CorpusError as error:
                errors.append(error.record.model_copy(update={"where": f"document {document.id}, {image.path}"}))
                image = image.model_copy(update={"path": ""})
            else:
                back[str(local)] = image.path
                image = image.model_copy(update={"path": str(local)})
        images.append(image)
    return document.model_copy(update={"images": tuple(images), "errors": tuple(errors)})


def _copy_image(url: str, local: Path) -> None:
    system, path = file_system(url)
    with store_errors(url):
        if (size := system.size(path) or 0) > IMAGE_BYTES:
            raise CorpusError(
                f"a file of {size:,} bytes",
                expected=f"an image of at most {IMAGE_BYTES:,}",
                where=url,
                remedy="scale it down",
            )
        with system.open(path, "rb") as source, open(local, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)


def _led_back(document: Document, back: dict[str, str]) -> Document:
    images = tuple(i.model_copy(update={"path": back.get(i.path, i.path)}) for i in document.images)
    errors = tuple(_renamed(record, back) for record in document.errors)
    return document.model_copy(update={"images": images, "errors": errors})


def _renamed(record: ErrorRecord, back: dict[str, str]) -> ErrorRecord:
    where = next((record.where.replace(local, url) for local, url in back.items() if local in record.where), None)
    return record if where is None else record.model_copy(update={"where": where})
