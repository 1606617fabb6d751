"""What a killed writer left is removed by the next writer of the same target; what a live one holds stays."""

import fcntl
import os
import time

from openmie.data import temporary_siblings as siblings
from openmie.formats import output


def left(path, *, age=120.0, folder=False):
    if folder:
        path.mkdir()
        (path / "part.txt").write_text("x", encoding="utf8")
    else:
        path.write_text("half", encoding="utf8")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_next_writer_of_a_target_removes_what_killed_ones_left(tmp_path):
    siblings._temporary_names.cache_clear()
    gone = [left(tmp_path / ".a.jsonl.0123abcd.tmp"), left(tmp_path / ".d.abcd_123.tmp", folder=True)]
    fresh = left(tmp_path / ".a.jsonl.11111111.tmp", age=1)
    others = [
        left(tmp_path / name) for name in (".b.jsonl.0123abcd.tmp", ".a.jsonl.old.tmp", ".a.jsonl.x.01234567.tmp")
    ]
    link = tmp_path / ".a.jsonl.22222222.tmp"
    link.symlink_to(others[0])
    live = left(tmp_path / ".a.jsonl.33333333.tmp")
    with open(live, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with output.open_output(tmp_path / "a.jsonl") as file:
            file.write(b"whole")
        with output.new_folder(tmp_path / "d") as folder:
            (folder / "x").write_text("x", encoding="utf8")
        assert live.exists()
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in (fresh, link, *others)) and (tmp_path / "a.jsonl").read_bytes() == b"whole"


def test_a_writer_holds_its_own_and_lets_go_at_the_end(tmp_path):
    def is_free(path):
        number = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        finally:
            os.close(number)

    with output.open_output(tmp_path / "a"), output.new_folder(tmp_path / "d"):
        made = sorted(tmp_path.glob(".*.tmp"))
        assert len(made) == 2 and not any(map(is_free, made))
    assert not list(tmp_path.glob(".*.tmp")) and is_free(tmp_path / "a")


def test_a_folder_is_listed_once_however_many_files_are_written(tmp_path, monkeypatch):
    siblings._temporary_names.cache_clear()
    listed, real = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(path) or real(path))
    for number in range(20):
        with output.open_output(tmp_path / f"{number}.txt") as file:
            file.write(b"x")
    assert len(listed) == 1
