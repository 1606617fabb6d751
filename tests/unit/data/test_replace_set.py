"""A set of files is of one time: stopped at any call that changes the disk, it is the old or the new one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openmie.data import replace_set as sets
from openmie.data.replace_set import PENDING, replace_set, settle

NAMES = ("a.txt", "b.txt", "gone.txt", "tower", "vision")


class Killed(BaseException):
    """Stands for a kill: nothing after it is done."""


def write(folder: Path, age: str) -> None:
    with replace_set(folder, NAMES) as staged:
        for name in ("a.txt", "b.txt", *(["gone.txt"] if age == "old" else [])):
            (staged / name).write_text(age)
        for name in ("tower", *(["vision"] if age == "old" else [])):
            (staged / name).mkdir()
            (staged / name / f"{age}.json").write_text(age)


def found(folder: Path) -> dict[str, str]:
    settle(folder, NAMES)
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


OLD = {"a.txt": "old", "b.txt": "old", "gone.txt": "old", "tower/old.json": "old", "vision/old.json": "old"}
NEW = {"a.txt": "new", "b.txt": "new", "tower/new.json": "new"}


def _rmtree(remove: Callable[..., Any], path: Path, ignore_errors: bool = False) -> None:
    if not ignore_errors:  # clean-up, which a killed process does not do
        remove(path)


def test_killed_at_every_call(tmp_path: Path, monkeypatch: Any) -> None:
    """Also without the clean-up that an exception allows; what a killed writer left is passed by."""
    left = [0]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return call(*given, **named)

        return wrapped

    seen = []
    for kill in range(40):
        folder = tmp_path / str(kill)
        write(folder, "old")
        with monkeypatch.context() as patch:
            left[0] = kill
            patch.setattr(os, "replace", counted(os.replace))
            patch.setattr(os, "fsync", counted(os.fsync))
            patch.setattr(Path, "rename", counted(Path.rename))
            patch.setattr(Path, "unlink", counted(Path.unlink))
            removed = counted(shutil.rmtree)
            patch.setattr(shutil, "rmtree", partial(_rmtree, removed))
            with suppress(Killed):
                write(folder, "new")
        now = {k: v for k, v in found(folder).items() if not k.startswith(PENDING)}
        assert now in (OLD, NEW), kill
        seen.append(now == NEW)
        if left[0] > 0:
            break
        write(folder, "new")  # goes on as if nothing had been
        assert found(folder) == NEW
    assert not seen[0] and seen[-1] and seen == sorted(seen) and len(seen) > 12  # the old set, then the new one


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path, "old")
    with pytest.raises(OSError, match="no space"), replace_set(tmp_path, NAMES) as staged:
        (staged / "a.txt").write_text("half")
        raise OSError("no space")
    assert found(tmp_path) == OLD


def test_a_folder_from_elsewhere_moves_no_other_names(tmp_path: Path) -> None:
    """The list of a committed set is data: only the names of the caller are touched."""
    (tmp_path / "m" / PENDING).mkdir(parents=True)
    (tmp_path / "m" / PENDING / "c.txt").write_text("x")
    (tmp_path / "outside.txt").write_text("kept")
    (tmp_path / "m" / "mine.txt").write_text("kept")
    (tmp_path / "m" / PENDING / sets.MANIFEST).write_text(json.dumps(["../outside.txt", "c.txt", "mine.txt"]))
    assert found(tmp_path / "m") == {"mine.txt": "kept"}
    assert (tmp_path / "outside.txt").read_text() == "kept"


@pytest.mark.parametrize("text", ["", "[", "3", '{"a": 1}', "null"])
def test_a_damaged_list_is_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, "old")
    (tmp_path / PENDING).mkdir()
    (tmp_path / PENDING / sets.MANIFEST).write_text(text)
    with pytest.raises(ValueError):
        settle(tmp_path, NAMES)
    assert (tmp_path / "a.txt").read_text() == "old"
