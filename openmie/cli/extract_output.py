"""Where commands write what models find: a file or stream, or a folder that the same command goes on with."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from openmie.cli import console, progress
from openmie.cli.result_files import ResultFormat
from openmie.data import provenance
from openmie.data.document import Document
from openmie.data.object_stores import is_url
from openmie.errors import OpenMIEError
from openmie.formats import image_paths as paths
from openmie.formats import partial_output
from openmie.formats.shard_manifest import OtherJob
from openmie.formats.sharded_output import OutputFolder, open_output_folder

Left = Callable[[int | None], int | None]  # of the number of posts, those that are not there yet
Watch = Callable[[Iterable[Document], Left], Iterable[Document]]
Documents = Callable[[OutputFolder], Iterable[Document]]  # of the posts that have no row yet


def is_folder(out: str) -> bool:
    """Whether `--out` names a folder: one is there, or there is nothing and the name has no ending, or a slash."""
    if out == "-":
        return False
    if os.path.lexists(out):
        return os.path.isdir(out)
    return out.endswith(("/", os.sep)) or not re.fullmatch(r"\.[A-Za-z]\w{0,9}", Path(out).suffix)


def check(out: str, restart: bool, stores: bool = True) -> None:
    """Errors of `--out` that need no model: OpenMIEError.

    Args:
        out: a file, a folder, or a folder of an object store.
        restart: begin the folder anew.
        stores: whether it may be in an object store.
    """
    if is_url(out) and not (stores and is_folder(out)):
        raise OpenMIEError(
            f"--out {out}",
            expected="a folder of an object store" if stores else "a file or folder of this machine",
            remedy="leave the ending out, and name --format" if stores else "copy what is written",
        )
    if is_folder(out):
        return
    if restart:
        raise OpenMIEError(
            f"--restart with the file {out}", expected="--out FOLDER, which it begins anew", remedy="leave it out"
        )
    partial_output.check_target(out)


def _could_not_be_asked(document: Document) -> bool:
    from openmie.vlm.backends.endpoint import is_unavailable

    return any(map(is_unavailable, document.errors))


def write_folder(
    documents: Documents,
    out: str,
    format: ResultFormat,
    settings: Mapping[str, Any],
    watch: Watch,
    *,
    unit: int,
    restart: bool,
    splits: Iterable[str] = (),
    again: Callable[[Document], bool] = _could_not_be_asked,
) -> OutputFolder:
    """Predict what is not there yet, into the folder. No model is loaded where all is there.

    Args:
        documents: predicts the posts that have no row yet.
        out: the folder.
        format: of the shards.
        settings: what the rows depend on, see `open_output_folder`.
        watch: passes the documents on.
        unit: posts that are predicted together.
        restart: remove the rows that are there.
        splits: names of the splits of a corpus, each of which gets a file of JSON lines; (): shards.
        again: whether a document is to be made again by the next process.
    """
    with (
        open_output_folder(
            out, settings, suffix=format.suffix, files=[f"{name}.jsonl" for name in splits], write=format.write,
            unit=unit, again=again, when=provenance.now()[:10], restart=restart,
        ) as rows,
        _saying_how_to_go_on(rows),
    ):  # fmt: skip
        done = rows.done
        for document in watch(documents(rows), lambda posts: posts and max(posts - done, 0)):
            rows.add(document)
        rows.finish()
    return rows


def each_split(
    rows: OutputFolder,
    sources: Mapping[str, Iterable[Document]],
    make: Callable[[Iterable[Any]], Iterable[Document]],
) -> Iterator[Document]:
    """What `make` makes of the documents of each split that the folder lacks."""
    for number, documents in enumerate(sources.values()):
        yield from make(rows.pending(documents, number))


def written_documents(rows: OutputFolder) -> Iterator[Document]:
    """All documents of a finished folder of JSON lines."""
    for shard in rows.manifest.shards:
        with open(rows.folder / shard.file, "rb") as file:
            yield from (paths.paths_from(Document.from_json(line), rows.folder) for line in file)


def tell(rows: OutputFolder, now: progress.PostCounts, summary: str = "") -> bool:
    """Say on stderr what is in the folder; whether any post failed.

    Args:
        rows: what was written, now and before.
        now: counts of the posts that were made now, with what their errors and notes say.
        summary: the last line; "": the counts.
    """
    totals = rows.totals
    console.say_notes(now)
    console.say_failed([*now.records, *map(str, rows.lost)])
    if totals.again:
        console.say_line(f"{totals.again:,} posts could not be asked about. To ask again, run: {command()}")
    told = progress.PostCounts(posts=totals.posts, mentions=totals.mentions, failed=totals.failed, noted=totals.noted)
    why = "; the rows of those that failed say why" if totals.failed else ""
    console.say_line(summary or told.line(f"{rows.place.where}{why}"))
    return bool(totals.failed)


def command() -> str:
    """The command to go on with, as typed; it does not begin anew."""
    return shlex.join(["openmie", *(word for word in sys.argv[1:] if word != "--restart")])


@contextmanager
def _saying_how_to_go_on(rows: OutputFolder) -> Iterator[None]:
    try:
        yield
    except (GeneratorExit, typer.Exit, OtherJob):
        raise
    except BaseException as error:
        error.add_note(f"{rows.done:,} posts are finished and kept in {rows.place.where}. To go on, run: {command()}")
        raise
