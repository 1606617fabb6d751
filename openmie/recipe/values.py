"""Whether a value fits its field: the type, and the limits that a config's annotations state (`openmie.nn.limits`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from openmie.nn.limits import Problem
from openmie.recipe.parts import KINDS
from openmie.recipe.shown import shown

WORDS = {"greater_than_equal": "at least {ge:g}", "less_than_equal": "at most {le:g}"}


def type_problem(value: Any, hint: Any) -> Problem | None:
    """Why a value is not of the hinted type; no number is taken for a text, nor a text or a bool for a number."""
    problem = _problem(value, _adapter(hint))
    if problem is None:
        return None
    remedy = "see the field in the docstring of its config class"
    if kinds := _configs(hint):
        part = f'{{"kind": "{kinds[0]}"}}'
        written = f"[{part}]" if get_origin(hint) is tuple else part
        remedy = f"write {written}, or change a field of what is there: add .FIELD to the path"
    return problem.model_copy(update={"remedy": remedy})


def problems(part: Any, where: str = "") -> Iterator[Problem]:
    """What is wrong with a config and with the configs in its fields, `where` being its path: values, then rules.

    A part of the user's own is held to what its annotations and its method `problems` say, if they say anything.
    """
    cls: Any = type(part)
    hints = _hints(cls)
    for f in fields(part):
        value, path = getattr(part, f.name), f"{where}.{f.name}".strip(".")
        inner = value if isinstance(value, tuple) else (value,)
        for i, x in enumerate(inner):
            if is_dataclass(x):
                yield from problems(x, f"{path}.{i}" if isinstance(value, tuple) else path)
        if f.name in hints:
            found = type_problem(tuple(value) if isinstance(value, list) else value, hints[f.name])
            if found is not None:
                simple = not _configs(hints[f.name])
                remedy = f"see the comment of `{f.name}` in {cls.__name__}" if simple else found.remedy
                yield found.model_copy(update={"where": path, "remedy": remedy})
    for rule in part.problems() if hasattr(part, "problems") else ():
        yield rule.model_copy(update={"where": f"{where}.{rule.where}".strip(".")})


@cache
def _hints(cls: Any) -> dict[str, Any]:
    """Field -> the type that it is held to: all fields of our own configs, those with limits of others."""
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError:  # of a class whose annotations name what cannot be seen from here
        return {}
    ours = cls in KINDS.values()
    return {f.name: hints[f.name] for f in fields(cls) if ours or _is_limited(hints[f.name])}


def _is_limited(hint: Any) -> bool:
    return get_origin(hint) in (Annotated, Literal) or any(map(_is_limited, get_args(hint)))


def _configs(hint: Any) -> list[str]:
    """The kinds of config that a field takes, by name."""
    if is_dataclass(hint):
        return [hint.__name__]  # type: ignore[union-attr]
    return [name for inner in get_args(hint) for name in _configs(inner)]


def _adapter(hint: Any) -> TypeAdapter:
    try:
        return _cached_adapter(hint)
    except TypeError:  # not hashable
        return _new_adapter(hint)


@cache
def _cached_adapter(hint: Any) -> TypeAdapter:
    return _new_adapter(hint)


def _new_adapter(hint: Any) -> TypeAdapter:
    return TypeAdapter(hint, config=None if is_dataclass(hint) else ConfigDict(arbitrary_types_allowed=True))


PLAIN = {  # pydantic's kinds of error, in the words of JSON
    "tuple_type": "a list",
    "dict_type": "an object",
    "bool_type": "true or false",
    "none_required": "null",
    "int_type": "a valid integer",
    "float_type": "a valid number",
    "too_long": "a shorter list",
    "missing": "a longer list",
}


def _expected(error: Mapping[str, Any], bounds: str) -> str:
    if bounds and error["type"] in (*WORDS, "finite_number"):
        return bounds
    if error["type"] in WORDS:
        return WORDS[error["type"]].format(**error["ctx"])
    if error["type"] in PLAIN:
        return PLAIN[error["type"]]
    return str(error["msg"]).removeprefix("Input should be ").removeprefix("an instance of ")


def _bounds(schema: Mapping[str, Any]) -> str:
    """The whole range of a number that is limited from both sides, as in "from 0 to 1"."""
    schema = schema.get("schema", schema)  # of an optional field
    return f"from {schema['ge']:g} to {schema['le']:g}" if {"ge", "le"} <= {*schema} else ""


def _problem(value: Any, adapter: TypeAdapter) -> Problem | None:
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        schema: Any = adapter.core_schema
        expected = dict.fromkeys(_expected(e, _bounds(schema)) for e in error.errors(include_url=False))
        return Problem(found=shown(value), expected=" or ".join(expected))
    return None
