"""The engines of `openmie extract`: this process, worker processes beside it, or Ray. What is written is the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from openmie.cli import options
from openmie.cli.extract_output import is_folder
from openmie.cli.extract_predictor import ExtractPredictor, worker_spec
from openmie.data.document import Document
from openmie.errors import ErrorRecord, OpenMIEError
from openmie.formats.sharded_output import OutputFolder

ENGINES = ("local", "ray")
Items = Iterable[Document | ErrorRecord]


def check_engine(given: Mapping[str, Any]) -> None:
    """Errors of `--engine`, `--workers` and `--address` that need no model: OpenMIEError."""
    engine, workers = given["engine"], given["workers"]
    if engine not in ENGINES:
        raise OpenMIEError.unknown("--engine", engine, ENGINES)
    if workers < 0:
        raise OpenMIEError(f"--workers {workers}", expected="0 or more", remedy="leave it out: 0 is the default")
    for name in ("address", "gpus_per_worker"):
        if engine == "local" and given[name]:
            flag = f"--{name.replace('_', '-')}"
            raise OpenMIEError(f"{flag} without --engine ray", expected="both", remedy="add --engine ray")
    if given["gpus_per_worker"] < 0:
        raise OpenMIEError(f"--gpus-per-worker {given['gpus_per_worker']}", expected="0 or more", remedy="correct it")
    if engine == "local":
        return
    if not is_folder(given["out"]):
        raise OpenMIEError(
            f"--engine ray with --out {given['out']}",
            expected="--out FOLDER, in which a stopped job goes on",
            remedy="name a folder, without an ending",
        )
    if not given["source"] or "-" in given["source"]:
        raise OpenMIEError(
            "--engine ray with one post, or with standard input",
            expected="files that each node of the cluster can read",
            remedy="name files or folders, or leave --engine out",
        )


def documents(given: Mapping[str, Any], posts: Items, predictor: ExtractPredictor, when: str) -> Iterator[Document]:
    """The predicted documents of all posts, on this machine."""
    return _local(given, posts, predictor, when)


def folder_documents(
    given: Mapping[str, Any], posts: Items, predictor: ExtractPredictor, rows: OutputFolder
) -> Iterator[Document]:
    """The predicted documents of the posts that a folder lacks. No model is loaded where all is there.

    Args:
        given: the parameters of the command.
        posts: all posts of the job.
        predictor: of this process.
        rows: the folder.
    """
    if given["engine"] == "ray" and not (rows.manifest.finished and not rows.totals.again):
        return _on_ray(given, predictor, rows)
    pending = iter(rows.pending(posts))
    if (first := next(pending, None)) is None:
        return iter(())
    return _local(given, chain([first], pending), predictor, rows.when)


def _local(given: Mapping[str, Any], posts: Items, predictor: ExtractPredictor, when: str) -> Iterator[Document]:
    from openmie.inference import pipeline
    from openmie.inference.worker_pool import predict_in_workers

    if given["workers"]:
        spec, costs = worker_spec(given, when, os.getcwd()), predictor.costs
        return predict_in_workers(spec, posts, given["workers"], pipeline.PREDICTED_TOGETHER, predictor.tell, costs.add)
    found = predictor(posts, when)
    predictor.tell()
    return found


def _on_ray(given: Mapping[str, Any], predictor: ExtractPredictor, rows: OutputFolder) -> Iterator[Document]:
    from openmie.inference.ray_engine import RayJob, predict_on_ray

    columns = options.post_columns(given["text_column"], given["image_column"], given["id_column"])
    reading = {
        "source": list(given["source"]),
        "images": given["image_dir"],
        "columns": columns,
        "format": given["from_"] or None,
    }
    spec = worker_spec(given, rows.when, os.getcwd())
    job = RayJob(
        spec=spec, reading=reading, workers=given["workers"], address=given["address"], gpus=given["gpus_per_worker"]
    )
    return predict_on_ray(job, rows, predictor.tell, predictor.costs.add)
