"""File formats by name: one table, which every reader and writer of the package looks up.

`read` is strict, `read_items` yields a record in place of each document that could not be read, `write` reports what
the format cannot hold. A new format is one module with `read`, `write` and `CANNOT_HOLD`, one row of `FORMATS`, and
one row of the round-trip tests (`tests/unit/formats/test_roundtrip.py`), which fail for a format without one.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmie.data.document import Document
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats.equal_ids import remark_equal_ids
from openmie.formats.output import Written
from openmie.formats.post_columns import USUAL, PostColumns, option_names, with_columns
from openmie.formats.sniffing import guess_content


@dataclass(frozen=True, kw_only=True)
class Format:
    """One row of the table. The module is imported when the format is first used."""

    module: str  # of openmie.formats
    suffixes: tuple[str, ...] = ()  # of its files
    folder: tuple[str, ...] = ()  # glob patterns: a folder in which one of them matches is of this format
    folder_test: str = ""  # function of the module: whether a folder in which no pattern matches is of this format
    sniff: str = ""  # function of the module: whether a JSON value, as read from a .json file, is of this format
    reader: str = "read"  # function of the module, or module:function: path -> documents and records; empty: none
    writer: str = "write"  # function of the module: documents, path -> Written; empty: cannot be written
    dataset: str = ""  # NAME of `load("NAME:FOLDER")` that takes its files as splits; empty: cannot be a corpus

    @property
    def can_be_corpus(self) -> bool:
        """Whether a folder with a file per split is a corpus."""
        return bool(self.dataset)

    @property
    def cannot_hold(self) -> tuple[str, ...]:
        """The fields of a Document that the format has no place for."""
        return self.function("CANNOT_HOLD")

    def function(self, name: str) -> Any:
        """A name of the module, or `module:name`; the module is imported for it."""
        module, _, name = name.rpartition(":")
        return getattr(importlib.import_module(f"openmie.formats.{module or self.module}"), name)


_COLUMNS = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".tsv", ".txt")
FORMATS = {
    "jsonl": Format(module="jsonl", suffixes=(".jsonl", ".ndjson"), dataset="jsonl"),
    "json": Format(
        module="jsonl", suffixes=(".json",), reader="read_list", writer="write_list", dataset="jsonl"
    ),  # also what a .json file is that no `sniff` recognises
    "parquet": Format(module="parquet", suffixes=(".parquet", ".pq"), dataset="parquet"),
    "conll": Format(module="conll", suffixes=_COLUMNS, dataset="conll"),
    "brat": Format(module="brat", suffixes=(".ann",), folder=("**/*.ann",)),
    "coco": Format(module="coco", sniff="is_coco"),
    "voc": Format(module="voc", folder=("*.xml",)),
    "yolo": Format(module="yolo", folder=("classes.txt", "labels/", "obj.names", "data.yaml", "*/labels/")),
    "labelstudio": Format(module="labelstudio", sniff="is_labelstudio"),
    "csv": Format(module="csv_table", suffixes=(".csv",), reader="post_tables:read_table", writer="write_csv"),
    "text": Format(module="post_tables", reader="read_text", writer=""),
    "images": Format(module="image_folder", folder_test="is_image_folder", writer=""),
}


def read(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Iterator[Document]:
    """Read the documents of a file or folder, one at a time.

    Args:
        path: file or folder; "-" reads standard input.
        format: a name of `FORMATS`; None: recognised by suffix, or by content for folders and .json files.
        **options: of the format's reader. `images=FOLDER` names the folder that image paths are relative to and may
            lie in, in addition to the folder of `path`.

    Yields:
        Documents in file order.

    Raises:
        CorpusError: an unknown format or option, or the first document that cannot be read.
    """
    for item in read_items(path, format, **options):
        if isinstance(item, ErrorRecord):
            raise CorpusError.of(item)
        yield item


def read_items(
    path: str | os.PathLike[str], format: str | None = None, **options: Any
) -> Iterator[Document | ErrorRecord]:
    """Read like `read`, with an error record in place of each document that cannot be read.

    Args:
        path: file or folder; "-" reads standard input.
        format: a name of `FORMATS`; None: recognised as by `read`.
        **options: of the format's reader.

    Returns:
        Documents and records in file order.

    Raises:
        CorpusError: an unknown format or option, or a file that is not of the format at all.
    """
    name = format or guess(path, reading=True, columns=PostColumns.of(options))
    reader = _function(name, "read", options)
    return remark_equal_ids(reader(path, **with_columns(reader, options)))


def write(
    documents: Iterable[Document], path: str | os.PathLike[str], format: str | None = None, **options: Any
) -> Written:
    """Write documents to a file or folder, completely or not at all.

    Args:
        documents: what to write; any iterable.
        path: file or folder; "-" writes standard output.
        format: a name of `FORMATS`; None: by the suffix of `path`.
        **options: of the format's writer.

    Returns:
        How many documents were written, and what the format could not hold.

    Raises:
        CorpusError: an unknown format or option, or a path that cannot be written.
    """
    name = format or guess(path, reading=False)
    return _function(name, "write", options)(documents, path, **options)


def cannot_hold(format: str) -> tuple[str, ...]:
    """The fields of a Document that a format has no place for."""
    return _row(format).cannot_hold


def accepted_options(format: str, verb: str = "read") -> tuple[str, ...]:
    """The keyword options of a format's reader or writer."""
    row = _row(format)
    name = row.reader if verb == "read" else row.writer
    if not name:
        possible = [n for n, r in FORMATS.items() if (r.reader if verb == "read" else r.writer)]
        raise CorpusError(
            f"the format {format!r}, which cannot be {'read' if verb == 'read' else 'written'}",
            expected=f"one of {', '.join(possible)}",
            remedy="choose one of them",
        )
    return option_names(row.function(name))


def guess(path: str | os.PathLike[str], reading: bool, columns: PostColumns = USUAL) -> str:
    """Recognise the format of a path.

    By its suffix; where it is read, a folder, standard input, and a .json, .txt or .tsv file by the content.

    Args:
        path: file or folder; "-" is standard input or output.
        reading: whether it is read, not written.
        columns: of a table of posts.

    Raises:
        CorpusError: none of the formats.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if os.fspath(path) == "-":
        return (guess_content(path, columns) if reading else "") or "jsonl"
    if reading and target.is_dir():
        found = guess_folder(target)
    else:
        found = next((n for n, row in FORMATS.items() if suffix in row.suffixes), "")
        if reading and (suffix in (".txt", ".tsv") or not found):
            otherwise = {".txt": "text", ".tsv": "csv"}.get(suffix, "")
            found = _guess_plain(target, columns) or otherwise
        found = _sniff_json(target) if found == "json" and reading else found
    if not found:
        raise CorpusError(
            f"no format has files that end in {target.suffix!r}",
            expected=f"one of: {', '.join(sorted(s for row in FORMATS.values() for s in row.suffixes))}",
            where=str(path),
            remedy=f"name the format (--from, --to): {', '.join(FORMATS)}",
        )
    return found


def guess_folder(folder: Path) -> str:
    """The format of a folder as a whole; "" for none."""
    found = next((n for n, row in FORMATS.items() if any(_matches(folder, p) for p in row.folder)), "")
    tests = ((n, row) for n, row in FORMATS.items() if row.folder_test)
    return found or next((n for n, row in tests if row.function(row.folder_test)(folder)), "")


def _guess_plain(file: Path, columns: PostColumns) -> str:
    """The format of a file whose name does not tell; of plain text, tags and a table's header are looked for."""
    try:
        found = guess_content(file, columns)
    except OSError:  # it is the reader that tells
        return ""
    return found if file.suffix.lower() != ".txt" or found in ("conll", "csv") else ""


def _matches(folder: Path, pattern: str) -> bool:
    found = folder.glob(pattern.rstrip("/"))
    return any(p.is_dir() == pattern.endswith("/") for p in found)


def _sniff_json(target: Path) -> str:
    from openmie.formats.jsonl import is_json_lines, load_json

    if is_json_lines(target):
        return "jsonl"
    data = load_json(target)
    return next((n for n, row in FORMATS.items() if row.sniff and row.function(row.sniff)(data)), "json")


def _row(name: str) -> Format:
    if name not in FORMATS:
        raise CorpusError.unknown("format", name, FORMATS)
    return FORMATS[name]


def _function(name: str, verb: str, options: dict[str, Any]) -> Callable[..., Any]:
    """The reader or writer of a format, its options checked."""
    known = accepted_options(name, verb)
    if unknown := sorted(set(options) - set(known)):
        raise CorpusError(
            f"unknown options {', '.join(map(repr, unknown))}",
            expected=f"of {verb} {name}: {', '.join(known) or 'none'}",
            remedy="leave them out or check their spelling",
        )
    row = FORMATS[name]
    return row.function(row.reader if verb == "read" else row.writer)
