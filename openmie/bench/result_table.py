"""The table: mean and spread over seeds of every variant on every corpus, beside the published numbers.

n stands in every cell; what was not run says so. The spread is the sample standard deviation over seeds, in points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from openmie import corpora
from openmie.bench import system
from openmie.bench.run_grid import row_name
from openmie.bench.run_spec import RunSpec, corpus_label, dataset_name
from openmie.errors import OpenMIEError

NOT_RUN = "not run"
NONE_SUCH = "n/a"


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
    reported: tuple[str, float | None] | None  # published table and number; see `system.reported`

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
    def published(self) -> str:
        if self.reported is None:
            return "–"
        return "not legible" if self.reported[1] is None else f"{self.reported[1]:.2f}"


@dataclass(frozen=True)
class ResultTable:
    """Entries by row and column; a missing one was not asked for."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: Mapping[tuple[str, str], Entry]

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
            told.append(f"{NONE_SUCH}: the variant has no meaning for the task, or was not asked for.")
        if any(e.closures() for e in entries):
            told.append("Closure: (F1 - text ceiling) / (text and image ceiling - text ceiling), argmax ceilings.")
        told += [f"Published: {t}." for t in dict.fromkeys(e.reported[0] for e in entries if e.reported)]
        if any(e.reported and e.reported[1] is None for e in entries):
            told.append("Not legible: the text that this page was written from has lost the number.")
        if stale := [f"{e.row}, {e.column} ({e.stale} of {len(e.records)} runs)" for e in entries if e.stale]:
            told.append(f"† Of a recipe that has changed since: {'; '.join(stale)}.")
        return told + [f"{e.row}, {e.column}: {len(e.failures)} failed: {e.failures[0]}" for e in entries if e.failures]


def table(cells: Iterable[RunSpec], out: str | Path, score: str = "") -> ResultTable:
    """The table of these cells, from what lies in `out`; `score` is shown where it is not each task's first."""
    cells = list(cells)
    names = _columns(cells)
    groups: dict[tuple[str, str], list[RunSpec]] = {}
    for cell in cells:
        groups.setdefault((row_name(cell), names[_column(cell)]), []).append(cell)
    entries = {key: _entry(*key, group, out, score) for key, group in groups.items()}
    title = ", ".join(dict.fromkeys(f"{system.full_name(c.paper)}, {c.flavour}" for c in cells)) or "nothing"
    return ResultTable(title, tuple(dict.fromkeys(r for r, _ in groups)), tuple(names.values()), entries)


def _entry(row: str, column: str, cells: Sequence[RunSpec], out: str | Path, score: str) -> Entry:
    found = [(c, c.record(out)) for c in cells]
    records = [r for _, r in found if r]
    one = cells[0]
    name = system.full_name(one.paper) if one.row == system.FULL else one.row
    tested = dataset_name(one.test or one.corpus)
    shown = score or next((r["metric"] for r in records), "")
    return Entry(
        row=row,
        column=column,
        cells=tuple(cells),
        records=tuple(records),
        failures=tuple(f for f in (c.failure(out) for c, r in found if not r) if f),
        stale=sum(_stale(c, r["recipe"]) for c, r in found if r),
        score=shown,
        reported=system.reported(one.paper, name, _names(one, tested)),
    )


def _names(cell: RunSpec, tested: str) -> list[str]:
    """The names by which a page's COLUMNS may call a cell's corpus, the most exact first."""
    trained = dataset_name(cell.corpus)
    if tested != trained:
        return [f"{trained}>{tested}/{cell.task}", f"{trained}>{tested}"]
    exact = [f"{corpus_label(cell.corpus)}/{cell.task}", corpus_label(cell.corpus)]
    return list(dict.fromkeys([*exact, f"{tested}/{cell.task}", tested]))


def _stale(cell: RunSpec, recorded: Any) -> bool:
    """Whether the cell would be trained with another recipe today; fields that are new since count by their default.

    A recipe's name says nothing: a run whose training was copied from an equal one has that one's.
    """
    from openmie import recipe as recipes

    try:
        now = _recipe(RunSpec.load({**cell.dump(), "seed": 0}))
        if now.is_generative:
            return {**recorded, "name": ""} != {**recipes.dump(now), "name": ""}
        then = recipes.load(recorded)
        return replace(then, name="") != replace(now, name="")
    except OpenMIEError:
        return not _gone(cell.corpus)


@cache
def _recipe(cell: RunSpec) -> Any:
    return cell.recipe(_corpus(cell.corpus))


@cache
def _corpus(spec: str) -> Any:
    return corpora.load(spec)


def _gone(spec: str) -> bool:
    """Whether a corpus has been moved: then there is nothing to compare with."""
    try:
        return not _corpus(spec)
    except OpenMIEError:
        return True


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
