"""How labels and entities are written in `:label;entity`, and how a label is known again.

Where the plain format cannot hold a name, and only there, a character is written as `\\u{3a}` (its code point), and
`\\#2` behind an entity says that its second occurrence in the text is meant (`\\#0`: none).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from openmie.errors import OpenMIEError

Labels = Sequence[str] | Mapping[str, str]  # names, or name -> description
CODE = re.compile(r"\\u\{([0-9a-f]{1,6})\}")
NTH = re.compile(r"\\#(\d{1,6})$")
_ODD = re.compile(r"[\\\r\n\v\f\x1c-\x1e\x85\u2028\u2029:：;；]|^\s+|\s+$|\s{4,}")


def names_of(labels: Labels) -> tuple[str, ...]:
    """The names of labels. Errors: one string in the place of several, what is no string, a name twice."""
    names = tuple(labels) if not isinstance(labels, str) else ()
    if isinstance(labels, str) or any(not isinstance(n, str) for n in names) or len(set(names)) < len(names):
        raise OpenMIEError(
            f"labels {labels!r}"[:200],
            expected="a list of different names, or a mapping of names to descriptions",
            where="labels",
            remedy='write ["PER", "LOC"] or {"PER": "a person", ...}',
        )
    return names


def coded(text: str) -> str:
    """Every character as its code point; lone surrogates, which no file can hold, stay."""
    return "".join(c if "\ud800" <= c <= "\udfff" else f"\\u{{{ord(c):x}}}" for c in text)


def decoded(text: str) -> str:
    """Characters for their code points; what is no code point stays as it is."""
    return CODE.sub(_character, text) if "\\" in text else text


def _character(found: re.Match[str]) -> str:
    point = int(found[1], 16)
    return chr(point) if point < 0xD800 or 0xDFFF < point < 0x110000 else found[0]


def odd(text: str) -> str:
    """Those characters coded that can make a text be misread: colons, semicolons, ends of lines, blanks at the ends."""
    return _ODD.sub(lambda m: coded(m[0]), text)


label_text = odd  # a label as it is written


class Names:
    """The labels of one call: the separator between entities that they make, and which label a separator names."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        plain = {n: n for n in labels if "\\" not in n}
        self.known = {**plain, **{label_text(n): n for n in labels}}
        folded: dict[str, set[str]] = {}
        for written, name in self.known.items():
            folded.setdefault(written.casefold(), set()).add(name)
        self.folded = {written: next(iter(names)) for written, names in folded.items() if len(names) == 1}
        one_of = "|".join(re.escape(w) for w in sorted(self.known, key=len, reverse=True))
        self.separator = re.compile(rf"[:：]\s{{0,3}}({one_of})\s{{0,3}}[;；]" if labels else r"(?!)", re.IGNORECASE)

    def of(self, separator: re.Match[str]) -> tuple[str | None, bool]:
        """The label of a separator, None where two differ in case only; and whether it was written as it should be."""
        written = separator[1]
        if written in self.known:
            return self.known[written], separator[0][0] == ":" and separator[0][-1] == ";"
        return self.folded.get(written.casefold()), False

    def cut(self, text: str) -> int | None:
        """Where a separator begins that the end of the text cuts off."""
        at = text.rfind(":")
        return at if at >= 0 and any(f":{w};".startswith(text[at:]) for w in self.known) else None


@lru_cache(maxsize=64)
def known_names(labels: tuple[str, ...]) -> Names:
    return Names(labels)
