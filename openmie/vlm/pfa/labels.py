"""How labels and entities are written in `:label;entity`, and how labels are recognised in an answer.

Only where the plain format cannot hold a name, a character is escaped as `\\u{3a}` (its code point), and `\\#2` behind
an entity means its second occurrence in the text (`\\#0`: none).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from openmie.errors import OpenMIEError

MentionLabels = Sequence[str] | Mapping[str, str]  # names, or name -> description
ESCAPE = re.compile(r"\\u\{([0-9a-f]{1,6})\}")
OCCURRENCE = re.compile(r"\\#(\d{1,6})$")
_AMBIGUOUS = re.compile(r"[\\\r\n\v\f\x1c-\x1e\x85\u2028\u2029:：;；]|^\s+|\s+$|\s{4,}")


def label_names(labels: MentionLabels) -> tuple[str, ...]:
    """The names of labels. Raises `OpenMIEError` for one string instead of several, no string, or a repeated name."""
    names = tuple(labels) if not isinstance(labels, str) else ()
    if isinstance(labels, str) or any(not isinstance(n, str) for n in names) or len(set(names)) < len(names):
        raise OpenMIEError(
            f"invalid labels {labels!r}"[:200],
            expected="a list of different names, or a mapping of names to descriptions",
            where="labels",
            remedy='write ["PER", "LOC"] or {"PER": "a person", ...}',
        )
    return names


def escape_all(text: str) -> str:
    """Escape every character as its code point, except lone surrogates, which no file can hold."""
    return "".join(c if "\ud800" <= c <= "\udfff" else f"\\u{{{ord(c):x}}}" for c in text)


def unescape(text: str) -> str:
    """Replace escapes by their characters; an escape that is no code point stays as it is."""
    return ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    point = int(match[1], 16)
    return chr(point) if point < 0xD800 or 0xDFFF < point < 0x110000 else match[0]


def escape_ambiguous(text: str) -> str:
    """Escape what can be misread: colons, semicolons, backslashes, line breaks, outer and repeated blanks."""
    return _AMBIGUOUS.sub(lambda m: escape_all(m[0]), text)


label_text = escape_ambiguous  # a label as it is written in an answer


class LabelSet:
    """The labels of one task, which form the separators `:label;` between entities."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        plain = {n: n for n in labels if "\\" not in n}
        self.known = {**plain, **{label_text(n): n for n in labels}}
        folded: dict[str, set[str]] = {}
        for written, name in self.known.items():
            folded.setdefault(written.casefold(), set()).add(name)
        self.folded = {written: next(iter(names)) for written, names in folded.items() if len(names) == 1}
        one_of = "|".join(re.escape(w) for w in sorted(self.known, key=len, reverse=True))
        self.separator = re.compile(rf"[:：]\s{{0,3}}({one_of})\s{{0,3}}[;；]" if labels else r"(?!)", re.IGNORECASE)

    def label_of(self, separator: re.Match[str]) -> tuple[str | None, bool]:
        """(label of a separator, whether it is spelled exactly); None where labels differ in case only."""
        written = separator[1]
        if written in self.known:
            return self.known[written], separator[0][0] == ":" and separator[0][-1] == ";"
        return self.folded.get(written.casefold()), False

    def truncated_separator(self, text: str) -> int | None:
        """Where a separator begins that the end of the text truncates; None: nowhere."""
        at = text.rfind(":")
        return at if at >= 0 and any(f":{w};".startswith(text[at:]) for w in self.known) else None


@lru_cache(maxsize=64)
def label_set(labels: tuple[str, ...]) -> LabelSet:
    """The cached `LabelSet` of these labels."""
    return LabelSet(labels)
