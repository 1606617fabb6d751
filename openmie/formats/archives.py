"""Archives read in memory and never unpacked to disk.

An archive is refused as a whole when a member is a link or device, its name leads out of the archive or repeats another
in any letter case, or members are too many or too large. Each of these is checked on a member's header, before its
content is read.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from openmie.errors import CorpusError

MAX_MEMBERS, MAX_MEMBER, MAX_TOTAL = 100_000, 4_000_000, 256_000_000  # count, bytes each, bytes in all
SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


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
    with (
        gzip.open(path) if packed else path.open("rb") as file,
        tarfile.open(mode="r|", fileobj=_LimitedStream(file, guard)) as archive,
    ):  # type: ignore[call-overload]
        for member in archive:
            if member.isdir():
                continue
            guard.check(member.name, member.size, member.isreg())
            content = archive.extractfile(member)
            yield member.name, content.read() if content else b""


class _LimitedStream(io.RawIOBase):
    """A stream that ends in an error before it has given more than an archive may hold, headers included."""

    def __init__(self, file: Any, guard: _Guard) -> None:
        self.file, self.guard, self.left = file, guard, MAX_TOTAL + 2048 * MAX_MEMBERS

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(self.left + 1 if size < 0 else min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            self.guard.refuse(f"more than {MAX_TOTAL:,} bytes", f"at most {MAX_TOTAL:,} bytes in all")
        return data


def _zip(path: Path) -> Iterator[tuple[str, bytes]]:
    guard = _Guard(path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            kind = member.external_attr >> 28  # Unix file type, where the archive has one: 8 is a regular file
            guard.check(member.filename, member.file_size, kind in (0, 8))
            with archive.open(member) as file:
                data = file.read(MAX_MEMBER + 1)
            guard.check_size(member.filename, len(data))
            yield member.filename, data


class _Guard:
    """Counts what an archive holds and refuses what no corpus needs."""

    def __init__(self, path: Path) -> None:
        self.path, self.count, self.total = path, 0, 0
        self.seen: set[str] = set()

    def check(self, name: str, size: int, regular: bool) -> None:
        self.count += 1
        self.total += size
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
