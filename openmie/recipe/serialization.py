"""A recipe as JSON and back, one field of it changed by its path, and the difference of two."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from openmie.errors import RecipeError
from openmie.recipe.own_parts import is_own, known_parts
from openmie.recipe.renamed import new_name, with_new_names
from openmie.recipe.shown import shown
from openmie.recipe.values import type_problem


def dump(recipe: Any) -> dict[str, Any]:
    """A recipe, or one of its parts, as plain JSON data; the inverse of `load`."""
    if is_dataclass(recipe) and not isinstance(recipe, type):
        return {"kind": type(recipe).__name__} | {f.name: dump(getattr(recipe, f.name)) for f in fields(recipe)}
    if isinstance(recipe, tuple):
        return [dump(x) for x in recipe]  # type: ignore[return-value]
    return recipe


def load(data: Mapping[str, Any] | str, parts: Iterable[type] = ()) -> Any:
    """JSON text or data to a recipe; `parts` are config classes of the user's own that it may name, beside those that
    `load_parts` has found.

    Field names of earlier versions are read as what they are called now.
    """
    try:
        data = json.loads(data) if isinstance(data, str) else data
        return _load(with_new_names(data), Any, known_parts(parts), "recipe")
    except (json.JSONDecodeError, RecursionError) as error:
        raise RecipeError(f"not JSON: {error}", expected="what dump() wrote", remedy="mend the file") from None


def _load(value: Any, hint: Any, kinds: Mapping[str, type], where: str) -> Any:
    if isinstance(value, Mapping) and "kind" in value:
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in kinds:
            raise RecipeError.unknown(
                "kind",
                kind,
                sorted(kinds),
                where=where,
                remedy="your own class is passed as --parts FILE.py, or load(..., parts=[MyPart])",
            )
        cls = kinds[kind]
        hints, known = get_type_hints(cls, include_extras=True), {f.name: f for f in fields(cls) if f.init}
        unknown = sorted(set(value) - set(known) - {"kind"})
        if unknown:
            raise RecipeError(
                f"{kind} has no field {unknown}",
                expected=f"fields {sorted(known)}",
                where=where,
                remedy="correct the name; a recipe of a newer release needs that release",
            )
        given = {k: _load(v, hints[k], kinds, f"{where}.{k}") for k, v in value.items() if k != "kind"}
        lacking = [
            k for k, f in known.items() if k not in given and f.default is MISSING and f.default_factory is MISSING
        ]
        if lacking:
            raise RecipeError(
                f"{kind} without {lacking}", expected="all fields that have no default", where=where, remedy="add them"
            )
        return _typed(cls(**given), hint, where)
    if isinstance(value, list | tuple):
        inner = [_load(v, _element(hint, i), kinds, f"{where}.{i}") for i, v in enumerate(value)]
        return _typed(tuple(inner), hint, where)
    return _typed(value, hint, where)


def _element(hint: Any, i: int) -> Any:
    """The type of the i-th value of a field that holds several."""
    args = [a for a in get_args(hint) if a is not Ellipsis] if get_origin(hint) is tuple else []
    return args[i] if i < len(args) else next(iter(args), Any)


def _typed(value: Any, hint: Any, where: str) -> Any:
    """The value, if it is of the hinted type and within its limits."""
    problem = type_problem(value, hint)
    if problem is not None:
        raise RecipeError.of(problem.model_copy(update={"where": where}))
    return value


def set_field(recipe: Any, path: str, text: str) -> Any:
    """A copy with one field changed: `fuse.heads=4`, `training.epochs=3`. A tuple of one part needs no index.

    Args:
        recipe: the recipe, or a part of one.
        path: names of fields and indices of parts, joined by dots.
        text: the value: JSON, a part as `dump` writes it; a text needs no quotation marks. A part of one's own (see
            `load_parts`) that needs no fields may be its name alone.

    Raises:
        RecipeError: no such field, or a value that does not fit it.
    """
    return _set(recipe, Any, path.split("."), text, path)


def _set(value: Any, hint: Any, names: Sequence[str], text: str, where: str) -> Any:
    """What stands in the place of `value`, of the type `hint`, when the field that `names` lead to is `text`."""
    if not names:
        parsed = _parsed(text)
        if is_own(text):
            parsed = [{"kind": text}] if get_origin(hint) is tuple else {"kind": text}
        return _load(parsed, hint, known_parts(), where)
    if isinstance(value, tuple):
        i, rest = _index(value, names, where)
        return (*value[:i], _set(value[i], _element(hint, i), rest, text, where), *value[i + 1 :])
    known = {f.name for f in fields(value)} if is_dataclass(value) else set()
    name, *rest = names
    if name not in known and (renamed := new_name(type(value).__name__, name)):
        raise RecipeError(
            f"field {name!r} of {type(value).__name__}",
            expected=f"{renamed!r}, as it is called since openmie 0.1.0",
            where=where,
            remedy="use the new name",
        )
    if not known:
        raise RecipeError(
            f"{name!r} behind {shown(value)}, which has no fields",
            expected="a path that ends at this value",
            where=where,
            remedy=f"set {where[: -len('.'.join(names)) - 1]}, or see `openmie show`, which prints the recipe",
        )
    if name not in known:
        raise RecipeError.unknown(
            f"{type(value).__name__} field",
            name,
            sorted(known),
            where=where,
            remedy="`openmie show` prints the recipe with all its fields",
        )
    own = get_type_hints(type(value), include_extras=True)[name]
    return replace(value, **{name: _set(getattr(value, name), own, rest, text, where)})


def _index(parts: tuple[Any, ...], names: Sequence[str], where: str) -> tuple[int, Sequence[str]]:
    """Which of the parts a path leads to, and what is left of the path."""
    name = names[0]
    if not name.isdecimal() and len(parts) == 1:
        return 0, names
    if not name.isdecimal() or int(name) >= len(parts):
        raise RecipeError(
            f"{name!r} among {len(parts)} parts",
            expected=f"an index below {len(parts)}, as in `align.0.weight`"
            if parts
            else "no index, for there are none",
            where=where,
            remedy="`openmie show` prints the recipe",
        )
    return int(name), names[1:]


def _parsed(text: str) -> Any:
    """JSON, or the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a number of thousands of digits is no JSONDecodeError
        return text


def difference(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, here, there) for each field in which two dumped recipes differ."""
    if isinstance(a, Mapping) and isinstance(b, Mapping) and a.get("kind") == b.get("kind"):
        for key in sorted({*a, *b}):
            yield from difference(a.get(key), b.get(key), f"{path}.{key}" if path else key)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from difference(x, y, f"{path}.{i}")
    elif a != b:
        yield path, a, b
