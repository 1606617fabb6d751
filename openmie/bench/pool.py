"""Runs in processes of their own: peak memory is each run's, and a crash of one does not stop the grid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Event as Flag
from threading import Lock
from typing import Any

from openmie.bench.run_spec import RunSpec
from openmie.errors import OpenMIEError, TrainError

ROOT = str(Path(__file__).parents[2])  # where this package was imported from: the run's process must find it too


@dataclass(frozen=True)
class Progress:
    """What happened to a cell: `finished` (before), `start`, `resume`, `step`, `dev`, `stop`, `done` (trained),
    `scored`, `failed`, `busy` (another process is at it)."""

    cell: RunSpec
    kind: str
    number: int  # of the cell in the grid, from 1
    of: int
    values: dict[str, Any] = field(default_factory=dict)


def run(
    cells: Sequence[RunSpec], out: str | Path, *, workers: int = 1, fresh: bool = True
) -> Generator[Progress, None, None]:
    """Do what is left to do; a generator: iterate to run it. What failed before is tried again.

    `workers` runs at once share the machine's threads (`OMP_NUM_THREADS`, else all cores). `fresh=False` runs in this
    process, one after the other. A run that fails is told and written down, and the others go on.
    """
    if workers < 1 or (workers > 1 and not fresh):
        raise TrainError(f"workers={workers}", expected="at least 1, and 1 in one process", remedy="1 is usual")
    waiting = []
    for number, cell in enumerate(cells, 1):
        if cell.finished(out):
            yield Progress(cell, "finished", number, len(cells))
        else:
            waiting.append((number, cell))
    if not fresh:
        for number, cell in waiting:
            yield from (Progress(cell, kind, number, len(cells), values) for kind, values in _here(cell, out))
        return
    yield from _Pool(waiting, len(cells), Path(out), workers).events()


def _here(cell: RunSpec, out: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    from openmie.bench.execution import Busy, execute, fail

    events: list[tuple[str, dict[str, Any]]] = []
    try:
        execute(cell, out, lambda kind, values: events.append((kind, dict(values))))
    except Busy as error:
        events.append(("busy", {"error": str(error)}))
    except Exception as error:
        why = reason(error)
        fail(cell, out, why, traceback.format_exc())
        events.append(("failed", {"error": why}))
    yield from events


def reason(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, OpenMIEError) else f"{type(error).__name__}: {text}"


class _Pool:
    """Threads that each start one process after the other and pass on what it says."""

    def __init__(self, waiting: Sequence[tuple[int, RunSpec]], of: int, out: Path, workers: int) -> None:
        self.waiting, self.of, self.out, self.workers = waiting, of, out, min(workers, max(len(waiting), 1))
        self.queue: Queue[Progress | None] = Queue()
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped, self.lock = Flag(), Lock()
        given = os.environ.get("OMP_NUM_THREADS", "")
        self.threads = max((int(given) if given.isdigit() else os.cpu_count() or 1) // self.workers, 1)

    def events(self) -> Iterator[Progress]:
        executor = ThreadPoolExecutor(self.workers)
        try:
            for number, cell in self.waiting:
                executor.submit(self._one, number, cell)
            left = len(self.waiting)
            while left:
                event = self.queue.get()
                if event is None:
                    left -= 1
                else:
                    yield event
        finally:  # the end, or the reader has stopped: nothing goes on behind its back
            self.stopped.set()
            with self.lock:
                for process in self.running:
                    process.kill()
            executor.shutdown(cancel_futures=True)

    def _one(self, number: int, cell: RunSpec) -> None:
        def tell(kind: str, values: dict[str, Any]) -> None:
            self.queue.put(Progress(cell, kind, number, self.of, values))

        try:
            if not self.stopped.is_set():
                self._process(cell, tell)
        except Exception as error:
            tell("failed", {"error": reason(error)})
        finally:
            self.queue.put(None)

    def _process(self, cell: RunSpec, tell: Any) -> None:
        folder = cell.folder(self.out)
        folder.mkdir(parents=True, exist_ok=True)
        ended = ""
        with open(folder / "log.txt", "ab") as log:
            process = self._start(log)
            try:
                assert process.stdin and process.stdout
                order = {
                    "cell": cell.dump(),
                    "out": str(self.out),
                    "threads": self.threads,
                    "parts": _part_files(cell),
                }
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
                for line in process.stdout:
                    kind, values = json.loads(line)
                    ended = kind if kind in ("scored", "failed", "busy") else ended
                    tell(kind, values)
                code = process.wait()
            except BrokenPipeError:  # it ended before it could read what to do
                code = process.wait()
            finally:
                process.kill()
                with self.lock:
                    self.running.discard(process)
        if not ended and not self.stopped.is_set():
            tell("failed", {"error": _ended(cell, self.out, code)})

    def _start(self, log: Any) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH", "")]))
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": str(self.threads)}
        with self.lock:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "openmie.bench"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
            self.running.add(process)
        return process


def _part_files(cell: RunSpec) -> tuple[str, ...]:
    """The files of parts that this process was given; of a cell without any the recipe is not imported here."""
    if not cell.parts:
        return ()
    from openmie.recipe.own_parts import part_files

    return part_files()


def _ended(cell: RunSpec, out: Path, code: int) -> str:
    """Written down for a process that could not do so itself."""
    from openmie.bench.execution import fail

    name = signal.Signals(-code).name if -code in set(signal.Signals) else ""
    why = f"the run's process ended by {name}" if name else f"the run's process ended with exit code {code}"
    why += " (out of memory?)" if name == "SIGKILL" else ""
    tail = (cell.folder(out) / "log.txt").read_text(encoding="utf8", errors="replace")[-4000:]
    fail(cell, out, why, tail)
    return why
