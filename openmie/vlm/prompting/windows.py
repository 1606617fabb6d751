"""Long texts: splits a text into overlapping windows, and merges the answers about them.

Any span of at most `overlap` characters lies whole in some window, and the windows cover the text, so no name is cut
and none is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from openmie.data.box_iou import box_iou
from openmie.data.document import Chain
from openmie.errors import ErrorRecord, RecipeError
from openmie.vlm.prompting.parsed_answer import ParsedAnswer

SAME_BOX_IOU = 0.5  # boxes of one referent in one image with a higher IoU are one box


def split_windows(text: str, size: int, overlap: int) -> list[tuple[int, int]]:
    """Split a text into overlapping windows, which begin and end between words where the text has blanks.

    Args:
        text: the text.
        size: characters of a window at most.
        overlap: characters that two consecutive windows share at least.

    Returns:
        Half-open spans that cover the text; one for a text that fits.

    Raises:
        RecipeError: an overlap of half the size or more.
    """
    if not 0 <= overlap < size / 2:
        raise RecipeError(
            f"overlap={overlap} of window={size}",
            expected="less than half of the window",
            where="PromptOptions",
            remedy="leave both out for the defaults (window=8000, overlap=800)",
        )
    found, start = [], 0
    while len(text) - start > size:
        end = _word_start(text, start + size, start + size - (size - 2 * overlap) // 4) or start + size
        found.append((start, end))
        begin = end - overlap
        start = _word_start(text, begin, max(begin - overlap // 2, start + 1)) or begin
    return [*found, (start, len(text))]


def _word_start(text: str, high: int, low: int) -> int:
    """The last place in [low, high] where a word begins; 0 where there is none."""
    return next((i for i in range(high, low - 1, -1) if text[i - 1].isspace()), 0)


def merge_windows(parts: Sequence[ParsedAnswer], where: str, taken: Iterable[str] = ()) -> ParsedAnswer:
    """Merge the answers about the windows of a text, each mention, chain, relation and box once.

    A span found in two windows is one mention, and chains that share a mention are one chain. Where two windows label a
    span differently, the first label is kept, with a record. Boxes are compared by IoU. Summaries are concatenated.

    Args:
        parts: the parsed answers, in the order of the windows.
        where: the place of new error records.
        taken: ids that the merged answer must not use.
    """
    merger = _Merger(where, set(taken))
    renamed = [merger.mentions(part) for part in parts]
    for part, ids in zip(parts, renamed):
        merger.chains(part, ids)
    merger.number_chains()
    for part, ids in zip(parts, renamed):
        merger.relations_and_regions(part, ids)
    merger.merged.summary = " ".join(dict.fromkeys(part.summary for part in parts if part.summary))
    return merger.merged


class _Merger:
    def __init__(self, where: str, taken: set[str]) -> None:
        self.where, self.taken, self.merged = where, taken, ParsedAnswer()
        self.groups: list[_ChainGroup] = []

    def _new_id(self, kind: str, number: int) -> str:
        id = next(name for n in count(number) if (name := f"{kind}{n}") not in self.taken)
        self.taken.add(id)
        return id

    def mentions(self, part: ParsedAnswer) -> dict[str, str]:
        """Add the mentions that are new; returns ids of the part -> merged ids."""
        known = {(m.start, m.end) if m.status == "located" else (m.text, m.label): m for m in self.merged.mentions}
        renamed = {}
        for m in part.mentions:
            merged = known.get((m.start, m.end) if m.status == "located" else (m.text, m.label))
            if merged is None:
                merged = m.model_copy(update={"id": self._new_id("m", len(self.merged.mentions))})
                self.merged.mentions.append(merged)
            elif merged.label != m.label:
                self.merged.errors.append(
                    ErrorRecord(
                        where=f"{self.where}, mention at {m.start}:{m.end}",
                        found=f"label is {m.label} in one part of the text and {merged.label} in another",
                        expected="one label",
                        remedy=f"{merged.label} was kept",
                    )
                )
            renamed[m.id] = merged.id
        return renamed

    def chains(self, part: ParsedAnswer, ids: dict[str, str]) -> None:
        """Merge the part's chains with those that share a mention."""
        for chain in part.chains:
            new = _ChainGroup({ids.get(m, m) for m in chain.mentions}, chain.label, [(ids, chain.id)])
            for old in [g for g in self.groups if g.members & new.members]:
                self.groups.remove(old)
                new = _ChainGroup(old.members | new.members, old.label or new.label, [*old.sources, *new.sources])
            self.groups.append(new)

    def number_chains(self) -> None:
        order = {m.id: n for n, m in enumerate(self.merged.mentions)}
        for group in self.groups:
            id = self._new_id("c", len(self.merged.chains))
            members = tuple(sorted(group.members, key=lambda m: (order.get(m, 0), m)))
            self.merged.chains.append(Chain(id=id, mentions=members, label=group.label))
            for ids, old in group.sources:
                ids[old] = id

    def relations_and_regions(self, part: ParsedAnswer, ids: dict[str, str]) -> None:
        """Add relations and regions by the merged ids, each once; and the records."""
        merged = self.merged
        for r in part.relations:
            new = r.model_copy(update={"head": ids.get(r.head, r.head), "tail": ids.get(r.tail, r.tail)})
            if new not in merged.relations and new.head != new.tail:
                merged.relations.append(new)
        before = list(merged.regions)
        for region in part.regions:
            new_region = region.model_copy(update={"of": ids.get(region.of, region.of)})
            key = (new_region.image, new_region.label, new_region.of)
            alike = (b for b in before if (b.image, b.label, b.of) == key)
            if all(box_iou(b.box, new_region.box) <= SAME_BOX_IOU for b in alike):
                merged.regions.append(new_region)
        merged.records += [r for r in part.records if r not in merged.records]
        merged.errors += part.errors


@dataclass(frozen=True)
class _ChainGroup:
    """Chains that are one: all their mentions, and the (id map of a part, id in the part) of each."""

    members: set[str]
    label: str
    sources: list[tuple[dict[str, str], str]]
