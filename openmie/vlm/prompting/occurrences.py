"""Where the names of a schema's answer stand in the text: the k-th mention of a name is its k-th occurrence.

An occurrence is verbatim, up to what models change without meaning to: runs of white space, the shape of quotes and
dashes, composed or decomposed accents, word joiners. Upper and lower case are kept apart. An occurrence that cuts a
word ("Bo" in "Bob") counts only where there is no other, and one inside a longer name of the answer ("York" in "New
York") only after those that stand alone. What is not there is not guessed. (`openmie.vlm.pfa.locate` is PFA's own,
whose answers can say which occurrence they mean.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from openmie.vlm.prompting.injection_guard import JOINER

Span = tuple[int, int]
_SAME = ("'‘’‚‛`´′", '"“”„‟″«»', "-‐‑‒–—―−")  # written for one another
_UNSPACED = (  # Thai, Lao, Myanmar, Khmer, East Asia
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0xD7FF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def locate(text: str, names: Sequence[str], everywhere: bool = False) -> list[list[Span]]:
    """For each name its spans in the text: one, or none where it is not there (or not there once more).

    `everywhere`: all occurrences for the first mention of a name, none for those after it. Spans are half-open code
    points. Longer names are placed first.
    """
    covered = bytearray(len(text))  # 1: part of a name that is placed
    found: list[list[Span]] = [[] for _ in names]
    asked: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        asked.setdefault(plain(name), []).append(number)
    for name in sorted(asked, key=lambda n: (-len(n), n)):
        numbers = asked[name]
        spans = occurrences(text, names[numbers[0]])
        spans.sort(key=lambda s: (all(covered[s[0] : s[1]]), s))
        placed = sorted(spans if everywhere else spans[: len(numbers)])
        if everywhere:
            found[numbers[0]] = placed
        else:
            for number, span in zip(numbers, placed):
                found[number] = [span]
        for start, end in placed:
            covered[start:end] = b"\1" * (end - start)
    return found


def occurrences(text: str, name: str) -> list[Span]:
    """All spans of a name in the text, in reading order: those that cut no word or, if there are none, the others."""
    short = plain(name)
    if not short:
        return []
    written = (re.escape(name.strip()), _pattern(short))  # some characters have no other spelling than their own
    spans = sorted({m.span() for pattern in written for m in re.finditer(pattern, text)})
    return [s for s in spans if _whole(text, *s)] or spans


def plain(name: str) -> str:
    """A name as names are compared: composed, single blanks, no joiners."""
    return unicodedata.normalize("NFC", " ".join(name.replace(JOINER, "").split()))


def _pattern(short: str) -> str:
    """The name as a regular expression, with a joiner allowed between any two characters."""
    return rf"{JOINER}*".join(_character(c) for c in short)


def _character(c: str) -> str:
    if c == " ":
        return r"\s+"
    same = next((group for group in _SAME if c in group), "")
    if same:
        return f"[{re.escape(same)}]"
    apart = unicodedata.normalize("NFD", c)
    return re.escape(c) if apart == c else f"(?:{re.escape(c)}|{re.escape(apart)})"


def _whole(text: str, start: int, end: int) -> bool:
    """No word is cut at either end."""
    cut = (start > 0 and _joined(text[start - 1], text[start]), end < len(text) and _joined(text[end - 1], text[end]))
    return not any(cut)


def _joined(a: str, b: str) -> bool:
    """Both are of one word; scripts without blanks between words have no such bounds."""
    return all((c.isalnum() or unicodedata.combining(c)) and not _unspaced(c) for c in (a, b))


def _unspaced(c: str) -> bool:
    return any(low <= ord(c) <= high for low, high in _UNSPACED)
