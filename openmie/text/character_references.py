"""HTML's character references, such as `&amp;` and `&#233;`, in texts that anybody wrote."""

from __future__ import annotations

import html
import re

_LONG = re.compile(r"&#[0-9]{50,}")


def unescape(text: str) -> str:
    """`html.unescape`, which fails at numbers of more than 4,300 digits; they are U+FFFD like all beyond Unicode's."""
    return html.unescape(_LONG.sub("&#99999999", text))
