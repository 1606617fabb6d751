"""A recipe as JSON and back, one field of it changed by its path, and the difference of two."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

from openmie.errors import RecipeError
from openmie.recipe.parts import KINDS
from openmie.recipe.renamed import new_name, with_new_names
from openmie.recipe.values import type_problem


def dump(recipe: Any) -> dict[str, Any]:
    """A recipe, or one of its parts, as plain JSON data; the inverse of `load`."""
    if is_dataclass(recipe) and not isinstance(recipe, type):
        return {"kind": type(recipe).__name__} | {f.name: dump(getattr(recipe, f.name)) for f in fields(recipe)}
    if isinstance(recipe, tuple):
        return [dump(x) for x in recipe]  # type: ignore[return-value]
    return recipe


def load(data: Mapping[str, Any] | str, parts: Iterable[type] = ()) -> Any:
    """JSON text or data to a recipe; `parts` are config classes of the user's own that it may name.

    Field names of earlier versions are read as what they are called now.
    """
    try:
        data = json.loads(data) if isinstance(data, str) else data
        return _load(with_new_names(data), Any, KINDS | {p.__name__: p for p in parts}, "recipe")
    except (json.JSONDecodeError, RecursionError) as error:
        raise RecipeError(f"not JSON: {error}", expected="what dump() wrote", remedy="mend the file") from None


def _load(value: Any, hint: Any, kinds: Mapping[str, type], where: str) -> Any:
    if isinstance(value, Mapping) and "kind" in value:
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in kinds:
            raise RecipeError.unknown(
                "kind", kind, sorted(kinds), where=where, remedy="your own class is passed as load(..., parts=[MyPart])"
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
        inner = next(iter(get_args(hint)), Any)
        return _typed(tuple(_load(v, inner, kinds, f"{where}.{i}") for i, v in enumerate(value)), hint, where)
    return _typed(value, hint, where)


def _typed(value: Any, hint: Any, where: str) -> Any:
    """The value, if it is of the hinted type and within its limits."""
    if is_dataclass(value) and _is(value, hint):
        return value
    problem = type_problem(value, hint)
    if problem is not None:
        remedy = "see the field's comment in its config class"
        raise RecipeError.of(problem.model_copy(update={"where": where, "remedy": remedy}))
    return value


def _is(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    options = [t for t in (get_args(hint) or (hint,)) if isinstance(t, type)]
    if not isinstance(value, tuple(options)):
        raise RecipeError(
            type(value).__name__,
            expected=" or ".join(t.__name__ for t in options),
            where="recipe",
            remedy="use a config of the kind that this place takes",
        )
    return True


def set_field(recipe: Any, path: str, text: str, where: str = "") -> Any:
    """A copy with one field changed: `fuse.heads=4`, `training.epochs=3`. A tuple of one part needs no index."""
    name, _, rest = path.partition(".")
    where = where or path
    if isinstance(recipe, tuple):
        if not name.isdigit() and len(recipe) == 1:
            return (set_field(recipe[0], path, text, where),)
        if not name.isdigit() or int(name) >= len(recipe):
            raise RecipeError(
                f"{name!r} among {len(recipe)} parts",
                expected=f"an index below {len(recipe)}, as in `align.0.weight`",
                where=where,
                remedy="`openmie show` prints the recipe",
            )
        i = int(name)
        return (*recipe[:i], set_field(recipe[i], rest, text, where), *recipe[i + 1 :])
    known = {f.name for f in fields(recipe)} if is_dataclass(recipe) else set()
    if name not in known and (renamed := new_name(type(recipe).__name__, name)):
        raise RecipeError(
            f"field {name!r} of {type(recipe).__name__}",
            expected=f"{renamed!r}, as it is called since openmie 0.1.0",
            where=where,
            remedy="use the new name",
        )
    if name not in known:
        raise RecipeError.unknown(
            f"{type(recipe).__name__} field",
            name,
            sorted(known),
            where=where,
            remedy="`openmie show` prints the recipe with all its fields",
        )
    if rest:
        return replace(recipe, **{name: set_field(getattr(recipe, name), rest, text, where)})
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    return replace(
        recipe, **{name: _load(value, get_type_hints(type(recipe), include_extras=True)[name], KINDS, where)}
    )


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
