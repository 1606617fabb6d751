"""Sweeps and the figures of a paper, drawn: scores against the value that was swept, with the spread over seeds.

A page's FIGURES name the figures that the paper prints; another sweep is drawn by its own name. Each corpus is a line.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from openmie.bench import system
from openmie.bench.result_table import Entry, table
from openmie.bench.run_spec import RunSpec
from openmie.errors import OpenMIEError, TrainError
from openmie.papers._figures import PaperFigure
from openmie.report import Bars, Curves, write

Point = tuple[str, Sequence[float]]  # value, F1 over seeds
Lines = Mapping[str, Sequence[Point]]


def plot(cells: Iterable[RunSpec], out: str | Path, score: str = "") -> Path:
    """Write `OUT/PAPER-figures.html`: test F1 over each sweep and figure of these cells, and dev F1, which chooses.

    Values that are no numbers are drawn as bars. A whisker is one standard deviation over seeds to either side.

    Args:
        cells: of a bench.
        out: its folder.
        score: drawn in place of the scores of the paper's figures.

    Raises:
        TrainError: no sweep or figure among the cells, or none of it run.
    """
    cells = list(cells)
    figures = [f for paper in dict.fromkeys(c.paper for c in cells) for f in _of_paper(paper, cells, out, score)]
    drawn = [c for c in cells if c.sweep]
    if not figures:
        raise TrainError(
            f"{len(drawn)} cells of sweeps, none of them run" if drawn else "no sweep",
            expected="runs of a sweep",
            remedy="run one first: openmie bench PAPER --corpus ... --sweep NAME",
            where=str(out),
        )
    papers = list(dict.fromkeys(c.paper for c in drawn))
    notes = [
        "Each point is the mean over seeds, its whisker one standard deviation to either side; a point of one "
        "seed has none. Values are chosen on dev, never on test.",
        *(f"{e.row}, {e.column}: {e.status}" for e in table(drawn, out).entries.values() if e.status),
    ]
    return write(
        Path(out) / f"{papers[0]}-figures.html",
        title=f"{', '.join(map(system.full_name, papers))}: figures",
        curves=[f for f in figures if isinstance(f, Curves)],
        tables=[f for f in figures if isinstance(f, Bars)],
        notes=notes,
        heading="Over a number",
    )


def printed_figures(paper: str) -> dict[str, PaperFigure]:
    """The figures that a page names: name -> figure."""
    return dict(getattr(system.load_paper_module(paper), "FIGURES", {}))


def _of_paper(paper: str, cells: Sequence[RunSpec], out: str | Path, score: str) -> Iterator[Curves | Bars]:
    """The figures of the paper in its order, then the other sweeps."""
    own, figures = [c for c in cells if c.paper == paper], printed_figures(paper)
    named = {sweep for f in figures.values() for sweep in (f.over, *f.compared)}
    figures |= {f"sweep {c.sweep}": PaperFigure(over=c.sweep) for c in own if c.sweep and c.sweep not in named}
    for name, figure in figures.items():
        if swept := [c for c in own if c.sweep in (figure.over, *figure.compared)]:
            order = _values(swept[0])
            swept.sort(key=lambda c, o=order: o.index(c.value) if c.value in o else len(o))  # type: ignore[misc]
            yield from _drawings(list(table(swept, out).entries.values()), name, figure, score)


def _values(cell: RunSpec) -> list[str]:
    """The values of a cell's sweep in the order of the page; none where they cannot be had."""
    try:
        return list(system.sweeps(cell.paper, system.build(cell.paper, None, cell.task)).get(cell.sweep, ()))
    except OpenMIEError:
        return []


def _line_name(entry: Entry, figure: PaperFigure) -> str:
    """The corpus, and what a sweep beside the figure's own changes."""
    sweep = entry.cells[0].sweep
    return entry.column if sweep == figure.over else f"{entry.column}, {sweep.removeprefix(f'{figure.over}, ')}"


def _drawings(entries: Sequence[Entry], name: str, figure: PaperFigure, score: str) -> Iterator[Curves | Bars]:
    """A drawing of each score on test, then one on dev."""
    known = [s for s in ((score,) if score else figure.scores) if any(e.with_score(s) for e in entries)]
    for what, one in [*(("test", s) for s in known or [""]), ("dev", "")]:
        lines: dict[str, list[Point]] = {}
        for entry in entries:
            f1 = entry.dev() if what == "dev" else entry.f1(one)
            if f1:
                lines.setdefault(_line_name(entry, figure), []).append((entry.cells[0].value, f1))
        title = name if figure.over in name else f"{name}, {figure.over}"
        yield from _drawn(lines, title, figure.over, f"{what} F1" + f" of {one}" * bool(one))


def _drawn(lines: Lines, title: str, over: str, what: str) -> Iterator[Curves | Bars]:
    """One figure with all lines, or bars for each of them."""
    if not lines:
        return
    if any(_number(value) is None for points in lines.values() for value, _ in points):
        for line, points in lines.items():
            yield Bars(
                title=f"{title}, {line}: {what}",
                note=_n(points),
                bars={v: statistics.mean(f1) for v, f1 in points},
                intervals={v: _spread(f1) for v, f1 in points if len(f1) > 1},
            )
        return
    yield Curves(
        title=f"{title}: {what}",
        x=over,
        y=f"{what}, %",
        lines={line: _line(points) for line, points in lines.items()},
        note=" ".join(f"{line}: {_n(points)}." for line, points in lines.items()),
    )


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
