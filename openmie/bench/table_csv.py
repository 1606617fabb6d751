"""The table in long form: a line for each score of each cell."""

from __future__ import annotations

import csv as csvs
import statistics
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from openmie.bench.result_table import Entry, ResultTable
from openmie.papers._published import Measure

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
    "label",
    "n",
    "mean",
    "sd",
    "min",
    "max",
    "precision_mean",
    "recall_mean",
    "accuracy_mean",
    "support",
    "seeds",
    "dev_mean",
    "dev_sd",
    "closure_mean",
    "closure_min",
    "closure_max",
    "reported",
    "reported_in",
    "not_reported_because",
    "status",
    "date",
)


def csv(found: ResultTable) -> str:
    """Long form: one line for each score, and each label of it, of each cell, and one for a cell without any."""
    text = StringIO()
    file = csvs.DictWriter(text, CSV, lineterminator="\n")
    file.writeheader()
    for entry in found.entries.values():
        names = list(dict.fromkeys(n for r in entry.records for n in r["scores"]))
        names.sort(key=lambda n, shown=entry.score: n != shown)  # type: ignore[misc]
        for name in names or [""]:
            labels = dict.fromkeys(x for r in entry.with_score(name) for x in r["scores"][name].get("labels", {}))
            file.writerows(_line(entry, name, label) for label in ("", *labels))
    return text.getvalue()


def _line(entry: Entry, score: str, label: str) -> dict[str, Any]:
    one = entry.cells[0]
    found = {q: _over_seeds(entry, score, label, q) for q in ("precision", "recall", "f1", "accuracy")}
    f1, closed = found["f1"], entry.closures(score) if score and not label else []
    reported = entry.reported(Measure(score=score, label=label))
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
        "label": label,
        "n": len(f1),
        **_spread("", f1),
        "min": _digits(min(f1, default=None)),
        "max": _digits(max(f1, default=None)),
        **{f"{q}_mean": _digits(statistics.mean(v) if v else None) for q, v in found.items() if q != "f1"},
        "support": max((_support(r, score, label) for r in entry.with_score(score)), default="") if score else "",
        "seeds": " ".join(map(str, entry.seeds(score) if score else [])),
        **_spread("dev_", entry.dev() if score else []),
        "closure_mean": _digits(statistics.mean(closed) if closed else None),
        "closure_min": _digits(min(closed, default=None)),
        "closure_max": _digits(max(closed, default=None)),
        "reported": _digits(reported[2] if reported else None),
        "reported_in": reported[0] if reported else "",
        "not_reported_because": entry.comparison.because,
        "status": "run" if f1 else entry.status,
        "date": max((r["date"] for r in entry.records), default=""),
    }


def _over_seeds(entry: Entry, score: str, label: str, quantity: Any) -> list[float]:
    return list(entry.values(Measure(score=score, label=label, quantity=quantity)).values())


def _support(record: Mapping[str, Any], score: str, label: str) -> int:
    """Gold items; 0 where the measure has none."""
    whole = record["scores"][score]
    return int((whole.get("labels", {}).get(label, {}) if label else whole).get("gold", 0))


def _spread(prefix: str, values: Sequence[float]) -> dict[str, str]:
    return {
        f"{prefix}mean": _digits(statistics.mean(values) if values else None),
        f"{prefix}sd": _digits(statistics.stdev(values) if len(values) > 1 else None),
    }


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
