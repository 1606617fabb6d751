"""Prediction on a cluster by Ray Data: one process reads, actors predict, and the process of the command writes.

The posts flow through `read -> map_batches(actors) -> iterate`, a batch to a block, in the order of the posts, which is
kept. The batches are those that one process would predict, each actor predicts them in a worker process
(`openmie.inference.isolation`), and the command writes what comes into the same folder of shards: so the output does
not depend on the number of workers, and a job that one engine began, another finishes.

Where an actor or a node is lost, Ray predicts its batches again elsewhere; where the reader is lost, Ray reads again.
Rows are kept by the command alone, in the order of the posts: none is written twice.
"""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openmie.data.document import Document
from openmie.errors import ErrorRecord, MissingPackageError, ModelError, OpenMIEError
from openmie.formats.hashed_post import HashedPost
from openmie.formats.sharded_output import FinishedPlaces, OutputFolder
from openmie.inference import pipeline
from openmie.inference.isolation import Isolation
from openmie.inference.post_batches import PostBatch, batches_of
from openmie.inference.post_lines import decode_document
from openmie.inference.worker_process import PredictorSpec, Used, WorkerProcess, ignore_usage

_CPUS = 1.0  # of an actor


@dataclass(frozen=True, kw_only=True)
class RayJob:
    """Where and of what a job is made.

    Args:
        spec: how each actor makes its predictor.
        reading: arguments of `openmie.inference.pipeline.read_posts`; the files are there on all nodes, at the same
            paths, relative to the working folder of `spec`.
        workers: number of actors; 0: one for each processor of the cluster.
        address: of a cluster that runs, such as `auto` or `ray://HOST:10001`; "": `RAY_ADDRESS`, or Ray is started on
            this machine for the job.
        gpus: of an actor; a fraction lets actors share one.
        batch: posts that are predicted together.
    """

    spec: PredictorSpec
    reading: Mapping[str, Any]
    workers: int = 0
    address: str = ""
    gpus: float = 0.0
    batch: int = pipeline.PREDICTED_TOGETHER


def predict_on_ray(
    job: RayJob,
    rows: OutputFolder,
    tell: Callable[[Mapping[str, Any]], None] = lambda told: None,
    used: Used = ignore_usage,
) -> Iterator[Document]:
    """The documents of the posts that have no row yet, in order, for `rows.add`.

    Args:
        job: what is read and predicted.
        rows: the folder.
        tell: called once with what the predictors tell.
        used: called with what each batch used.

    Raises:
        MissingPackageError: without the extra `ray`.
        ModelError: no cluster at the address.
        OpenMIEError: what the reader or a predictor raises.
    """
    found: deque[bytes] = deque()

    def hashed() -> Iterator[HashedPost]:
        told = False
        for batch, facts in _batches(job, rows.finished, used):
            if facts and not told:
                told = True
                tell(facts)
            found.extend(batch.lines)
            yield from batch.hashed

    for _ in rows.pending(hashed()):
        yield decode_document(found.popleft())


def _batches(job: RayJob, finished: FinishedPlaces, used: Used) -> Iterator[tuple[PostBatch, Mapping[str, Any]]]:
    """Predicted batches in order, with what their predictor tells."""
    with _cluster(job) as ray:
        workers = job.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        context = ray.data.DataContext.get_current().copy()
        context.target_max_block_size = 1  # a batch to a block: Ray Data would join them to 128 MiB
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        with ray.data.DataContext.current(context):
            posts = ray.data.read_datasource(_datasource(job, finished), override_num_blocks=1, num_cpus=0)
            predicted = posts.map_batches(
                _PredictingActor,
                fn_constructor_args=(job.spec,),
                batch_size=None,
                batch_format="pyarrow",
                concurrency=workers,
                num_cpus=_CPUS,
                num_gpus=job.gpus or None,
            )
            for block in predicted.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
                for row in block.to_pylist():
                    for part in json.loads(row["used"]):
                        used(part)
                    if row["error"]:
                        raise OpenMIEError.of(ErrorRecord.model_validate_json(row["error"]))
                    yield PostBatch.of_columns(row["hashed"], row["lines"]), json.loads(row["told"])


def _read_blocks(job: RayJob, finished: FinishedPlaces) -> Iterator[Any]:
    """The reader: a table of one row for each batch; an error is a row too, which passes the actors by."""
    if os.path.isdir(job.spec.folder):
        os.chdir(job.spec.folder)
    try:
        for batch in batches_of(pipeline.read_posts(**job.reading), finished, job.batch):
            yield _table(batch)
    except OpenMIEError as error:
        yield _table(PostBatch(), error=error.record.model_dump_json())


def _table(
    batch: PostBatch, told: Mapping[str, Any] | None = None, used: Sequence[Mapping[str, Any]] = (), error: str = ""
) -> Any:
    import pyarrow as pa

    told_of = {"told": json.dumps(dict(told or {})), "used": json.dumps(list(used)), "error": error}
    columns = {**batch.columns(), **told_of}
    types = {"hashed": pa.large_binary(), "lines": pa.large_binary(), **dict.fromkeys(told_of, pa.string())}
    return pa.table({name: pa.array([value], types[name]) for name, value in columns.items()})


def _datasource(job: RayJob, finished: FinishedPlaces) -> Any:
    """A source of one read task, which streams: the places of posts are known only in their order."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    class Posts(Datasource):  # type: ignore[misc]
        """The posts of a job."""

        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
            return [ReadTask(lambda: _read_blocks(job, finished), unknown)]

    return Posts()


class _PredictingActor:
    """One worker process, and the batches that come to it."""

    def __init__(self, spec: PredictorSpec) -> None:
        self._used: list[Mapping[str, Any]] = []
        self._worker = WorkerProcess(spec, self._used.append)
        self._isolation = Isolation(self._worker)

    def __call__(self, block: Any) -> Any:
        import pyarrow as pa

        return pa.concat_tables([self._predicted(row) for row in block.to_pylist()])

    def _predicted(self, row: Mapping[str, Any]) -> Any:
        batch = PostBatch.of_columns(row["hashed"], row["lines"])
        if row["error"] or not batch.lines:
            return _table(batch, error=row["error"])
        self._used.clear()
        try:
            found = PostBatch(batch.hashed, self._isolation.predict(batch.lines))
            return _table(found, self._worker.facts, self._used)
        except OpenMIEError as error:
            return _table(PostBatch(), used=self._used, error=error.record.model_dump_json())


@contextmanager
def _cluster(job: RayJob) -> Iterator[Any]:
    """The library, connected to a cluster; one that was started for the job ends with it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"this needs the package {error.name}, which is not installed",
            remedy="install it: pip install 'openmie[ray]'",
        ) from None
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    ours = not ray.is_initialized()
    if ours:
        address = job.address or os.environ.get("RAY_ADDRESS", "")
        local: dict[str, Any] = (
            {} if address else {"num_cpus": max(job.workers, os.cpu_count() or 1), "include_dashboard": False}
        )
        try:
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ModelError(
                f"no cluster can be reached ({' '.join(str(error).split())[:200]})",
                expected="a cluster that runs",
                where=address or "this machine",
                remedy="start one (ray start --head), or leave --address out: Ray is started on this machine",
            ) from None
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()
