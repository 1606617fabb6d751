"""The grid: variants x corpora x seeds, and what of it is already on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openmie import corpora
from openmie.bench import sweep_options, system
from openmie.bench.run_spec import RunSpec, read
from openmie.errors import CorpusError, TrainError


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which variants of a system, and what is changed in all of them."""

    ablate: Sequence[str] = ()  # names, `full`, or `all` (full and every ablation); empty: full, unless swept
    sweep: Sequence[str] = ()  # NAME, every value of the sweep, or NAME=V1,V2, of a field's path too; or `all`
    same: dict[str, Any] = field(default_factory=dict)  # fields of every `RunSpec`: changes, options, posts, test, ...


def grid(
    paper: str, specs: Sequence[str], *, rows: Rows | None = None, task: str = "", seeds: Iterable[int] = (1,)
) -> list[RunSpec]:
    """Every cell, the whole table at one seed before the next seed.

    A variant that a corpus's task does not have is left out there. Errors: an unknown system, corpus, ablation or
    sweep; a recipe that does not hold together.
    """
    requested, seed_list = rows or Rows(), list(seeds)
    if not seed_list or any(s < 0 for s in seed_list) or len(set(seed_list)) < len(seed_list):
        raise TrainError(f"seeds {seed_list}", expected="at least one, each 0 or more and once", remedy="choose others")
    system.load_paper_module(paper)
    variants = [v for spec in dict.fromkeys(specs) for v in _variants(paper, spec, task, requested)]
    for spec in specs:  # a variant may belong to one task of several; one that belongs to none is an error
        same = {key: requested.same[key] for key in ("options", "flavour") if key in requested.same}
        full = system.build(paper, corpora.load(spec), task, **same)
        for name in {*requested.ablate} - {"all", *(v.ablation for v in variants)}:
            system.ablate(paper, full, name)
        for name in {sweep_options.parse(text)[0] for text in requested.sweep} - {"all", *(v.sweep for v in variants)}:
            sweep_options.recipe(paper, full, name, "")
    return [replace(v, seed=seed) for seed in seed_list for v in variants]


def _variants(paper: str, spec: str, task: str, requested: Rows) -> list[RunSpec]:
    """The cells of one corpus and no seed, each recipe built once so that an error comes before hours are spent."""
    corpus = corpora.load(spec)
    if test := requested.same.get("test"):
        corpora.load(test)
    base = RunSpec(paper=paper.lower().replace("-", "_"), corpus=spec, task=task, **requested.same)
    full = system.build(paper, corpus, task, base.options, base.flavour)
    base = replace(base, task=task or full.task)
    names = requested.ablate or ((system.FULL,) if not requested.sweep else ())
    every = (system.FULL, *system.load_paper_module(paper).ablations(full))
    found = [replace(base, ablation=a) for n in names for a in (every if n == "all" else (n,)) if a in every]
    swept = sweep_options.swept(paper, full, corpus, requested.sweep)
    found += [replace(base, sweep=name, value=value) for name, value in swept]
    for cell in (found := list(dict.fromkeys(found))):
        cell.recipe(corpus if cell.source == spec else corpora.load(cell.source))
    return found


def rows(cells: Iterable[RunSpec], paper: str) -> list[str]:
    """The variants in the order in which they first come; the full system under the paper's name for it."""
    return list(dict.fromkeys(row_name(c) for c in cells if c.paper == paper))


def row_name(cell: RunSpec) -> str:
    """A row of the table: variant, a flavour other than the default, and whatever else of the recipe was changed."""
    name = system.full_name(cell.paper) if cell.row == system.FULL else cell.row
    extras = [
        *([cell.flavour] if cell.flavour != system.FLAVOUR else []),
        *cell.options,
        *cell.changes,
        *([cell.precision] if cell.precision != "no" else []),
    ]
    return f"{name} [{', '.join(extras)}]" if extras else name


def found(out: str | Path, paper: str = "") -> list[RunSpec]:
    """The cells whose runs lie in a folder, finished or failed; and the system's other variants beside them at the same
    seeds, so that what was not run is seen. A corpus that has been moved since has no others."""
    cells = []
    for path in sorted([*Path(out).glob("*/run*.json"), *Path(out).glob("*/error.json")]):
        cell = replace(RunSpec.load((read(path) or {})["cell"]), shuffle=False)
        if not paper or cell.paper == paper:
            cells.append(cell)
    plain = dict.fromkeys(replace(c, ablation=system.FULL, sweep="", value="", seed=0) for c in cells)
    whole = [variant for c in plain for variant in _others(c)]
    seeds = {
        p: sorted({c.seed for c in cells if replace(c, ablation=system.FULL, sweep="", value="", seed=0) == p})
        for p in plain
    }
    same_rows = [replace(v, seed=s) for v in whole for s in seeds[replace(v, ablation=system.FULL)]]
    order = {name: i for i, name in enumerate(dict.fromkeys(c.row for c in whole))}
    return sorted(dict.fromkeys([*same_rows, *cells]), key=lambda c: (c.paper, order.get(c.row, len(order))))


def _others(cell: RunSpec) -> list[RunSpec]:
    """The full system and each of its ablations, changed as this cell is."""
    try:
        full = system.build(cell.paper, corpora.load(cell.corpus), cell.task, cell.options, cell.flavour)
    except CorpusError:
        return []
    return [replace(cell, ablation=a) for a in (system.FULL, *system.load_paper_module(cell.paper).ablations(full))]


def seeds(text: str) -> list[int]:
    """`3`: seeds 1 to 3. `2,5` and `4-6`, or both: just these; `7,` is one. Errors: anything else, or none."""
    found: list[int] = []
    for part in filter(None, text.replace(" ", "").split(",")):
        low, dash, high = part.partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise TrainError(
                f"unreadable --seeds {text}",
                expected="how many, or which: 3, or 2,5, or 4-6",
                remedy="write for example 3",
            )
        found += range(int(low), int(high or low) + 1)
    return list(range(1, found[0] + 1)) if text.strip().isdecimal() else found
