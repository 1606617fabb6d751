"""The table as Markdown: for each corpus the runs with all their measures, then the published tables with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openmie.bench import measures, system
from openmie.bench.published_text import BARE, Footnotes, published_tables, rows_with_rule
from openmie.bench.result_table import ILLEGIBLE, NOT_RUN, Entry, ResultTable, mean_and_spread
from openmie.papers._published import Measure


def markdown(found: ResultTable) -> str:
    """Pipe tables, and under them what their numbers are."""
    notes = Footnotes()
    blocks: list[list[str]] = []
    for column in found.columns:
        heading, rows = lines_of(found, column, notes)
        blocks.append(rows_with_rule([heading, *rows]))
        blocks += [rows_with_rule(g) for g in _gains(entries_of(found, column), notes)]
    blocks += published_tables(found, notes)
    young = [measures.UNSETTLED_MEANS] if any(map(_young, found.entries.values())) else []
    told = [*found.notes(), *young, *_ceilings(list(found.entries.values())), *notes.lines()]
    return "\n\n".join(["\n".join(lines) for lines in blocks] + ["\n".join(f"* {note}" for note in told)])


def entries_of(found: ResultTable, column: str) -> list[Entry]:
    """The entries of one column, in the order of the rows."""
    return [found.entries[row, column] for row in found.rows if (row, column) in found.entries]


def lines_of(found: ResultTable, column: str, notes: Footnotes) -> tuple[list[str], list[list[str]]]:
    """Heading and rows, as text, of one column: a corpus with its task."""
    entries = entries_of(found, column)
    listed = measures.shown(entries)
    beside = [m for m in listed if any(e.reported(m) for e in entries)]
    closed = any(e.closures() for e in entries)
    heading = [f"{found.title} on {column}", "flavour", "documents", "date"]
    for measure in listed:
        heading += [f"test {measure.name}", *(["published"] if measure in beside else [])]
    heading += [*(["dev F1"] if any(e.dev() for e in entries) else []), *(["closure"] if closed else [])]
    heading += [] if beside else ["published"]
    return heading, [_line(entry, listed, beside, heading, notes) for entry in entries]


def _line(
    entry: Entry, listed: Sequence[Measure], beside: Sequence[Measure], heading: Sequence[str], notes: Footnotes
) -> list[str]:
    line = [entry.row + " ‡" * _young(entry), entry.cells[0].flavour, entry.documents, entry.dates]
    for i, measure in enumerate(listed):
        numbers = list(entry.values(measure).values())
        text = mean_and_spread(numbers, of=len(entry.cells)) or (BARE if i else entry.status or BARE)
        line.append(text + (" †" if entry.stale and not i else ""))
        if measure in beside:
            line.append(published_cell(entry, measure, notes))
    if "dev F1" in heading:
        line.append(mean_and_spread(entry.dev()) or BARE)
    if "closure" in heading:
        line.append(mean_and_spread(entry.closures(), 3) or BARE)
    return line if beside else [*line, published_cell(entry, Measure(), notes)]


def published_cell(entry: Entry, measure: Measure, notes: Footnotes) -> str:
    """The published number beside a measure; a dash, with a mark where a footnote says why."""
    told = entry.reported(measure)
    if told is None:
        return BARE if entry.comparison.setting else BARE + notes.mark(entry.comparison.because)
    return ILLEGIBLE if told[2] is None else f"{told[2]:.2f}"


def _gains(entries: Sequence[Entry], notes: Footnotes) -> list[list[list[str]]]:
    """Of a page that compares runs (GAINS): joint less single, a table for each way in which runs were changed."""
    page = system.load_paper_module(entries[0].cells[0].paper)
    if not hasattr(page, "GAINS"):
        return []
    found = []
    for changed in dict.fromkeys(e.row.removeprefix(e.variant) for e in entries):
        same = [e for e in entries if e.row == e.variant + changed]
        runs = {e.variant: {m: measures.settled(e, m) for m in page.MEASURES} for e in same}
        lack = {e.variant: measures.UNSETTLED if _young(e) else BARE for e in same if e.records}
        because = next((e.comparison.because for e in same if not e.comparison.setting), "")
        absent = BARE + notes.mark(because) if because else ""
        found.append(_gains_of(measures.gains(runs, page), page, (changed, absent), lack))
    return found


def _young(entry: Entry) -> bool:
    return any(map(measures.still_learning, entry.records))


def _gains_of(
    found: Mapping[tuple[str, str], Mapping[str, list[float]]],
    page: Any,
    told: tuple[str, str],
    lack: Mapping[str, str],
) -> list[list[str]]:
    """Joint less single as measured and as published.

    `told` is what was changed, and what stands for all that was published where it is not empty; `lack` what stands for
    the gains of a run that was made and gives none.
    """
    changed, absent = told
    lines = [[f"reinforcement: joint less single{changed}", *page.MEASURES]]
    for joint, singles in page.GAINS.items():
        for single in singles:
            here = found.get((joint, single), {})
            a, b = measures.reported(page, joint), measures.reported(page, single)
            names, reasons = page.MEASURES, [lack.get(row, NOT_RUN) for row in (joint, single)]
            none = BARE if here else next(r for r in (NOT_RUN, measures.UNSETTLED, BARE) if r in reasons)
            ours = [mean_and_spread(here[m]) if m in here else none for m in names]
            theirs = [absent or (f"{a[m] - b[m]:+.2f}" if m in a and m in b else BARE) for m in names]
            lines += [[f"{joint} less {single}", *ours], ["as published", *theirs]]
    return lines


def _ceilings(entries: Sequence[Entry]) -> list[str]:
    """Of generative systems, whose ceilings are those of measures."""
    bounds = {
        f"Ceilings, {e.column}: "
        + ", ".join(f"{name} {value:.2f}" for name, value in r["ceilings"].items() if isinstance(value, int | float))
        for e in entries
        for r in e.records
        if any(isinstance(v, int | float) for v in r.get("ceilings", {}).values())
    }
    return [f"{b} (best of the text alone; of text and image; summaries right to the word)." for b in sorted(bounds)]
