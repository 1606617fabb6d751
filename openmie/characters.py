"""What a text may hold where it is written: no lone surrogate in a file, and nothing on a terminal that acts there."""

from __future__ import annotations

import re

# ESC and the other C0 characters but tab and line feed, DEL and C1, line separators, overrides of the writing direction
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def whole(text: str) -> str:
    """The text, its lone surrogates (halves of UTF-16 pairs, which no file can hold) as the escapes that name them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def printable(text: str) -> str:
    """The text for a terminal: each character that would act there, and each lone surrogate, as its code `\\u001b`."""
    if text.isascii() and text.isprintable():
        return text
    return whole(_ACTING.sub(lambda m: f"\\u{ord(m[0]):04x}", text))
