"""Labels as a user types them: LABEL=MEANING, and files of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openmie.errors import RecipeError
from openmie.formats import jsonl
from openmie.vlm.prompting.schema import Schema


def typed_labels(
    label: Sequence[str] = (), relation: Sequence[str] = (), file: Path | None = None
) -> dict[str, dict[str, str]]:
    """Labels by layer, each with its description.

    Args:
        label: LABEL or LABEL=MEANING, of mentions; they come after those of the file, and replace those of its names.
        relation: LABEL or LABEL=MEANING, of relations.
        file: JSON with label -> meaning, a list of labels, or layer -> label -> meaning; None: there is none.

    Returns:
        Layer -> label -> description; layers without labels are left out.

    Raises:
        RecipeError: a label without a name, or named twice in the file or in the options; a file of something else.
    """
    found: dict[str, dict[str, str]] = {}
    if file is not None:
        data = jsonl.load_json(file, partial(_object, file))
        if not (data and isinstance(data, Mapping | list)):
            raise RecipeError(
                "no labels" if isinstance(data, Mapping | list) else f"a {type(data).__name__}",
                expected='{"PER": "a person"}, ["PER"], or such an object for mentions, relations, ...',
                where=str(file),
                remedy="name at least one label, or leave --labels out",
            )
        for names in data.values() if isinstance(data, Mapping) else [data]:
            _check_once(names if isinstance(names, list) else (), file)
        schema = Schema.of(data, "ner")
        only_mentions = not isinstance(data, Mapping) or all(isinstance(v, str) for v in data.values())
        found = {k: dict(getattr(schema, k)) for k in (("mentions",) if only_mentions else data)}
    for layer, option, texts in (("mentions", "--label", label), ("relations", "--relation", relation)):
        found.setdefault(layer, {}).update(_pairs(texts, option))
    return {layer: labels for layer, labels in found.items() if labels}


def _object(file: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a JSON file, in which each name stands once."""
    _check_once((name for name, _ in pairs), file)
    return dict(pairs)


def _check_once(names: Iterable[Any], file: Path) -> None:
    """Refuse a name that a file has twice, blanks around it apart: which of its meanings is meant is not known."""
    seen = set()
    for name in names:
        bare = name.strip() if isinstance(name, str) else repr(name)
        if bare in seen:
            raise RecipeError(
                f"the name {bare!r} twice",
                expected="each name once",
                where=str(file),
                remedy="remove one of them, or give it another name",
            )
        seen.add(bare)


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """LABEL=MEANING, of which the second may be missing."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, meaning = (part.strip() for part in text.partition("="))
        if not name or name in found:
            raise RecipeError(
                f"{option} {name!r} twice" if name else f"{option} {text!r}, which has no name",
                expected="a name for each label, and each name once",
                where=option,
                remedy=f'write {option} PER="a person"'
                if option == "--label"
                else f'write {option} spouse="are married"',
            )
        found[name] = meaning
    return found
