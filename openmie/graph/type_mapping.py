"""Entity types and relations as classes and properties of other vocabularies: `types.toml`, or a file of one's own."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from openmie.errors import OpenMIEError
from openmie.graph.iris import check_iri


@dataclass(frozen=True)
class TypeMapping:
    """Labels of results as names of other vocabularies.

    Args:
        types: entity type -> classes, such as `schema:Person`.
        relations: relation label -> properties, such as `schema:spouse`.
    """

    types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_mapping(path: str | os.PathLike[str] | None = None) -> TypeMapping:
    """Read a mapping.

    Args:
        path: a TOML or JSON file with the tables `types` and `relations`; None: that of the package.

    Raises:
        OpenMIEError: no such file, another form, or a value that is no IRI.
    """
    where = os.fspath(path) if path is not None else "types.toml"
    try:
        if path is None:
            text = resources.files("openmie.graph").joinpath("types.toml").read_text(encoding="utf8")
        else:
            text = Path(path).read_text(encoding="utf8")
        data = json.loads(text) if where.lower().endswith(".json") else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _refused(f"a mapping that cannot be read ({reason})", where) from None
    if not isinstance(data, dict) or set(data) - {"types", "relations"}:
        raise _refused("other tables", where)
    return TypeMapping(*(_table(data.get(name, {}), f"{where}, {name}") for name in ("types", "relations")))


def _table(data: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(data, dict):
        raise _refused("no table", where)
    found = {}
    for label, names in data.items():
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _refused("something else than texts", f"{where}.{label}")
        found[label] = tuple(check_iri(name, f"{where}.{label}") for name in names)
    return found


def _refused(found: str, where: str) -> OpenMIEError:
    return OpenMIEError(
        found,
        expected="TOML or JSON with the tables types and relations, label -> list of IRIs",
        where=where,
        remedy='write it such as: [types] and below it PER = ["schema:Person", "wd:Q5"]',
    )
