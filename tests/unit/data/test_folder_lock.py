"""One process a folder: who comes second changes nothing, and who was killed holds nothing."""

import os
import signal

import pytest

from openmie.data import folder_lock
from openmie.data.folder_lock import FolderInUse, hold_folder
from openmie.train import fit
from tests.fixtures import small


def test_a_folder_is_held_once_and_nothing_stays_in_it(tmp_path):
    out = tmp_path / "a" / "b"
    with hold_folder(out):
        with pytest.raises(FolderInUse, match=f"process {os.getpid()} on"), hold_folder(out):
            pass
        assert os.listdir(out) == [folder_lock.NAME]  # the second did not remove the first one's lock
    with hold_folder(out):
        pass
    assert os.listdir(out) == []


def test_who_was_killed_holds_nothing(tmp_path):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        with hold_folder(tmp_path):
            os.write(tell, b"x")
            signal.pause()
        os._exit(0)
    os.read(told, 1)
    with pytest.raises(FolderInUse, match=f"process {child} on"), hold_folder(tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert os.listdir(tmp_path) == [folder_lock.NAME]
    with hold_folder(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_two_trainings_do_not_mix_in_one_folder(tmp_path, bert):
    recipe = small.recipe("ner", "text", encode__text__name=bert)
    data = small.documents(4), small.documents(2)
    first = fit(recipe, *data, out=tmp_path)
    next(first)
    with pytest.raises(FolderInUse, match="another process is at it"):
        next(fit(recipe, *data, out=tmp_path))
    first.close()
    next(fit(recipe, *data, out=tmp_path)).kind  # noqa: B018
