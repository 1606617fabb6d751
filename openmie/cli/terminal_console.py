"""A console of rich that keeps control characters of texts from the terminal, see `openmie.cli.terminal`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from openmie.characters import printable


class TerminalConsole(Console):
    """A console whose texts have no control characters."""

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """The segments of something; those of text are made printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def stderr_console() -> Console:
    """One on standard error. It holds the stream below the wrappers: a bar replaces `sys.stderr` while it is shown, and
    its own escapes would come out as codes."""
    stream = sys.stderr
    while hasattr(stream, "rich_proxied_file"):
        stream = stream.rich_proxied_file
    return TerminalConsole(file=stream, stderr=True)
