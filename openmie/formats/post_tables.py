"""Posts of a table with a header line (CSV, TSV), or of plain text, a post a line, as `post_rows` reads rows."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from openmie.data.document import Document
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats.csv_results import MAX_CELL, is_result_table, read_results
from openmie.formats.post_columns import USUAL, PostColumns
from openmie.formats.post_rows import read_row
from openmie.formats.text_lines import TextLine, line_error, read_lines

CANNOT_HOLD = tuple(name for name in Document.model_fields if name not in ("id", "text"))
MAX_LINES = 1000  # of one row: a quote that is not closed by then never is
_SEVERAL = re.compile(r"\s*[|;\n]\s*")  # parts the paths of a cell


class _Row(NamedTuple):
    number: int  # of the line in which it begins
    cells: list[str]
    errors: tuple[ErrorRecord, ...] = ()


def read_table(
    path: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    columns: PostColumns = USUAL,
) -> Iterator[Document | ErrorRecord]:
    """A document for each row of a table, or the record of one that cannot be read; or what `extract` found in posts.

    Args:
        path: file, parted by commas, semicolons or tabs as its header is; "-" is standard input.
        images: further folder that image paths may lie in. A cell may name several, parted by `|` or `;`, or as a
            JSON list.
        columns: of the text, of the image's path (or several), and of the id. Rows without an id are numbered from 1.

    Raises:
        CorpusError: no such file, or a table without the columns that were named.
    """
    lines = read_lines(path)
    first = next(lines, TextLine(1, ""))
    if columns.are_usual and os.path.isfile(path) and is_result_table(first.text):
        return read_results(path, images)
    mark = "\t" if str(path).lower().endswith(".tsv") else max(",;\t", key=first.text.count)
    names = _header(first.text, mark, path, columns)
    return _documents(path, chain([first], lines), mark, names, columns, images)


def _header(line: str, mark: str, path: str | os.PathLike[str], columns: PostColumns) -> list[str]:
    """Names of the columns; one that comes twice, or has none, gets its place as its name."""
    cells = next(csv.reader([line], delimiter=mark), [])
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        names.append(cell if cell and cell not in names else f"column {number}" if not cell else f"{cell} ({number})")
    if not {columns.text, *columns.images, "images"} & {*names}:
        raise CorpusError(
            f"the columns {', '.join(map(repr, names[:20]))}",
            expected=f"a column {columns.text!r} or {columns.image!r}",
            where=str(path),
            remedy="name the column that holds the text (--text-column)",
        )
    given = [name for name in (columns.text, *columns.images, columns.id) if name not in ("text", "image", "id")]
    if lacking := [name for name in given if name not in names]:
        raise CorpusError.unknown("column", lacking[0], names, where=str(path))
    return names


def _documents(
    path: str | os.PathLike[str],
    lines: Iterable[TextLine],
    mark: str,
    names: list[str],
    columns: PostColumns,
    images: str | os.PathLike[str] | None,
) -> Iterator[Document | ErrorRecord]:
    folder, bad = paths.parent_folder(path), deque[ErrorRecord]()
    columns = replace(columns, layers=False)
    pictures = (*columns.images, "images")
    own = {columns.text, columns.id, *pictures, "caption", "lang"}  # an empty cell is none
    rows = _rows(_watched(lines, bad), mark, path, len(names))
    next(rows, None)  # the header
    for number, row in enumerate(rows, 1):
        if not any(row.cells):
            yield from row.errors
            continue
        if any(row.cells[len(names) :]):
            bad.clear()
            yield line_error(
                Path(path),
                row.number,
                f"{len(row.cells)} cells under {len(names)} columns",
                "a cell for each column",
                f"put a cell that holds {mark!r} in double quotes",
            )
            continue
        data: dict[str, object] = {n: c if c or n not in own else None for n, c in zip(names, row.cells)}
        data |= {n: _several(str(data[n])) for n in pictures if data.get(n)}
        item = read_row(data, number, f"{path}:{row.number}", folder, images, columns)
        if (bad or row.errors) and isinstance(item, Document):
            item = item.model_copy(update={"errors": (*item.errors, *row.errors, *bad)})
        bad.clear()
        yield item


def _watched(lines: Iterable[TextLine], bad: deque[ErrorRecord]) -> Iterator[TextLine]:
    for line in lines:
        if line.error:
            bad.append(line.error)
        yield line


def _several(cell: str) -> list[str]:
    """The paths of a cell."""
    if cell.lstrip().startswith("["):
        try:
            found = json.loads(cell)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(x, str) for x in found):
            return found
    return [name for name in _SEVERAL.split(cell.strip()) if name]


def _rows(lines: Iterator[TextLine], mark: str, path: str | os.PathLike[str], width: int) -> Iterator[_Row]:
    """The rows; a quote that is not closed spoils its own row at most, and not the ones behind it."""
    csv.field_size_limit(MAX_CELL)
    ahead: deque[TextLine] = deque()
    while True:
        used: list[TextLine] = []
        try:
            cells = next(csv.reader(_feed(ahead, lines, used), delimiter=mark, strict=True))
        except StopIteration:
            return
        except csv.Error:
            cells = []
        if cells and (len(used) == 1 or len(cells) == width):
            yield _Row(used[0].number, cells)
            continue
        if not used[0].text:
            ahead.extendleft(reversed(used[1:]))
            continue
        ahead.extendleft(reversed(used[1:]))
        yield _row_as_it_stands(used[0], mark, path, width)


def _row_as_it_stands(line: TextLine, mark: str, path: str | os.PathLike[str], width: int) -> _Row:
    """One line for which no quote is closed: cells without quotes, else as lenient readers part it, else an error."""
    try:
        whole = next(csv.reader([line.text], delimiter=mark, quoting=csv.QUOTE_NONE), [])
        if len(whole) != width:
            whole = next(csv.reader([line.text], delimiter=mark), [])
    except csv.Error as error:
        told = line_error(Path(path), line.number, f"no CSV: {error}", "cells, with quotes in pairs", "correct the row")
        return _Row(line.number, [], (told,))
    told = line_error(
        Path(path),
        line.number,
        "a quote that is not closed, or not doubled inside a quoted cell",
        "quotes in pairs",
        "the line was taken as it stands",
    )
    return _Row(line.number, whole, (told.model_copy(update={"note": True}),))


def _feed(ahead: deque[TextLine], lines: Iterator[TextLine], used: list[TextLine]) -> Iterator[str]:
    """Lines for one row, those that were given back first."""
    for _ in range(MAX_LINES):
        line = ahead.popleft() if ahead else next(lines, None)
        if line is None:
            return
        used.append(line)
        yield line.text + "\n"


def read_text(path: str | os.PathLike[str], *, id_prefix: str = "") -> Iterator[Document | ErrorRecord]:
    """A document for each line of plain text that is not blank, its number being its id; "-" is standard input.

    Args:
        path: file.
        id_prefix: of the numbers.
    """
    for line in read_lines(path):
        if line.text.strip():
            errors = (line.error,) if line.error else ()
            yield Document(id=f"{id_prefix}{line.number}", text=line.text, errors=errors)
