"""The table of systems that are fine-tuned vision-language models: many measures of each run, and their gains.

The page of such a system gives `MEASURES` and `OURS` (columns), `GAINS` (a joint run -> runs of one task each) and
`REPORTED`. The gain of a task is its score in the joint run less its score alone, of each seed that has both.
"""

from __future__ import annotations

import csv as csvs
import statistics
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from openmie import corpora
from openmie import recipe as recipes
from openmie.bench import system
from openmie.bench.result_table import NOT_RUN, mean_and_spread
from openmie.bench.run_spec import RunSpec, corpus_label


def grid_of(
    cells: Sequence[RunSpec], out: str | Path
) -> dict[tuple[str, str], list[tuple[RunSpec, dict[str, Any] | None]]]:
    """(corpus, row) -> cells and their records."""
    found: dict[tuple[str, str], list[tuple[RunSpec, dict[str, Any] | None]]] = {}
    for cell in cells:
        extras = [*cell.options, *cell.changes, *([f"first {cell.posts}"] if cell.posts else [])]
        where = " ".join([corpus_label(cell.corpus), *extras])
        found.setdefault((where, _row(cell)), []).append((cell, cell.record(out)))
    return found


def _row(cell: RunSpec) -> str:
    return system.full_name(cell.paper) if cell.row == system.FULL else cell.row


def values(records: Sequence[tuple[RunSpec, Mapping[str, Any] | None]], measure: str) -> dict[int, float]:
    """Seed -> number."""
    return {c.seed: r["scores"][measure]["f1"] for c, r in records if r and measure in r["scores"]}


def gains(grid: Mapping[tuple[str, str], Any], where: str, page: Any) -> dict[tuple[str, str], dict[str, list[float]]]:
    """(joint run, single run) -> measure -> joint less single, of each seed that has both."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for joint, singles in page.GAINS.items():
        for single in singles:
            both = [grid.get((where, row), ()) for row in (joint, single)]
            for measure in page.MEASURES:
                a, b = (values(x, measure) for x in both)
                if shared := sorted(a.keys() & b.keys()):
                    found.setdefault((joint, single), {})[measure] = [a[s] - b[s] for s in shared]
    return found


def markdown(cells: Sequence[RunSpec], out: str | Path) -> str:
    """For each corpus: every run with its measures, beside the published ones; then the gains."""
    grid = grid_of(cells, out)
    page = system.load_paper_module(cells[0].paper)
    parts = []
    for where in dict.fromkeys(w for w, _ in grid):
        rows = {row: records for (w, row), records in grid.items() if w == where}
        parts += [
            f"{page.NAME} on {where}, percent, mean ± standard deviation over n seeds",
            "",
            *_runs(rows, page, out),
            "",
            *_gains(gains(grid, where, page), page),
            "",
            *_notes(rows),
            "",
        ]
    return "\n".join(parts).rstrip()


def _runs(rows: Mapping[str, Any], page: Any, out: str | Path) -> list[str]:
    shown = (*page.MEASURES, *page.OURS)
    lines = [["run", *shown]]
    for row, records in rows.items():
        some = any(r for _, r in records)
        failed = next((f for c, r in records if not r and (f := c.failure(out))), "")
        cells = [mean_and_spread(list(values(records, m).values()), of=len(records)) or "–" for m in shown]
        lacking = [f"failed: {failed}" if failed else NOT_RUN, *[""] * (len(shown) - 1)]
        lines.append([row, *(cells if some else lacking)])
        if told := reported(page, row):
            lines.append([f"{row}, reported", *(f"{told[m]:.2f}" if m in told else "–" for m in shown)])
    return _table(lines)


def reported(page: Any, row: str) -> dict[str, float]:
    """The published numbers of a run."""
    return next((rows[row] for rows in page.REPORTED.values() if row in rows), {})


def _gains(found: Mapping[tuple[str, str], Mapping[str, list[float]]], page: Any) -> list[str]:
    lines = [["reinforcement: joint less single", *page.MEASURES]]
    for joint, singles in page.GAINS.items():
        for single in singles:
            here, a, b = found.get((joint, single), {}), reported(page, joint), reported(page, single)
            none, measures = "–" if here else NOT_RUN, page.MEASURES
            ours = [mean_and_spread(here[m]) if m in here else none for m in measures]
            theirs = [f"{a[m] - b[m]:+.2f}" if m in a and m in b else "–" for m in measures]
            lines += [[f"{joint} less {single}", *ours], ["as reported", *theirs]]
    return _table(lines)


def _notes(rows: Mapping[str, Any]) -> list[str]:
    records = [r for found in rows.values() for _, r in found if r]
    if not records:
        return [f"* {NOT_RUN}: nothing yet."]
    one = records[0]
    days = sorted({r["date"] for r in records})
    told = [
        f"* {one['documents']} test documents, {one['examples']} lessons, {one['parameters']:,} parameters; epoch "
        f"chosen by dev loss; runs of {days[0]} to {days[-1]}."
    ]
    if one["ceilings"]:
        told.append(
            "* Ceilings: "
            + ", ".join(f"{k} {v:.2f}" for k, v in one["ceilings"].items())
            + " (best of the text alone; of text and image; summaries right to the word)."
        )
    stale = [r["row"] for r in records if r["recipe"] != _recipe_now(RunSpec.load(r["cell"]))]
    return told + ([f"* † Of a recipe that has changed since: {', '.join(stale)}."] if stale else [])


def _recipe_now(cell: RunSpec) -> Any:
    return recipes.dump(cell.recipe(corpora.load(cell.corpus)))


def _table(lines: Sequence[Sequence[str]]) -> list[str]:
    text = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in text]


def csv(cells: Sequence[RunSpec], out: str | Path) -> str:
    """Long form: a line for each run, measure and its seeds."""
    text = StringIO()
    file = csvs.writer(text, lineterminator="\n")
    file.writerow(["corpus", "run", "measure", "n", "mean", "sd", "seeds", "reported", "status"])
    page = system.load_paper_module(cells[0].paper)
    for (where, row), records in grid_of(cells, out).items():
        for measure in (*page.MEASURES, *page.OURS):
            found = values(records, measure)
            n = list(found.values())
            file.writerow(
                [
                    where,
                    row,
                    measure,
                    len(n),
                    f"{statistics.mean(n):.4f}" if n else "",
                    f"{statistics.stdev(n):.4f}" if len(n) > 1 else "",
                    " ".join(map(str, found)),
                    reported(page, row).get(measure, ""),
                    "run" if any(r for _, r in records) else NOT_RUN,
                ]
            )
    return text.getvalue()
