"""Which occurrence of its name an entity of an answer means: written as a number where it is needed, and read back."""

from __future__ import annotations

from collections.abc import Sequence

from openmie.data.document import Mention
from openmie.vlm.name_locator import NameLocator, Span
from openmie.vlm.pfa.parsing import AnswerEntity


def number_occurrence(locator: NameLocator, mention: Mention) -> int | None:
    """The number of a mention's occurrence; None where it is the one that would be located anyway."""
    span = None if mention.status == "unlocated" else (mention.start, mention.end)
    if (found := locator.peek(mention.text)) == span and (span or mention.text):
        if found:
            locator.take(*found)
        elif locator.occurrences(mention.text, any_case=True) and not locator.occurrences(mention.text):
            return 0  # a name in other capitals than the text's
        return None
    if span is None:
        return 0
    locator.take(*span)
    return locator.number(mention.text, span)


def locate_entities(entities: Sequence[AnswerEntity], locator: NameLocator) -> list[Span | None]:
    """A place for each entity, in order; then for names that the text has in other capitals only."""
    spans = [locator.find(e.text) if e.nth is None else locator.nth(e.text, e.nth) for e in entities]
    for n, entity in enumerate(entities):
        if entity.nth is None and spans[n] is None and not locator.occurrences(entity.text):
            spans[n] = locator.find(entity.text, any_case=True)
    return spans
