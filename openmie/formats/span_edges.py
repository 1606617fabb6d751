"""Spans as people select them: white space at their ends belongs to the hand that drew them, not to the name."""

from __future__ import annotations

from openmie.errors import ErrorRecord


def trim_span(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends; one of nothing but white space stays as it is.

    Args:
        text: of the document.
        start: first code point.
        end: the one after the last.

    Returns:
        (start, end), half-open.
    """
    surface = text[start:end]
    if not surface.strip():
        return start, end
    return start + len(surface) - len(surface.lstrip()), end - len(surface) + len(surface.rstrip())


def trim_note(count: int, where: str) -> tuple[ErrorRecord, ...]:
    """One note of how many spans of a document were trimmed; none where there were none."""
    if not count:
        return ()
    found = f"{count} span{'s' * (count > 1)} with white space at {'their ends' if count > 1 else 'an end'}"
    return (
        ErrorRecord(where=where, found=found, expected="spans that end with words", remedy="it was cut off", note=True),
    )
