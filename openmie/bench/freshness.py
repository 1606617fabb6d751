"""Whether a run is of the recipe that its page gives today.

The recipe that was requested is compared, not the one that training completed: the vocabulary of characters that
training makes is no change. Fields that are new since then count by their default. A recipe's name says nothing: a run
whose training was copied from an equal one has that one's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from openmie import corpora
from openmie import recipe as recipes
from openmie.bench.run_spec import RunSpec, read
from openmie.errors import OpenMIEError

REQUESTED = "requested"  # of `run.json`: the recipe before training


def is_stale(cell: RunSpec, record: Mapping[str, Any], out: str | Path) -> bool:
    """Whether the cell would be trained with another recipe today; never where its corpus has been moved.

    Args:
        cell: of the bench.
        record: its `run.json`.
        out: the folder of the runs; `train.json` there has the requested recipe of runs whose record keeps none.
    """
    if REQUESTED in record:
        return differs(cell, record[REQUESTED])
    return differs(cell, (read(cell.folder(out) / "train.json") or record)["recipe"])


def differs(cell: RunSpec, requested: Mapping[str, Any]) -> bool:
    """Whether a dumped recipe is not the cell's of today."""
    try:
        now = recipe_now(cell)
        then = recipes.load(requested, parts=_kinds(now))
        return bool(replace(then, name="") != replace(now, name=""))
    except OpenMIEError:
        return not _gone(cell.corpus)


def _kinds(recipe: Any) -> list[type]:
    """The classes that a recipe is made of, which need not be parts of `openmie.recipe`."""
    inner = [getattr(recipe, f.name) for f in fields(recipe)]
    return [type(recipe), *(kind for part in inner if is_dataclass(part) for kind in _kinds(part))]


def recipe_now(cell: RunSpec) -> Any:
    """The recipe that the cell would be trained with today. Errors: those of the corpus and of the page."""
    return _recipe(RunSpec.load({**cell.dump(), "seed": 0}))


@cache
def _recipe(cell: RunSpec) -> Any:
    return cell.recipe(_corpus(cell.source))


@cache
def _corpus(spec: str) -> Any:
    return corpora.load(spec)


def _gone(spec: str) -> bool:
    """Whether a corpus has been moved: then there is nothing to compare with."""
    try:
        return not _corpus(spec)
    except OpenMIEError:
        return True
