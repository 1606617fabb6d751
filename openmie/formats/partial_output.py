"""One file of results, for small work: what was finished is kept where the rest cannot be made.

A regular file is written as `NAME.partial.jsonl` beside it, a row at a time, and moved into place, in its own format,
when all rows are there. Stopped by Ctrl-C, by a full disk or by an error, the partial file stays, its last row whole;
the next run begins it anew, so that one is left at most. A pipe, a device or standard output is written to as rows
come.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.data.folder_lock import hold_file
from openmie.formats import image_paths as paths
from openmie.formats import jsonl, output

Writer = Callable[[Iterable[Document], "str | os.PathLike[str]"], output.Written]


def check_target(path: str | os.PathLike[str]) -> writing.Target | None:
    """Where the rows will go; None: standard output. Folders above it are made. OutputError: nowhere."""
    if os.fspath(path) == "-":
        return None
    if not os.path.lexists(path):
        writing.make_folder(Path(path).parent)
    return writing.resolve_target(path)


def write_file(documents: Iterable[Document], path: str | os.PathLike[str], write: Writer | None) -> output.Written:
    """Write documents to a file as the module says.

    Args:
        documents: what to write, lazily.
        path: file, pipe or device; "-" is standard output.
        write: writer of the format; None: JSON lines.

    Returns:
        What was written, and what could not be.

    Raises:
        OutputError: a full disk, another process that writes the same file; whatever `documents` raises. A note of the
            error says where the finished rows are.
    """
    where = check_target(path)
    if where is None or where.node or where.descriptor is not None:
        stream = _UntilStopped(documents)
        written = (write or jsonl.write)(stream, path)
        stream.raise_reason()
        return written
    name = where.path.name
    partial = where.path.with_name(f"{name.removesuffix('.jsonl')}.partial.jsonl")
    with hold_file(where.path.with_name(f".{name[:50]}.lock"), where.requested):
        with _kept(partial) as file:
            written = _write_rows(documents, partial, file)
            os.fsync(file.fileno())
        if write is None:
            writing.move_into_place(partial, where)
            return written
        again = write(_rows(partial), path)
        partial.unlink()
        return output.Written(
            again.documents, again.dropped, written.records + again.records, written.lost + again.lost
        )


class _UntilStopped:
    """Documents up to the first error, which is kept: the writer ends what it has begun, such as a file's last part."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self._reason: BaseException | None = None

    def __iter__(self) -> Iterator[Document]:
        try:
            yield from self._documents
        except GeneratorExit:
            raise
        except BaseException as error:
            self._reason = error

    def raise_reason(self) -> None:
        if self._reason is not None:
            raise self._reason


class _PartialFile:
    """An open partial file, and how many rows are in it."""

    def __init__(self, number: int) -> None:
        self._number, self.rows, self.end = number, 0, 0

    def fileno(self) -> int:
        return self._number

    def clear(self) -> None:
        """Forget the rows of an earlier run."""
        os.ftruncate(self._number, 0)

    def append(self, row: bytes) -> None:
        """Write one row to the system; where that fails, the rows before it are as they were."""
        rest = memoryview(row)
        if not self.rows:
            self.clear()
        try:
            while rest:
                rest = rest[os.write(self._number, rest) :]
        except BaseException:
            os.ftruncate(self._number, self.end)
            raise
        self.rows, self.end = self.rows + 1, self.end + len(row)


@contextmanager
def _kept(partial: Path) -> Iterator[_PartialFile]:
    """The partial file, begun anew with the first row. An error gets a note of where the rows are; none: no file."""
    if partial.is_symlink() or (partial.exists() and not partial.is_file()):
        raise writing.OutputError(
            "a symbolic link" if partial.is_symlink() else writing.describe_path(partial),
            expected="nothing there, or an earlier file of finished rows",
            where=str(partial),
            remedy="remove it, or name another file",
        )
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
    with writing.report_disk_errors(str(partial)):
        file = _PartialFile(os.open(partial, flags, 0o666))
    try:
        with writing.report_disk_errors(str(partial)):
            yield file
    except BaseException as error:
        if file.rows:
            error.add_note(f"{file.rows:,} finished posts are kept in {partial}; with --out FOLDER, a job goes on.")
        elif not os.fstat(file.fileno()).st_size:
            partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(file.fileno())


def _write_rows(documents: Iterable[Document], partial: Path, file: _PartialFile) -> output.Written:
    whole = output.WriteReport(jsonl.CANNOT_HOLD)
    for document in documents:
        report = output.WriteReport()  # of one document: what each has to note would pile up
        whole.count(document)
        file.append(jsonl.document_line(document, partial.parent, report).encode() + b"\n")
        if report.lost:
            whole.lost += report.lost
            whole.records += report.records[-report.lost :]
    if not file.rows:
        file.clear()
    return whole.result()


def _rows(partial: Path) -> Iterator[Document]:
    with open(partial, "rb") as file:
        for line in file:
            yield paths.paths_from(Document.from_json(line), partial.parent)
