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
    from openmie.bench.case_study import Cases, cases
    from openmie.bench.execution import execute
    from openmie.bench.plots import plot
    from openmie.bench.pool import Progress, run
    from openmie.bench.published_text import as_published
    from openmie.bench.result_table import ResultTable, table
    from openmie.bench.run_grid import Rows, found, grid, rows, seeds
    from openmie.bench.run_spec import RunSpec
    from openmie.bench.table_csv import csv
    from openmie.bench.table_files import write
    from openmie.bench.table_html import html
    from openmie.bench.table_text import markdown

_MODULES = {
    **dict.fromkeys(("Cases", "cases"), "case_study"),
    "RunSpec": "run_spec",
    **dict.fromkeys(("Rows", "found", "grid", "rows", "seeds"), "run_grid"),
    "as_published": "published_text",
    "plot": "plots",
    **dict.fromkeys(("Progress", "run"), "pool"),
    **dict.fromkeys(("ResultTable", "table"), "result_table"),
    "csv": "table_csv",
    "html": "table_html",
    "markdown": "table_text",
    "write": "table_files",
    "execute": "execution",
}
__all__ = [
    "Cases",
    "Progress",
    "ResultTable",
    "Rows",
    "RunSpec",
    "as_published",
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
    if name in _MODULES:
        return getattr(import_module(f"openmie.bench.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
