"""Locates the names of an answer in the text: the one locator of all prompt formats, in time linear in both.

An occurrence is verbatim, up to what models change inadvertently: runs of white space, the shape of quotes and dashes,
composed or decomposed accents, word joiners. An occurrence that cuts a word ("Bo" in "Bob") counts only where there is
no other, and one inside another name of the answer ("York" in "New York") only after those that stand alone. Where a
name has no occurrence at all, `any_case` takes those in other capitals ("ADA" for "Ada", by full case folding)
that cut no word; `note_capitals` tells them. A name that does not occur is never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial

from openmie.errors import ErrorRecord
from openmie.vlm.prompting.injection_guard import JOINER

Span = tuple[int, int]
_SAME_SHAPE = str.maketrans(
    {c: group[0] for group in ("'‘’‚‛`´′", '"“”„‟″«»', "-‐‑‒–—―−") for c in group} | {JOINER: None}
)
_BLANKS = re.compile(r"\s+")
_ASCII_WORD = re.compile(r"[^\W_]+|[^\s]")
_WITHOUT_SPACES = (  # scripts: Thai, Lao, Myanmar, Khmer, East Asia
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0xD7FF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def normalise_name(name: str) -> str:
    """A name as names are compared: in NFC, with single blanks, without joiners."""
    return unicodedata.normalize("NFC", " ".join(name.replace(JOINER, "").split()))


class NameLocator:
    """Locates names one after another; no span is located twice.

    Among the free occurrences of a name, one is preferred that overlaps no located name, then one not before the last
    name (`in_order`), then the first.

    Args:
        text: the text.
        in_order: the names come in the order of the text.
    """

    def __init__(self, text: str, in_order: bool = True) -> None:
        self.text, self.in_order = text, in_order
        self._raw = _WordIndex(text)
        self._normalised: tuple[_WordIndex, list[int], list[int]] | None = None
        self._folded: tuple[_WordIndex, list[int], list[int]] | None = None
        self._covered = bytearray(len(text))
        self._taken: set[Span] = set()
        self._names: dict[tuple[str, bool], _Occurrences] = {}
        self._last = 0

    def occurrences(self, name: str, any_case: bool = False) -> list[Span]:
        """All spans of a name, in reading order: those that cut no word or, if there are none, the others.

        Args:
            name: the name.
            any_case: where there are none at all, those in other capitals.
        """
        return self._of(name, any_case).spans

    def find(self, name: str, any_case: bool = False) -> Span | None:
        """Take the next occurrence of a name, see `occurrences`; None where the text has no further one."""
        span = self.peek(name, any_case)
        return self.take(*span) if span else None

    def peek(self, name: str, any_case: bool = False) -> Span | None:
        """The occurrence that `find` would take."""
        found = self._of(name, any_case)
        after = bisect_left(found.spans, (self._last, 0)) if self.in_order else 0
        for left, clean in ((found.clean, True), (found.free, False)):
            for start in (after, 0) if after else (0,):
                n = left.first(start, partial(self._is_free, found.spans, clean))
                if n is not None:
                    return found.spans[n]
        return None

    def nth(self, name: str, n: int) -> Span | None:
        """Take the n-th place of a name, from 1, those that cut words included and whatever was taken before."""
        places = self._places(name)
        return self.take(*places[n - 1]) if 0 < n <= len(places) else None

    def number(self, name: str, span: Span) -> int:
        """The number of a place by which `nth` takes it; 0 where the name is not there."""
        places = self._places(name)
        n = bisect_left(places, span)
        return n + 1 if n < len(places) and places[n] == span else 0

    def take(self, start: int, end: int) -> Span:
        """Mark a span as located."""
        self._taken.add((start, end))
        self._covered[start:end] = b"\1" * (end - start)
        self._last = start
        return start, end

    def _is_free(self, spans: list[Span], clean: bool, n: int) -> bool:
        span = spans[n]
        return span not in self._taken and not (clean and 1 in self._covered[span[0] : span[1]])

    def _of(self, name: str, any_case: bool) -> _Occurrences:
        if (name, any_case) not in self._names:
            known = normalise_name(name).translate(_SAME_SHAPE)  # nothing but blanks and joiners is no name
            if any_case:
                found = self._of(name, False).spans or (self._in_other_capitals(known) if known else [])
            else:
                found = (self._whole(name, known) or self._places(name, known)) if known else []
            self._names[name, any_case] = _Occurrences(found)
        return self._names[name, any_case]

    def _in_other_capitals(self, known: str) -> list[Span]:
        """The places of a name that cut no word, whatever the capitals."""
        if self._folded is None:
            index, starts, ends = self._normal()
            plain, starts, ends = _folded(index.text, starts, ends)
            self._folded = _WordIndex(plain), starts, ends
        index, starts, ends = self._folded
        name = known.casefold()
        return sorted(s for s in _mapped(index.find(name), len(name), starts, ends) if _is_whole_words(self.text, *s))

    def _whole(self, name: str, known: str) -> list[Span]:
        """The places of a name that cut no word, by the index of words."""
        index, starts, ends = self._normal()
        found = {(at, at + len(name)) for at in self._raw.find(name)}
        if index is not self._raw or known != name:
            found |= _mapped(index.find(known), len(known), starts, ends)
        return sorted(s for s in found if _is_whole_words(self.text, *s))

    def _places(self, name: str, known: str | None = None) -> list[Span]:
        """All places of a name, overlapping ones and those that cut words included."""
        index, starts, ends = self._normal()
        known = normalise_name(name).translate(_SAME_SHAPE) if known is None else known
        found = {(at, at + len(name)) for at in _each(self.text, name)}
        if index is not self._raw or known != name:
            found |= _mapped(_each(index.text, known), len(known), starts, ends)
        return sorted(found)

    def _normal(self) -> tuple[_WordIndex, list[int], list[int]]:
        """The index of the normalised text, and where each of its characters begins and ends in the text."""
        if self._normalised is None:
            plain, starts, ends = _normalised(self.text)
            index = self._raw if plain == self.text else _WordIndex(plain)
            self._normalised = index, starts, ends
        return self._normalised


def occurrences(text: str, name: str, any_case: bool = False) -> list[Span]:
    """All spans of a name in the text, see `NameLocator.occurrences`."""
    return NameLocator(text).occurrences(name.strip(), any_case)


def has_other_capitals(name: str, surface: str) -> bool:
    """Whether a name and the words at its occurrence differ in their capitals."""
    plain = [normalise_name(words).translate(_SAME_SHAPE) for words in (name, surface)]
    return plain[0] != plain[1]


def note_capitals(where: str, pairs: Sequence[tuple[str, str]]) -> list[ErrorRecord]:
    """One note of the names that an answer writes in other capitals than the text; none where there are none.

    Args:
        where: the place of the note.
        pairs: (name of the answer, words at its occurrence).
    """
    other = [pair for pair in pairs if has_other_capitals(*pair)]
    if not other:
        return []
    some = f"{len(other)} names, the first" if len(other) > 1 else "a name"
    return [
        ErrorRecord(
            where=where,
            found=f"{some} in other capitals than the text's: {other[0][0][:80]!r} for {other[0][1][:80]!r}",
            expected="names as the text writes them",
            remedy="they were located as the text has them; look at them where capitals matter",
            note=True,
        )
    ]


class _Occurrences:
    """The occurrences of one name, and which of them may still be taken."""

    def __init__(self, spans: list[Span]) -> None:
        self.spans = spans
        self.clean, self.free = _Remaining(len(spans)), _Remaining(len(spans))


class _Remaining:
    """The numbers below `size` that were not dropped; dropped ones are skipped in amortised constant time."""

    def __init__(self, size: int) -> None:
        self.following = list(range(size + 1))

    def first(self, start: int, is_left: Callable[[int], bool]) -> int | None:
        """The first number from `start` on that is left; others are dropped on the way."""
        n = self._next(start)
        while n < len(self.following) - 1 and not is_left(n):
            self.following[n] = n + 1
            n = self._next(n)
        return n if n < len(self.following) - 1 else None

    def _next(self, n: int) -> int:
        root = n
        while self.following[root] != root:
            root = self.following[root]
        while self.following[n] != root:
            self.following[n], n = root, self.following[n]
        return root


class _WordIndex:
    """The places at which the words of a text begin; what is no letter or digit is a word of one character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts: dict[str, list[int]] = {}
        for start, end in _words(text):
            self._starts.setdefault(text[start:end], []).append(start)

    def find(self, name: str) -> Iterator[int]:
        """The places where a name begins with a whole word; those of a name that begins with a blank."""
        if not name or name[0].isspace():
            yield from _each(self.text, name)
            return
        start, end = next(_words(name))
        for at in self._starts.get(name[start:end], ()):
            if self.text.startswith(name, at):
                yield at


def _words(text: str) -> Iterator[Span]:
    if text.isascii():
        yield from (m.span() for m in _ASCII_WORD.finditer(text))
        return
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not (_is_letter(text[at - 1]) and _is_letter(text[at])):
            if not text[start].isspace():
                yield start, at
            start = at


def _each(text: str, name: str) -> Iterator[int]:
    """The places of a name, overlapping ones included."""
    at = text.find(name) if name else -1
    while at >= 0:
        yield at
        at = text.find(name, at + 1)


def _mapped(places: Iterator[int], length: int, starts: list[int], ends: list[int]) -> set[Span]:
    """Places in the normalised text as spans of the text; those that cut a composed character are left out."""
    if not length:
        return set()
    found = {(starts[at], ends[at + length - 1]) for at in places}
    return {span for span in found if span[0] >= 0 and span[1] >= 0}


def _normalised(text: str) -> tuple[str, list[int], list[int]]:
    """The text with single blanks, without joiners, in NFC, quotes and dashes of one shape; and the spans it is from.

    Inside of a character that was composed of several, a start or an end is -1.
    """
    if text.isascii() and not re.search(r"[`\t\n\r\f\v\x1c-\x1f]|  ", text):
        return text, list(range(len(text))), list(range(1, len(text) + 1))
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        piece = text[start:end]
        plain = " " if piece.isspace() else unicodedata.normalize("NFC", piece).translate(_SAME_SHAPE)
        parts.append(plain)
        if len(plain) == end - start and plain != " ":
            starts += range(start, end)
            ends += range(start + 1, end + 1)
        elif plain:
            starts += [start, *[-1] * (len(plain) - 1)]
            ends += [*[-1] * (len(plain) - 1), end]
    return "".join(parts), starts, ends


def _folded(text: str, starts: list[int], ends: list[int]) -> tuple[str, list[int], list[int]]:
    """The text without capitals, which may be longer ("ß" is "ss"), and the spans that its characters are from."""
    folded = text.casefold()
    if len(folded) == len(text) and all(len(c.casefold()) == 1 for c in set(text)):
        return folded, starts, ends
    firsts: list[int] = []
    lasts: list[int] = []
    for start, end, length in zip(starts, ends, map(_folded_length, text)):
        firsts += [start, *[-1] * (length - 1)]
        lasts += [*[-1] * (length - 1), end]
    return folded, firsts, lasts


@lru_cache(maxsize=8192)
def _folded_length(c: str) -> int:
    return len(c.casefold())


def _clusters(text: str) -> Iterator[Span]:
    """Runs of white space, and characters with the combining ones behind them; joiners are clusters of their own."""
    at, size = 0, len(text)
    while at < size:
        end = at + 1
        if text[at].isspace():
            while end < size and (text[end].isspace() or (text[end] == JOINER and text[end : end + 2][1:].isspace())):
                end += 1
        elif text[at] != JOINER:
            while end < size and _combines(text[end]):
                end += 1
        yield at, end
        at = end


def _is_whole_words(text: str, start: int, end: int) -> bool:
    """Whether the span cuts no word at either end, nor what is composed of several characters ("-" with an accent)."""
    return not any(
        0 < at < len(text) and (_combines(text[at]) or (_is_letter(text[at - 1]) and _is_letter(text[at])))
        for at in (start, end)
    )


@lru_cache(maxsize=8192)
def _is_letter(c: str) -> bool:
    """Whether two such characters side by side belong to one word; scripts without spaces have no such bounds."""
    return (c.isalnum() or unicodedata.combining(c) > 0) and not any(a <= ord(c) <= b for a, b in _WITHOUT_SPACES)


@lru_cache(maxsize=8192)
def _combines(c: str) -> bool:
    """Whether a character may be composed with the one before it: an accent, or a vowel or final of Hangul."""
    return unicodedata.combining(c) > 0 or "\u1161" <= c <= "\u11ff"
