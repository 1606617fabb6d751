"""The image-entity pairs `{'a': 'entity', ...}`: a Python dict literal, written exactly and read with patience.

A value is an entity's name: all mentions of that name. Where the name would not say which, it is a number, the place of
the entity in the answer's list from 1; a patch with several entities has a list of values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Shown = str | int  # a name, or a place from 1
Say = Callable[[str, str], None]  # found, expected
_TEXT = r"'[^'\\\n]*(?:\\.[^'\\\n]*)*'|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\""
_TOKEN = re.compile(rf"[ \t\r\n]*(?:(?P<text>{_TEXT})|(?P<number>\d{{1,6}}(?!\d))|(?P<mark>[{{}}\[\]:,]))")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_KEY = re.compile(r"(?:^|[{,;\n])[ \t\r\n]{0,8}(['\"‘’“”]?)([A-Za-z]{1,3})['\"‘’“”]?[ \t]{0,8}[:：=][ \t\r\n]{0,8}")
_QUOTES = "'\"‘’“”"
_DICT = "a dict such as {'a': 'entity'}"


class Pair(NamedTuple):
    """A patch and what it shows."""

    letter: str
    shows: Shown


def write(pairs: Mapping[str, Sequence[Shown]]) -> str:
    """Letter -> what it shows, as a Python dict literal."""
    return "{" + ", ".join(f"{letter!r}: {_value(shows)}" for letter, shows in pairs.items()) + "}"


def _value(shows: Sequence[Shown]) -> str:
    return repr(shows[0]) if len(shows) == 1 else "[" + ", ".join(map(repr, shows)) + "]"


def read(text: str, say: Say) -> list[Pair]:
    """The pairs of a dict literal; where it is none, those that can still be told, and what is odd is said.

    Errors are said, never raised.
    """
    start = text.find("{")
    if start < 0:
        say(text.strip(), _DICT)
        return _tolerant(text) if text.strip() else []
    if text[:start].strip(" \t\r\n`*"):
        say(text[:start].strip(), _DICT)
    tokens = _Tokens(text, start)
    strict = _strict(tokens)
    if strict is None:
        say(text[start:].strip(), _DICT)
        return _tolerant(text[start:])
    if text[tokens.at :].strip(" \t\r\n`*."):
        say(text[tokens.at :].strip(), "nothing behind the pairs")
    if len(strict) > len(dict(strict)):
        say(text[start : tokens.at], "each letter once")
    return [Pair(letter, s) for letter, shows in strict for s in shows]


def _strict(tokens: _Tokens) -> list[tuple[str, list[Shown]]] | None:
    """Keys and values of the literal that comes next; None where it is no such literal."""
    tokens.take("{")
    pairs: list[tuple[str, list[Shown]]] = []
    while not tokens.take("}"):
        letter = tokens.value()
        if not isinstance(letter, str) or not tokens.take(":"):
            return None
        shows = tokens.values() if tokens.take("[") else [tokens.value()]
        if shows is None or None in shows:
            return None
        pairs.append((letter, [s for s in shows if s is not None]))
        if not tokens.take(","):
            return pairs if tokens.take("}") else None
    return pairs


class _Tokens:
    """The tokens of a literal, one by one."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.at = text, at

    def take(self, mark: str) -> bool:
        """Step over this mark, where it comes next."""
        found = _TOKEN.match(self.text, self.at)
        if found is None or found["mark"] != mark:
            return False
        self.at = found.end()
        return True

    def value(self) -> Shown | None:
        """The next string or number, or None."""
        found = _TOKEN.match(self.text, self.at)
        if found is None or found["mark"]:
            return None
        self.at = found.end()
        return int(found["number"]) if found["number"] else unquoted(found["text"])

    def values(self) -> list[Shown | None] | None:
        """Those of a list whose bracket was taken."""
        out: list[Shown | None] = []
        while not self.take("]"):
            out.append(self.value())
            if out[-1] is None:
                return None
            if not self.take(","):
                return out if self.take("]") else None
        return out


def unquoted(literal: str) -> str:
    """What a Python string literal says; an escape that Python does not know stays."""
    inside = literal[1:-1]
    return _ESCAPE.sub(_escape, inside) if "\\" in inside else inside


def _escape(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        point = int(code, 16)
        return chr(point) if point < 0xD800 or 0xDFFF < point < 0x110000 else found[0]
    return _PLAIN.get(found[4], found[0])


def _tolerant(text: str) -> list[Pair]:
    """What stands behind each key up to the next one: apostrophes in names, no quotes, cut-off ends."""
    keys = list(_KEY.finditer(text))
    ends = [k.start() for k in keys[1:]] + [len(text)]
    pairs = [Pair(key[2].lower(), _bare(text[key.end() : end])) for key, end in zip(keys, ends)]
    return [p for p in pairs if p.shows != ""]


def _bare(value: str) -> str:
    """A value without its quotes, however they are set."""
    value = value.strip().split("\n")[0].strip()
    whole = _TOKEN.match(value)
    if whole and whole["text"] and not value[whole.end() :].strip(" ,}`"):
        return unquoted(whole["text"])
    value = value.rstrip(" ,}`").strip()
    if value[:1] in _QUOTES and value:
        value = value[1:]
        value = value[:-1] if value[-1:] and value[-1:] in _QUOTES else value
    return value.replace("\\'", "'").replace('\\"', '"').strip()
