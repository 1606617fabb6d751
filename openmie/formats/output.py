"""Output of writers: files that appear completely or not at all, and a count of what a format could not hold."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from openmie.characters import whole
from openmie.data import images as pictures
from openmie.data import replace_file as writing
from openmie.data import temporary_siblings as siblings
from openmie.data.document import Document, Image
from openmie.errors import CorpusError, ErrorRecord, ImageError, OpenMIEError

BESIDE = (
    "images beside the file",
    "name their folder when reading (--image-dir, or images=FOLDER), or convert with --images copy",
)
MOST_OUTSIDE = 20  # images outside the folder of a file that have a record each; the others are counted


@dataclass(frozen=True)
class Written:
    """The result of writing.

    Args:
        documents: number of documents written.
        dropped: field, as in the format's `CANNOT_HOLD` -> number of values left out.
        records: what had to be changed or could not be written.
        lost: number of documents that could not be written; each is replaced by an error record.
    """

    documents: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)  # field, as in the format's CANNOT_HOLD -> count
    records: tuple[ErrorRecord, ...] = ()
    lost: int = 0  # documents that could not be written: a record stands in the place of each

    def __str__(self) -> str:
        dropped = ", ".join(f"{field} {count}" for field, count in sorted(self.dropped.items()))
        return f"{self.documents} documents written" + (f"; the format cannot hold: {dropped}" if dropped else "")


@dataclass
class WriteReport:
    """Counts while a writer runs."""

    cannot_hold: Sequence[str] = ()
    documents: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    records: list[ErrorRecord] = field(default_factory=list)
    lost: int = 0
    outside: int = 0  # images that a reader will not find without the option `images`

    def count(self, document: Document) -> None:
        """Count a document, and what of it the format cannot hold."""
        self.documents += 1
        for name in self.cannot_hold:
            if count := _count(document, name):
                self.dropped[name] += count

    def drop(self, name: str, document: Document, found: str, expected: str, remedy: str) -> None:
        """Count one thing that this document's data, not the format as such, made impossible to write."""
        self.dropped[name] += 1
        self.note(document, found, expected, remedy)

    def reject(self, document: Document, found: str, expected: str, remedy: str) -> None:
        """Count a document that cannot be written at all."""
        self.documents -= 1
        self.drop("documents", document, found, expected, remedy)

    def placeholder(self, document: Document, error: Exception) -> Document:
        """What is written in the place of a document that cannot be: its id, and why. No document ends a job."""
        self.lost += 1
        found = error.record.found if isinstance(error, OpenMIEError) else f"{type(error).__name__}: {error}"
        self.note(
            document,
            f"a document that cannot be written ({found[:300]})",
            "finite numbers, whole characters and JSON values",
            "correct the value; this record is in its place",
        )
        return Document(id=whole(str(document.id)), errors=(self.records[-1],))

    def note(self, document: Document, found: str, expected: str, remedy: str) -> None:
        where = f"document {document.id}"
        self.records.append(ErrorRecord(where=where, found=found, expected=expected, remedy=remedy))

    def note_outside(self, document: Document, image: Image) -> None:
        """Note an image that a reader will not find without the option `images`."""
        self.outside += 1
        if self.outside <= MOST_OUTSIDE:
            self.note(document, f"image {image.path} outside the folder of the file", *BESIDE)

    def image_size(self, document: Document, image: Image) -> tuple[int, int] | None:
        """(width, height) of an image, else None and a note why."""
        try:
            return pictures.image_size(image)
        except ImageError as error:
            record = error.record
            self.note(document, record.found, "an image of known size", "name the file, or give width and height")
            return None

    def result(self) -> Written:
        records = tuple(self.records)
        if (more := self.outside - MOST_OUTSIDE) > 0:
            expected, remedy = BESIDE
            records += (ErrorRecord(found=f"{more} more images outside it", expected=expected, remedy=remedy),)
        return Written(self.documents, dict(sorted(self.dropped.items())), records, self.lost)


def _count(document: Document, name: str) -> int:
    """How many values a dotted field has: `chains`, `mentions.score`, `images.kind`; defaults do not count."""
    layer, _, part = name.partition(".")
    value: Any = getattr(document, layer)
    if not part:
        return len(value) if isinstance(value, tuple | dict) else int(bool(value))
    values = [getattr(x, part) for x in value]
    default = type(value[0]).model_fields[part].default if values else None
    return sum(v is not None and (part == "pixels" or v != default) for v in values)  # pixels are arrays


@contextmanager
def open_output(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary stream into `path`; "-" is standard output.

    As `openmie.data.replace_file` says: a file is replaced when all is written, through links too, anything else is
    written to.
    """
    if os.fspath(path) == "-":
        with writing.report_disk_errors("standard output"):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    with writing.replace_file(path) as stream:
        yield stream


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder that appears as `path` when all is written; one that already holds something is not touched.

    A link to an empty folder, or to where none is yet, stays a link; an empty folder's permission bits are kept.
    """
    target = Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise CorpusError(
            f"{writing.describe_path(path)}; something is there already",
            expected="a new or empty folder",
            where=os.fspath(path),
            remedy="choose another folder; what is there was not touched",
        )
    if target.exists() and any(target.iterdir()):
        raise CorpusError(
            "something is there already",
            expected="a new or empty folder",
            where=os.fspath(path),
            remedy="remove it, or choose another folder",
        )
    if not target.parent.is_dir():
        raise CorpusError(
            f"no folder {target.parent}", expected="a folder to write to", where=os.fspath(path), remedy="make it first"
        )
    siblings.remove_left_behind(target)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=siblings.name_part(target), suffix=".tmp"))
    try:
        with siblings.held(siblings.opened(temporary)):
            yield temporary
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o777 & ~_umask()
            os.chmod(temporary, mode)
            if target.exists():
                target.rmdir()
            os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def encode_utf8(text: str, where: str) -> bytes:
    """UTF-8, or an error that names a lone surrogate (half of a UTF-16 pair, which no text may hold)."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"a lone surrogate U+{ord(text[error.start]):04X}",
            expected="Unicode text",
            where=where,
            remedy="decode the source as UTF-16 or drop the character",
        ) from None


def stem(path: str | os.PathLike[str]) -> str:
    """The name of a file without its suffix, as in the ids of its documents; a folder's name as it is.

    What begins with a digit is a part of the name: `posts-1.5` keeps it.
    """
    target = Path(path)
    return target.stem if target.suffix[1:2].isalpha() and not target.is_dir() else target.name


def safe_name(text: str) -> str:
    """A file name for an id: what file systems forbid is percent-encoded (`urllib.parse.unquote` undoes it).

    One longer than 180 bytes is cut and gets a hash, and cannot be turned back.
    """
    name = re.sub(r'[\x00-\x1f\x7f%/\\:*?"<>|]|^[. ]|[. ]$', lambda m: f"%{ord(m.group()):02X}", text) or "%"
    raw = encode_utf8(name, f"id {text[:80]!r}")
    if len(raw) <= 180:
        return name
    return raw[:150].decode("utf-8", "ignore") + "-" + hashlib.sha256(raw).hexdigest()[:16]
