"""Several passes over the same text: the union of their answers, in which the first pass that found a place wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from openmie.data.document import Mention, Record
from openmie.vlm.prompting.parsed_answer import ParsedAnswer
from openmie.vlm.prompting.windows import merge_windows


def merge_passes(passes: Sequence[ParsedAnswer], where: str, taken: Iterable[str] = ()) -> ParsedAnswer:
    """Unite the answers of several passes over one window.

    A mention that overlaps one of an earlier pass is that mention, whatever its label and edges, and gives it the
    attributes that it lacked; relations and boxes of a later pass follow it there. A record that overlaps one of an
    earlier pass is left out. The summary is that of the first pass that has one.

    Args:
        passes: the parsed answers, in the order of the passes; one comes back as it is.
        where: the place of new error records.
        taken: ids that the united answer must not use.
    """
    if len(passes) == 1:
        return passes[0]
    owner: dict[int, Mention] = {}  # code point -> the mention of an earlier pass that holds it
    records: list[Record] = []
    parts: list[ParsedAnswer] = []
    more: dict[tuple[int, int], dict[str, object]] = {}
    for number, part in enumerate(passes):
        mentions = [_same_place(m, owner) for m in part.mentions]
        for m, original in zip(mentions, part.mentions):
            more[m.start, m.end] = {**original.attributes, **more.get((m.start, m.end), {})}
        owner.update({at: m for m in mentions if m.status == "located" for at in range(m.start, m.end)})
        new = [r for r in part.records if not any(_overlap(r, old) for old in records)]
        records += new
        summary = "" if any(p.summary for p in passes[:number]) else part.summary
        parts.append(ParsedAnswer(summary, mentions, part.chains, part.relations, part.regions, part.errors, new))
    merged = merge_windows(parts, where, taken)
    merged.mentions = [
        m.model_copy(update={"attributes": more[m.start, m.end]}) if m.status == "located" else m
        for m in merged.mentions
    ]
    return merged


def _same_place(mention: Mention, owner: dict[int, Mention]) -> Mention:
    """The mention at the place of an earlier one that it overlaps, with that one's label."""
    old = next((owner[at] for at in range(mention.start, mention.end) if at in owner), None)
    if old is None or mention.status != "located":
        return mention
    return mention.model_copy(update={"start": old.start, "end": old.end, "text": old.text, "label": old.label})


def _overlap(one: Record, other: Record) -> bool:
    """Whether two records are of one place of the text; of records without places, whether their data is equal."""
    places = [(s.start, s.end) for s in one.spans if s.start < s.end]
    others = [(s.start, s.end) for s in other.spans if s.start < s.end]
    if not places or not others:
        return one.data == other.data
    return any(a < d and c < b for a, b in places for c, d in others)
