"""Thirty damaged inputs of each kind, by a seed: none ends in a traceback. `benchmarks/fuzz.py` runs thousands."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from openmie.errors import CorpusError
from tests.fixtures.fuzz_targets import TARGETS, model_target, video_target
from tests.fixtures.fuzzing import Target, damage, falls

SEED = 19


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_end_in_no_traceback(tmp_path: Path, name: str) -> None:
    assert falls(TARGETS[name], tmp_path, SEED, 30) == []


def test_damaged_videos_end_in_no_traceback(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    av.logging.set_level(av.logging.PANIC)
    assert falls(video_target(), tmp_path, SEED, 30) == []


def test_damaged_model_folders_end_in_no_traceback(tmp_path: Path, bert: str) -> None:
    assert falls(model_target(bert), tmp_path, SEED, 30) == []


def test_a_reader_that_falls_is_found(tmp_path: Path) -> None:
    """The fuzz itself can fail: a reader that looks up a key that is not always there."""

    def read(folder: Path, path: Path) -> Any:
        try:
            data = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            raise CorpusError("no JSON") from None
        return data["a"]["b"]

    target = Target(lambda folder: (folder / "x.json").write_text('{"a": {"b": 1}}') and None, read)
    found = falls(target, tmp_path, SEED, 60)
    assert {f.error.split(":")[0] for f in found} >= {"KeyError", "TypeError"}
    assert (tmp_path / "x.json").read_text() == '{"a": {"b": 1}}'  # each input is by itself
    assert falls(target, tmp_path, SEED, 60) == found  # and the same by the same seed


def test_damage_differs_and_keeps_nothing_of_the_last_input() -> None:
    good = json.dumps({"a": [1, {"b": "c"}]}).encode()
    made = [damage(good, random.Random(n), [good], structured=True) for n in range(200)]
    assert len(set(made)) > 100 and sum(m != good for m in made) > 180
