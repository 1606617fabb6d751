"""The image-entity pairs `{'a': 'entity', ...}`: a Python dict literal, rendered exactly and parsed tolerantly.

A value is an entity's name, which means all mentions of that name. Where the name is ambiguous, the value is a number:
the position of the entity in the answer's list, from 1. A patch with several entities has a list of values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

EntityRef = str | int  # a name, or a position from 1
ReportProblem = Callable[[str, str], None]  # found, expected: records a problem
_TEXT = r"'[^'\\\n]*(?:\\.[^'\\\n]*)*'|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\""
_TOKEN = re.compile(rf"[ \t\r\n]*(?:(?P<text>{_TEXT})|(?P<number>\d{{1,6}}(?!\d))|(?P<mark>[{{}}\[\]:,]))")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_KEY = re.compile(r"(?:^|[{,;\n])[ \t\r\n]{0,8}(['\"‘’“”]?)([A-Za-z]{1,3})['\"‘’“”]?[ \t]{0,8}[:：=][ \t\r\n]{0,8}")
_QUOTES = "'\"‘’“”"
_DICT = "a dict such as {'a': 'entity'}"


class ImageEntityPair(NamedTuple):
    """The letter of a patch, and the entity that it shows."""

    letter: str
    entity: EntityRef


def render_pairs(pairs: Mapping[str, Sequence[EntityRef]]) -> str:
    """Render letter -> entities as a Python dict literal."""
    return "{" + ", ".join(f"{letter!r}: {_value(entities)}" for letter, entities in pairs.items()) + "}"


def _value(entities: Sequence[EntityRef]) -> str:
    return repr(entities[0]) if len(entities) == 1 else "[" + ", ".join(map(repr, entities)) + "]"


def parse_pairs(text: str, report: ReportProblem) -> list[ImageEntityPair]:
    """Parse a dict literal of pairs; of a malformed one, the pairs that can be recovered.

    Args:
        text: the text behind the header.
        report: called with each problem (found, expected); nothing is raised.
    """
    start = text.find("{")
    if start < 0:
        report(text.strip(), _DICT)
        return _tolerant(text) if text.strip() else []
    if text[:start].strip(" \t\r\n`*"):
        report(text[:start].strip(), _DICT)
    tokens = _Tokens(text, start)
    strict = _strict(tokens)
    if strict is None:
        report(text[start:].strip(), _DICT)
        return _tolerant(text[start:])
    if text[tokens.at :].strip(" \t\r\n`*."):
        report(text[tokens.at :].strip(), "nothing after the pairs")
    if len(strict) > len(dict(strict)):
        report(text[start : tokens.at], "each letter once")
    return [ImageEntityPair(letter, entity) for letter, entities in strict for entity in entities]


def _strict(tokens: _Tokens) -> list[tuple[str, list[EntityRef]]] | None:
    """Keys and values of the next literal; None where it is no such literal."""
    tokens.take("{")
    pairs: list[tuple[str, list[EntityRef]]] = []
    while not tokens.take("}"):
        letter = tokens.value()
        if not isinstance(letter, str) or not tokens.take(":"):
            return None
        entities = tokens.values() if tokens.take("[") else [tokens.value()]
        if entities is None or None in entities:
            return None
        pairs.append((letter, [entity for entity in entities if entity is not None]))
        if not tokens.take(","):
            return pairs if tokens.take("}") else None
    return pairs


class _Tokens:
    """A tokenizer of Python literals."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.at = text, at

    def take(self, mark: str) -> bool:
        """Consume this mark if it comes next."""
        match = _TOKEN.match(self.text, self.at)
        if match is None or match["mark"] != mark:
            return False
        self.at = match.end()
        return True

    def value(self) -> EntityRef | None:
        """The next string or number, or None."""
        match = _TOKEN.match(self.text, self.at)
        if match is None or match["mark"]:
            return None
        self.at = match.end()
        return int(match["number"]) if match["number"] else unquote(match["text"])

    def values(self) -> list[EntityRef | None] | None:
        """The values of a list whose bracket was consumed."""
        out: list[EntityRef | None] = []
        while not self.take("]"):
            out.append(self.value())
            if out[-1] is None:
                return None
            if not self.take(","):
                return out if self.take("]") else None
        return out


def unquote(literal: str) -> str:
    """The value of a Python string literal; an escape that Python does not know stays."""
    inside = literal[1:-1]
    return _ESCAPE.sub(_escape, inside) if "\\" in inside else inside


def _escape(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        point = int(code, 16)
        return chr(point) if point < 0xD800 or 0xDFFF < point < 0x110000 else match[0]
    return _PLAIN.get(match[4], match[0])


def _tolerant(text: str) -> list[ImageEntityPair]:
    """The text behind each key up to the next one: apostrophes in names, missing quotes, truncated ends."""
    keys = list(_KEY.finditer(text))
    ends = [k.start() for k in keys[1:]] + [len(text)]
    pairs = [ImageEntityPair(key[2].lower(), _bare(text[key.end() : end])) for key, end in zip(keys, ends)]
    return [p for p in pairs if p.entity != ""]


def _bare(value: str) -> str:
    """A value without its quotes, whatever their form."""
    value = value.strip().split("\n")[0].strip()
    whole = _TOKEN.match(value)
    if whole and whole["text"] and not value[whole.end() :].strip(" ,}`"):
        return unquote(whole["text"])
    value = value.rstrip(" ,}`").strip()
    if value[:1] in _QUOTES and value:
        value = value[1:]
        value = value[:-1] if value[-1:] and value[-1:] in _QUOTES else value
    return value.replace("\\'", "'").replace('\\"', '"').strip()
