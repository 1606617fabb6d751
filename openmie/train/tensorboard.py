"""Events to TensorBoard logs, on the way past."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from openmie.train.loop import Event


def logged(events: Iterable[Event], folder: Path) -> Iterator[Event]:
    """The same events; every number of a step or dev event is written under `step/` or `dev/`.

    Without the package tensorboard (`pip install openmie[report]`) nothing is written.
    """
    if find_spec("tensorboard") is None:
        yield from events
        return
    from torch.utils.tensorboard import SummaryWriter

    stream = iter(events)
    begun = [event for event in [next(stream, None)] if event is not None]  # which may be refused: then no log
    with SummaryWriter(str(folder)) as writer:
        for event in chain(begun, stream):
            if event.kind in ("step", "dev"):
                for name, value in event.values.items():
                    if isinstance(value, int | float) and not isinstance(value, bool):
                        writer.add_scalar(f"{event.kind}/{name}", value, event.step)
            yield event
