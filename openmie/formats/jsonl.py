"""JSON lines: one Document per line, as `Document.to_json` writes it. Holds everything but pixels in memory."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import IO, Any

from openmie.data.document import Document
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats import output
from openmie.formats.post_columns import USUAL, PostColumns
from openmie.formats.post_rows import EMPTY, read_row
from openmie.formats.text_lines import is_blank, split_lines

CANNOT_HOLD = ("images.pixels",)


def read(
    path: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    columns: PostColumns = USUAL,
) -> Iterator[Document | ErrorRecord]:
    """A document, or the record of a bad line, per line that is not blank; "-" is standard input.

    A line is a Document, or the row of a post (`openmie.formats.post_rows`).

    Args:
        path: file.
        images: further folder that image paths may lie in.
        columns: keys of a row's text, image and id. Rows without an id have the number of their line.
    """
    return _lines(path, images, columns)


def _lines(path: str | os.PathLike[str], images: Any, columns: PostColumns) -> Iterator[Document | ErrorRecord]:
    folder = paths.parent_folder(path)
    with open_binary(path) as stream:
        for number, line in enumerate(split_lines(stream), 1):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not is_blank(line):
                yield _document(line, number, f"{path}:{number}", folder, images, columns)


def read_list(
    path: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    columns: PostColumns = USUAL,
) -> Iterator[Document | ErrorRecord]:
    """The same from one JSON file: a list of documents or rows, or a single one."""
    data, folder = load_json(path), paths.parent_folder(path)
    items = enumerate(data if isinstance(data, list) else [data], 1)
    lines = ((number, json.dumps(item, ensure_ascii=True).encode()) for number, item in items)
    return (_document(line, n, f"{path}, item {n}", folder, images, columns) for n, line in lines)


def _document(
    line: bytes, number: int, where: str, folder: Path, images: Any, columns: PostColumns
) -> Document | ErrorRecord:
    """A Document, or the row of a post, which has other columns, or no id."""
    refused: ErrorRecord | None = None
    try:
        document = Document.from_json(line)
        if columns.are_usual and document.id:
            empty = not (document.text or document.images or document.errors or b'"text"' in line)
            told = document.model_copy(update={"errors": (EMPTY.model_copy(update={"where": where}),)})
            return paths.resolve_paths(told if empty else document, folder, images)
    except DocumentError as error:
        refused = error.record.model_copy(update={"where": f"{where}, {error.record.where}".rstrip(", ")})
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        return ErrorRecord(
            where=where,
            found=f"no JSON: {str(error)[:120]}",
            expected="one JSON object a line",
            remedy='write {"text": "...", "image": "file.jpg"} on one line',
        )
    found = read_row(data, number, where, folder, images, columns)
    whole = isinstance(data, dict) and data.keys() <= Document.model_fields.keys() and isinstance(data.get("id"), str)
    return refused if refused and whole and isinstance(found, ErrorRecord) else found


def open_binary(path: str | os.PathLike[str]) -> AbstractContextManager[IO[bytes]]:
    """The file, open for reading bytes ("-" is standard input); `CorpusError` where there is none."""
    if os.fspath(path) == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CorpusError(
            str(reason), expected="a file that can be read", where=str(path), remedy="check the path"
        ) from None


def is_json_lines(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins with two JSON objects, a line each: JSON lines, whatever its name says."""
    with open_binary(path) as file:
        lines = (line.removeprefix(b"\xef\xbb\xbf") for line in file if line.strip())
        first = list(islice(lines, 2))
    try:
        return len(first) == 2 and all(isinstance(json.loads(line), dict) for line in first)
    except (ValueError, RecursionError):
        return False


def load_json(path: str | os.PathLike[str], made: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """One JSON value from a file; `CorpusError` names the line where it breaks.

    Args:
        path: of the file.
        made: what an object becomes, from its names and values; None: a dict, of a name twice the last value.
    """
    with open_binary(path) as file:
        raw = file.read()
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=made)
    except json.JSONDecodeError as error:
        lines = os.fspath(path) != "-" and is_json_lines(path)
        raise CorpusError(
            "JSON lines, an object a line" if lines else f"broken JSON: {error.msg}",
            expected="one JSON value",
            where=f"{path}:{error.lineno}",
            remedy="name its format: jsonl" if lines else "export the file again, or name its format",
        ) from None
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CorpusError(
            f"no JSON: {str(error)[:120]}",
            expected="JSON in UTF-8",
            where=str(path),
            remedy="save the file as UTF-8 JSON",
        ) from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def write(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """One line each, keys sorted; image paths in the file's folder become relative to it. "-" is standard output."""
    report = output.WriteReport(CANNOT_HOLD)
    with output.open_output(path) as stream:
        for document in documents:
            report.count(document)
            stream.write(
                output.encode_utf8(
                    document_line(document, paths.parent_folder(path), report), f"document {document.id}"
                )
                + b"\n"
            )
    return report.result()


def write_list(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """The same as one JSON list."""
    report = output.WriteReport(CANNOT_HOLD)
    with output.open_output(path) as stream:
        stream.write(b"[")
        for document in documents:
            stream.write(b",\n" if report.documents else b"\n")
            report.count(document)
            stream.write(
                output.encode_utf8(
                    document_line(document, paths.parent_folder(path), report), f"document {document.id}"
                )
            )
        stream.write(b"\n]\n")
    return report.result()


def document_line(document: Document, folder: Path, report: output.WriteReport) -> str:
    """Canonical JSON of a document to be kept in `folder`; of one that JSON cannot hold, that of its error record."""
    try:
        moved, outside = paths.relative_paths(document, folder)
        text = moved.to_json()
        output.encode_utf8(text, f"document {document.id}")
    except Exception as error:
        return report.placeholder(document, error).to_json()
    for image in outside:
        report.note_outside(moved, image)
    return text
