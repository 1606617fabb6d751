"""The table as a page."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from openmie import report
from openmie.bench.published_text import Footnotes
from openmie.bench.result_table import ResultTable
from openmie.bench.table_text import lines_of


def html(found: ResultTable, path: str | Path) -> Path:
    """The table as a page, with every score of every cell under it."""
    tables, footnotes = [], Footnotes()
    for column in found.columns:
        heading, rows = lines_of(found, column, footnotes)
        rows = [[cell.replace(" ± ", "\u00a0±\u00a0") for cell in row] for row in rows]
        tables.append(report.Table(title=f"{column}: beside the published numbers", rows=rows, columns=heading))
    tables += _every_run(found)
    return report.write(
        path,
        title=f"{found.title}: bench",
        tables=tables,
        notes=[*found.notes(), *footnotes.lines()],
        intro=f"Every cell with its n. {found.dates}",
    )


def _every_run(found: ResultTable) -> list[report.Table]:
    """Every score of every cell, and what each run took; nothing where nothing was run."""
    scores: list[list[Any]] = []
    costs: list[list[Any]] = []
    for e in found.entries.values():
        for name in dict.fromkeys(n for r in e.records for n in r["scores"]):
            f1 = e.f1(name)
            row = [name, len(f1), statistics.mean(f1), min(f1), max(f1), " ".join(map(str, e.seeds(name)))]
            scores.append([e.row, e.column, *row])
        for r in e.records:
            row = [r["seconds"]["train"], r["peak_mb"]["train"], r["parameters"], r["dev"]["epoch"] + 1, r["date"]]
            costs.append([e.row, e.column, r["cell"]["seed"], *row])
    if not scores:
        return []
    return [
        report.Table(
            title="Every score",
            columns=["variant", "corpus", "score", "n", "mean", "lowest", "highest", "seeds"],
            rows=scores,
            digits=2,
        ),
        report.Table(
            title="Runs",
            columns=["variant", "corpus", "seed", "seconds", "peak MiB", "parameters", "best epoch", "date"],
            rows=costs,
            digits=0,
        ),
    ]
