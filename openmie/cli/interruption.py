"""Ctrl-C in a training: the step is ended, a checkpoint is written, and then the command ends, in all processes.

Systems that are trained by `openmie.train.fit` give events, vision-language models call a function.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def interruptible(events: Generator[Any, bool | None, None]) -> Iterator[Any]:
    """The events of `openmie.train.fit`, which is asked to stop at the end of a step after the first Ctrl-C.

    It saves first, and of several processes all save and end at the same step, whichever of them were told. Before the
    first event, and at a second Ctrl-C, the command ends at once.

    Raises:
        KeyboardInterrupt: after the checkpoint.
    """
    with _noticed() as interrupted:
        event = next(events, None)
        while event is not None:
            if event.kind == "interrupted":
                raise _stopped(event.step)
            interrupted.armed = True
            yield event
            try:
                event = events.send(interrupted.asked)
            except StopIteration:
                return


@contextmanager
def stopping_watch(
    watch: Callable[[str, Mapping[str, Any]], None],
) -> Iterator[Callable[[str, Mapping[str, Any]], bool]]:
    """A watcher of `openmie.vlm.sft.finetune` that has the training stopped as `interruptible` does."""
    with _noticed() as interrupted:

        def watched(kind: str, values: Mapping[str, Any]) -> bool:
            if kind == "interrupted":
                raise _stopped(values["step"])
            interrupted.armed = kind != "done"
            watch(kind, values)
            return interrupted.asked

        yield watched


def _stopped(step: int) -> KeyboardInterrupt:
    """What ends the command, with the sentence that says how to go on."""
    found = KeyboardInterrupt()
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # as torchrun started them
    several = f", with {processes} processes" if processes > 1 else ""
    found.add_note(f"Step {step} is saved; started again{several}, the training goes on from there.")
    return found


def is_first_process() -> bool:
    """Whether this is the only process of a training, or the one of several that speaks."""
    return os.environ.get("RANK", "0") == "0"


class _Interrupted:
    armed = asked = False


@contextmanager
def _noticed() -> Iterator[_Interrupted]:
    """Whether Ctrl-C was pressed, in place of an exception in the middle of a step."""
    found = _Interrupted()

    def notice(number: int, frame: Any) -> None:
        if found.asked or not found.armed:
            raise KeyboardInterrupt
        found.asked = True
        if is_first_process():
            print("Stopping after this step; Ctrl-C once more stops at once.", file=sys.stderr)

    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield found
        return
    before = signal.signal(signal.SIGINT, notice)
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)
