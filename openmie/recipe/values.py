"""Whether a value fits its field: the type, and the limits that a config's annotations state (`openmie.nn.limits`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from openmie.nn.limits import Problem
from openmie.recipe.parts import KINDS

WORDS = {"greater_than_equal": "at least {ge:g}", "less_than_equal": "at most {le:g}"}


def type_problem(value: Any, hint: Any) -> Problem | None:
    """Why a value is not of the hinted type; no number is taken for a text, nor a text or a bool for a number."""
    return _problem(value, _adapter(hint))


def problems(part: Any, where: str = "") -> Iterator[Problem]:
    """What is wrong with a config and with the configs in its fields, `where` being its path: values, then rules.

    A part of the user's own is held to what its annotations and its method `problems` say, if they say anything.
    """
    cls: Any = type(part)
    adapters = _adapters(cls)
    for f in fields(part):
        value, path = getattr(part, f.name), f"{where}.{f.name}".strip(".")
        inner = value if isinstance(value, tuple) else (value,)
        for i, x in enumerate(inner):
            if is_dataclass(x):
                yield from problems(x, f"{path}.{i}" if isinstance(value, tuple) else path)
        if not any(map(is_dataclass, inner)) and f.name in adapters:
            found = _problem(tuple(value) if isinstance(value, list) else value, adapters[f.name])
            if found is not None:
                remedy = f"see the comment of `{f.name}` in {type(part).__name__}"
                yield found.model_copy(update={"where": path, "remedy": remedy})
    for rule in part.problems() if hasattr(part, "problems") else ():
        yield rule.model_copy(update={"where": f"{where}.{rule.where}".strip(".")})


@cache
def _adapters(cls: Any) -> dict[str, TypeAdapter]:
    """Field -> what validates it: all fields of our own configs, those with limits of others."""
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError:  # of a class whose annotations name what cannot be seen from here
        return {}
    ours = cls in KINDS.values()
    return {f.name: _adapter(hints[f.name]) for f in fields(cls) if ours or _is_limited(hints[f.name])}


def _is_limited(hint: Any) -> bool:
    return get_origin(hint) in (Annotated, Literal) or any(map(_is_limited, get_args(hint)))


def _adapter(hint: Any) -> TypeAdapter:
    return TypeAdapter(hint, config=None if is_dataclass(hint) else ConfigDict(arbitrary_types_allowed=True))


def _expected(error: Mapping[str, Any], bounds: str) -> str:
    if bounds and error["type"] in (*WORDS, "finite_number"):
        return bounds
    if error["type"] in WORDS:
        return WORDS[error["type"]].format(**error["ctx"])
    return str(error["msg"]).removeprefix("Input should be ")


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
        return Problem(found=repr(value), expected=" or ".join(expected))
    return None
