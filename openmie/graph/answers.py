"""What a query finds, as a table for people, as CSV or as JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from openmie.characters import printable
from openmie.formats import output
from openmie.formats.csv_table import csv_line, escape_formula
from openmie.graph.query import ask, graph_names, open_store, rows, shorten

ANSWER_FORMATS = ("table", "csv", "json")
WIDEST = 60  # characters of a column of a table


def write_answer(path: str | os.PathLike[str], query: str, format: str = "table", out: str = "-") -> int:
    """Ask a graph and write the answer.

    Args:
        path: of the store, as for `openmie.graph.query.open_store`.
        query: SPARQL 1.1.
        format: one of `ANSWER_FORMATS`. Tables shorten IRIs by their prefixes; CSV guards cells against spreadsheets.
        out: a file; "-" is standard output.

    Returns:
        The number of rows.

    Raises:
        OpenMIEError: no store there, or a query that cannot be parsed.
        OutputError: a path that cannot be written.
    """
    store = open_store(path)
    prefixes = graph_names(store).prefixes()
    answer = ask(store, query, prefixes)
    found = rows(answer)
    names = [v.value for v in getattr(answer, "variables", ())] or [*(found[0] if found else ())]
    lines = {"json": _json, "csv": _csv, "table": _table}[format](names, found, prefixes)
    with output.open_output(out) as file:
        for line in lines:
            file.write(line)
    return len(found)


def _json(names: list[str], found: list[dict[str, Any]], prefixes: Any) -> Iterator[bytes]:
    return (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in found)


def _csv(names: list[str], found: list[dict[str, Any]], prefixes: Any) -> Iterator[bytes]:
    yield csv_line(map(escape_formula, names))
    for row in found:
        yield csv_line(_cell(row.get(name, "")) for name in names)


def _cell(value: Any) -> str:
    return escape_formula(value) if isinstance(value, str) else str(value)


def _table(names: list[str], found: list[dict[str, Any]], prefixes: Any) -> Iterator[bytes]:
    cells = [names, *([_short(shorten(row.get(name, ""), prefixes)) for name in names] for row in found)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    for at, row in enumerate(cells):
        yield ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() + "\n").encode()
        if at == 0:
            yield ("  ".join("-" * width for width in widths) + "\n").encode()


def _short(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
