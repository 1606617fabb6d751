"""Locates the names of an answer in the text: the k-th mention of a name is its k-th occurrence.

An occurrence is verbatim, up to what models change inadvertently: runs of white space, the shape of quotes and dashes,
composed or decomposed accents, word joiners. Matching is case-sensitive. An occurrence that cuts a word ("Bo" in "Bob")
counts only where there is no other, and one inside a longer name of the answer ("York" in "New York") only after those
that stand alone. A name that does not occur is never guessed. (`openmie.vlm.pfa.locate` is PFA's own locator, because
PFA's answers can state which occurrence they mean.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from openmie.vlm.prompting.injection_guard import JOINER

Span = tuple[int, int]
_INTERCHANGEABLE = ("'‘’‚‛`´′", '"“”„‟″«»', "-‐‑‒–—―−")
_WITHOUT_SPACES = (  # scripts: Thai, Lao, Myanmar, Khmer, East Asia
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0xD7FF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def locate_names(text: str, names: Sequence[str], all_occurrences: bool = False) -> list[list[Span]]:
    """Locate names in a text; longer names are located first.

    Args:
        text: the text.
        names: the names in the order of the answer, a repeated one for each of its mentions.
        all_occurrences: the first mention of a name gets all its occurrences, later ones none.

    Returns:
        For each name its spans, half-open code points: one, or none where the name does not occur (once more).
    """
    covered = bytearray(len(text))  # 1: part of a located name
    found: list[list[Span]] = [[] for _ in names]
    mentions: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        mentions.setdefault(normalise_name(name), []).append(number)
    for name in sorted(mentions, key=lambda n: (-len(n), n)):
        numbers = mentions[name]
        spans = occurrences(text, names[numbers[0]])
        spans.sort(key=lambda s: (all(covered[s[0] : s[1]]), s))
        placed = sorted(spans if all_occurrences else spans[: len(numbers)])
        if all_occurrences:
            found[numbers[0]] = placed
        else:
            for number, span in zip(numbers, placed):
                found[number] = [span]
        for start, end in placed:
            covered[start:end] = b"\1" * (end - start)
    return found


def occurrences(text: str, name: str) -> list[Span]:
    """All spans of a name in the text, in reading order: those that cut no word or, if there are none, the others."""
    short = normalise_name(name)
    if not short:
        return []
    written = (re.escape(name.strip()), _pattern(short))  # some characters do not survive normalisation
    spans = sorted({m.span() for pattern in written for m in re.finditer(pattern, text)})
    return [s for s in spans if _is_whole_words(text, *s)] or spans


def normalise_name(name: str) -> str:
    """A name as names are compared: in NFC, with single blanks, without joiners."""
    return unicodedata.normalize("NFC", " ".join(name.replace(JOINER, "").split()))


def _pattern(short: str) -> str:
    """The name as a regular expression, with a joiner allowed between any two characters."""
    return rf"{JOINER}*".join(_character(c) for c in short)


def _character(c: str) -> str:
    if c == " ":
        return r"\s+"
    group = next((group for group in _INTERCHANGEABLE if c in group), "")
    if group:
        return f"[{re.escape(group)}]"
    decomposed = unicodedata.normalize("NFD", c)
    return re.escape(c) if decomposed == c else f"(?:{re.escape(c)}|{re.escape(decomposed)})"


def _is_whole_words(text: str, start: int, end: int) -> bool:
    """Whether the span cuts no word at either end."""
    cuts_start = start > 0 and _in_one_word(text[start - 1], text[start])
    cuts_end = end < len(text) and _in_one_word(text[end - 1], text[end])
    return not (cuts_start or cuts_end)


def _in_one_word(a: str, b: str) -> bool:
    """Whether two adjacent characters belong to one word; scripts without spaces have no such bounds."""
    return all((c.isalnum() or unicodedata.combining(c)) and not _without_spaces(c) for c in (a, b))


def _without_spaces(c: str) -> bool:
    return any(low <= ord(c) <= high for low, high in _WITHOUT_SPACES)
