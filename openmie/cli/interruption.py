"""Ctrl-C in a training: the step is ended, a checkpoint is written, and then the command ends."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any


def interruptible(events: Generator[Any, None, None]) -> Iterator[Any]:
    """The events of `openmie.train.fit`; after the first Ctrl-C it is closed at the end of a step, which saves.

    Before the first event, and at a second Ctrl-C, the command ends at once.

    Raises:
        KeyboardInterrupt: after the checkpoint.
    """
    with _noticed() as interrupted:
        for event in events:
            interrupted.armed = True
            if interrupted.asked:
                events.close()
                raise KeyboardInterrupt
            yield event


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
        print("Stopping after this step; Ctrl-C once more stops at once.", file=sys.stderr)

    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread alone
        yield found
        return
    before = signal.signal(signal.SIGINT, notice)
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)
