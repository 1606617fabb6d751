"""One colour for each label, the same on the page and in the picture, told apart in light and in dark."""

from __future__ import annotations

from collections.abc import Iterable

# (on light, on dark): at least 4.5:1 against white and against #14171c
COLOURS = (
    ("#1d5fc4", "#8db8ff"),
    ("#b04f00", "#ffb069"),
    ("#15784a", "#76d7a0"),
    ("#a12a78", "#f59bd3"),
    ("#0c7480", "#63d2de"),
    ("#6544c2", "#bda8ff"),
    ("#b53030", "#ff9d96"),
    ("#6f6a08", "#d6cf5c"),
    ("#84522f", "#dcae8c"),
    ("#3f5a6d", "#a9c4d8"),
)
NO_LABEL = ("#565f6b", "#a9b1bc")  # what has no label


def assign_colours(labels: Iterable[str]) -> dict[str, int]:
    """A number into `COLOURS` for each label, in alphabetical order; they repeat after ten."""
    return {label: i % len(COLOURS) for i, label in enumerate(sorted(set(labels) - {""}))}
