"""What Ray costs against one process, and how the rate grows with the workers.

    python benchmarks/ray_scale.py [--workers 1 2 4 8] [--milliseconds 20] [--batches 6] [--posts 4000] [--out FILE]

The first table is a simulation: a model that sleeps MILLISECONDS a post, so that any number of workers fits on two
cores; efficiency is the share of the time between a worker's first and last batch in which it had one. The second
table is the machinery alone: a model that costs nothing, in this process, in worker processes and on Ray, all writing
the same folder of rows; its CPU seconds are those of this process, its rate is what one job can reach at most. Rates
are of the time from the first row to the last. What starting Ray and its workers takes stands beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from openmie.data.document import Document, Mention
from openmie.errors import ErrorRecord
from openmie.formats.sharded_output import OutputFolder, open_output_folder
from openmie.inference import pipeline
from openmie.inference.pipeline import PREDICTED_TOGETHER, as_document
from openmie.inference.ray_engine import RayJob, predict_on_ray
from openmie.inference.worker_pool import predict_in_workers
from openmie.inference.worker_process import PredictorSpec

TEXT = "Ada Lovelace spoke in Turin about the engine, and Bo wrote it down: number {}"


class Sleeping:
    """A model that finds the first word of a post and sleeps.

    Args:
        seconds: that a post takes.
        log: folder in which each process writes when its batches began and ended; "": none.
    """

    def __init__(self, seconds: float, log: str = "") -> None:
        self.seconds, self.facts = seconds, dict[str, Any]()
        self.log = Path(log) / f"{os.getpid()}" if log else None

    def take_usage(self) -> dict[str, Any]:
        """It uses nothing that a command tells of."""
        return {}

    def __call__(self, items: Sequence[Document | ErrorRecord]) -> Iterator[Document]:
        began = time.time()
        time.sleep(self.seconds * len(items))
        if self.log is not None:
            with open(self.log, "a", encoding="utf-8") as file:
                print(began, time.time(), file=file)
        for number, item in enumerate(items, 1):
            yield as_document(item, number).replace(mentions=(Mention(id="m", start=0, end=3, label="PER", score=0.9),))


def sleeping(seconds: float, log: str = "") -> Sleeping:
    """How a worker makes it."""
    return Sleeping(seconds, log)


def fed(log: Path) -> float:
    """The share of the time between its first and its last batch in which a worker had one, over all workers."""
    busy = whole = 0.0
    for path in log.iterdir():
        times = [tuple(map(float, line.split())) for line in path.read_text(encoding="utf-8").splitlines()]
        busy += sum(end - began for began, end in times)
        whole += times[-1][1] - times[0][0]
    return busy / whole


def timed(
    folder: Path, found: Callable[[OutputFolder], Iterable[Document]], posts: int, at_once: int
) -> dict[str, Any]:
    """Write what is predicted; its rate from the first row on, when `at_once` batches are ready."""
    began, cpu = time.perf_counter(), time.process_time()
    first = 0.0
    with open_output_folder(folder, {"--model": "sleeping"}) as rows:
        for document in found(rows):
            first = first or time.perf_counter()
            rows.add(document)
        last = time.perf_counter()
        rows.finish()
    left = posts - PREDICTED_TOGETHER * at_once
    return {
        "posts a second": round(left / (last - first), 1),
        "seconds to the first row": round(first - began, 1),
        "microseconds of CPU a post, here": round((time.process_time() - cpu) / posts * 1e6),
    }


def write_posts(path: Path, count: int) -> str:
    """Posts of one sentence each."""
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": f"p{i}", "text": TEXT.format(i)}) + "\n" for i in range(count))
    return str(path)


def scaling(folder: Path, workers: Sequence[int], seconds: float, batches: int) -> dict[str, Any]:
    """Rates of the sleeping model on Ray, for each number of workers."""
    made: dict[str, Any] = {}
    for count in workers:
        posts = PREDICTED_TOGETHER * count * batches
        log = folder / f"times-{count}"
        log.mkdir()
        job = RayJob(
            spec=PredictorSpec("ray_scale:sleeping", {"seconds": seconds, "log": str(log)}),
            reading={"source": write_posts(folder / "scaled.jsonl", posts)},
            workers=count,
        )
        found = timed(folder / f"scaled-{count}", lambda rows, job=job: predict_on_ray(job, rows), posts, count)
        made[str(count)] = {
            **found,
            "efficiency": round(fed(log), 3),
            "workers that predicted": len(list(log.iterdir())),
        }
    return made


def machinery(folder: Path, posts: int) -> dict[str, Any]:
    """The same job with a model that costs nothing, in each engine."""
    source = write_posts(folder / "free.jsonl", posts)
    spec = PredictorSpec("ray_scale:sleeping", {"seconds": 0.0})
    free = Sleeping(0.0)

    def here(rows: OutputFolder) -> Iterator[Document]:
        pending = list(rows.pending(pipeline.read_posts(source)))
        for at in range(0, len(pending), PREDICTED_TOGETHER):
            yield from free(pending[at : at + PREDICTED_TOGETHER])

    job = RayJob(spec=spec, reading={"source": source}, workers=1)
    engines: dict[str, Callable[[OutputFolder], Iterable[Document]]] = {
        "this process": here,
        "1 worker process": lambda rows: predict_in_workers(
            spec, rows.pending(pipeline.read_posts(source)), 1, PREDICTED_TOGETHER
        ),
        "Ray, 1 actor": lambda rows: predict_on_ray(job, rows),
    }
    return {name: timed(folder / name.replace(" ", "-"), found, posts, 0) for name, found in engines.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    arguments.add_argument("--milliseconds", type=float, default=20.0)
    arguments.add_argument("--batches", type=int, default=6, help="of each worker")
    arguments.add_argument("--posts", type=int, default=4000, help="of the job that costs nothing; 0: leave it out")
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    import ray

    ray.init(address="local", num_cpus=max(given.workers) + 1, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as name:
        record = {"cores": os.cpu_count(), "ray": ray.__version__}
        record["scaling"] = scaling(Path(name), given.workers, given.milliseconds / 1000, given.batches)
        record["machinery"] = machinery(Path(name), given.posts) if given.posts else {}
    used = resource.getrusage(resource.RUSAGE_SELF)
    record["CPU seconds, here"] = round(used.ru_utime + used.ru_stime, 1)
    ray.shutdown()
    text = json.dumps(record, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
