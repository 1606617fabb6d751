"""Archives read in memory and never unpacked to disk.

An archive is refused as a whole when a member is a link or device, its name leads out of the archive or repeats another
in any letter case, or members are too many or too large, folders counted. Each of these is checked on a member's
header, before its content is read; and no more is read for a header, or a directory of them, than headers need. An
archive within another is a file like any other, and stays packed.
"""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from openmie.errors import CorpusError

MAX_MEMBERS, MAX_MEMBER, MAX_TOTAL = 100_000, 4_000_000, 256_000_000  # count, bytes each, bytes in all
MAX_HEADER = 1_000_000  # bytes before a member's content: its name, extended attributes, what an earlier one left
SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_ENTRY = b"PK\x01\x02"  # how an entry of a zip's list of members begins
_BROKEN = (  # what the standard library raises at damaged archives; RuntimeError: a password, headers in one another
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, lzma.LZMAError),
    *(EOFError, OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
)


def archive_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each file of a tar, tar.gz or zip archive; a `CorpusError` where it is broken or hostile."""
    try:
        yield from (_zip if path.suffix.lower() == ".zip" else _tar)(path)
    except _BROKEN as error:
        raise CorpusError(
            f"{type(error).__name__}: {error}",
            expected="a whole tar or zip archive",
            where=str(path),
            remedy="fetch the archive anew, or unpack it and name the folder (boxes=FOLDER)",
        ) from None


def _tar(path: Path) -> Iterator[tuple[str, bytes]]:
    guard = _Guard(path)
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as file:
        stream = _LimitedStream(file, guard)
        with tarfile.open(mode="r|", fileobj=stream) as archive:  # type: ignore[call-overload]
            for member in archive:
                if member.isdir():
                    guard.check_size(member.name, 0)
                else:
                    guard.check(member.name, member.size, member.isreg())
                stream.allow(member.size if member.isreg() else 0)  # a folder has no content, whatever it says
                if content := archive.extractfile(member):
                    yield member.name, content.read()


class _LimitedStream(io.RawIOBase):
    """A stream that ends in an error before it has given more than the members and their headers may take."""

    def __init__(self, file: Any, guard: _Guard) -> None:
        self.file, self.guard, self.left = file, guard, MAX_HEADER

    def allow(self, size: int) -> None:
        """The content of a member of `size` bytes, and the header of the next one."""
        self.left = size + MAX_HEADER

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(self.left + 1 if size < 0 else min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            self.guard.refuse(
                f"a header of more than {MAX_HEADER:,} bytes after {self.guard.count:,} members",
                "names and attributes of a few hundred bytes",
            )
        return data


def _zip(path: Path) -> Iterator[tuple[str, bytes]]:
    guard = _Guard(path)
    with path.open("rb") as file, zipfile.ZipFile(_Directory(file, guard)) as archive:  # type: ignore[arg-type]
        for member in archive.infolist():
            if member.is_dir():
                guard.check_size(member.filename, 0)
                continue
            kind = member.external_attr >> 28  # Unix file type, where the archive has one: 8 is a regular file
            guard.check(member.filename, member.file_size, kind in (0, 8))
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others take memory as they say
                guard.refuse(
                    f"{member.filename[:120]!r}, packed by method {member.compress_type}", "stored or deflated"
                )
            with archive.open(member) as content:
                data = content.read(MAX_MEMBER + 1)
            guard.check_fits(member.filename, len(data))
            yield member.filename, data


class _Directory(io.RawIOBase):
    """A zip file whose list of members, which is read at once and kept, is looked at before it becomes objects."""

    def __init__(self, file: Any, guard: _Guard) -> None:
        self.file, self.guard = file, guard

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.file.read(min(size, MAX_TOTAL) if size >= 0 else MAX_TOTAL)
        if len(data) > MAX_MEMBERS * len(_ENTRY) and (count := data.count(_ENTRY)) > MAX_MEMBERS:
            self.guard.refuse(f"a list of {count:,} members", f"at most {MAX_MEMBERS:,} members")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self.file.seek(offset, whence))

    def tell(self) -> int:
        return int(self.file.tell())

    def seekable(self) -> bool:
        return True


class _Guard:
    """Counts what an archive holds and refuses what no corpus needs."""

    def __init__(self, path: Path) -> None:
        self.path, self.count, self.total = path, 0, 0
        self.seen: set[str] = set()

    def check(self, name: str, size: int, regular: bool) -> None:
        """A file, by its header."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not parts or parts[0].startswith("/") or ".." in parts or ":" in parts[0] or "\0" in name or len(name) > 500:
            self.refuse(f"the member name {name[:120]!r}", "names that stay inside the archive")
        if not regular:
            self.refuse(f"{name[:120]!r}, which is a link or a device", "regular files only")
        if name.casefold() in self.seen:
            self.refuse(f"{name[:120]!r} twice, letter case aside", "one member of a name")
        self.seen.add(name.casefold())
        self.check_size(name, size)

    def check_size(self, name: str, size: int) -> None:
        """One member more, a file or a folder."""
        self.count += 1
        self.total += size
        self.check_fits(name, size)

    def check_fits(self, name: str, size: int) -> None:
        if size > MAX_MEMBER or self.total > MAX_TOTAL or self.count > MAX_MEMBERS:
            self.refuse(
                f"{self.count} members, {self.total:,} bytes, {name[:120]!r} with {size:,}",
                f"at most {MAX_MEMBERS:,} members, {MAX_MEMBER:,} bytes each and {MAX_TOTAL:,} in all",
            )

    def refuse(self, found: str, expected: str) -> None:
        raise CorpusError(
            found,
            expected=expected,
            where=str(self.path),
            remedy="do not trust this archive: fetch it from its publisher, or name an unpacked folder",
        )
