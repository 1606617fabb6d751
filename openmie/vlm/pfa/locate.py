"""Where in a text the names stand that a model gave in order."""

from __future__ import annotations

import re
from functools import lru_cache


class Locator:
    """Finds names one after another; what was found once is not found again.

    Of all places that a name can have, the one is taken that overlaps nothing found so far, where that is a tie one
    that begins and ends with a word, then one not before the last name, then the first. Names are compared as they
    are; a name that is nowhere is looked for once more with any white space for each of its own.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.used: set[tuple[int, int]] = set()
        self.covered = bytearray(len(text))
        self.last = 0

    def find(self, name: str) -> tuple[int, int] | None:
        """The span of the next `name`, or None where the text has it no more."""
        span = self.peek(name)
        return self.take(*span) if span else None

    def peek(self, name: str) -> tuple[int, int] | None:
        """What `find` would find, without taking it."""
        return min((span for span in places(self.text, name) if span not in self.used), key=self._rank, default=None)

    def nth(self, name: str, n: int) -> tuple[int, int] | None:
        """The span of the n-th `name` of the text, from 1, whatever was found before; None where there is none."""
        found = places(self.text, name)
        return self.take(*found[n - 1]) if 0 < n <= len(found) else None

    def take(self, start: int, end: int) -> tuple[int, int]:
        self.used.add((start, end))
        self.covered[start:end] = b"\1" * (end - start)
        self.last = start
        return start, end

    def _rank(self, span: tuple[int, int]) -> tuple[bool, bool, bool, int]:
        start, end = span
        return 1 in self.covered[start:end], not self._whole(start, end), start < self.last, start

    def _whole(self, start: int, end: int) -> bool:
        inside = [self.text[i - 1 : i].isalnum() and self.text[i : i + 1].isalnum() for i in (start, end)]
        return not any(inside)


@lru_cache(maxsize=4096)
def places(text: str, name: str) -> tuple[tuple[int, int], ...]:
    """All spans of a name in a text, overlapping ones too, left to right."""
    if not name:
        return ()
    found, at = [], text.find(name)
    while at >= 0:
        found.append((at, at + len(name)))
        at = text.find(name, at + 1)
    parts = name.split()
    if found or len(parts) < 2:
        return tuple(found)
    return tuple(m.span() for m in re.finditer(r"\s+".join(map(re.escape, parts)), text))
