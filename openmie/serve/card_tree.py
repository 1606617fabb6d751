"""A card of HTML as JSON values, from which the page builds elements: nothing that a server sends is parsed as HTML.

An element is `[tag, {attribute: value}, [children]]`, a text is a string. Tags and attributes are those of
`openmie/report/templates/posts.html`; the page refuses all others.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

_VOID = ("img",)


def card_tree(html: str) -> list[Any]:
    """The elements and texts of a card.

    Args:
        html: what `render_cards` wrote, every tag closed.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.open[0]


class _Reader(HTMLParser):
    """Builds the tree; `open` holds the children of each element that is open, outermost first."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[list[Any]] = [[]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        children: list[Any] = []
        self.open[-1].append([tag, {name: value or "" for name, value in attrs}, children])
        if tag not in _VOID:
            self.open.append(children)

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].append(data)
