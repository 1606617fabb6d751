"""Which figures of a paper `openmie bench --plot` draws: axis, scores, and the variants that are lines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A figure of the paper.

    Args:
        over: a sweep of the page, whose values are the axis.
        compared: sweeps of the same values that are lines in the same drawing, such as `missing, w/o MMCM`.
        scores: one drawing each; (): the task's first.
    """

    over: str
    compared: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
