"""What JSON can hold and give back as it was: looked for when a document is made, not when it is written."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from openmie.errors import DocumentError

MAX_DEPTH = 100  # lists and objects in one another; readers of JSON give up at about 200
_MAX_INT = 1 << 14_000  # of 4,215 digits: Python itself reads and writes whole numbers of up to 4,300


class _NotJson(Exception):
    def __init__(self, reason: str, *path: Any) -> None:
        super().__init__(reason)
        self.reason, self.path = reason, path


def validate_json(value: Any, name: str, depth: int = 0) -> Any:
    """The value, with lists where it has tuples; itself where it has none.

    `DocumentError` names the place below `name` of what JSON cannot hold: NaN and infinities, half a UTF-16 pair, keys
    that are no text, other types, whole numbers of thousands of digits, more than `DEEPEST` levels below `depth`.
    """
    try:
        return _validate(value, depth)
    except _NotJson as bad:
        place = name + "".join(f"[{p}]" if isinstance(p, int) else f".{p}"[:60] for p in bad.path[:8])
        raise DocumentError(
            bad.reason,
            expected="finite numbers, whole characters and JSON values",
            where=place + ("..." if len(bad.path) > 8 else ""),
            remedy="correct the value, or leave it out",
        ) from None


def _validate(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        if not value.isascii() and (half := describe_surrogate(value)):
            raise _NotJson(f"{half} in {value[:80]!r}")
    elif isinstance(value, float):
        if not isfinite(value):
            raise _NotJson(f"the number {float(value)}")
    elif isinstance(value, int):  # bool too
        if not -_MAX_INT < value < _MAX_INT:
            raise _NotJson(f"a whole number of {value.bit_length()} bits")
    elif isinstance(value, dict | list | tuple):
        if depth >= MAX_DEPTH:
            raise _NotJson(f"more than {MAX_DEPTH} lists and objects in one another")
        return _validate_object(value, depth + 1) if isinstance(value, dict) else _validate_list(value, depth + 1)
    elif value is not None:
        raise _NotJson(f"a value of type {type(value).__name__}, which JSON cannot hold")
    return value


def _validate_object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    changed, key = {}, None
    try:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                _validate_key(key)
            if type(item) is str and item.isascii():  # as most are
                continue
            if (new := _validate(item, depth)) is not item:
                changed[key] = new
    except _NotJson as bad:
        raise _NotJson(bad.reason, str(key)[:60] if isinstance(key, str) else "...", *bad.path) from None
    return {**value, **changed} if changed else value


def _validate_key(key: Any) -> None:
    if not isinstance(key, str):
        raise _NotJson(f"a key of type {type(key).__name__}, which JSON cannot hold")
    _validate(key, 0)


def _validate_list(value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
    found: list[Any] = []
    try:
        for item in value:
            found.append(_validate(item, depth))
    except _NotJson as bad:
        raise _NotJson(bad.reason, len(found), *bad.path) from None
    same = isinstance(value, list) and all(a is b for a, b in zip(found, value))
    return value if same else found  # type: ignore[return-value]


def describe_surrogate(text: str) -> str:
    """What is to be said of the first lone surrogate of a text; "" where it has none."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"a lone surrogate U+{ord(text[error.start]):04X} (half of a UTF-16 pair)"
    return ""


def replace_surrogates(text: str) -> str:
    """The text with U+FFFD for each half of a UTF-16 pair."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def check_acyclic(parents: Mapping[str, str], where: str) -> None:
    """`DocumentError` where a way from child to parent comes back to where it was."""
    fine: set[str] = set()
    for id in parents:
        way: dict[str, None] = {}
        while id in parents and id not in fine and id not in way:
            way[id] = None
            id = parents[id]
        if id in way:
            raise DocumentError(
                f"image {id[:80]!r}, whose parents lead back to itself",
                expected="a parent that is another image",
                where=where,
                remedy="leave out the parent of the picture that is whole",
            )
        fine.update(way)
