"""The bench: paper x ablation x corpus x seed, one JSON file a run, and the table beside the published numbers.

    cells = grid("baseline", ["diorama:train=2000"], rows=Rows(ablate=("full", "text")), seeds=(1, 2, 3))
    for event in run(cells, "runs/bench"): ...
    print(markdown(table(cells, "runs/bench")))

A run that is finished is never run again, one that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openmie.bench.cell import Cell
    from openmie.bench.differences import Cases, cases
    from openmie.bench.layout import Rows, found, grid, rows, seeds
    from openmie.bench.plots import plot
    from openmie.bench.pool import Progress, run
    from openmie.bench.results import Table, csv, html, markdown, table, write
    from openmie.bench.work import execute

_HOME = {
    **dict.fromkeys(("Cases", "cases"), "differences"),
    "Cell": "cell",
    **dict.fromkeys(("Rows", "found", "grid", "rows", "seeds"), "layout"),
    "plot": "plots",
    **dict.fromkeys(("Progress", "run"), "pool"),
    **dict.fromkeys(("Table", "csv", "html", "markdown", "table", "write"), "results"),
    "execute": "work",
}
__all__ = [
    "Cases",
    "Cell",
    "Progress",
    "Rows",
    "Table",
    "cases",
    "csv",
    "execute",
    "found",
    "grid",
    "html",
    "markdown",
    "plot",
    "rows",
    "run",
    "seeds",
    "table",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"openmie.bench.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
