"""Entities in the words of a photograph: what the text model finds in its lines, put back into the photograph.

The lines of an image are read as one text, a line below the other. A name may go on in the next line if that follows it
in the photograph, close below or beside it and about as high; else it ends with its line. It becomes a Region with the
entity's label, its name as `text`, and the box of the lines that it stands in. It is no Mention, for it is not in the
document's text; nor is it linked to a mention of the same name, whose box would be that of what it names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

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
    """The document with a region for each entity that the words of its photographs name.

    Args:
        document: with lines of words as `with_photographs` adds them.
        entities: finds the entities of a text.

    Returns:
        The document; the regions follow its other ones. The score of one is the entity's times the least of its lines'.
    """
    found: list[Region] = []
    for image in dict.fromkeys(r.image for r in document.regions if r.label == WORDS):
        lines = [r for r in document.regions if r.image == image and r.label == WORDS and not r.of]
        for entity in entities("\n".join(line.text for line in lines)):
            found += _regions(lines, entity)
    return document.replace(regions=(*document.regions, *found))


def _regions(lines: Sequence[Region], entity: FoundEntity) -> list[Region]:
    """The regions of an entity of the joined lines: one, or one for each run of lines that do not follow each other."""
    start, made, last = 0, list[Region](), -1
    for n, line in enumerate(lines):
        end = start + len(line.text)
        begin, stop = (min(max(at - start, 0), len(line.text)) for at in (entity.start, entity.end))
        name = line.text[begin:stop].strip()
        if name:
            box = part_of_box(line.box, begin / len(line.text), stop / len(line.text))
            score = entity.score * (1.0 if line.score is None else line.score)
            part = Region(image=line.image, box=box, label=entity.label, text=name, score=score)
            goes_on = bool(made) and last == n - 1 and follows(lines[last].box, line.box)
            made[len(made) - goes_on :] = [_joined(made[-1], part) if goes_on else part]
            last = n
        start = end + 1
    return made


def _joined(a: Region, b: Region) -> Region:
    (x0, y0, x1, y1), (u0, v0, u1, v1) = a.box, b.box
    box, score = (min(x0, u0), min(y0, v0), max(x1, u1), max(y1, v1)), min(a.score or 0.0, b.score or 0.0)
    return a.model_copy(update={"box": box, "text": f"{a.text} {b.text}", "score": score})


def follows(first: Box, second: Box) -> bool:
    """Whether a line goes on in a second one: at most 1.6 times as high, less than a height below it or beside it."""
    heights = first[3] - first[1], second[3] - second[1]
    low, high = min(heights), max(heights)
    right, down = second[0] - first[2], second[1] - first[3]  # gaps, negative where they overlap
    below = second[0] < first[2] and first[0] < second[2] and -0.5 * low < down < low
    beside = down < -0.5 * low and -0.5 * low < right < low
    return high <= 1.6 * low and (below or beside)


def part_of_box(box: Box, begin: float, end: float) -> Box:
    """The part of a line from one share of its characters to another; along its longer side, for some lines stand."""
    x0, y0, x1, y1 = box
    if x1 - x0 >= y1 - y0:
        return x0 + begin * (x1 - x0), y0, x0 + end * (x1 - x0), y1
    return x0, y0 + begin * (y1 - y0), x1, y0 + end * (y1 - y0)
