"""The table as Markdown, and how a number over seeds is written."""

from __future__ import annotations

from collections.abc import Sequence

from openmie.bench import measures, system
from openmie.bench.measures import mean_and_spread
from openmie.bench.result_table import NONE_SUCH, Entry, ResultTable


def lines_of(found: ResultTable, columns: Sequence[str] = ()) -> tuple[list[str], list[list[str]]]:
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


def _all_scores(found: ResultTable) -> list[list[str]]:
    """Heading and rows of the scores that the page's SCORES name; nothing where it names none, or none was run."""
    entries = [e for e in found.entries.values() if e.records]
    names = [n for e in entries for n in system.scores(e.cells[0].paper) if e.with_score(n)]
    names = list(dict.fromkeys(names))
    rows = [
        [f"{e.row}, {e.column}", *(mean_and_spread(e.f1(n), of=len(e.cells)) or "–" for n in names)] for e in entries
    ]
    return [["test F1", *names], *rows] if names else []


def markdown(found: ResultTable) -> str:
    """Pipe tables, and under them what their numbers are."""
    if measures.shown(found):
        return measures.markdown(found)
    lines = []
    heading, rows = lines_of(found)
    for first, *rest in filter(None, ([heading, *rows], _all_scores(found))):
        lines += [*map(measures.piped, [first, ["---"] * len(first), *rest]), ""]
    return "\n".join([*lines, *(f"* {note}" for note in found.notes())])
