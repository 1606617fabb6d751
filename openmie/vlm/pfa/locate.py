"""Locates in a text the names that a model gave in order."""

from __future__ import annotations

import re
from functools import lru_cache


class NameLocator:
    """Locates names one after another; no span is located twice.

    Among the free spans of a name, the one is preferred that overlaps no located name, then one that cuts no word, then
    one not before the last name, then the first. Names are compared verbatim; a name that does not occur is matched
    once more with any white space in place of its own.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.used: set[tuple[int, int]] = set()
        self.covered = bytearray(len(text))
        self.last = 0

    def find(self, name: str) -> tuple[int, int] | None:
        """Take the next span of a name; None where the text has no further one."""
        span = self.peek(name)
        return self.take(*span) if span else None

    def peek(self, name: str) -> tuple[int, int] | None:
        """The span that `find` would take."""
        return min(
            (span for span in find_spans(self.text, name) if span not in self.used), key=self._rank, default=None
        )

    def nth(self, name: str, n: int) -> tuple[int, int] | None:
        """Take the n-th span of a name, counted from 1, whatever was taken before; None where there is none."""
        spans = find_spans(self.text, name)
        return self.take(*spans[n - 1]) if 0 < n <= len(spans) else None

    def take(self, start: int, end: int) -> tuple[int, int]:
        """Mark a span as located."""
        self.used.add((start, end))
        self.covered[start:end] = b"\1" * (end - start)
        self.last = start
        return start, end

    def _rank(self, span: tuple[int, int]) -> tuple[bool, bool, bool, int]:
        start, end = span
        return 1 in self.covered[start:end], not self._is_whole_words(start, end), start < self.last, start

    def _is_whole_words(self, start: int, end: int) -> bool:
        inside = [self.text[i - 1 : i].isalnum() and self.text[i : i + 1].isalnum() for i in (start, end)]
        return not any(inside)


@lru_cache(maxsize=4096)
def find_spans(text: str, name: str) -> tuple[tuple[int, int], ...]:
    """All spans of a name in a text, left to right, overlapping ones included."""
    if not name:
        return ()
    spans, at = [], text.find(name)
    while at >= 0:
        spans.append((at, at + len(name)))
        at = text.find(name, at + 1)
    parts = name.split()
    if spans or len(parts) < 2:
        return tuple(spans)
    return tuple(m.span() for m in re.finditer(r"\s+".join(map(re.escape, parts)), text))
