"""Nodes that are no regular files, made by a test for itself: never those of the machine."""

from __future__ import annotations

import os
import select
import stat
import threading
from pathlib import Path

import pytest


def identity(path) -> tuple[int, int, int]:
    """What must be the same afterwards: type and bits, device number, inode."""
    there = os.lstat(path)
    return there.st_mode, there.st_rdev, there.st_ino


def device(path: Path, like: str) -> Path:
    """A character device as `like`, which is only looked at."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.stat(like).st_rdev)
        os.close(os.open(path, os.O_WRONLY))
    except (OSError, AttributeError) as error:
        path.unlink(missing_ok=True)
        pytest.skip(f"no device can be made here: {error}")
    assert stat.S_ISCHR(os.lstat(path).st_mode)
    return path


class Reader:
    """A pipe, and a thread that reads it to the end of the `with`; what came is then in `data`."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.handle, self.data, self.over = os.open(path, os.O_RDONLY | os.O_NONBLOCK), b"", threading.Event()
        self.thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        while True:
            over = self.over.is_set()
            try:
                some = os.read(self.handle, 1 << 16)
            except BlockingIOError:
                some = b""
            self.data += some
            if not some:
                if over:
                    return
                select.select([], [], [], 0.01)

    def __enter__(self) -> Reader:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join(30)
        os.close(self.handle)
