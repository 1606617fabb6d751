"""The curve of a training that was interrupted is that of a whole one; a demo goes on, and replaces another one's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openmie.cli import demo_run
from openmie.errors import TrainError
from openmie.train.checkpoint import DamagedCheckpointError, OtherRunError
from openmie.train.curve import Curve
from openmie.train.loop import Event


def events(first: int = 1, last: int = 100) -> list[Event]:
    steps = []
    for n in range(first, last + 1):
        steps.append(Event("step", n, (n - 1) // 50, values={"loss": 1 / n}))
        if n % 50 == 0:
            steps.append(Event("dev", n, n // 50 - 1, values={"f1": n / 2}))
    return steps


@pytest.mark.parametrize(
    "cut", ["", '{"step": 70, "epo', "[]\n", '{"a": 1}\n', "\ud83d".encode("utf8", "surrogatepass")]
)
def test_an_interrupted_curve_goes_on(tmp_path: Path, cut: Any) -> None:
    whole, part = Curve(tmp_path / "a.jsonl"), Curve(tmp_path / "b.jsonl")
    for event in [Event("start"), *events()]:
        whole.note(event)
    for event in [Event("start"), *events(last=67)]:
        part.note(event)
    with (tmp_path / "b.jsonl").open("ab") as file:
        file.write(cut if isinstance(cut, bytes) else cut.encode())
    again = Curve(tmp_path / "b.jsonl")
    for event in [Event("resume", 60, 1, values={"from": "step-60"}), Event("start", 60), *events(first=61)]:
        again.note(event)
    assert again.losses() == whole.losses() and again.dev() == whole.dev() == [(1.0, 25.0), (2.0, 50.0)]
    assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "b.jsonl").read_text()
    assert whole.losses()[0] == (20.0, pytest.approx(sum(1 / n for n in range(1, 21)) / 20))


@pytest.mark.parametrize("error", [OtherRunError, DamagedCheckpointError, TrainError])
def test_a_demo_goes_on_and_replaces_another(tmp_path: Path, monkeypatch: Any, error: type[TrainError]) -> None:
    asked = []

    def fit(*given: Any, resume: bool, **named: Any) -> Any:
        asked.append(resume)
        if resume:
            raise error("x")
        yield from [Event("start"), *events()]

    monkeypatch.setattr(demo_run, "fit", fit)
    corpus: Any = type("C", (), {"dev": (), "name": "diorama"})
    recipe: Any = None
    if error is TrainError:  # any other error is one of this demo
        with pytest.raises(TrainError):
            demo_run._train(recipe, [], corpus, tmp_path, 0, "text", lambda _, found: found)
        return
    _, dev = demo_run._train(recipe, [], corpus, tmp_path, 0, "text", lambda _, found: found)
    assert asked == [True, False] and dev == [(1.0, 25.0), (2.0, 50.0)]
