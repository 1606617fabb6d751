"""A matrix as dots, a number each by its size: how well each row fits each column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from openmie.report.markup import number, render_macro

CELL, MARGIN = 30, 34  # of the drawing, in its own units
LARGEST, SMALLEST = 12.0, 1.0  # radius of the highest and of the lowest number


@dataclass(frozen=True, kw_only=True)
class Dots:
    """A matrix of numbers.

    Args:
        title: above it.
        rows: names at the left, as short as a number.
        columns: names above.
        values: rows of numbers; the lowest has the smallest dot, the highest the largest.
        chosen: (row, column) of the dots that are filled with a colour.
        rows_are: what the rows are, such as "text".
        columns_are: what the columns are, such as "image".
        note: below it.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]
    chosen: Collection[tuple[int, int]] = ()
    rows_are: str = ""
    columns_are: str = ""
    note: str = ""


def render_dots(data: Dots) -> Markup:
    """A matrix as inline SVG; each dot names its row, its column and its number."""
    flat = [v for row in data.values for v in row]
    low, span = min(flat, default=0.0), (max(flat, default=0.0) - min(flat, default=0.0)) or 1.0
    dots: list[dict[str, Any]] = []
    for i, row in enumerate(data.values):
        for j, value in enumerate(row):
            radius = SMALLEST + (LARGEST - SMALLEST) * (value - low) / span
            told = f"{data.rows_are} {data.rows[i]}, {data.columns_are} {data.columns[j]}: {value:.3f}"
            place = {"x": MARGIN + CELL * j + CELL // 2, "y": MARGIN + CELL * i + CELL // 2, "r": number(radius)}
            dots.append({**place, "told": told.strip(), "chosen": (i, j) in data.chosen})
    sizes = {"width": MARGIN + CELL * len(data.columns), "height": MARGIN + CELL * len(data.rows), "margin": MARGIN}
    heads = [(MARGIN + CELL * j + CELL // 2, name) for j, name in enumerate(data.columns)]
    sides = [(MARGIN + CELL * i + CELL // 2, name) for i, name in enumerate(data.rows)]
    return render_macro("charts.html", "dots", data, dots, sizes, heads, sides)
