"""The table as a page."""

from __future__ import annotations

import statistics
from pathlib import Path

from openmie import report
from openmie.bench.result_table import NONE_SUCH, Table
from openmie.bench.table_text import lines_of


def html(found: Table, path: str | Path) -> Path:
    """The table as a page, with every score of every cell under it."""
    tables = []
    for column in found.columns:
        heading, rows = lines_of(found, [column])
        rows = [[cell.replace(" ± ", "\u00a0±\u00a0") for cell in row] for row in rows if row[1] != NONE_SUCH]
        tables.append(
            report.Table(
                title=f"{column}: F1 beside the published numbers",
                rows=rows,
                columns=[heading[0], "test F1", *heading[2:]],
            )
        )
    scores = [
        [
            e.row,
            e.column,
            name,
            len(e.f1(name)),
            statistics.mean(e.f1(name)),
            min(e.f1(name)),
            max(e.f1(name)),
            " ".join(map(str, e.seeds(name))),
        ]
        for e in found.entries.values()
        for name in dict.fromkeys(n for r in e.records for n in r["scores"])
    ]
    costs = [
        [
            e.row,
            e.column,
            r["cell"]["seed"],
            r["seconds"]["train"],
            r["peak_mb"]["train"],
            r["parameters"],
            r["dev"]["epoch"] + 1,
            r["date"],
        ]
        for e in found.entries.values()
        for r in e.records
    ]
    if scores:
        tables += [
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
    return report.write(
        path,
        title=f"{found.title}: bench",
        tables=tables,
        notes=found.notes(),
        intro=f"Every cell with its n. {found.dates}",
    )
