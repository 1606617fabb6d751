"""One run in a process of its own: what `openmie.bench.run` starts.

The first line of standard input says what to do; when that closes, the bench has gone, and so does this process.
Standard output carries events, one JSON line each; whatever else is printed goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

PAUSE = 2.0  # seconds between two steps that are told


def main() -> None:
    """Read an order, do it, tell what happens."""
    events = os.fdopen(os.dup(1), "w", encoding="utf8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_with_the_bench, daemon=True).start()
    last = 0.0

    def tell(kind: str, values: Mapping[str, Any]) -> None:
        nonlocal last
        now = time.monotonic()
        if kind == "step" and now - last < PAUSE:
            return
        last = now if kind == "step" else last
        events.write(json.dumps([kind, values], default=str) + "\n")
        events.flush()

    import torch

    torch.set_num_threads(order["threads"])
    from openmie.bench.execution import Busy, execute, fail
    from openmie.bench.pool import reason
    from openmie.bench.run_spec import RunSpec
    from openmie.recipe import load_parts

    cell = RunSpec.load(order["cell"])
    try:
        load_parts(*order["parts"])
        execute(cell, order["out"], tell)
    except Busy as error:
        tell("busy", {"error": reason(error)})
    except Exception as error:
        fail(cell, order["out"], reason(error), traceback.format_exc())
        tell("failed", {"error": reason(error)})


def _leave_with_the_bench() -> None:
    while os.read(0, 1):  # not through sys.stdin: its lock would be held when this process ends
        pass
    os._exit(143)


if __name__ == "__main__":
    main()
