"""Sweeps, drawn: a score against the value that was swept, one line a corpus, with the spread over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from openmie.bench import system
from openmie.bench.result_table import Entry, ResultTable, table
from openmie.bench.run_spec import RunSpec
from openmie.errors import TrainError
from openmie.report import Bars, Curves, write

Point = tuple[str, Sequence[float]]  # value, F1 over seeds


def plot(cells: Iterable[RunSpec], out: str | Path, score: str = "") -> Path:
    """`OUT/PAPER-sweeps.html`: for each sweep of these cells test F1, and dev F1, which is what a value is chosen by.

    Values that are no numbers are drawn as bars. A whisker is one standard deviation over seeds to either side. Errors:
    no sweep among the cells, or none of it run.
    """
    swept = [c for c in cells if c.sweep]
    figures: dict[type, list] = {Curves: [], Bars: []}
    for name in dict.fromkeys((c.paper, c.sweep) for c in swept):
        found = table([c for c in swept if (c.paper, c.sweep) == name], out, score)
        for what in ("test", "dev"):
            for figure in _figures(found, name[1], what):
                figures[type(figure)].append(figure)
    if not any(figures.values()):
        raise TrainError(
            f"{len(swept)} cells of sweeps, none of them run" if swept else "no sweep",
            expected="runs of a sweep",
            remedy="run one first: openmie bench PAPER --corpus ... --sweep NAME",
            where=str(out),
        )
    papers = list(dict.fromkeys(c.paper for c in swept))
    title = f"{', '.join(map(system.full_name, papers))}: sweeps"
    notes = [
        "Each point is the mean over seeds, its whisker one standard deviation to either side; a point of one "
        "seed has none. Values are chosen on dev, never on test.",
        *_missing(table(swept, out, score)),
    ]
    return write(
        Path(out) / f"{papers[0]}-sweeps.html",
        title=title,
        curves=figures[Curves],
        tables=figures[Bars],
        notes=notes,
        heading="Sweeps",
    )


def _figures(found: ResultTable, name: str, what: str) -> list[Curves | Bars]:
    """One figure with a line for each corpus, or bars for each corpus."""
    lines = {
        column: [
            _point(found.entries[row, column], what)
            for row in found.rows
            if (row, column) in found.entries and found.entries[row, column].f1()
        ]
        for column in found.columns
    }
    lines = {column: points for column, points in lines.items() if points}
    label = f"{what} F1, %"
    if not lines:
        return []
    if any(_number(value) is None for points in lines.values() for value, _ in points):
        return [
            Bars(
                title=f"{name}, {column}: {what} F1",
                note=_n(points),
                bars={v: statistics.mean(f1) for v, f1 in points},
                intervals={v: _spread(f1) for v, f1 in points if len(f1) > 1},
            )
            for column, points in lines.items()
        ]
    curves = {column: _line(points) for column, points in lines.items()}
    return [
        Curves(
            title=f"{name}: {what} F1",
            x=name,
            y=label,
            lines=curves,
            note=" ".join(f"{column}: {_n(points)}." for column, points in lines.items()),
        )
    ]


def _point(entry: Entry, what: str) -> Point:
    return entry.cells[0].value, entry.f1() if what == "test" else entry.dev()


def _line(points: Sequence[Point]) -> list[tuple[float, float]]:
    """The means in order, and at each the pen up and down its whisker, so that line and whiskers are one stroke."""
    line = []
    for value, f1 in sorted(points, key=lambda p: float(p[0])):
        x, mean = float(value), statistics.mean(f1)
        line += [(x, mean), *([(x, y) for y in _spread(f1)] + [(x, mean)] if len(f1) > 1 else [])]
    return line


def _spread(f1: Sequence[float]) -> tuple[float, float]:
    mean, sd = statistics.mean(f1), statistics.stdev(f1)
    return mean - sd, mean + sd


def _n(points: Sequence[Point]) -> str:
    counts = sorted({len(f1) for _, f1 in points})
    return f"n={counts[0]}" if len(counts) == 1 else f"n={counts[0]} to {counts[-1]}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _missing(found: ResultTable) -> list[str]:
    """What was asked for and is not in the figure."""
    return [f"{e.row}, {e.column}: {e.status}" for e in found.entries.values() if e.status]
