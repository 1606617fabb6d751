"""The table in long form: a line for each score of each cell."""

from __future__ import annotations

import csv as csvs
import statistics
from collections.abc import Sequence
from io import StringIO
from typing import Any

from openmie.bench import measures, system
from openmie.bench.result_table import Entry, ResultTable

CSV = (
    "paper",
    "flavour",
    "row",
    "column",
    "corpus",
    "test",
    "task",
    "posts",
    "score",
    "n",
    "mean",
    "sd",
    "min",
    "max",
    "seeds",
    "dev_mean",
    "dev_sd",
    "closure_mean",
    "closure_min",
    "closure_max",
    "reported",
    "reported_in",
    "status",
    "date",
)


def csv(found: ResultTable) -> str:
    """Long form: one line for each score of each cell, and one for a cell without any."""
    text = StringIO()
    file = csvs.DictWriter(text, CSV, lineterminator="\n")
    file.writeheader()
    listed = measures.shown(found)
    for entry in found.entries.values():
        names = list(dict.fromkeys([*listed, *(n for r in entry.records for n in r["scores"])]))
        names.sort(key=lambda n, shown=entry.score: n != shown)  # type: ignore[misc]
        file.writerows(_line(entry, name) for name in names or [""])
    return text.getvalue()


def _line(entry: Entry, score: str) -> dict[str, Any]:
    name = measures.variant(entry)
    one, f1, closed = entry.cells[0], entry.f1(score) if score else [], entry.closures(score) if score else []
    reported = entry.reported if score in ("", entry.score) else None
    if system.measures(one.paper):
        page = system.load_paper_module(one.paper)
        printed = ((table, rows[name].get(score)) for table, rows in page.REPORTED.items() if name in rows)
        reported = next((p for p in printed if p[1] is not None), None)
    return {
        "paper": one.paper,
        "flavour": one.flavour,
        "row": entry.row,
        "column": entry.column,
        "corpus": one.corpus,
        "task": one.task,
        "test": one.test or one.corpus,
        "posts": one.posts or "",
        "score": score,
        "n": len(f1),
        **_spread("", f1),
        "min": _digits(min(f1, default=None)),
        "max": _digits(max(f1, default=None)),
        "seeds": " ".join(map(str, entry.seeds(score) if score else [])),
        **_spread("dev_", entry.dev() if score else []),
        "closure_mean": _digits(statistics.mean(closed) if closed else None),
        "closure_min": _digits(min(closed, default=None)),
        "closure_max": _digits(max(closed, default=None)),
        "reported": _digits(reported[1] if reported else None),
        "reported_in": reported[0] if reported else "",
        "status": "run" if f1 else entry.status,
        "date": max((r["date"] for r in entry.records), default=""),
    }


def _spread(prefix: str, values: Sequence[float]) -> dict[str, str]:
    return {
        f"{prefix}mean": _digits(statistics.mean(values) if values else None),
        f"{prefix}sd": _digits(statistics.stdev(values) if len(values) > 1 else None),
    }


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
