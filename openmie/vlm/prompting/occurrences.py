"""The names of an answer as spans of the text: the k-th mention of a name is its k-th occurrence (`name_locator`)."""

from __future__ import annotations

from collections.abc import Sequence

from openmie.vlm.name_locator import NameLocator, Span, normalise_name, note_capitals, occurrences

__all__ = ["locate_names", "normalise_name", "note_capitals", "occurrences"]


def locate_names(text: str, names: Sequence[str], all_occurrences: bool = False) -> list[list[Span]]:
    """Locate names in a text; longer names are located first, and last those that it has in other capitals only.

    Args:
        text: the text.
        names: the names in the order of the answer, a repeated one for each of its mentions.
        all_occurrences: the first mention of a name gets all its occurrences, later ones none.

    Returns:
        For each name its spans, half-open code points: one, or none where the name does not occur (once more).
    """
    locator = NameLocator(text, in_order=False)
    found: list[list[Span]] = [[] for _ in names]
    mentions: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        mentions.setdefault(normalise_name(name), []).append(number)
    said = {short: names[numbers[0]].strip() if short else "" for short, numbers in mentions.items()}
    for short in sorted(mentions, key=lambda n: (not locator.occurrences(said[n]), -len(n), n)):
        numbers, name = mentions[short], said[short]
        if all_occurrences:
            found[numbers[0]] = [locator.take(*span) for span in locator.occurrences(name, any_case=True)]
            continue
        placed = sorted(span for _ in numbers if (span := locator.find(name, any_case=True)) is not None)
        for number, span in zip(numbers, placed):
            found[number] = [span]
    return found
