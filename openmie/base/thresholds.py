"""Thresholds of scores: one for all labels, one per label, or the model's calibrated defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real

from openmie.errors import RecipeError

Threshold = float | Mapping[str, float] | None


def checked_threshold(threshold: Threshold, labels: Iterable[str], relations: Iterable[str] = ()) -> Threshold:
    """The threshold, if it can be one.

    Args:
        threshold: a number for all entity types and relations, one per name, or None (the calibrated defaults).
        labels: names of entity types.
        relations: names of relations.

    Returns:
        A float, name -> float, or None.

    Raises:
        RecipeError: a number outside of 0 to 1, something that is no number, or a name that is none of these labels.
    """
    if threshold is None:
        return None
    if not isinstance(threshold, Mapping):
        return _number(threshold, "threshold")
    known = [*labels, *relations]
    for name in threshold:
        if name not in known:
            raise RecipeError.unknown("label", str(name), known, where="threshold")
    return {name: _number(value, f"threshold of {name}") for name, value in threshold.items()}


def _number(value: object, where: str) -> float:
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else float("nan")
    if not 0 <= number <= 1:
        raise RecipeError(
            f"the value {value!r}",
            expected="a number from 0 (all that was found) to 1",
            where=where,
            remedy="0.5 is usual; leave it out for the calibrated defaults",
        )
    return number


def of_labels(threshold: Threshold, labels: Iterable[str]) -> Threshold:
    """The part of a checked threshold that concerns these labels; None where it names none of them."""
    if not isinstance(threshold, Mapping):
        return threshold
    return {name: threshold[name] for name in labels if name in threshold} or None


def by_value(threshold: Threshold, relations: Mapping[str, str]) -> dict[float | None, dict[str, str]]:
    """Relations grouped by their threshold; None: the calibrated default."""
    groups: dict[float | None, dict[str, str]] = {}
    for name, text in relations.items():
        value = threshold.get(name) if isinstance(threshold, Mapping) else threshold
        groups.setdefault(value, {})[name] = text
    return groups
