"""One process a folder: whoever writes into it holds it, and a second process is refused before it changes anything.

    with hold_folder(out):
        ...

The lock is the system's, on a file in the folder that is removed at the end. It is let go of however the process ends;
a file that a killed process left holds nothing. It also holds against the same process, so that two trainings of one
interpreter do not share a folder. Where a system or a file system has no such locks, nothing is held.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from openmie.data import replace_file as writing
from openmie.errors import CorpusError

NAME = ".openmie.lock"


class FolderInUse(CorpusError):
    """Another process writes into the folder."""


@contextmanager
def hold_folder(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a folder, which is made where it is not there, against other processes.

    Args:
        folder: what is written into.

    Raises:
        FolderInUse: another process, or this one elsewhere, holds it.
        OutputError: no folder can be made or written to.
    """
    with hold_file(writing.make_folder(folder) / NAME, str(folder)):
        yield


@contextmanager
def hold_file(path: Path, where: str) -> Iterator[None]:
    """The same for one file: `path` is the lock's own file, `where` what an error names."""
    file = _locked(path, where)
    try:
        yield
    finally:
        if file is not None:
            with suppress(OSError):  # while it is held: nobody else's can be removed
                if _is_same_file(file, path):
                    path.unlink()
            file.close()


def _locked(path: Path, where: str) -> IO[str] | None:
    """The open file that holds the lock; None where there are no locks."""
    try:
        import fcntl
    except ImportError:
        return None
    while True:
        with writing.report_disk_errors(str(path)):
            file = open(path, "a+", encoding="utf8")  # noqa: SIM115, it is held until the end
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(100)
            file.close()
            raise FolderInUse(
                f"another process is at it{f' ({holder})' if holder else ''}",
                expected="one process a folder",
                where=where,
                remedy="wait for it, or name another --out; started again later, the command goes on from there",
            ) from None
        except OSError:  # a file system without locks
            file.close()
            return None
        if _is_same_file(file, path):
            break
        file.close()  # its holder removed it after we had opened it
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


def _is_same_file(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False
