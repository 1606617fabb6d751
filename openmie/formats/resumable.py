"""A corpus made from another, document by document, in a folder that a stopped process can go on with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from openmie.data import folder_lock
from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.data.folder_lock import hold_folder
from openmie.errors import CorpusError
from openmie.formats import jsonl, output


def write_resumable(
    sources: Mapping[str, Iterable[Document]],
    out: str | os.PathLike[str],
    make: Callable[[Iterable[Document]], Iterator[Document]],
    settings: Mapping[str, Any],
    notes: str,
    report: output.WriteReport | None = None,
    again: Callable[[Document], bool] | None = None,
    unit: int = 1,
) -> Iterator[Document]:
    """Write `make(documents)` of each source as `NAME.jsonl` into the folder; each document is yielded once written.

    A file appears when it is whole. Started again with equal `settings` (kept in the file `notes`), what is there is
    taken over, up to the first document that is to be made `again`, and the rest is made; of `unit` documents that are
    made together all are made again where some are missing, so that the files are equal however often a process was
    stopped. Rows are written to the system as they are made: a kill costs none, and an error says how many are kept.
    CorpusError: a folder that holds something else, such as a pipe under the name of a file; other settings, other
    documents than those begun with, another process at it.
    """
    folder, report = Path(out), report if report is not None else output.WriteReport()
    with _locked_folder(folder, settings, notes), _saying_what_is_kept(folder, report):
        for name, documents in sources.items():
            whole, part = folder / f"{name}.jsonl", folder / f".{name}.jsonl.part"
            _check_regular_files(whole, part)
            stream, there = iter(documents), whole if whole.exists() else part
            rows, before, good = _finished(there, again)
            if there is whole and good < before:
                whole.replace(part)
                there = part
            if there is part:
                rows = rows // unit * unit
            end = 0
            for line in islice(_lines(there), rows):
                old, end = Document.from_json(line), end + len(line)
                _check_same_document(old, next(stream, None), folder)
                report.count(old)
                yield old
            if there is whole:
                _check_same_document(None, next(stream, None), folder)
                continue
            with writing.report_disk_errors(str(part)), part.open("ab") as file:
                file.truncate(end)
                for document in make(stream):
                    text = jsonl.document_line(document, folder, report)
                    file.write(output.encode_utf8(text, f"document {document.id}") + b"\n")
                    file.flush()
                    report.count(document)
                    yield document
            part.replace(whole)


def _check_regular_files(*paths: Path) -> None:
    """All are files, through links or not, or nothing is there."""
    for path in paths:
        if os.path.lexists(path) and not path.is_file():
            raise CorpusError(
                writing.describe_path(path),
                expected="a file, or nothing yet: a stopped process goes on in it",
                where=str(path),
                remedy="remove it, or choose another folder; it was not touched",
            )


def _finished(path: Path, again: Callable[[Document], bool] | None) -> tuple[int, int, int]:
    """Rows before the first that is to be made again, the bytes of all whole rows, and of those before it."""
    rows = whole = good = 0
    open_ = True
    for line in _lines(path):
        whole += len(line)
        open_ = open_ and not (again and again(Document.from_json(line)))
        if open_:
            rows, good = rows + 1, good + len(line)
    return rows, whole, good


def _lines(path: Path) -> Iterator[bytes]:
    """Whole lines of a file, if it is there: what a stopped process left behind the last line break is no line."""
    if path.exists():
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))


@contextmanager
def _saying_what_is_kept(folder: Path, report: output.WriteReport) -> Iterator[None]:
    """An error, or Ctrl-C, gets a note of how many documents are in the folder, and that the same command goes on."""
    try:
        yield
    except BaseException as error:
        refused = isinstance(error, CorpusError) and not isinstance(error, writing.OutputError)
        if not (refused or isinstance(error, GeneratorExit)):
            kept = f"{report.documents:,} documents are finished and kept in {folder}"
            error.add_note(f"{kept}; the same command goes on there.")
        raise


def _check_same_document(old: Document | None, new: Document | None, folder: Path) -> None:
    """Both are one document, or neither is there."""
    had, has = ([d.id, d.text] if d else None for d in (old, new))
    if had != has:
        raise CorpusError(
            f"document {old.id if old else 'nothing'!r} where the corpus now has {new.id if new else 'nothing'!r}",
            where=str(folder),
            expected="the documents that the folder was begun with", remedy="remove the folder, or choose another",
        )  # fmt: skip


@contextmanager
def _locked_folder(folder: Path, settings: Mapping[str, Any], name: str) -> Iterator[None]:
    """The folder, made or found to be of these settings, and held against other processes."""
    notes = folder / name
    with hold_folder(folder):
        if all(_is_temporary(p, name) for p in folder.iterdir()):
            with output.open_output(notes) as made:
                made.write(json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")
        _check_settings(notes, settings)
        yield


def _check_settings(notes: Path, settings: Mapping[str, Any]) -> None:
    """The folder was begun by this command with these settings."""
    folder = notes.parent
    if not notes.is_file():
        raise CorpusError(
            "something is there already", expected="a new or empty folder, or one that this command began",
            where=str(folder), remedy="remove it, or choose another folder",
        )  # fmt: skip
    there = jsonl.load_json(notes)
    if other := sorted(k for k in {*there, *settings} if there.get(k) != settings.get(k)):
        raise CorpusError(
            f"{other[0]} is {there.get(other[0])!r} there, {settings.get(other[0])!r} here", where=str(folder),
            expected="the settings that the folder was begun with", remedy="remove the folder, or choose another",
        )  # fmt: skip


def _is_temporary(path: Path, name: str) -> bool:
    """The lock, and what a process leaves that is stopped while it writes its settings."""
    return path.name == folder_lock.NAME or (path.name.startswith(f".{name}.") and path.suffix == ".tmp")
