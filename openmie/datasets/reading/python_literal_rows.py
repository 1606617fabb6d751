"""Rows of a file that is a JSON list, JSON lines, or Python literals: read as data, never evaluated as code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from openmie.errors import ErrorRecord
from openmie.formats.text_lines import line_error, read_lines, read_text, shorten

_DEEPEST = 200  # nested brackets; a row of a corpus has four
_SURROGATE = re.compile(r"\\[uU](?:0000)?[dD][89a-fA-F]")
_EXPECTED = "a JSON or Python literal on each line, or one list of them"


class Row(NamedTuple):
    """What one row says, or `error` in its place; `noted` is what was odd about bytes that were read all the same."""

    line: int
    value: object = None
    error: ErrorRecord | None = None
    noted: ErrorRecord | None = None


def parse_literal(text: str) -> object:
    """A JSON value or a Python literal; None where it is neither, or holds half a character (a lone surrogate).

    JSON comes first: what is both, Python would read otherwise (`"\\/"`, an emoji as a pair of escapes).
    """
    if sum(map(text.count, "([{")) > _DEEPEST and _depth(text) > _DEEPEST:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return None
    return value if not _SURROGATE.search(text) or _is_encodable(value) else None


def _is_encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        return False
    return True


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[][(){}]", text):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    return deepest


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file; a row that cannot be read is an error of its own, and the rest goes on."""
    if _first(path) == "[":
        yield from _list(path)
        return
    for line in read_lines(path):
        text = line.text.strip()
        if text:
            value = parse_literal(text)
            error = (
                None
                if value is not None
                else line_error(path, line.number, shorten(text), _EXPECTED, "mend or remove the line; it was left out")
            )
            yield Row(line.number, value, error, line.error)


def _first(path: Path) -> str:
    """The first character that is not blank."""
    return next((line.text.strip()[0] for line in read_lines(path) if line.text.strip()), "")


def _list(path: Path) -> Iterator[Row]:
    """The items of one JSON list (or, failing that, one Python list), each with the line that it begins on."""
    text, errors = read_text(path)
    yield from (Row(0, None, error) for error in errors)
    decode, skip = json.JSONDecoder().raw_decode, re.compile(r"[\s,]*")
    at, line, counted, escaped = text.index("[") + 1, 1, 0, bool(_SURROGATE.search(text))
    while True:
        at = skip.match(text, at).end()  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, at), at
        if text.startswith("]", at):
            return
        try:
            value, at = decode(text, at)
        except (ValueError, RecursionError) as error:
            if line == 1 and isinstance(python := parse_literal(text.strip()), list):
                yield from (Row(1, value) for value in python)
            else:
                yield Row(
                    line,
                    None,
                    line_error(
                        path,
                        line,
                        f"{shorten(text[at : at + 60])} ({_reason(error)})",
                        "a JSON list",
                        "mend the file here; from this row on it could not be read",
                    ),
                )
            return
        if escaped and not _is_encodable(value):
            yield Row(
                line,
                None,
                line_error(
                    path,
                    line,
                    "half a character (a lone surrogate escape)",
                    "whole characters",
                    "mend or remove the row; it was left out",
                ),
            )
        else:
            yield Row(line, value)


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
