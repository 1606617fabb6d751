"""Relation labels that name the types of their ends, the head's first: `PER-LOC_birth` holds from a PER to a LOC.

`ChainRelations`, which knows nothing of corpora, reads such labels in the same way and never answers what does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Literal

Direction = Literal["told", "turned", "neither"]


def end_types(label: str) -> tuple[str, str] | None:
    """The types of head and tail that a label names; None where it names none."""
    found = re.match(r"(.+?)-(.+?)_", label)
    return (found[1], found[2]) if found else None


def match_direction(label: str, head: str, tail: str) -> Direction:
    """Whether a label holds between these types as it is told, or else the other way round; "told" if it names none."""
    named = end_types(label)
    if named is None or named == (head, tail):
        return "told"
    return "turned" if named == (tail, head) else "neither"


def example_label(labels: Iterable[str], types: Collection[str]) -> tuple[str, str, str] | None:
    """The first label that names two different ones of these types, and both: what shows the rule to a reader."""
    for label in labels:
        named = end_types(label)
        if named is not None and named[0] != named[1] and {*named} <= {*types}:
            return (label, *named)
    return None
