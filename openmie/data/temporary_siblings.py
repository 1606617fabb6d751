"""Files and folders beside what they become when they are whole, and one rule for those that a killed process left.

What will be `NAME` is written as `.NAME.XXXXXXXX.tmp`, and held by the system's lock while its writer lives. The next
writer of the same `NAME` removes those that nobody holds and nobody has written to for a minute. Where a system or a
file system has no locks, nothing is removed.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

LEFT_AFTER = 60.0  # seconds without a write: who replaces the file by one of its own holds another one
_NAME = re.compile(r"\..*\.[0-9a-z_]{8}\.tmp", re.DOTALL)


def name_part(target: Path) -> str:
    """What the names of all temporary siblings of a target begin with."""
    return f".{target.name[:50]}."


def opened(folder: Path) -> int | None:
    """A descriptor of a folder, to hold it by; None where a system has none."""
    with suppress(OSError):
        return os.open(folder, os.O_RDONLY)
    return None


@contextmanager
def held(number: int | None) -> Iterator[None]:
    """Hold an open descriptor's file, or folder, until the end, where it is closed."""
    if number is None:
        yield
        return
    try:
        _lock(number)
        yield
    finally:
        os.close(number)


def remove_left_behind(target: Path) -> None:
    """Remove the siblings that killed writers of this target left. A folder is listed once a process."""
    begin = name_part(target)
    for name in _temporary_names(os.path.abspath(target.parent)):
        if name.startswith(begin) and len(name) == len(begin) + 12:
            with suppress(OSError):
                _remove_if_left(target.parent / name)


@cache
def _temporary_names(folder: str) -> tuple[str, ...]:
    with suppress(OSError):
        return tuple(name for name in os.listdir(folder) if _NAME.fullmatch(name))
    return ()


def _remove_if_left(path: Path) -> None:
    there = path.lstat()
    folder = stat.S_ISDIR(there.st_mode)
    if time.time() - there.st_mtime < LEFT_AFTER or not (folder or stat.S_ISREG(there.st_mode)):
        return
    number = os.open(path, os.O_RDONLY)
    try:
        if not _lock(number):
            return
        if folder:
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        os.close(number)


def _lock(number: int) -> bool:
    """Hold the lock of an open descriptor, unless another one does."""
    try:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
