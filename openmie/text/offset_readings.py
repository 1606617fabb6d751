"""What other programs count when they give offsets into a text: code points, UTF-16 units, CRLF as one or as two.

Browsers count UTF-16 units, and turn CRLF into LF before anything is selected; the file still has both characters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

Reading = Callable[[int], int | None]  # offset as the program counts -> offset in code points, None for none


def offset_readings(text: str) -> tuple[Reading, ...]:
    """The ways to read an offset into a text, the usual one first; those that are the same for it are left out.

    Args:
        text: with its line ends as they stand.

    Returns:
        In this order: code points; UTF-16 units; the same two with CRLF counted as one.
    """
    units = [1 + (ord(c) > 0xFFFF) for c in text]
    counted: list[list[int]] = []
    for joined in (False, True):
        skip = [joined and c == "\r" and after == "\n" for c, after in zip(text, text[1:] + " ")]
        for sizes in ([1] * len(text), units):
            row = [0 if s else n for n, s in zip(sizes, skip)]
            if row not in counted:
                counted.append(row)
    return tuple(_reading(row) for row in counted)


def _reading(sizes: Sequence[int]) -> Reading:
    """Offsets are sums of sizes; of two places with one sum (before and after a CR), the first."""
    places: dict[int, int] = {}
    for point, unit in enumerate(accumulate(sizes, initial=0)):
        places.setdefault(unit, point)
    return places.get


def best_reading(fits: Sequence[Sequence[object]]) -> int:
    """The index of the reading under which most spans fit, the first of several: one program counted them all.

    Args:
        fits: R readings, each with S spans or None.
    """
    counts = [sum(span is not None for span in row) for row in fits]
    return counts.index(max(counts))
