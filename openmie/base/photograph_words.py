"""Entities in the words of a photograph: what the text model finds in its lines, put back into the photograph.

The lines of an image are read as one text, a line below the other. A name that the document's text has too is that
mention's; `links` ties it to its line. Any other becomes a Region with the entity's label, its name as `text`, and the
box of the lines that it stands in. It is no Mention, for the document's text does not contain it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from openmie.base.links import spelling
from openmie.base.photograph import WORDS
from openmie.data.document import Box, Document, Region


class FoundEntity(Protocol):
    """What is read of an entity: half-open code points of the text, label, score."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def label(self) -> str: ...
    @property
    def score(self) -> float: ...


def with_entities_of_words(document: Document, entities: Callable[[str], Sequence[FoundEntity]]) -> Document:
    """The document with a region for each entity that only the words of its photographs name.

    Args:
        document: with mentions, and with lines of words as `with_photographs` adds them.
        entities: finds the entities of a text.

    Returns:
        The document; the regions follow its other ones. The score of one is the entity's times the least of its lines'.
    """
    known = {spelling(m.text) for m in document.mentions}
    found = []
    for image in dict.fromkeys(r.image for r in document.regions if r.label == WORDS):
        lines = [r for r in document.regions if r.image == image and r.label == WORDS and not r.of]
        text = "\n".join(line.text for line in lines)
        for entity in entities(text):
            made = _region(lines, text, entity)
            if made is not None and spelling(made.text) not in known:
                found.append(made)
    return document.replace(regions=(*document.regions, *found))


def _region(lines: Sequence[Region], text: str, entity: FoundEntity) -> Region | None:
    """The region of an entity of the joined lines; None for one without a character of its own."""
    start, boxes, scores = 0, [], [entity.score]
    for line in lines:
        end = start + len(line.text)
        begin, stop = max(entity.start, start), min(entity.end, end)
        if begin < stop:
            boxes.append(part_of_box(line.box, (begin - start) / len(line.text), (stop - start) / len(line.text)))
            scores.append(entity.score * (1.0 if line.score is None else line.score))
        start = end + 1
    if not boxes:
        return None
    x0, y0, x1, y1 = zip(*boxes)
    name = " ".join(text[entity.start : entity.end].split())
    box = (min(x0), min(y0), max(x1), max(y1))
    return Region(image=lines[0].image, box=box, label=entity.label, text=name, score=min(scores))


def part_of_box(box: Box, begin: float, end: float) -> Box:
    """The part of a line from one share of its characters to another; along its longer side, for some lines stand."""
    x0, y0, x1, y1 = box
    if x1 - x0 >= y1 - y0:
        return x0 + begin * (x1 - x0), y0, x0 + end * (x1 - x0), y1
    return x0, y0 + begin * (y1 - y0), x1, y0 + end * (y1 - y0)
