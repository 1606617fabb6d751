"""Finds and parses the JSON object in a model's answer: in a code fence, between sentences, truncated or malformed.

Valid JSON is read by the standard parser. Otherwise a tolerant parser reads as far as it can: it accepts single quotes,
trailing and missing commas, and Python's True, False and None, and skips an item of a list that cannot be read. A
truncated item is left out, for half a name is no name; only a string of the outermost object (a summary) is kept as far
as it goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openmie.vlm.reasoning import without_reasoning

MAX_DEPTH = 32  # of nested lists and objects; an answer needs four
_STRING = {q: re.compile(rf"{q}((?:[^{q}\\]|\\.)*)({q}|\\?\Z)", re.DOTALL) for q in "\"'"}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]+")
_BLANK = re.compile(r"[\s\u2060\ufeff]*")
_NEXT_ITEM = re.compile(r"\}\s*,?\s*(?=[{\]])")
_WORDS = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True)
class JsonReading:
    """The JSON that was read from an answer."""

    value: Any = None  # the object, or None
    valid: bool = False  # valid JSON from its first brace to its last
    skipped: int = 0  # items that could not be read
    others: int = 0  # further objects of the answer, which were not used


def read_json(answer: str, keys: Sequence[str]) -> JsonReading:
    """Read the JSON of an answer: the last object that begins with one of the keys, else the first object or list.

    Reasoning before the answer is ignored.

    Args:
        answer: the text of the answer; no text raises.
        keys: names of the expected fields.
    """
    text = without_reasoning(answer)
    named = "|".join(map(re.escape, keys))
    starts = [m.start() for m in re.finditer(rf"""\{{\s*["']?(?:{named})["']?\s*:""", text)] if named else []
    found: list[JsonReading] = []
    end = 0
    for start in starts:
        if start >= end:
            one, end = _read_at(text, start)
            found.append(one)
    if found:
        last = found[-1]
        return JsonReading(last.value, last.valid, last.skipped, len(found) - 1)
    first = re.search(r"[{\[]", text)
    return _read_at(text, first.start())[0] if first else JsonReading()


def _read_at(text: str, start: int) -> tuple[JsonReading, int]:
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(text, start)
        return JsonReading(value, True), end
    except (ValueError, RecursionError):
        parser = _TolerantParser(text, start)
        value = parser.value(0)
        return JsonReading(None if value is _TRUNCATED else value, False, parser.skipped), max(parser.at, start + 1)


_TRUNCATED: Any = object()  # a value that ends before it is complete


class _TolerantParser:
    """Parses near-JSON from a position on; `broken` is set where nothing more can be read."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.at, self.broken, self.skipped = text, at, False, 0

    def value(self, depth: int) -> Any:
        self._blank()
        c = self.text[self.at : self.at + 1]
        if c == "{" and depth < MAX_DEPTH:
            return self._object(depth)
        if c == "[" and depth < MAX_DEPTH:
            return self._list(depth)
        if c and c in "\"'":
            return self._string(keep_truncated=depth == 1)
        return self._scalar()

    def _object(self, depth: int) -> Any:
        self.at += 1
        found: dict[str, Any] = {}
        while not self.broken:
            if self._take("}"):
                return found
            key = self._key()
            if key is None or not self._take(":"):
                break
            value = self.value(depth + 1)
            if value is not _TRUNCATED:
                found[key] = value
            self._take(",")
        self.broken = True
        return found if depth == 0 else _TRUNCATED  # the outermost object keeps what it has

    def _list(self, depth: int) -> Any:
        self.at += 1
        found: list[Any] = []
        while not self.broken:
            if self._take("]"):
                return found
            value = self.value(depth + 1)
            if value is not _TRUNCATED:
                found.append(value)
            elif self._skip_item():
                continue
            self._take(",")
        self.broken = True
        return found if depth <= 1 else _TRUNCATED

    def _skip_item(self) -> bool:
        """Skip an item that cannot be read; False where no other follows."""
        self.skipped += 1
        following = _NEXT_ITEM.search(self.text, self.at)
        if following is None:
            return False
        self.at, self.broken = following.end(), False
        return True

    def _key(self) -> str | None:
        self._blank()
        if self.text[self.at : self.at + 1] in ('"', "'"):
            key = self._string(keep_truncated=False)
            return None if key is _TRUNCATED else key
        word = _WORD.match(self.text, self.at)
        self.at = word.end() if word else self.at
        return word[0] if word else None

    def _string(self, keep_truncated: bool) -> Any:
        found = _STRING[self.text[self.at]].match(self.text, self.at)
        assert found is not None  # it begins with its quote, and the end of the text may end it
        self.at = found.end()
        truncated = found[2] not in ('"', "'")
        self.broken = self.broken or truncated
        return _TRUNCATED if truncated and not keep_truncated else _unescaped(found[1])

    def _scalar(self) -> Any:
        number = _NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            whole = number[0].lstrip("+-").isdigit() and len(number[0]) < 16
            if self.at < len(self.text):  # at the very end, digits may be missing
                return int(number[0]) if whole else float(number[0])
        word = _WORD.match(self.text, self.at)
        if word and word[0].lower() in _WORDS and not number:
            self.at = word.end()
            return _WORDS[word[0].lower()]
        self.broken = True
        return _TRUNCATED

    def _take(self, c: str) -> bool:
        self._blank()
        if self.text.startswith(c, self.at):
            self.at += 1
            return True
        return False

    def _blank(self) -> None:
        self.at = _BLANK.match(self.text, self.at).end()  # type: ignore[union-attr]


def _unescaped(body: str) -> str:
    escaped = re.sub(r"(?<!\\)((?:\\\\)*)\"", r'\1\\"', body.replace("\\'", "'"))
    try:
        return json.loads(f'"{escaped}"', strict=False)
    except ValueError:
        return body
