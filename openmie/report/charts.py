"""Tables, bars and curves: plain data, drawn as HTML tables and inline SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from openmie.report.label_colours import COLOURS
from openmie.report.markup import attribute, isolated, number, text

Cell = str | int | float | None
DASHES = ("", "7 4", "2 3", "9 3 2 3")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the first column names its rows, numbers are set right-aligned."""

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


def table(data: Table) -> str:
    head = "".join(f'<th scope="col"{_side(data, i)}>{isolated(c)}</th>' for i, c in enumerate(data.columns))
    digits = [data.digits] * len(data.columns) if isinstance(data.digits, int) else data.digits
    body = ""
    for i, row in enumerate(data.rows):
        cells = [
            f"<td{_side(data, j)}>{_cell(c, digits[j])}</td>" if j else f'<th scope="row">{_cell(c, digits[j])}</th>'
            for j, c in enumerate(row)
        ]
        body += f"<tr{' class=marked' if i in data.marked else ''}>{''.join(cells)}</tr>"
    return (
        f'<figure class="wide"><div class="scroll" tabindex="0" role="region" aria-label="{attribute(data.title)}">'
        f"<table><caption>{isolated(data.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"</div>{_note(data.note)}</figure>"
    )


def _side(data: Table, column: int) -> str:
    cells = [row[column] for row in data.rows if column < len(row) and row[column] is not None]
    return ' class="number"' if column and cells and all(isinstance(c, int | float) for c in cells) else ""


def _cell(value: Cell, digits: int) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return '<span aria-label="none">–</span>'
    if isinstance(value, bool) or not isinstance(value, int | float):
        return isolated(value)
    return (f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}").replace("-", "−")


def _note(note: str) -> str:
    return f"<figcaption>{isolated(note)}</figcaption>" if note else ""


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover low to high, about `count` of them."""
    span = high - low or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / count))
    step *= next((m for m in (1, 2, 5) if span / (m * step) <= count), 10)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def bars(data: Bars) -> str:
    """One row a bar, drawn with lengths in percent so that the text keeps its size at any width."""
    top = data.top if data.top > 0 else 1.0

    def at(value: float) -> str:
        return number(100 * min(max(value / top, 0.0), 1.0)) + "%"

    rules = "".join(
        f'<span class="rule r{i % 3}" style="left:{at(v)}"></span>' for i, v in enumerate(data.lines.values())
    )
    rows = ""
    for i, (name, value) in enumerate(data.bars.items()):
        interval = data.intervals.get(name)
        whisker, told = "", ""
        if interval:
            ends = f"left:{at(interval[0])};right:calc(100% - {at(interval[1])})"
            whisker = f'<span class="whisker" style="{ends}"></span>'
            told = f" <small>{interval[0]:.1f} to {interval[1]:.1f}</small>"
        rows += (
            f'<div class="bar c{i % len(COLOURS)}"><dt>{isolated(name)}</dt><dd><span class="track">'
            f'<span class="fill" style="width:{at(value)}"></span>{whisker}{rules}</span>'
            f'<span class="value">{value:.1f}{text(data.unit)}{told}</span></dd></div>'
        )
    key = "".join(
        f'<li><span class="rule-key r{i % 3}"></span>{isolated(n)} <b>{v:.1f}{text(data.unit)}</b></li>'
        for i, (n, v) in enumerate(data.lines.items())
    )
    return (
        f'<figure class="bars"><h3>{isolated(data.title)}</h3><dl>{rows}</dl>'
        f"{f'<ul class=key>{key}</ul>' if key else ''}{_note(data.note)}</figure>"
    )


Place = Callable[[float, float], tuple[float, float]]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 440, 230, 50, 10, 10, 42


def curves(data: Curves) -> str:
    """Lines in one plot, each with a dash of its own beside its colour, and their last values in words."""
    lines = {
        name: [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in data.lines.items()
    }
    points = [p for line in lines.values() for p in line]
    if not points:
        return f'<figure><h3>{isolated(data.title)}</h3><p class="quiet">No points.</p>{_note(data.note)}</figure>'
    columns, rows = ticks(*_range([x for x, _ in points])), ticks(*_range([y for _, y in points]))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - columns[0]) / (columns[-1] - columns[0]) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - rows[0]) / (rows[-1] - rows[0]) * (HEIGHT - TOP - BOTTOM),
        )

    drawn, key, last = "", "", []
    for i, (name, line) in enumerate(lines.items()):
        path = " ".join(f"{number(a)},{number(b)}" for a, b in _thin([place(*p) for p in line]))
        dash = f' stroke-dasharray="{DASHES[i % len(DASHES)]}"' if DASHES[i % len(DASHES)] else ""
        drawn += f'<polyline class="c{i % len(COLOURS)}" points="{path}"{dash}/>'
        value = f"{line[-1][1]:.4g}" if line else "no points"
        key += (
            f'<li class="c{i % len(COLOURS)}"><svg class="swatch" viewBox="0 0 28 8" aria-hidden="true"><polyline '
            f'points="0,4 28,4"{dash}/></svg>{isolated(name)} <b>{value}</b></li>'
        )
        last.append(f"{name} ends at {value}")
    told = attribute(f"{data.title}: {data.y} over {data.x}. " + "; ".join(last))
    return (
        f'<figure><h3>{isolated(data.title)}</h3><svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{told}">{_axes(data, columns, rows, place)}{drawn}</svg><ul class="key">{key}</ul>'
        f"{_note(data.note)}</figure>"
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _axes(data: Curves, columns: Sequence[float], rows: Sequence[float], place: Place) -> str:
    parts = []
    for value in rows:
        y = number(place(columns[0], value)[1])
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text x="{LEFT - 8}" y="{y}" dy=".32em" text-anchor="end">{value:.6g}</text>'
        )
    for value in columns:
        x = number(place(value, rows[0])[0])
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:.6g}</text>')
    middle = number((LEFT + WIDTH - RIGHT) / 2)
    parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{attribute(data.x)}</text>')
    parts.append(
        f'<text class="axis" transform="translate(12 {number((TOP + HEIGHT - BOTTOM) / 2)}) rotate(-90)" '
        f'text-anchor="middle">{attribute(data.y)}</text>'
    )
    return "".join(parts)


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
