"""Published tables as text: every row and column as printed, and under each row that is built here its runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import zip_longest

from openmie.bench import published, system
from openmie.bench.result_table import ILLEGIBLE, NOT_RUN, Entry, ResultTable, mean_and_spread
from openmie.papers._published import Measure

BARE = "–"
PRINTED, PRINTED_ONLY = "published", "published only"
ONLY_NOTE = "Published only: a system, or a fact, that is not built here."


class Footnotes:
    """Reasons, numbered as they first come."""

    def __init__(self) -> None:
        self.reasons: dict[str, int] = {}

    def mark(self, reason: str) -> str:
        """` [1]` of a reason."""
        return f" [{self.reasons.setdefault(reason, len(self.reasons) + 1)}]"

    def lines(self) -> list[str]:
        """What stands under the tables."""
        return [f"[{n}] No published number beside it: {why.rstrip('.')}." for why, n in self.reasons.items()]


def piped(line: Sequence[str]) -> str:
    """A row of a pipe table."""
    return "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |"


def rows_with_rule(lines: Sequence[Sequence[str]]) -> list[str]:
    """A pipe table, its first line the heading."""
    return [piped(line) for line in (lines[0], ["---"] * len(lines[0]), *lines[1:])]


def as_published(found: ResultTable) -> str:
    """All published tables of the system, with the runs of the table under their rows."""
    notes = Footnotes()
    blocks = ["\n".join(lines) for lines in published_tables(found, notes, every=True)]
    told = [*found.notes(), *notes.lines()]
    return "\n\n".join([*blocks, "\n".join(f"* {note}" for note in told)])


def published_tables(found: ResultTable, notes: Footnotes, every: bool = False) -> list[list[str]]:
    """The published tables of the data that the runs are of; all where there are no runs, or where all are wanted."""
    if not found.paper:
        return []
    known = list(published.tables(found.paper))
    if found.entries and not every:
        names = {e.comparison.setting or e.comparison.closest for e in found.entries.values()} - {""}
        known = published.fitting(found.paper, names)
    own = published.own_rows(found.paper) if known else frozenset()
    return [_table(found, table, own, notes) for table in known]


def _table(found: ResultTable, table: str, own: frozenset[str], notes: Footnotes) -> list[str]:
    rows = published.tables(found.paper)[table]
    columns = list(dict.fromkeys(c for cells in rows.values() for c in cells))
    name, settings = system.full_name(found.paper), published.settings(found.paper)
    lines = [[f"{name}, {table}", "from", *columns]]
    for row, cells in rows.items():
        printed = [_printed(cells[c], _whole(settings, c)) if c in cells else BARE for c in columns]
        lines.append([row, PRINTED if row in own else PRINTED_ONLY, *printed])
        if row in own:
            unrun = [NOT_RUN if c in cells and _owners(settings, c) else BARE for c in columns]
            lines += _runs(found, row, columns, notes) or [[row, "here", *unrun]]
    only = any(line[1] == PRINTED_ONLY for line in lines)
    return [*rows_with_rule(lines), *(["", ONLY_NOTE] if only else [])]


def _owners(settings: published.Settings, column: str) -> dict[str, Measure]:
    """The settings that have a column, and what it is of their runs."""
    return {name: s.columns[column] for name, s in settings.items() if column in s.columns}


def _whole(settings: published.Settings, column: str) -> bool:
    """Whether the numbers of a column are no scores: counts, shares of a data set, parameters."""
    return all(m.quantity == "parameters" for m in _owners(settings, column).values())


def _printed(value: float | None, whole: bool) -> str:
    return ILLEGIBLE if value is None else f"{value:g}" if whole else f"{value:.2f}"


def _runs(found: ResultTable, row: str, columns: Sequence[str], notes: Footnotes) -> list[list[str]]:
    """The lines of our runs of a published row: one for each way in which it was changed."""
    settings = published.settings(found.paper)
    by_setting: dict[str, dict[str, list[Entry]]] = {}  # changes -> setting -> entries
    for entry in found.entries.values():
        name = entry.comparison.setting or entry.comparison.closest
        if entry.records and name and entry.variant == settings[name].prefix + row:
            changed = entry.row.removeprefix(entry.variant)
            by_setting.setdefault(changed, {}).setdefault(name, []).append(entry)
    lines = []
    for changed, groups in by_setting.items():
        for entries in zip_longest(*groups.values()):
            beside = dict(zip(groups, entries))
            lines.append([row + changed, _source(beside), *(_cell(settings, c, beside, notes) for c in columns)])
    return lines


def _source(beside: dict[str, Entry | None]) -> str:
    """`here: small; T-17: 3,373 documents, 2026-11-21`."""
    entries = {name: e for name, e in beside.items() if e}
    flavour = next(e.cells[0].flavour for e in entries.values())
    facts = [f"{name}: {e.documents} documents, {e.dates}" for name, e in entries.items()]
    return f"here: {'; '.join([flavour, *facts])}"


def _cell(settings: published.Settings, column: str, beside: dict[str, Entry | None], notes: Footnotes) -> str:
    """The number of a column, from the entry whose setting has it."""
    owners = _owners(settings, column)
    for name, measure in owners.items():
        entry = beside.get(name)
        if entry is None:
            continue
        if not entry.comparison.setting:
            return BARE + notes.mark(entry.comparison.because)
        if numbers := list(entry.values(measure).values()):
            return _number(numbers, measure, entry)
    return NOT_RUN if owners else BARE


def _number(numbers: Sequence[float], measure: Measure, entry: Entry) -> str:
    if measure.quantity != "variance":
        return mean_and_spread(numbers, of=len(entry.cells))
    return f"{statistics.variance(numbers):.2f} (n={len(numbers)})" if len(numbers) > 1 else f"{BARE} (n=1)"
