"""The table: mean and spread over seeds of every variant on every corpus, beside the published numbers.

n stands in every cell; what was not run says so. The spread is the sample standard deviation over seeds, in points.
"""

from __future__ import annotations

import csv as csvs
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from openmie import corpora, report
from openmie.bench import system
from openmie.bench.run_grid import row_name
from openmie.bench.run_spec import RunSpec, corpus_label, dataset_name
from openmie.data import replace_file as writing
from openmie.errors import OpenMIEError, TrainError

FORMATS = ("md", "csv", "html")
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
        return [r["dev"]["f1"] for r in self.records]

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
class Table:
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


def table(cells: Iterable[RunSpec], out: str | Path, score: str = "") -> Table:
    """The table of these cells, from what lies in `out`; `score` is shown where it is not each task's first."""
    cells = list(cells)
    names = _columns(cells)
    groups: dict[tuple[str, str], list[RunSpec]] = {}
    for cell in cells:
        groups.setdefault((row_name(cell), names[_column(cell)]), []).append(cell)
    entries = {key: _entry(*key, group, out, score) for key, group in groups.items()}
    title = ", ".join(dict.fromkeys(f"{system.full_name(c.paper)}, {c.flavour}" for c in cells)) or "nothing"
    return Table(title, tuple(dict.fromkeys(r for r, _ in groups)), tuple(names.values()), entries)


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
        then, now = recipes.load(recorded), _recipe(RunSpec.load({**cell.dump(), "seed": 0}))
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


# -- out


def mean_and_spread(values: Sequence[float], digits: int = 2, of: int = 0) -> str:
    """`81.20 ± 0.35 (n=3)`; `(n=2 of 3)` where more were asked for."""
    if not values:
        return ""
    n = f"{len(values)} of {of}" if of > len(values) else f"{len(values)}"
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread} (n={n})"


def _lines(found: Table, columns: Sequence[str] = ()) -> tuple[list[str], list[list[str]]]:
    """Heading and rows, as text; of some columns only."""
    closed = {c for (_, c), e in found.entries.items() if e.closures()}
    heading, columns = [found.title], columns or found.columns
    for column in columns:
        heading += [f"{column}: test F1", "dev F1", *(["closure"] if column in closed else []), "reported"]
    rows = []
    for row in found.rows:
        line = [row]
        for column in columns:
            entry = found.entries.get((row, column))
            line += _cells(entry, column in closed) if entry else [NONE_SUCH, *[""] * (3 if column in closed else 2)]
        rows.append(line)
    return heading, rows


def _cells(entry: Entry, closed: bool) -> list[str]:
    test = entry.status or mean_and_spread(entry.f1(), of=len(entry.cells))
    if entry.stale:
        test += " †"
    dev = mean_and_spread(entry.dev()) or "–"
    return [test, dev, *([mean_and_spread(entry.closures(), 3) or "–"] if closed else []), entry.published]


def _all_scores(found: Table) -> list[list[str]]:
    """Heading and rows of the scores that the page's SCORES name; nothing where it names none, or none was run."""
    entries = [e for e in found.entries.values() if e.records]
    names = [n for e in entries for n in system.scores(e.cells[0].paper) if e.with_score(n)]
    names = list(dict.fromkeys(names))
    rows = [
        [f"{e.row}, {e.column}", *(mean_and_spread(e.f1(n), of=len(e.cells)) or "–" for n in names)] for e in entries
    ]
    return [["test F1", *names], *rows] if names else []


def markdown(found: Table) -> str:
    """Pipe tables, and under them what their numbers are."""
    lines = []
    heading, rows = _lines(found)
    for first, *rest in filter(None, ([heading, *rows], _all_scores(found))):
        lines += [*map(_piped, [first, ["---"] * len(first), *rest]), ""]
    return "\n".join([*lines, *(f"* {note}" for note in found.notes())])


def _piped(line: Sequence[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |"


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
    "n",
    "mean",
    "sd",
    "min",
    "max",
    "seeds",
    "dev_mean",
    "dev_sd",
    "closure_mean",
    "closure_min",
    "closure_max",
    "reported",
    "reported_in",
    "status",
    "date",
)


def csv(found: Table) -> str:
    """Long form: one line for each score of each cell, and one for a cell without any."""
    text = StringIO()
    file = csvs.DictWriter(text, CSV, lineterminator="\n")
    file.writeheader()
    for entry in found.entries.values():
        names = list(dict.fromkeys(n for r in entry.records for n in r["scores"]))
        names.sort(key=lambda n, shown=entry.score: n != shown)  # type: ignore[misc]
        file.writerows(_line(entry, name) for name in names or [""])
    return text.getvalue()


def _line(entry: Entry, score: str) -> dict[str, Any]:
    one, f1, closed = entry.cells[0], entry.f1(score) if score else [], entry.closures(score) if score else []
    first = score == entry.score
    reported = entry.reported if first or not score else None
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
        "n": len(f1),
        **_spread("", f1),
        "min": _digits(min(f1, default=None)),
        "max": _digits(max(f1, default=None)),
        "seeds": " ".join(map(str, entry.seeds(score) if score else [])),
        **_spread("dev_", entry.dev() if score else []),
        "closure_mean": _digits(statistics.mean(closed) if closed else None),
        "closure_min": _digits(min(closed, default=None)),
        "closure_max": _digits(max(closed, default=None)),
        "reported": _digits(reported[1] if reported else None),
        "reported_in": reported[0] if reported else "",
        "status": "run" if f1 else entry.status,
        "date": max((r["date"] for r in entry.records), default=""),
    }


def _spread(prefix: str, values: Sequence[float]) -> dict[str, str]:
    return {
        f"{prefix}mean": _digits(statistics.mean(values) if values else None),
        f"{prefix}sd": _digits(statistics.stdev(values) if len(values) > 1 else None),
    }


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def html(found: Table, path: str | Path) -> Path:
    """The table as a page, with every score of every cell under it."""
    tables = []
    for column in found.columns:
        heading, rows = _lines(found, [column])
        rows = [[cell.replace(" ± ", "\u00a0±\u00a0") for cell in row] for row in rows if row[1] != NONE_SUCH]
        tables.append(
            report.Table(
                title=f"{column}: F1 beside the published numbers",
                rows=rows,
                columns=[heading[0], "test F1", *heading[2:]],
            )
        )
    scores = [
        [
            e.row,
            e.column,
            name,
            len(e.f1(name)),
            statistics.mean(e.f1(name)),
            min(e.f1(name)),
            max(e.f1(name)),
            " ".join(map(str, e.seeds(name))),
        ]
        for e in found.entries.values()
        for name in dict.fromkeys(n for r in e.records for n in r["scores"])
    ]
    costs = [
        [
            e.row,
            e.column,
            r["cell"]["seed"],
            r["seconds"]["train"],
            r["peak_mb"]["train"],
            r["parameters"],
            r["dev"]["epoch"] + 1,
            r["date"],
        ]
        for e in found.entries.values()
        for r in e.records
    ]
    if scores:
        tables += [
            report.Table(
                title="Every score",
                columns=["variant", "corpus", "score", "n", "mean", "lowest", "highest", "seeds"],
                rows=scores,
                digits=2,
            ),
            report.Table(
                title="Runs",
                columns=["variant", "corpus", "seed", "seconds", "peak MiB", "parameters", "best epoch", "date"],
                rows=costs,
                digits=0,
            ),
        ]
    return report.write(
        path,
        title=f"{found.title}: bench",
        tables=tables,
        notes=found.notes(),
        intro=f"Every cell with its n. {found.dates}",
    )


def write(found: Table, out: str | Path, format: str) -> Path:
    """`OUT/NAME.md`, `.csv` or `.html`, whole or not at all. Errors: another format."""
    if format not in FORMATS:
        raise TrainError.unknown("format", format, FORMATS)
    one = next((e.cells[0].paper for e in found.entries.values()), "bench")
    path = Path(out) / f"{one}.{format}"
    if format == "html":
        html(found, path)
    else:
        writing.make_folder(path.parent)
        text = {"md": markdown, "csv": csv}[format](found)
        writing.replace_text(path, text + ("\n" if format == "md" else ""))
    return path
