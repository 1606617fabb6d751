"""The published numbers beside runs: which setting of a page's tables a run has, and the number of a row and column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from openmie import recipe as recipes
from openmie.bench import system
from openmie.bench.run_spec import RunSpec, dataset_name
from openmie.errors import OpenMIEError
from openmie.papers._published import ComparedRun, Comparison, Measure, Setting, compare

Tables = Mapping[str, Mapping[str, Mapping[str, float | None]]]
Settings = Mapping[str, Setting]


def tables(paper: str) -> Tables:
    """Table -> row -> column -> number, as printed; nothing for a page of no paper."""
    found: Tables = getattr(system.load_paper_module(paper), "REPORTED", {})
    return found


def settings(paper: str) -> Settings:
    """What the columns of a page's tables were measured on."""
    found: Settings = getattr(system.load_paper_module(paper), "SETTINGS", {})
    return found


def comparison(cell: RunSpec, record: Mapping[str, Any] | None = None) -> Comparison:
    """The setting whose numbers may stand beside a cell, or why none may.

    Args:
        cell: of the bench.
        record: what it found; None: not run.
    """
    page, known = system.load_paper_module(cell.paper), settings(cell.paper)
    if not known:
        return Comparison(because=f"{system.full_name(cell.paper)} is no published system")
    recipe = record["recipe"] if record else _built(cell)
    run = ComparedRun(
        data=dataset_name(cell.corpus),
        format=cell.corpus.partition(":")[0],
        task=cell.task,
        options=corpus_options(cell.corpus),
        tested=dataset_name(cell.test) if cell.test and cell.test != cell.corpus else "",
        posts=cell.posts,
        row=cell.row,
        flavour=cell.flavour,
        recipe=recipe,
        reads_images=_reads_images(recipe),
        record=record,
    )
    rule = getattr(page, "published", None)
    found: Comparison = rule(run) if rule else compare(known, run)
    return found


def corpus_options(spec: str) -> dict[str, str]:
    """The options of a corpus's name: {"lang": "en"} of m3d:DIR?lang=en."""
    format, _, rest = spec.partition("#")[0].partition(":")
    text = rest.lstrip("?") if format == "diorama" else rest.rpartition("?")[2] if "?" in rest else ""
    pairs = (part.partition("=") for part in text.replace("&", ",").split(",") if "=" in part)
    return {key: value for key, _, value in pairs}


def number(paper: str, row: str, setting: str, measure: Measure) -> tuple[str, str, float | None] | None:
    """(table, column, number) of the first table that has the row, where the setting has this measure.

    The number is None where the table has the cell and the page could not read it; the answer None: no such cell.
    """
    unread, known = None, settings(paper)[setting]
    row = row.removeprefix(known.prefix)
    for column in (c for c, m in known.columns.items() if m == measure):
        for table, rows in tables(paper).items():
            if column in rows.get(row, {}):
                found = rows[row][column]
                if found is not None:
                    return table, column, found
                unread = unread or (table, column, None)
    return unread


def fitting(paper: str, names: Iterable[str]) -> list[str]:
    """The tables that have a column of one of these settings."""
    columns = {c for name in names for c in settings(paper)[name].columns}
    return [t for t, rows in tables(paper).items() if any(columns & cells.keys() for cells in rows.values())]


def own_rows(paper: str) -> frozenset[str]:
    """The rows of published tables that are built here: the system, its ablations and the values of its sweeps."""
    found, page = {system.full_name(paper)}, system.load_paper_module(paper)
    tasks = dict.fromkeys(s.task for s in settings(paper).values())
    for task, flavour in product(tasks, page.FLAVOURS):
        full = system.build(paper, None, task, flavour=flavour)
        found |= {*page.ablations(full)}
        found |= {f"{name}={value}" for name, values in system.sweeps(paper, full).items() for value in values}
    return frozenset(found)


def _built(cell: RunSpec) -> Mapping[str, Any]:
    """The recipe of a cell that was not run, dumped; {}: its corpus is not here."""
    from openmie.bench.freshness import recipe_now

    try:
        found: Mapping[str, Any] = recipes.dump(recipe_now(cell))
    except OpenMIEError:
        return {}
    return found


def _reads_images(recipe: Mapping[str, Any]) -> bool:
    """Whether a dumped recipe reads images: it has a vision encoder, or is a vision-language model."""
    encode = recipe.get("encode")
    return bool(encode.get("vision")) if isinstance(encode, Mapping) else bool(recipe)
