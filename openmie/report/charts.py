"""Tables, bars and curves: plain data, and their HTML and inline SVG (`templates/charts.html`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from openmie.report.label_colours import COLOURS
from openmie.report.markup import isolated, number, render_macro

Cell = str | int | float | None
DASHES = ("", "7 4", "2 3", "9 3 2 3")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the first column holds the names of the rows, numbers are right-aligned."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]  # None is shown as a dash
    note: str = ""
    digits: int | Sequence[int] = 1  # after the point, for floats; one for all columns, or one for each
    marked: Sequence[int] = ()  # rows that stand out, such as ceilings


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Lines over one axis, each by its name: losses, scores over steps."""

    title: str
    x: str  # label of the horizontal axis
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Scores as bars, with their intervals, under lines that none should cross (ceilings)."""

    title: str
    bars: Mapping[str, float]
    lines: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    top: float = 100.0  # of the axis
    unit: str = "%"
    note: str = ""


def render_table(data: Table) -> Markup:
    """A table as HTML."""
    digits = [data.digits] * len(data.columns) if isinstance(data.digits, int) else data.digits
    rows = [([_cell(c, digits[j]) for j, c in enumerate(row)], i in data.marked) for i, row in enumerate(data.rows)]
    columns = [(name, _is_numeric(data, i)) for i, name in enumerate(data.columns)]
    return render_macro("charts.html", "table", data, columns, rows)


def _is_numeric(data: Table, column: int) -> bool:
    cells = [row[column] for row in data.rows if column < len(row) and row[column] is not None]
    return bool(column and cells) and all(isinstance(c, int | float) for c in cells)


def _cell(value: Cell, digits: int) -> Markup | str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return isolated(value)
    return (f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}").replace("-", "−")


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover low to high, about `count` of them."""
    span = high - low or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / count))
    step *= next((m for m in (1, 2, 5) if span / (m * step) <= count), 10)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def render_bars(data: Bars) -> Markup:
    """One row per bar, with lengths in percent so that the text keeps its size at any width."""
    top = data.top if data.top > 0 else 1.0

    def at(value: float) -> str:
        return number(100 * min(max(value / top, 0.0), 1.0)) + "%"

    rows = []
    for i, (name, value) in enumerate(data.bars.items()):
        bar = {"name": name, "value": f"{value:.1f}", "width": at(value), "colour": i % len(COLOURS), "interval": ""}
        if interval := data.intervals.get(name):
            ends = {"left": at(interval[0]), "right": at(interval[1])}
            bar |= ends | {"interval": f"{interval[0]:.1f} to {interval[1]:.1f}"}
        rows.append(bar)
    rules = [{"name": n, "value": f"{v:.1f}", "at": at(v)} for n, v in data.lines.items()]
    return render_macro("charts.html", "bars", data, rows, rules)


Place = Callable[[float, float], tuple[float, float]]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 440, 230, 50, 10, 10, 42


def render_curves(data: Curves) -> Markup:
    """Lines in one plot, each with its own dash pattern and colour; their last values are also given in words."""
    lines = {
        name: [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in data.lines.items()
    }
    points = [p for line in lines.values() for p in line]
    if not points:
        return render_macro("charts.html", "curves", data, [], None, "")
    columns, rows = ticks(*_range([x for x, _ in points])), ticks(*_range([y for _, y in points]))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - columns[0]) / (columns[-1] - columns[0]) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - rows[0]) / (rows[-1] - rows[0]) * (HEIGHT - TOP - BOTTOM),
        )

    drawn = [
        {
            "name": name,
            "colour": i % len(COLOURS),
            "dash": DASHES[i % len(DASHES)],
            "path": " ".join(f"{number(a)},{number(b)}" for a, b in _thin([place(*p) for p in line])),
            "value": f"{line[-1][1]:.4g}" if line else "no points",
        }
        for i, (name, line) in enumerate(lines.items())
    ]
    last = "; ".join(f"{line['name']} ends at {line['value']}" for line in drawn)
    label = f"{data.title}: {data.y} over {data.x}. {last}"
    return render_macro("charts.html", "curves", data, drawn, _axes(columns, rows, place), label)


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _axes(columns: Sequence[float], rows: Sequence[float], place: Place) -> dict[str, Any]:
    """Edges of the plot, and the ticks with their positions."""
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "bottom": HEIGHT - BOTTOM,
        "middle": (number((LEFT + WIDTH - RIGHT) / 2), number((TOP + HEIGHT - BOTTOM) / 2)),
        "rows": [(number(place(columns[0], value)[1]), f"{value:.6g}") for value in rows],
        "columns": [(number(place(value, rows[0])[0]), f"{value:.6g}") for value in columns],
    }


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most the first, highest, lowest and last point of each column of pixels: what a longer line would show."""
    if len(points) <= 4 * WIDTH:
        return list(points)
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        columns.setdefault(int(point[0]), []).append(point)
    kept = []
    for column in columns.values():
        chosen = {0, len(column) - 1, *(pick(range(len(column)), key=lambda i: column[i][1]) for pick in (min, max))}
        kept += [column[i] for i in sorted(chosen)]
    return kept
