"""`openmie labels`: the built-in entity types and relations of `base`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from openmie.cli import console
from openmie.errors import OpenMIEError

FORMATS = ("table", "jsonl")
LANGUAGES = ("en", "zh")


def labels(
    format: Annotated[str, typer.Option(help="table or jsonl (which has both languages).")] = "table",
    language: Annotated[str, typer.Option(help="Of words and descriptions in the table: en or zh.")] = "en",
) -> None:
    """Print the built-in entity types and relations, with their descriptions.

    They are what `openmie extract` finds without --label and --relation; a --label or --relation of one of these names
    that has no meaning of its own takes the meaning printed here.

    Example: openmie labels

    Example: openmie labels --format jsonl
    """
    from openmie.base.labels import LABELS, RELATIONS

    if format not in FORMATS:
        raise OpenMIEError.unknown("--format", format, FORMATS)
    if language not in LANGUAGES:
        raise OpenMIEError.unknown("--language", language, LANGUAGES)
    rows = [_row("label", name, label) for name, label in LABELS.items()]
    rows += [_row("relation", name, label) for name, label in RELATIONS.items()]
    if format == "jsonl":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return
    suffix = "" if language == "en" else "_zh"
    entities = [r for r in rows if r["kind"] == "label"]
    console.table(["label", "words", "description"], [_cells(r, suffix) for r in entities])
    relations = [
        [r["name"], ", ".join(r["head"]), ", ".join(r["tail"]), r[f"description{suffix}"]]
        for r in rows
        if r["kind"] == "relation"
    ]
    console.table(["relation", "head", "tail", "description"], relations)


def _row(kind: str, name: str, label: Any) -> dict[str, Any]:
    texts = {k: getattr(label, k) for k in ("words", "description", "words_zh", "description_zh")}
    ends = {k: getattr(label, k) for k in ("head", "tail", "symmetric") if hasattr(label, k)}
    return {"kind": kind, "name": name, **texts, **ends}


def _cells(row: dict[str, Any], suffix: str) -> list[str]:
    return [row["name"], row[f"words{suffix}"], row[f"description{suffix}"]]
