"""The table as a file in one of its formats."""

from __future__ import annotations

from pathlib import Path

from openmie.bench.result_table import ResultTable
from openmie.bench.table_csv import csv
from openmie.bench.table_html import html
from openmie.bench.table_text import markdown
from openmie.data import replace_file as writing
from openmie.errors import TrainError

FORMATS = ("md", "csv", "html")


def write(found: ResultTable, out: str | Path, format: str) -> Path:
    """`OUT/NAME.md`, `.csv` or `.html`, whole or not at all. Errors: another format."""
    if format not in FORMATS:
        raise TrainError.unknown("format", format, FORMATS)
    one = next((e.cells[0].paper for e in found.entries.values()), "bench")
    path = Path(out) / f"{one}.{format}"
    if format == "html":
        html(found, path)
    else:
        writing.make_folder(path.parent)
        text = {"md": markdown, "csv": csv}[format](found)
        writing.replace_text(path, text + ("\n" if format == "md" else ""))
    return path
