"""Runs with many measures each, and the gains of joint runs: the table of pages that give MEASURES, OURS and GAINS.

The gain of a task is its score in the joint run less its score alone, of each seed that has both.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from openmie.bench import system
from openmie.bench.result_table import NOT_RUN, Entry, ResultTable

Values = Mapping[str, Mapping[str, Mapping[int, float]]]  # run -> measure -> seed -> number


def mean_and_spread(values: Sequence[float], digits: int = 2, of: int = 0) -> str:
    """`81.20 ± 0.35 (n=3)`; `(n=2 of 3)` where more were asked for."""
    if not values:
        return ""
    n = f"{len(values)} of {of}" if of > len(values) else f"{len(values)}"
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread} (n={n})"


def piped(line: Sequence[str]) -> str:
    """A row of a pipe table."""
    return "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |"


def shown(found: ResultTable) -> tuple[str, ...]:
    """The measures of a table's system; none where one score stands in it."""
    return system.measures(next(iter(found.entries.values())).cells[0].paper) if found.entries else ()


def values(entry: Entry, measure: str) -> dict[int, float]:
    """Seed -> number."""
    return {r["cell"]["seed"]: r["scores"][measure]["f1"] for r in entry.with_score(measure)}


def reported(page: Any, variant: str) -> dict[str, float]:
    """The published numbers of a run."""
    return next((rows[variant] for rows in page.REPORTED.values() if variant in rows), {})


def gains(runs: Values, page: Any) -> dict[tuple[str, str], dict[str, list[float]]]:
    """(joint run, single run) -> measure -> joint less single, of each seed that has both."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for joint, singles in page.GAINS.items():
        for single in singles:
            for measure in page.MEASURES:
                a, b = (runs.get(row, {}).get(measure, {}) for row in (joint, single))
                if shared := sorted(a.keys() & b.keys()):
                    found.setdefault((joint, single), {})[measure] = [a[s] - b[s] for s in shared]
    return found


def variant(entry: Entry) -> str:
    """The name of a row without what was changed in it: the system's, or the ablation's."""
    one = entry.cells[0]
    return system.full_name(one.paper) if one.row == system.FULL else one.row


def markdown(found: ResultTable) -> str:
    """For each column: every run with its measures, beside the published ones; then the gains."""
    page, names = system.load_paper_module(next(iter(found.entries.values())).cells[0].paper), shown(found)
    parts: list[str] = []
    for column in found.columns:
        entries = [found.entries[row, column] for row in found.rows if (row, column) in found.entries]
        parts += [f"{found.title} on {column}, percent, mean ± standard deviation over n seeds", ""]
        parts += [*_runs(entries, page, names), ""]
        for changed in dict.fromkeys(e.row.removeprefix(variant(e)) for e in entries):
            same = [e for e in entries if e.row == variant(e) + changed]
            runs = {variant(e): {m: values(e, m) for m in names} for e in same}
            parts += [*_gains(gains(runs, page), page, changed), ""]
        parts += [*_notes(entries), ""]
    return "\n".join(parts).rstrip()


def _table(lines: Sequence[Sequence[str]]) -> list[str]:
    return [piped(line) for line in (lines[0], ["---"] * len(lines[0]), *lines[1:])]


def _runs(entries: Sequence[Entry], page: Any, names: Sequence[str]) -> list[str]:
    lines = [["run", *names]]
    for e in entries:
        numbers = [mean_and_spread(list(values(e, m).values()), of=len(e.cells)) or "–" for m in names]
        status = f"failed: {e.failures[0]}" if e.failures else NOT_RUN
        stale = " †" if e.stale else ""
        lines.append([e.row + stale, *(numbers if e.records else [status, *[""] * (len(names) - 1)])])
        if told := reported(page, variant(e)):
            lines.append([f"{variant(e)}, reported", *(f"{told[m]:.2f}" if m in told else "–" for m in names)])
    return _table(lines)


def _gains(found: Mapping[tuple[str, str], Mapping[str, list[float]]], page: Any, changed: str) -> list[str]:
    lines = [[f"reinforcement: joint less single{changed}", *page.MEASURES]]
    for joint, singles in page.GAINS.items():
        for single in singles:
            here, a, b = found.get((joint, single), {}), reported(page, joint), reported(page, single)
            none, names = "–" if here else NOT_RUN, page.MEASURES
            ours = [mean_and_spread(here[m]) if m in here else none for m in names]
            theirs = [f"{a[m] - b[m]:+.2f}" if m in a and m in b else "–" for m in names]
            lines += [[f"{joint} less {single}", *ours], ["as reported", *theirs]]
    return _table(lines)


def _notes(entries: Sequence[Entry]) -> list[str]:
    records = [r for e in entries for r in e.records]
    if not records:
        return [f"* {NOT_RUN}: nothing yet."]
    one, days = records[0], sorted({r["date"] for r in records})
    told = [
        f"* {one['documents']} test documents, {one['examples']} training examples, {one['parameters']:,} parameters; "
        f"epoch chosen by dev loss; runs of {days[0]} to {days[-1]}."
    ]
    if one["ceilings"]:
        bounds = ", ".join(f"{k} {v:.2f}" for k, v in one["ceilings"].items())
        told.append(f"* Ceilings: {bounds} (best of the text alone; of text and image; summaries right to the word).")
    if stale := [e.row for e in entries if e.stale]:
        told.append(f"* † Of a recipe that has changed since: {', '.join(stale)}.")
    return told
