"""Writing to a path that somebody named: a regular file is replaced, anything else is written to.

    with replace_file(path) as file:
        file.write(data)

What is there decides. Nothing, or a regular file: the bytes are written beside it and moved into place when all are
there, so that the file is whole or as it was; one that was there keeps its permission bits (and its owner, where that
may be given), a new one has those that the umask leaves. Other hard links of a file keep the old bytes. A symbolic
link: the same with what it leads to, there or not, and the link stays. A pipe, a terminal, a device of characters such
as /dev/null: the bytes go into it as they come, and it stays what it is; so does an open descriptor under its name, as
/dev/stdout or /dev/fd/3. A folder, a socket, a disk, links in a circle: OutputError, and nothing is touched.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from openmie.data import temporary_siblings as siblings
from openmie.errors import CorpusError

_TYPE_NAMES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device, such as a disk",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a character device",
    stat.S_IFREG: "a file",
}
_STREAMED_TYPES = (stat.S_IFIFO, stat.S_IFCHR)
# what a write meets in the medium itself; BrokenPipeError is not among them, the reader of a pipe may go
_DISK_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EROFS}


class OutputError(CorpusError):
    """A file cannot be written where it was asked for: to writers of corpora a CorpusError like their others."""


@dataclass(frozen=True)
class Target:
    """Where the bytes of a path go."""

    requested: str  # as the caller named it
    path: Path  # links followed
    there: os.stat_result | None = None  # of the regular file that is there
    node: bool = False  # a pipe or a character device
    descriptor: int | None = None  # an open one of this process, under its name


def resolve_target(path: str | os.PathLike[str]) -> Target:
    """Where the bytes of `path` go, without a byte written. OutputError: nowhere."""
    requested = os.fspath(path)
    descriptor = _descriptor_number(requested)
    if descriptor is not None:
        return Target(requested, Path(requested), descriptor=descriptor)
    try:
        there = os.stat(requested)
    except FileNotFoundError:
        target = Path(os.path.realpath(requested)) if os.path.islink(requested) else Path(requested)
        if not target.parent.is_dir():
            raise OutputError(
                f"no folder {target.parent}", expected="a folder to write to", where=requested, remedy="make it first"
            ) from None
        return Target(requested, target)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OutputError(
                "symbolic links in a circle",
                expected="links that lead to a file",
                where=requested,
                remedy="remove them, or name another file",
            ) from None
        raise _output_error(error, requested) from error
    if stat.S_ISREG(there.st_mode):
        return Target(
            requested, Path(os.path.realpath(requested)) if os.path.islink(requested) else Path(requested), there
        )
    if stat.S_IFMT(there.st_mode) not in _STREAMED_TYPES:
        raise OutputError(
            describe_path(requested),
            expected="a file, one there or a new one, a pipe or a character device",
            where=requested,
            remedy="name another file; what is there was not touched",
        )
    return Target(requested, Path(requested), node=True)


def describe_path(path: str | os.PathLike[str]) -> str:
    """What is there, in words, links followed; "nothing" where there is nothing."""
    try:
        return _TYPE_NAMES.get(stat.S_IFMT(os.stat(path).st_mode), "something that is no file")
    except OSError:
        return "a symbolic link that leads nowhere" if os.path.islink(path) else "nothing"


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made with those above it where it is not there. OutputError: something else is."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        at = next((p for p in (folder, *folder.parents) if os.path.lexists(p)), folder)
        if at.is_dir():
            raise _output_error(error, os.fspath(path)) from error
        raise OutputError(
            describe_path(at),
            expected="a folder, new or there already",
            where=str(at),
            remedy="name another; what is there was not touched",
        ) from None
    return folder


@contextmanager
def replace_file(path: str | os.PathLike[str], *, sync: bool = False) -> Iterator[IO[bytes]]:
    """A binary stream into `path`, as the module says. `sync`: a file is on the disk before it is moved into place."""
    where = resolve_target(path)
    if where.node or where.descriptor is not None:
        with report_disk_errors(where.requested), _open_node(where) as stream:
            yield stream
        return
    with _temporary_sibling(where) as name, report_disk_errors(where.requested), open(name, "wb") as stream:
        yield stream
        if sync:
            stream.flush()
            os.fsync(stream.fileno())


@contextmanager
def replace_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The same for what writes to a path alone: an empty file whose bytes, at the end, are those of `path`."""
    where = resolve_target(path)
    if where.node or where.descriptor is not None:
        with tempfile.TemporaryDirectory() as private:
            made = Path(private) / where.path.name
            made.touch()
            yield made
            with made.open("rb") as source, replace_file(path) as stream:
                shutil.copyfileobj(source, stream)
        return
    with _temporary_sibling(where) as name, report_disk_errors(where.requested):
        yield name


def replace_text(path: str | os.PathLike[str], text: str, *, errors: str = "strict", sync: bool = False) -> None:
    """`text` as UTF-8, its line breaks as they are, into `path`, as the module says."""
    data = text.encode("utf-8", errors)
    with replace_file(path, sync=sync) as stream:
        stream.write(data)


def move_into_place(made: Path, where: Target, mode: int | None = None) -> None:
    """Move a finished file of the same folder to its place. OutputError: it cannot be moved.

    Args:
        made: the file.
        where: its place; a file that is there hands on its bits and its owner.
        mode: the bits of a new file; None: those that it has.
    """
    try:
        if where.there is not None:
            _copy_mode_and_owner(made, where.there, stat.S_IMODE(where.there.st_mode) & 0o777)
        elif mode is not None and stat.S_IMODE(made.stat().st_mode) != mode:
            os.chmod(made, mode)  # whoever wrote to the path replaced the file by its own
        os.replace(made, where.path)
    except OSError as error:
        raise _output_error(error, where.requested) from error


@contextmanager
def _temporary_sibling(where: Target) -> Iterator[Path]:
    """An empty file beside the place, of the bits and the owner that it will have, moved there at the end."""
    siblings.remove_left_behind(where.path)
    name = where.path.parent / f"{siblings.name_part(where.path)}{secrets.token_hex(4)}.tmp"
    mode = 0o666 if where.there is None else stat.S_IMODE(where.there.st_mode) & 0o777
    try:
        number = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode | stat.S_IWUSR)
    except OSError as error:
        raise _output_error(error, where.requested) from error
    try:
        with siblings.held(number):
            if where.there is None:
                mode = stat.S_IMODE(name.stat().st_mode)  # without what the umask takes
            yield name
            move_into_place(name, where, mode)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def _copy_mode_and_owner(name: Path, there: os.stat_result, mode: int) -> None:
    now = name.stat()
    if (now.st_uid, now.st_gid) != (there.st_uid, there.st_gid) and hasattr(os, "chown"):
        with suppress(OSError):  # who may not give files away keeps this one
            os.chown(name, there.st_uid, there.st_gid)
    os.chmod(name, mode)


@contextmanager
def _open_node(where: Target) -> Iterator[IO[bytes]]:
    """A stream into what is there. A pipe waits for its reader."""
    try:
        if where.descriptor is None:
            number = os.open(where.path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
        else:
            for printed in (sys.stdout, sys.stderr):
                printed.flush()  # what was said before comes before
            number = os.dup(where.descriptor)
    except OSError as error:
        raise _output_error(error, where.requested) from error
    with os.fdopen(number, "wb") as stream:
        yield stream


@contextmanager
def report_disk_errors(requested: str) -> Iterator[None]:
    """A full disk is told with the path that the caller named; errors about other files are let through."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or (
            error.filename not in (None, requested) or error.errno not in _DISK_ERRNOS
        ):
            raise
        raise _output_error(error, requested) from error


def _output_error(error: OSError, requested: str) -> OutputError:
    return OutputError(
        (error.strerror or str(error)).lower(),
        expected="a place that takes what is written",
        where=requested,
        remedy="make room or give the right to write there, or name another file",
    )


def _descriptor_number(requested: str) -> int | None:
    """The number of an open descriptor of this process that the path names, by links such as /dev/stdout or not."""
    path, own = os.path.abspath(requested), os.path.realpath("/proc/self")
    for _ in range(40):  # as many links as a path may go through
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        ours = folder in ("/dev/fd", f"{own}/fd") or re.fullmatch(re.escape(own) + r"/task/\d+/fd", folder)
        if ours and name.isdecimal():
            return int(name)
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None
