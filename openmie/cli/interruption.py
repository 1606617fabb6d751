"""Ctrl-C in a training: the step is ended, a checkpoint is written, and then the command ends, in all processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator
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
                raise _stopped(event)
            interrupted.armed = True
            yield event
            try:
                event = events.send(interrupted.asked)
            except StopIteration:
                return


def _stopped(event: Any) -> KeyboardInterrupt:
    """What ends the command, with the sentence that says how to go on."""
    found = KeyboardInterrupt()
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # as torchrun started them
    several = f", with {processes} processes" if processes > 1 else ""
    found.add_note(f"Step {event.step} is saved; started again{several}, the training goes on from there.")
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
