"""What is one thing on a page: a mention, the other mentions of its chain, its boxes and its ends of relations.

Each such thing has a number. Where one of its places is pointed at, the style sheet lights the others; no script does.
"""

from __future__ import annotations

from openmie.data.document import Document

LIT = 60  # numbers of a post that have a rule in the style sheet; things beyond stay dark


def number_entities(document: Document) -> dict[str, int]:
    """A number from 1 for each mention and chain id; mentions of a chain share that of the first chain they are in."""
    numbers: dict[str, int] = {}
    for count, chain in enumerate(document.chains, 1):
        numbers[chain.id] = next((numbers[m] for m in chain.mentions if m in numbers), count)
        for member in chain.mentions:
            numbers.setdefault(member, numbers[chain.id])
    for count, mention in enumerate(document.mentions, len(document.chains) + 1):
        numbers.setdefault(mention.id, count)
    return numbers


def lighting() -> str:
    """Rules of the style sheet, one for each number."""
    return "".join(
        f'.post:has([data-e="{n}"]:is(:hover,:focus)) [data-e="{n}"]{{--share:45%;--veil:30%;--edge:4px}}'
        for n in range(1, LIT + 1)
    )
