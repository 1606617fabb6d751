"""The table: mean and spread over seeds of every variant on every corpus, beside the published numbers.

n stands in every cell; what was not run says so. The spread is the sample standard deviation over seeds, in points.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmie.bench import published, system
from openmie.bench.freshness import is_stale
from openmie.bench.run_grid import row_name
from openmie.bench.run_spec import RunSpec, corpus_label, dataset_name
from openmie.papers._published import Comparison, Measure

NOT_RUN = "not run"
ILLEGIBLE = "not legible"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One cell of the table: a variant on a corpus, all seeds."""

    row: str
    column: str
    cells: tuple[RunSpec, ...]  # that were asked for
    records: tuple[Mapping[str, Any], ...]  # of those that were run
    failures: tuple[str, ...]  # of those that were not
    stale: int  # records of a recipe that the page has changed since
    score: str  # the one shown
    comparison: Comparison  # the setting whose published numbers may stand beside all of its records

    @property
    def variant(self) -> str:
        """The row without what was changed in it: the system's name, or the ablation's."""
        one = self.cells[0]
        return system.full_name(one.paper) if one.row == system.FULL else one.row

    def values(self, measure: Measure) -> dict[int, float]:
        """Seed -> number, of the runs that have it; in percent, parameters in millions, of a variance each F1."""
        found = ((r["cell"]["seed"], _value(r, measure)) for r in self.records)
        return {seed: value for seed, value in found if value is not None}

    def f1(self, score: str = "") -> list[float]:
        """Over seeds, percent."""
        return [r["scores"][score or self.score]["f1"] for r in self.with_score(score)]

    def dev(self) -> list[float]:
        return [r["dev"]["f1"] for r in self.records if "f1" in r["dev"]]

    def closures(self, score: str = "") -> list[float]:
        """Over seeds: shares of the gap; empty where there are no ceilings."""
        name = score or self.score
        return [r["closures"][name]["closure"] for r in self.records if name in r.get("closures", {})]

    def with_score(self, score: str = "") -> list[Mapping[str, Any]]:
        return [r for r in self.records if (score or self.score) in r["scores"]]

    def seeds(self, score: str = "") -> list[int]:
        return [r["cell"]["seed"] for r in self.with_score(score)]

    @property
    def status(self) -> str:
        """What stands where there is no number."""
        if self.records:
            return "" if self.with_score() else f"{NOT_RUN}: {self.score}"
        return f"failed: {self.failures[0]}" if self.failures else NOT_RUN

    @property
    def documents(self) -> str:
        """How many the runs were trained on; "": nothing was run."""
        found = sorted({r["corpus"]["train"]["documents"] for r in self.records if "corpus" in r})
        return " to ".join(f"{n:,}" for n in dict.fromkeys(found[:1] + found[-1:]))

    @property
    def dates(self) -> str:
        """First and last day of the runs; "": nothing was run."""
        days = sorted({r["date"] for r in self.records})
        return " to ".join(dict.fromkeys(days[:1] + days[-1:]))

    def reported(self, measure: Measure) -> tuple[str, str, float | None] | None:
        """Published table, column and number beside a measure of this entry; see `published.number`."""
        if not self.comparison.setting:
            return None
        return published.number(self.cells[0].paper, self.variant, self.comparison.setting, measure)


def _value(record: Mapping[str, Any], measure: Measure) -> float | None:
    if measure.quantity == "parameters":
        return float(record["parameters"]) / 1e6 if "parameters" in record else None
    scores: Mapping[str, Any] | None = record["scores"].get(measure.score)
    if scores is not None and measure.label:
        scores = scores.get("labels", {}).get(measure.label)
    if scores is not None and scores.get("gold") == scores.get("predicted") == 0:
        return None  # nothing was to be found, and nothing was
    found = (scores or {}).get("f1" if measure.quantity == "variance" else measure.quantity)
    return None if found is None else float(found)


@dataclass(frozen=True)
class ResultTable:
    """Entries by row and column; a missing one was not asked for."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: Mapping[tuple[str, str], Entry]
    paper: str = ""  # whose published tables stand beside; "": none was asked for

    @property
    def dates(self) -> str:
        """First and last day of the runs, as a sentence."""
        days = sorted({r["date"] for e in self.entries.values() for r in e.records})
        return f"Runs of {' to '.join(dict.fromkeys(days[:1] + days[-1:]))}." if days else "No run yet."

    def notes(self) -> list[str]:
        """What stands under the table."""
        entries = list(self.entries.values())
        told = [f"F1 in percent, mean ± standard deviation over n seeds; dev: of the epoch chosen on dev. {self.dates}"]
        if len(self.entries) < len(self.rows) * len(self.columns):
            told.append("A variant that has no meaning for a corpus's task, or was not requested, has no row there.")
        if any(e.closures() for e in entries):
            told.append("Closure: (F1 - text ceiling) / (text and image ceiling - text ceiling), argmax ceilings.")
        if stale := [f"{e.row}, {e.column} ({e.stale} of {len(e.records)} runs)" for e in entries if e.stale]:
            told.append(f"† Of a recipe that has changed since: {'; '.join(stale)}.")
        if self.paper:
            told += system.table_notes(self.paper, (e.cells[0] for e in entries))
        return told + [f"{e.row}, {e.column}: {len(e.failures)} failed: {e.failures[0]}" for e in entries if e.failures]


def mean_and_spread(values: Sequence[float], digits: int = 2, of: int = 0) -> str:
    """`81.20 ± 0.35 (n=3)`; `(n=2 of 3)` where more were asked for."""
    if not values:
        return ""
    n = f"{len(values)} of {of}" if of > len(values) else f"{len(values)}"
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread} (n={n})"


def table(cells: Iterable[RunSpec], out: str | Path, score: str = "", paper: str = "") -> ResultTable:
    """The table of these cells, from what lies in `out`.

    Args:
        cells: of the bench.
        out: the folder of their runs.
        score: shown where it is not each task's first.
        paper: whose published tables stand in it where there are no cells; "": that of the cells.
    """
    cells = list(cells)
    names = _columns(cells)
    groups: dict[tuple[str, str], list[RunSpec]] = {}
    for cell in cells:
        groups.setdefault((row_name(cell), names[_column(cell)]), []).append(cell)
    entries = {key: _entry(*key, group, out, score) for key, group in groups.items()}
    title = ", ".join(dict.fromkeys(f"{system.full_name(c.paper)}, {c.flavour}" for c in cells)) or "nothing"
    paper = cells[0].paper if cells else paper
    return ResultTable(title, tuple(dict.fromkeys(r for r, _ in groups)), tuple(names.values()), entries, paper)


def _entry(row: str, column: str, cells: Sequence[RunSpec], out: str | Path, score: str) -> Entry:
    found = [(c, c.record(out)) for c in cells]
    records = [(c, r) for c, r in found if r]
    compared = [published.comparison(c, r) for c, r in records] or [published.comparison(cells[0])]
    return Entry(
        row=row,
        column=column,
        cells=tuple(cells),
        records=tuple(r for _, r in records),
        failures=tuple(f for f in (c.failure(out) for c, r in found if not r) if f),
        stale=sum(is_stale(c, r, out) for c, r in records),
        score=score or next((r["metric"] for _, r in records), ""),
        comparison=next((c for c in compared if not c.setting), compared[0]),
    )


Column = tuple[str, str, str, int]  # corpus, test, task, posts


def _column(cell: RunSpec) -> Column:
    return cell.corpus, cell.test if cell.test != cell.corpus else "", cell.task, cell.posts


def _columns(cells: Sequence[RunSpec]) -> dict[Column, str]:
    """Column -> its name: as short as tells it from the others."""
    found = list(dict.fromkeys(map(_column, cells)))

    def name(column: Column, of: Any) -> str:
        corpus, test, task, posts = column
        parts = [of(corpus), f"→ {of(test)}" if test else "", task, f"first {posts}" if posts else ""]
        return " ".join(filter(None, parts))

    for of in (dataset_name, corpus_label, str):
        names = {c: name(c, of) for c in found}
        if len(set(names.values())) == len(found):
            break
    return names
