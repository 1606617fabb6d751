"""The measures of a table of runs: those of the paper's tables of the task, and the scores that the page names.

A run whose corpus is the paper's has the published columns; one on other data has the same measures, with the labels
of its own. The gain of a task (pages with GAINS) is its score in the joint run less its score alone, of each seed that
has both. A run whose loss on dev still fell at its last look is marked, and stands in no gain: of two such runs the one
that was further on would win, whatever its tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openmie.bench import published, system
from openmie.bench.result_table import Entry
from openmie.papers._published import Measure

SETTLED = 0.01  # share of the loss
UNSETTLED = "still learning"
UNSETTLED_MEANS = (
    f"‡ Still learning: the loss on dev fell by more than {SETTLED:.0%} at its last look, or was looked at once. Such "
    "a run shows how far it came, and no gain is taken from it."
)
Values = Mapping[str, Mapping[str, Mapping[int, float]]]  # run -> measure -> seed -> number
OF_RUNS = ("variance", "parameters")  # quantities that a table of runs shows otherwise, or not at all


def shown(entries: Sequence[Entry]) -> list[Measure]:
    """The measures of a column of the table, the main one's first: those of the paper, and the page's SCORES."""
    one, score = entries[0].cells[0], next((e.score for e in entries if e.score), "")
    known = [s for s in published.settings(one.paper).values() if s.task == one.task]
    printed = [m for s in known for m in s.columns.values() if m.quantity not in OF_RUNS]
    whole = dict.fromkeys(m for m in printed if not m.label)
    main = [m for m in whole if m.score == score] or _usual(score, entries)
    named = (*system.scores(one.paper), *system.measures(one.paper))
    others = [Measure(score=name, title=name) for name in named]
    labels = _by_label(entries, score) if any(m.label for m in printed) else []
    return list(dict.fromkeys([*main, *labels, *whole, *(m for m in others if _has(entries, m))]))


def _usual(score: str, entries: Sequence[Entry]) -> list[Measure]:
    """Precision, recall and F1 of a score that the paper does not have, and accuracy where it has one."""
    found = [Measure(score=score, quantity=q) for q in ("precision", "recall", "f1", "accuracy")]  # type: ignore[arg-type]
    return [m for m in found if m.quantity == "f1" or _has(entries, m)]


def _by_label(entries: Sequence[Entry], score: str) -> list[Measure]:
    labels = {label for e in entries for r in e.with_score(score) for label in r["scores"][score].get("labels", {})}
    return [Measure(score=score, label=label) for label in sorted(labels)]


def _has(entries: Sequence[Entry], measure: Measure) -> bool:
    return any(e.values(measure) for e in entries)


def still_learning(record: Mapping[str, Any]) -> bool:
    """Whether a run was stopped while its loss on dev still fell, by more than `SETTLED`; after one look nobody knows.

    A run without dev has trained for as long as its recipe says, and is taken at its word.
    """
    losses = [row["loss"] for row in record.get("curve") or () if "loss" in row]
    if not losses:
        return False
    return len(losses) == 1 or losses[-1] < (1 - SETTLED) * min(losses[:-1])


def settled(entry: Entry, measure: str) -> dict[int, float]:
    """Seed -> number, of the runs that had stopped learning."""
    young = {r["cell"]["seed"] for r in entry.records if still_learning(r)}
    return {seed: number for seed, number in entry.values(Measure(score=measure)).items() if seed not in young}


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


def reported(page: Any, variant: str) -> Mapping[str, float]:
    """The published numbers of a run."""
    return next((rows[variant] for rows in page.REPORTED.values() if variant in rows), {})
