"""Text into HTML: Jinja2 templates in which every value is escaped, and the escaping.

A template writes `{{ value }}` between tags, `{{ value|attribute }}` inside attributes, and `{{ value|bdi }}` where the
value has a direction of writing of its own. Markup characters are escaped; control characters and those that change the
direction of writing are shown by their code instead of acting; what cannot be encoded becomes U+FFFD. Only values of
type `Markup`, such as what `render` returns, are inserted as they are.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import unicodedata
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\ufeff{_DIRECTION}]")
_LONE = re.compile("[\ud800-\udfff\ufffe\uffff]")


def _encodable(value: object) -> str:
    return _LONE.sub("\ufffd", str(value).replace("\r\n", "\n").replace("\r", "\n"))


def text(value: object) -> Markup:
    """Escaped for use between tags; a control character becomes a small box with its code. `Markup` stays as it is."""
    return value if isinstance(value, Markup) else Markup(_CONTROL.sub(_code_box, html.escape(_encodable(value))))


def plain(value: object) -> str:
    """Unescaped text whose control characters are codes, for a script that sets it as text."""
    return _CONTROL.sub(lambda m: f"[U+{ord(m[0]):04X}]", _encodable(value))


def attribute(value: object) -> Markup:
    """Escaped for use inside a quoted attribute or a title."""
    return Markup(html.escape(plain(value)))


def data(value: object) -> Markup:
    """A JSON value for a `<script type="application/json">`, which nothing in it can end."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def isolated(value: object) -> Markup:
    """`text` in a <bdi> element: its direction of writing does not affect what surrounds it."""
    return Markup(f"<bdi>{text(value)}</bdi>")


def _code_box(match: re.Match[str]) -> str:
    code = f"U+{ord(match[0]):04X}"
    return f'<span class="code" title="{unicodedata.name(match[0], "control character").lower()}">{code}</span>'


def number(value: float) -> str:
    """A coordinate, with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("openmie.report"),
        autoescape=True,
        finalize=text,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    found.filters.update(attribute=attribute, bdi=isolated)
    return found


@cache
def script(*names: str) -> tuple[Markup, str]:
    """Scripts of `openmie/report/templates` as one, and the hash by which a page's policy lets it and no other run."""
    folder = resources.files("openmie.report").joinpath("templates")
    source = "".join(folder.joinpath(name).read_text(encoding="utf8") for name in names)
    found = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return Markup(source), f"'sha256-{found}'"


def render(template: str, **values: Any) -> Markup:
    """A template of `openmie/report/templates` with these values, all of them escaped."""
    return Markup(_environment().get_template(template).render(values))


def render_macro(template: str, macro: str, *values: Any) -> Markup:
    """A macro of a template with these values, all of them escaped."""
    return Markup(getattr(_environment().get_template(template).module, macro)(*values))
