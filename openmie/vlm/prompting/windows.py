"""Long texts in parts: overlapping windows of a text, and what was found in each brought together again.

Any span of at most `overlap` characters lies whole in some window, and the windows cover the text, so no name is cut
and none is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from openmie.data.document import Box, Chain
from openmie.errors import ErrorRecord, RecipeError
from openmie.vlm.prompting.parsed_answer import Found

SAME = 0.5  # boxes of one thing in one image with a higher IoU are one box


def windows(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    """Half-open spans of at most `size` characters that cover the text, each sharing at least `overlap` with the next.

    They begin and end between words where there are blanks to do so. Errors: an overlap that leaves no room.
    """
    if not 0 <= overlap < size / 2:
        raise RecipeError(
            f"overlap={overlap} of window={size}",
            expected="less than half of the window",
            where="Asking",
            remedy="8000 and 800 are usual",
        )
    found, start = [], 0
    while len(text) - start > size:
        end = _blank(text, start + size, start + size - (size - 2 * overlap) // 4) or start + size
        found.append((start, end))
        begin = end - overlap
        start = _blank(text, begin, max(begin - overlap // 2, start + 1)) or begin
    return [*found, (start, len(text))]


def _blank(text: str, high: int, low: int) -> int:
    """The last place in [low, high] where a word begins; 0 where there is none."""
    return next((i for i in range(high, low - 1, -1) if text[i - 1].isspace()), 0)


def joined(parts: Sequence[Found], where: str, taken: Iterable[str] = ()) -> Found:
    """What several windows say, each thing once, with ids that are not `taken`.

    A span found in two windows is one mention, and chains that share one are one chain. Where two windows label a span
    differently the first is kept, with a record. Boxes are compared by IoU. Summaries stand one after the other.
    """
    join = _Join(where, set(taken))
    renamed = [join.mentions(part) for part in parts]
    for part, ids in zip(parts, renamed):
        join.chains(part, ids)
    join.number_chains()
    for part, ids in zip(parts, renamed):
        join.links(part, ids)
    join.whole.summary = " ".join(dict.fromkeys(part.summary for part in parts if part.summary))
    return join.whole


class _Join:
    def __init__(self, where: str, taken: set[str]) -> None:
        self.where, self.taken, self.whole = where, taken, Found()
        self.groups: list[_Group] = []

    def _name(self, kind: str, number: int) -> str:
        id = next(name for n in count(number) if (name := f"{kind}{n}") not in self.taken)
        self.taken.add(id)
        return id

    def mentions(self, part: Found) -> dict[str, str]:
        """Take over mentions that are new; ids of the part -> ids of the whole."""
        known = {(m.start, m.end) if m.status == "located" else (m.text, m.label): m for m in self.whole.mentions}
        renamed = {}
        for m in part.mentions:
            there = known.get((m.start, m.end) if m.status == "located" else (m.text, m.label))
            if there is None:
                there = m.model_copy(update={"id": self._name("m", len(self.whole.mentions))})
                self.whole.mentions.append(there)
            elif there.label != m.label:
                self.whole.errors.append(
                    ErrorRecord(
                        where=f"{self.where}, mention at {m.start}:{m.end}",
                        found=f"{m.label} in one part of the text, {there.label} in another",
                        expected="one label",
                        remedy=f"{there.label} was kept",
                    )
                )
            renamed[m.id] = there.id
        return renamed

    def chains(self, part: Found, ids: dict[str, str]) -> None:
        """Join the part's chains with those that share a mention."""
        for chain in part.chains:
            new = _Group({ids.get(m, m) for m in chain.mentions}, chain.label, [(ids, chain.id)])
            for old in [g for g in self.groups if g.members & new.members]:
                self.groups.remove(old)
                new = _Group(old.members | new.members, old.label or new.label, [*old.of, *new.of])
            self.groups.append(new)

    def number_chains(self) -> None:
        order = {m.id: n for n, m in enumerate(self.whole.mentions)}
        for group in self.groups:
            id = self._name("c", len(self.whole.chains))
            members = tuple(sorted(group.members, key=lambda m: (order.get(m, 0), m)))
            self.whole.chains.append(Chain(id=id, mentions=members, label=group.label))
            for ids, old in group.of:
                ids[old] = id

    def links(self, part: Found, ids: dict[str, str]) -> None:
        """Relations and regions by the new ids, each once; and the records."""
        whole = self.whole
        for r in part.relations:
            new = r.model_copy(update={"head": ids.get(r.head, r.head), "tail": ids.get(r.tail, r.tail)})
            if new not in whole.relations and new.head != new.tail:
                whole.relations.append(new)
        before = list(whole.regions)
        for region in part.regions:
            moved = region.model_copy(update={"of": ids.get(region.of, region.of)})
            alike = (b for b in before if (b.image, b.label, b.of) == (moved.image, moved.label, moved.of))
            if all(iou(b.box, moved.box) <= SAME for b in alike):
                whole.regions.append(moved)
        whole.errors += part.errors


@dataclass(frozen=True)
class _Group:
    """Chains that are one: all their mentions, and where each came from."""

    members: set[str]
    label: str
    of: list[tuple[dict[str, str], str]]


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two xyxy boxes; 0 where one is empty."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [max(c[2] - c[0], 0.0) * max(c[3] - c[1], 0.0) for c in (a, b)]
    return shared / (sum(areas) - shared) if shared else 0.0
