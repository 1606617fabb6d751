"""Captions that roll up: each cue shows the last line again, and a new one below it, as YouTube's automatic ones do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

GAP = 0.05  # seconds between cues that follow each other
LEAST = 0.5  # share of cues that repeat lines, from which a file rolls up

Lines = tuple[float, float, Sequence[str]]  # start and end in seconds, lines of text


def repeated_lines(cues: Sequence[Lines]) -> list[int]:
    """How many lines at the top of each cue are the last ones of the cue before.

    A file is taken to roll up where at least two of its cues, and half of them, repeat lines of the one right before,
    and one of them shows a new line, too. In another file, a line that comes again is no repetition.

    Args:
        cues: C cues in the order of time.

    Returns:
        C numbers of lines; all are 0 where the file does not roll up.
    """
    found = [0, *(_shared(a, b) for a, b in pairwise(cues))][: len(cues)]
    grows = any(0 < n < len(cue[2]) for n, cue in zip(found, cues))
    rolls = grows and sum(n > 0 for n in found) >= max(2, LEAST * (len(cues) - 1))
    return found if rolls else [0] * len(cues)


def _shared(a: Lines, b: Lines) -> int:
    if b[0] - a[1] > GAP:
        return 0
    most = min(len(a[2]), len(b[2]))
    return next((n for n in range(most, 0, -1) if list(a[2][-n:]) == list(b[2][:n])), 0)
