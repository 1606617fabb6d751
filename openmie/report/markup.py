"""Text into HTML, so that it can only ever be text.

Every string from outside goes through `text` or `attribute`. Markup characters are escaped; control characters and
those that turn the direction of writing are shown by their code in place of acting; what cannot be encoded becomes
U+FFFD.
"""

from __future__ import annotations

import html
import re
import unicodedata

_TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ACTING = re.compile(f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\ufeff{_TURNING}]")
_LONE = re.compile("[\ud800-\udfff\ufffe\uffff]")


def _whole(value: object) -> str:
    return _LONE.sub("\ufffd", str(value).replace("\r\n", "\n").replace("\r", "\n"))


def text(value: object) -> str:
    """Escaped for use between tags; a control character is a small box with its code."""
    return _ACTING.sub(_shown, html.escape(_whole(value)))


def attribute(value: object) -> str:
    """Escaped for use inside a quoted attribute or a title."""
    return _ACTING.sub(lambda m: f"[U+{ord(m[0]):04X}]", html.escape(_whole(value)))


def isolated(value: object) -> str:
    """`text`, its direction of writing its own."""
    return f"<bdi>{text(value)}</bdi>"


def _shown(match: re.Match[str]) -> str:
    code = f"U+{ord(match[0]):04X}"
    return f'<span class="code" title="{unicodedata.name(match[0], "control character").lower()}">{code}</span>'


def number(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
