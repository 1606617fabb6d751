"""Flavours of a paper's system: what a page gives by one name, such as `paper` (as printed) or `small`."""

from __future__ import annotations

from collections.abc import Mapping

from openmie.errors import RecipeError

SMALL, IMPROVED, PAPER = "small", "improved", "paper"
MEAN_POOLED = ("tiny", "e5")  # a word is the mean of its tokens: e5 begins most Chinese characters with a blank
LIGHT = ("minilm", "e5")  # pretrained text encoders of width 384, which learn at a higher rate than BERT does


def checked(flavour: str, known: Mapping[str, str], where: str) -> str:
    """The flavour, if a page has it.

    Args:
        flavour: its name.
        known: the page's FLAVOURS, name -> what it is.
        where: the page, for the error.

    Raises:
        RecipeError: the page has no such flavour.
    """
    if flavour not in known:
        raise RecipeError.unknown("flavour", flavour, known, where=where)
    return flavour


def slug(row: str) -> str:
    """A row of a table as a part of a recipe's name: `w/o Shapley` -> `wo-shapley`."""
    return row.replace("/", "").replace(" + ", "-").replace(" ", "-").lower()
