"""The formats that `openmie extract` writes, into a file, a stream or the shards of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from openmie.data.document import Document
from openmie.errors import OpenMIEError
from openmie.formats import output

Writer = Callable[[Iterable[Document], "str | os.PathLike[str]"], output.Written]


@dataclass(frozen=True)
class ResultFormat:
    """One row of the table.

    Args:
        suffix: of its files.
        write: its writer; None: JSON lines, in which rows are kept anyway.
        endings: other endings of `--out` that choose it.
    """

    suffix: str
    write: Writer | None = None
    endings: tuple[str, ...] = ()


def _write_csv(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    from openmie.formats.csv_table import write_csv

    return write_csv(documents, path)


def _write_parquet(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    from openmie.formats.parquet import write

    return write(documents, path)


def _write_table(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    from openmie.cli.console import table
    from openmie.cli.result_table import COLUMNS, result_rows

    report = output.WriteReport()
    rows = result_rows(documents, report)
    written = report.result()
    first = 1 if written.documents == 1 else 0  # of one post, its id says nothing
    table(list(COLUMNS[first:]), [row[first:] for row in rows], os.fspath(path))
    return written


def _write_html(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    from openmie.report.view import write_page

    return write_page(documents, path)


FORMATS = {
    "jsonl": ResultFormat(".jsonl", None, (".ndjson",)),
    "csv": ResultFormat(".csv", _write_csv),
    "parquet": ResultFormat(".parquet", _write_parquet, (".pq",)),
    "table": ResultFormat(".txt", _write_table),
    "html": ResultFormat(".html", _write_html, (".htm",)),
}
_CHOSEN_BY_ENDING = ("csv", "parquet", "html")  # `posts.txt` is no table unless one is asked for


def choose_format(name: str, out: str) -> ResultFormat:
    """The format of this name; "": the one that the ending of `out` tells, else JSON lines.

    Raises:
        OpenMIEError: no such format.
    """
    if name and name not in FORMATS:
        raise OpenMIEError.unknown("--format", name, FORMATS)
    ending = Path(out).suffix.lower()
    told = [n for n in _CHOSEN_BY_ENDING if ending in (FORMATS[n].suffix, *FORMATS[n].endings)]
    return FORMATS[name or next(iter(told), "jsonl")]
