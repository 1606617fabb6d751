"""Rows of a file that is a JSON list, JSON lines, or Python literals: read as data, never evaluated as code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from openmie.corpora.lines import lines, record, short, text_of
from openmie.errors import ErrorRecord

_DEEPEST = 200  # nested brackets; a row of a corpus has four
_EXPECTED = "a JSON or Python literal on each line, or one list of them"


class Row(NamedTuple):
    """What one row says, or `error` in its place; `noted` is what was odd about bytes that were read all the same."""

    line: int
    value: object = None
    error: ErrorRecord | None = None
    noted: ErrorRecord | None = None


def literal(text: str) -> object:
    """A Python literal or a JSON value; None where it is neither."""
    if sum(map(text.count, "([{")) > _DEEPEST and _depth(text) > _DEEPEST:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[][(){}]", text):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    return deepest


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file; a row that cannot be read is an error of its own, and the rest goes on."""
    if _first(path) == "[":
        yield from _list(path)
        return
    for line in lines(path):
        text = line.text.strip()
        if text:
            value = literal(text)
            error = None if value is not None else record(path, line.number, short(text), _EXPECTED,
                                                          "mend or remove the line; it was left out")
            yield Row(line.number, value, error, line.error)


def _first(path: Path) -> str:
    """The first character that is not blank."""
    return next((line.text.strip()[0] for line in lines(path) if line.text.strip()), "")


def _list(path: Path) -> Iterator[Row]:
    """The items of one JSON list (or, failing that, one Python list), each with the line that it begins on."""
    text, errors = text_of(path)
    yield from (Row(0, None, error) for error in errors)
    decode, skip = json.JSONDecoder().raw_decode, re.compile(r"[\s,]*")
    at, line, counted = text.index("[") + 1, 1, 0
    while True:
        at = skip.match(text, at).end()  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, at), at
        if text.startswith("]", at):
            return
        try:
            value, at = decode(text, at)
        except (ValueError, RecursionError) as error:
            if line == 1 and isinstance(python := literal(text.strip()), list):
                yield from (Row(1, value) for value in python)
            else:
                yield Row(line, None, record(path, line, f"{short(text[at:at + 60])} ({_reason(error)})", "a JSON list",
                                             "mend the file here; from this row on it could not be read"))
            return
        yield Row(line, value)


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
