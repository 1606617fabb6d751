"""Several worker processes on one machine: reading, prediction and writing overlap, and the order of posts is kept.

The process of the command reads and writes; each worker predicts a batch at a time. Batches are those that one process
would predict, so that predictions do not depend on the number of workers.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from queue import SimpleQueue
from typing import Any

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.inference.isolation import Isolation
from openmie.inference.post_lines import decode_document, encode
from openmie.inference.worker_process import PredictorSpec, Used, WorkerProcess, ignore_usage

AHEAD = 2  # batches a worker: one is predicted, one waits


def predict_in_workers(
    spec: PredictorSpec,
    items: Iterable[Document | ErrorRecord],
    workers: int,
    batch: int,
    tell: Callable[[Mapping[str, Any]], None] = lambda told: None,
    used: Used = ignore_usage,
) -> Iterator[Document]:
    """Predictions in the order of the items. At most `AHEAD` batches a worker are held.

    Args:
        spec: how each worker makes its predictor.
        items: posts, read as they are needed.
        workers: number of processes.
        batch: posts that are predicted together.
        tell: called once with what the predictors tell.
        used: called with what each batch used, in a thread of its worker.

    Raises:
        OpenMIEError: the predictor cannot be made, or cannot work.
    """
    threads = spec.threads or int(os.environ.get("OMP_NUM_THREADS", "0") or 0)
    spec = replace(spec, threads=threads or max(1, (os.cpu_count() or 1) // workers))
    made = [WorkerProcess(spec, used) for _ in range(workers)]
    free: SimpleQueue[Isolation] = SimpleQueue()
    for worker in made:
        free.put(Isolation(worker))

    def predict(lines: list[bytes]) -> list[bytes]:
        isolation = free.get()
        try:
            return isolation.predict(lines)
        finally:
            free.put(isolation)

    stream, running, told = iter(items), deque[Future[list[bytes]]](), False
    pool = ThreadPoolExecutor(workers, thread_name_prefix="openmie worker")
    try:
        while True:
            while len(running) < AHEAD * workers and (part := list(islice(stream, batch))):
                running.append(pool.submit(predict, [encode(item) for item in part]))
            if not running:
                return
            lines = running.popleft().result()
            if not told:
                told = True
                tell(next((w.facts for w in made if w.facts), {}))
            yield from map(decode_document, lines)
    finally:
        for future in running:
            future.cancel()
        for worker in made:
            worker.close()
        pool.shutdown()
