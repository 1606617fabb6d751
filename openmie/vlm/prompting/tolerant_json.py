"""The JSON object in a model's answer: behind a fence, between sentences, cut off, or not quite JSON.

What is whole is read by the standard parser. Else a tolerant one reads as far as it can: it takes single quotes,
trailing and missing commas, and Python's True, False and None, and steps over an item of a list that cannot be read.
An item that is cut off is left out, for half a name is no name; only a text that stands in the outermost object (a
summary) is kept as far as it goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DEPTH = 32  # of lists and objects in one another; an answer needs four
_STRING = {q: re.compile(rf"{q}((?:[^{q}\\]|\\.)*)({q}|\\?\Z)", re.DOTALL) for q in "\"'"}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]+")
_BLANK = re.compile(r"[\s\u2060\ufeff]*")
_NEXT = re.compile(r"\}\s*,?\s*(?=[{\]])")
_WORDS = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True)
class Read:
    """What was found in an answer."""

    value: Any = None  # the object, or None
    whole: bool = False  # valid JSON from its first brace to its last
    skipped: int = 0  # items that could not be read
    others: int = 0  # further objects in the answer that were not read


def read(answer: str, keys: Sequence[str]) -> Read:
    """The last object of the answer that begins with one of these keys; else its first object or list.

    Models that think aloud come to their answer last: all up to the last `</think>` is passed over.
    """
    text = answer.rpartition("</think>")[2]
    named = "|".join(map(re.escape, keys))
    starts = [m.start() for m in re.finditer(rf"""\{{\s*["']?(?:{named})["']?\s*:""", text)] if named else []
    found: list[Read] = []
    end = 0
    for start in starts:
        if start >= end:
            one, end = _at(text, start)
            found.append(one)
    if found:
        last = found[-1]
        return Read(last.value, last.whole, last.skipped, len(found) - 1)
    first = re.search(r"[{\[]", text)
    return _at(text, first.start())[0] if first else Read()


def _at(text: str, start: int) -> tuple[Read, int]:
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(text, start)
        return Read(value, True), end
    except (ValueError, RecursionError):
        loose = _Loose(text, start)
        value = loose.value(0)
        return Read(None if value is _CUT else value, False, loose.skipped), max(loose.at, start + 1)


_CUT: Any = object()  # a value that ends before it is whole


class _Loose:
    """A position in a text that ought to be JSON. `broken` is set where nothing more can be read."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.at, self.broken, self.skipped = text, at, False, 0

    def value(self, depth: int) -> Any:
        self._blank()
        c = self.text[self.at : self.at + 1]
        if c == "{" and depth < DEPTH:
            return self._object(depth)
        if c == "[" and depth < DEPTH:
            return self._list(depth)
        if c and c in "\"'":
            return self._string(keep=depth == 1)
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
            if value is not _CUT:
                found[key] = value
            self._take(",")
        self.broken = True
        return found if depth == 0 else _CUT  # the outermost keeps what it has

    def _list(self, depth: int) -> Any:
        self.at += 1
        found: list[Any] = []
        while not self.broken:
            if self._take("]"):
                return found
            value = self.value(depth + 1)
            if value is not _CUT:
                found.append(value)
            elif self._resume():
                continue
            self._take(",")
        self.broken = True
        return found if depth <= 1 else _CUT

    def _resume(self) -> bool:
        """Step over an item that cannot be read, to the next one; false where there is none."""
        self.skipped += 1
        behind = _NEXT.search(self.text, self.at)
        if behind is None:
            return False
        self.at, self.broken = behind.end(), False
        return True

    def _key(self) -> str | None:
        self._blank()
        if self.text[self.at : self.at + 1] in ('"', "'"):
            key = self._string(keep=False)
            return None if key is _CUT else key
        word = _WORD.match(self.text, self.at)
        self.at = word.end() if word else self.at
        return word[0] if word else None

    def _string(self, keep: bool) -> Any:
        found = _STRING[self.text[self.at]].match(self.text, self.at)
        assert found is not None  # it begins with its quote and may end with the text
        self.at = found.end()
        cut = found[2] not in ('"', "'")
        self.broken = self.broken or cut
        return _CUT if cut and not keep else _unescaped(found[1])

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
        return _CUT

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
