"""What annotators marked in one Label Studio task: spans, relations and rectangles, as layers of a Document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openmie.data.document import Image, Mention, Region, Relation
from openmie.errors import ErrorRecord
from openmie.formats.box_edges import fitted_region
from openmie.formats.labelstudio_fields import SPANS
from openmie.formats.span_edges import trim_note, trim_span
from openmie.text.offset_readings import best_reading, offset_readings

Item = Mapping[str, Any]


@dataclass
class Annotated:
    """The layers of one task while they are read.

    Args:
        where: file and task, as records name it.
        text: of the task.
        images: key of the task's data, with the number of a list's value -> image.
        objects: what rectangles call their image (`to_name`) -> key of the task's data.
    """

    where: str
    text: str
    images: dict[str, Image]
    objects: Mapping[str, str] = field(default_factory=dict)
    mentions: dict[str, Mention] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    regions: dict[str, Region] = field(default_factory=dict)
    errors: list[ErrorRecord] = field(default_factory=list)

    def read(self, result: Sequence[Item]) -> None:
        """Read everything that is in a result, and put what cannot be read into `errors`."""
        self._read_spans([item for item in result if item.get("type") in SPANS])
        for item in result:
            if item.get("type") == "rectanglelabels":
                self._read_box(item)
            elif item.get("type") not in (*SPANS, "relation"):
                self.skip(f"a result of type {item.get('type')!r}", "labels, rectanglelabels and relation", item)
        for item in result:
            if item.get("type") == "relation":
                self._read_link(item)

    def skip(self, found: str, expected: str, item: Item | None = None) -> None:
        """Record what is left out."""
        at = self.where if item is None else f"{self.where}, result {item.get('id', '')}".rstrip()
        self.errors.append(ErrorRecord(where=at, found=found, expected=expected, remedy="openmie leaves it out"))

    def _read_spans(self, items: Sequence[Item]) -> None:
        """Mentions of all text spans, in the one reading of the offsets that fits them all, else each in its own."""
        fits = [[_match_span(item, self.text, reading) for item in items] for reading in offset_readings(self.text)]
        best, trimmed = best_reading(fits), 0
        for number, item in enumerate(items):
            value, id = item["value"], str(item["id"])
            span = fits[best][number] or next((row[number] for row in fits if row[number]), None)
            if span is None:
                self.skip(
                    f"{str(value.get('text'))[:80]!r} at {value.get('start')}:{value.get('end')}, where the text has "
                    "something else",
                    "offsets in code points or UTF-16 units, CRLF as one or two",
                    item,
                )
                continue
            start, end = trim_span(self.text, *span)
            trimmed += (start, end) != span
            for n, label in enumerate(value.get("labels") or value.get("hypertextlabels") or [""]):
                name = f"{id}-{n + 1}" if n else id
                self.mentions[name] = Mention(id=name, start=start, end=end, label=label, score=item.get("score"))
        self.errors += trim_note(trimmed, self.where)

    def _read_box(self, item: Item) -> None:
        value, key = item["value"], self._image_key(item)
        image = self.images.get(key)
        width, height = item.get("original_width"), item.get("original_height")
        turned = value.get("rotation") or item.get("image_rotation")
        if image is None or not width or not height or turned:
            missing = "a rectangle without its image, or without original_width and original_height"
            self.skip(
                "a rotated rectangle" if turned else missing, "an upright rectangle in percent of a sized image", item
            )
            return
        self.images[key] = image = image if image.width else Image(**{**dict(image), "width": width, "height": height})
        x, y, w, h = (float(value[k]) / 100 for k in ("x", "y", "width", "height"))
        box = (x * width, y * height, (x + w) * width, (y + h) * height)
        whole = Region(image=image.id, box=box, score=item.get("score"))
        region, record = fitted_region(whole, (width, height), f"{self.where}, result {item['id']}", shares=True)
        self.errors += [record] if record else []
        if region is None:
            return
        for n, label in enumerate(value.get("rectanglelabels") or [""]):
            id = f"{item['id']}-{n + 1}" if n else str(item["id"])
            self.regions[id] = Region(**{**dict(region), "label": label})

    def _image_key(self, item: Item) -> str:
        """What a rectangle was drawn on: as the project says, else what has its name, else the only image there is."""
        name, number = str(item.get("to_name")), item.get("item_index") or 0
        for key in (self.objects.get(name, name), name):
            for numbered in (f"{key}[{number}]", key):
                if numbered in self.images:
                    return numbered
        return next(iter(self.images)) if len(self.images) == 1 else name

    def _read_link(self, item: Item) -> None:
        """A relation for every label of a link between two spans; one between a box and a span says what it shows."""
        head, tail = str(item.get("from_id")), str(item.get("to_id"))
        if item.get("direction") == "left":
            head, tail = tail, head
        if head in self.mentions and tail in self.mentions:
            labels = list(dict.fromkeys(item.get("labels") or [""]))
            self.relations += [Relation(head=head, tail=tail, label=label) for label in labels]
            return
        box, span = (head, tail) if head in self.regions else (tail, head)
        if box in self.regions and span in self.mentions and not self.regions[box].of:
            for id, region in self.regions.items():
                if id == box or (region.box == self.regions[box].box and id.startswith(f"{box}-")):
                    self.regions[id] = region.model_copy(update={"of": span})
        else:
            self.skip(f"a relation from {head!r} to {tail!r}", "two spans, or a rectangle and its one span")


def _match_span(item: Item, text: str, count: Callable[[int], int | None]) -> tuple[int, int] | None:
    """The span in code points, where `count` turns its offsets into some and the text there is what the item says."""
    value = item["value"]
    offsets = value.get("globalOffsets") or value
    start, end = offsets.get("start"), offsets.get("end")
    if not isinstance(start, int) or not isinstance(end, int) or start < 0:
        return None
    first, last = count(start), count(end)
    if first is None or last is None or not first < last <= len(text):
        return None
    stated = value.get("text")
    return (first, last) if stated is None or _same_text(text[first:last], stated) else None


def _same_text(surface: str, stated: str) -> bool:
    """Equal but for white space, which the editor trims and writes as a backslash and an n."""
    return surface == stated or "".join(surface.split()) == "".join(stated.replace("\\n", "\n").split())
