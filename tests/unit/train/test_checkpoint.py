"""Checkpoints: damage is told with what to do, and Ctrl-C and closing write one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.cli.interruption import interruptible, stopping_watch
from openmie.errors import TrainError
from openmie.train import checkpoint, fit
from openmie.train.loop import Event
from openmie.train.random_state import random_state, set_random_state
from tests.fixtures import small


def training(out: Path, bert: str, **options: Any) -> Any:
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="2")
    return fit(recipe, small.documents(20), small.documents(4), out=out, seed=3, **options)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: Any, bert: str) -> Path:
    """A training closed by its consumer after the second step, far from any checkpoint of its own."""
    out: Path = tmp_path_factory.mktemp("stopped")
    events = training(out, bert, checkpoint_every=0)
    for event in events:
        if event.step == 2:
            events.close()
    return out


def test_closing_after_a_step_writes_a_checkpoint_and_ends_in_the_same_bits(
    stopped: Path, tmp_path: Path, bert: str
) -> None:
    shutil.copytree(stopped, tmp_path / "again")
    last = checkpoint.latest(tmp_path / "again" / "checkpoints")
    assert last is not None and last.name.startswith("step-2-")
    events = list(training(tmp_path / "again", bert))
    assert events[0].kind == "resume" and events[0].step == 2
    list(training(tmp_path / "whole", bert))
    names = ("model.safetensors", "recipe.json")
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    modes = {p.name: oct(p.stat().st_mode & 0o777) for p in (tmp_path / "whole").rglob("*") if p.is_file()}
    assert len(set(modes.values())) == 1, modes  # as the umask says, weights too
    assert not (tmp_path / "whole" / "README.md").exists()  # one card: card.md
    card = (tmp_path / "whole" / "card.md").read_text(encoding="utf8")
    assert "LOC, PER" in card and "20 training documents" in card and "Diorama" not in card and "not named" in card


def damage(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    elif how == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "zeros":
        path.write_bytes(bytes(path.stat().st_size))
    else:
        path.write_text(how, encoding="utf8")


@pytest.mark.parametrize("how", ["gone", "half", "zeros", "", "[]", "null", "{}", '{"fingerprint": 3}'])
@pytest.mark.parametrize("name", ["trainer.json", "trainer.safetensors", "model.safetensors", "latest"])
def test_a_damaged_checkpoint_says_to_restart(stopped: Path, tmp_path: Path, bert: str, name: str, how: str) -> None:
    if (name, how) == ("latest", "gone"):
        return  # no pointer is no checkpoint
    folder = tmp_path / "checkpoints"
    shutil.copytree(stopped / "checkpoints", folder)
    last = checkpoint.latest(folder)
    assert last is not None
    damage(folder / name if name == "latest" else last / name, how)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    mark = json.loads((stopped / "checkpoints" / last.name / "trainer.json").read_text())["fingerprint"]
    with pytest.raises(TrainError, match="--restart"):
        found = checkpoint.latest(folder)
        assert found is not None
        checkpoint.restore(found, model, optimizer, schedule, mark)  # of another shape: never silently


@pytest.mark.parametrize("pointer", ["../../elsewhere", "/", "step-9-9-9-9", "step-1/../.."])
def test_a_pointer_leads_to_a_checkpoint_of_this_folder(tmp_path: Path, pointer: str) -> None:
    (tmp_path / "latest").write_text(pointer)
    with pytest.raises(TrainError, match="--restart"):
        checkpoint.latest(tmp_path)


def test_random_states_come_back(tmp_path: Path) -> None:
    tensors, rest = random_state()
    drawn = [random.random(), np.random.rand(), torch.rand(1).item(), random.gauss(0, 1)]
    set_random_state(tensors, json.loads(json.dumps(rest)))
    assert drawn == [random.random(), np.random.rand(), torch.rand(1).item(), random.gauss(0, 1)]


def test_ctrl_c_ends_the_step_and_asks_the_training_to_stop() -> None:
    done = []

    def events() -> Any:
        for n in range(5):
            if (yield Event("step", n)):
                done.append(-1)  # where a training writes its checkpoint
                yield Event("interrupted")
                return
            done.append(n)

    seen, before = [], signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        for event in interruptible(events()):
            seen.append(event.step)
            if event.step == 2:
                os.kill(os.getpid(), signal.SIGINT)
    assert seen == [0, 1, 2] and done == [0, 1, -1]
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_ends_a_fine_tuning_that_calls_a_function() -> None:
    """Its step answers True, and `interrupted` ends the command; a second Ctrl-C ends it at once."""
    told, before = [], signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as ended, stopping_watch(lambda kind, _: told.append(kind)) as watch:
        assert not watch("start", {}) and not watch("step_end", {"step": 1})
        os.kill(os.getpid(), signal.SIGINT)
        assert watch("step_end", {"step": 2}) is True
        watch("interrupted", {"step": 2})
    assert "Step 2 is saved; started again, the training goes on" in ended.value.__notes__[0]
    assert told == ["start", "step_end", "step_end"] and signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt), stopping_watch(lambda kind, _: None) as watch:
        watch("start", {})
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("a second Ctrl-C was waited for")


def test_a_second_ctrl_c_ends_at_once() -> None:
    seen = []

    def events() -> Any:
        yield Event("start")
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        seen.append("after")
        yield Event("step", 1)

    with pytest.raises(KeyboardInterrupt):
        list(interruptible(events()))
    assert seen == []


def test_checkpoint_every_on_the_command_line(tmp_path: Path, monkeypatch: Any) -> None:
    import openmie.train

    seen: dict[str, Any] = {}

    def fit_stub(*given: Any, **named: Any) -> Any:
        seen.update(named)
        yield Event("done", values={"best": 1.0, "best_epoch": 0, "rows": {}})

    monkeypatch.setattr(openmie.train, "fit", fit_stub)
    command = ["train", "baseline", "--corpus", "diorama:train=4,dev=2,test=2", "--out", str(tmp_path)]
    found = CliRunner().invoke(cli.app, [*command, "--checkpoint-every", "7"])
    assert found.exit_code == 0, found.output
    assert seen["checkpoint_every"] == 7 and seen["corpus"] == "diorama:train=4,dev=2,test=2"
