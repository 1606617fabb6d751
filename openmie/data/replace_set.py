"""Several entries of a folder replaced as one set: after a kill, all are of the set before or all of the new one.

    with replace_set(folder, NAMES) as staged:
        (staged / "card.md").write_text(...)

The new set is written beside the old one and synced, committed by the renaming of one folder, and moved into place
entry by entry. Who reads the folder calls `settle` first, which ends a move that was interrupted.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PENDING, MANIFEST = ".pending", "set.json"  # a committed set that is not in place yet, and the names of its entries


@contextmanager
def replace_set(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """An empty folder whose entries, at the end, stand in `folder` in place of those of the same names.

    Args:
        folder: where the set belongs; it is made.
        names: all that a set may have. Those that the new one lacks are removed from `folder`; all else there stays.

    Raises:
        OSError: no room, no right to write: the set before is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settle(folder, names)
    for left in folder.glob(f"{PENDING}-*"):  # by a writer that was killed
        shutil.rmtree(left, ignore_errors=True)
    staged = folder / f"{PENDING}-{secrets.token_hex(4)}"
    staged.mkdir()
    try:
        yield staged
        made = sorted(p.name for p in staged.iterdir())
        assert set(made) <= set(names), made
        (staged / MANIFEST).write_text(json.dumps(made), encoding="utf8")
        for path in (*staged.rglob("*"), staged):
            _sync(path)
        staged.rename(folder / PENDING)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    settle(folder, names)


def settle(folder: Path, names: Collection[str]) -> None:
    """Move a committed set into place, if one waits there.

    Raises:
        OSError: the folder cannot be written.
        ValueError: what waits there was not written by `replace_set`.
    """
    pending = folder / PENDING
    try:
        made = json.loads((pending / MANIFEST).read_text(encoding="utf8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    if not isinstance(made, list):
        raise ValueError(f"{MANIFEST} is no list")
    for name in names:  # never those that a file of the folder names: it may come from anywhere
        if name not in made:
            _remove(folder / name)
        elif os.path.lexists(pending / name):
            if (folder / name).is_dir():
                _remove(folder / name)
            with suppress(FileNotFoundError):  # another process settles the same set
                os.replace(pending / name, folder / name)
    (pending / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(pending, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
