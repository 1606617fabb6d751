"""Long documents in segments: what is read at once as a document of its own, and the predictions put together.

Segments overlap. Each has words of its own, whose annotation is taken from it, and reads words on either side of them,
so that what lies at a border is seen with its context, and whole. A mention is taken from the segment that its first
character is an own one of; a relation between mentions from the segment of the mention that begins first; chains of two
segments that share a mention are one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from openmie.data.document import Document
from openmie.data.layers import Chain, Mention, Region, Relation, TimeSpan, Word

LETTERS = 8  # of a word that count as one unit of length, and one more for each further eight


class Segment(NamedTuple):
    """A stretch of a document's words, as half-open numbers."""

    words: tuple[int, int]  # that are read
    own: tuple[int, int]  # whose annotation is taken from this segment


def cut(document: Document, most: int, overlap: int) -> list[Segment]:
    """The segments of a document, in the order of its text; one where it is not longer than `most`.

    Args:
        document: with words.
        most: length of what is read at once, about: a word counts 1, and 1 more for each further 8 characters.
        overlap: length of what is read on either side of a segment's own words.
    """
    count = len(document.words)
    if count + len(document.text) // LETTERS <= most:
        return [Segment((0, count), (0, count))]
    lengths = np.fromiter((1 + (end - start - 1) // LETTERS for start, end in document.words), np.int64, count)
    reach = np.cumsum(lengths.clip(1))  # of the text up to and with each word
    total = int(reach[-1]) if count else 0
    if total <= most:
        return [Segment((0, count), (0, count))]
    number = -(-total // max(most - 2 * overlap, 1))
    marks = np.arange(1, number) * total // number
    cuts = np.searchsorted(reach, marks).clip(1)  # behind the first word at least, however long it is
    bounds = np.unique([0, *cuts.tolist(), count]).tolist()
    before = np.concatenate([[0], reach])
    firsts = np.searchsorted(before, before[bounds[:-1]] - overlap)
    lasts = np.searchsorted(before, before[bounds[1:]] + overlap, "right") - 1
    return [Segment((first, last), own) for first, last, own in zip(firsts.tolist(), lasts.tolist(), pairwise(bounds))]


def part(document: Document, segment: Segment) -> Document:
    """A segment as a document: its text, and all that lies inside; images, captions and phrases are those of the whole.

    Regions and error records are left out.
    """
    first, last = segment.words
    words = document.words
    start, end = words[first].start, words[last - 1].end
    mentions = [m for m in document.mentions if start <= m.start and m.end <= end]
    known = {m.id for m in mentions}
    chains = [c.model_copy(update={"mentions": tuple(m for m in c.mentions if m in known)}) for c in document.chains]
    chains = [c for c in chains if c.mentions]
    known |= {c.id for c in chains}
    return document.replace(
        text=document.text[start:end],
        words=tuple(Word(a - start, b - start) for a, b in words[first:last]),
        mentions=tuple(m.model_copy(update={"start": m.start - start, "end": m.end - start}) for m in mentions),
        chains=tuple(chains),
        relations=tuple(r for r in document.relations if r.head in known and r.tail in known),
        times=tuple(
            TimeSpan(max(a, start) - start, min(b, end) - start, *seconds)
            for a, b, *seconds in document.times
            if a < end and b > start
        ),
        regions=(),
        records=(),
        errors=(),
    )


def joined(
    document: Document,
    segments: Sequence[Segment],
    found: Sequence[Document],
    *,
    mentions_given: bool = False,
    chains_given: bool = False,
    symmetric: Collection[str] = (),
) -> Document:
    """The document with the predictions of its segments.

    Args:
        document: that the segments are of.
        segments: as `cut` returns them.
        found: the prediction for `part(document, segment)` of each.
        mentions_given: the mentions are the document's own, and keep their ids; else they are named m0, m1, ...
        chains_given: the same for chains.
        symmetric: relation labels without a direction.

    Returns:
        The document. Regions, which are of images and not of the text, are those of the first segment.
    """
    if mentions_given:
        mentions, names = document.mentions, [{m.id: m.id for m in one.mentions} for one in found]
    else:
        mentions, names = _mentions(document, segments, found)
    chains, of = _chains(found, names, chains_given, {m.id for m in mentions})
    start = {m.id: m.start for m in mentions}
    relations = _relations(document, segments, found, [{**a, **b} for a, b in zip(names, of)], start, symmetric)
    both = {**names[0], **of[0]}
    regions: list[Region] = [r.model_copy(update={"of": both.get(r.of, "")}) for r in found[0].regions]
    return document.replace(
        mentions=mentions,
        chains=chains,
        relations=relations,
        regions=tuple(regions),
        summary=found[0].summary,
        source=found[0].source,
        errors=tuple(dict.fromkeys((*document.errors, *(error for one in found for error in one.errors)))),
    )


def _borders(document: Document, segment: Segment) -> tuple[int, int, int]:
    """The first character that is read, and the half-open range of own ones, with what stands around the whole text."""
    words, (first, last) = document.words, segment.own
    low = words[first].start if first else 0
    high = words[last].start if last < len(words) else len(document.text) + 1
    return words[segment.words[0]].start, low, high


def _mentions(
    document: Document, segments: Sequence[Segment], found: Sequence[Document]
) -> tuple[tuple[Mention, ...], list[dict[str, str]]]:
    """All mentions, and for each segment the ids by which its own are known."""
    kept, known, end = list[Mention](), dict[tuple[int, int, str], str](), 0
    for segment, one in zip(segments, found):
        shift, low, high = _borders(document, segment)
        border = end  # what the segment before has named is not named again
        for m in one.mentions:
            a, b = m.start + shift, m.end + shift
            if low <= a < high and a >= border:
                moved = m.model_copy(update={"id": f"m{len(kept)}", "start": a, "end": b})
                known.setdefault((a, b, m.label), moved.id)
                kept.append(moved)
                end = max(end, b)
    names = []
    for segment, one in zip(segments, found):
        shift = _borders(document, segment)[0]
        places = ((m.id, (m.start + shift, m.end + shift, m.label)) for m in one.mentions)
        names.append({id: known[place] for id, place in places if place in known})
    return tuple(kept), names


def _chains(
    found: Sequence[Document], names: Sequence[dict[str, str]], given: bool, taken: set[str]
) -> tuple[tuple[Chain, ...], list[dict[str, str]]]:
    """All chains, and for each segment the ids by which its own are known."""
    groups: list[tuple[Chain, dict[str, Any]]] = []  # the largest part of each chain, and its mentions
    owner: dict[str, int] = {}  # mention, or a given chain's id -> its chain
    at: list[dict[str, int]] = []
    moved: dict[int, int] = {}
    for one, name in zip(found, names):
        at.append({})
        for chain in one.chains:
            members = [name[m] for m in chain.mentions if m in name]
            if not members:
                continue
            keys = [f"chain {chain.id}"] if given else members
            joint = sorted({_root(moved, owner[k]) for k in keys if k in owner})
            number = joint[0] if joint else len(groups)
            if not joint:
                groups.append((chain, {}))
            largest, inside = groups[number]
            groups[number] = (chain if len(members) > len(inside) else largest, inside)
            inside.update(dict.fromkeys(members))
            for other in joint[1:]:
                groups[number][1].update(groups[other][1])
                moved[other] = number
            owner.update(dict.fromkeys(keys, number))
            at[-1][chain.id] = number
    ids: dict[int, str] = {}
    for number, (chain, _) in enumerate(groups):
        if number not in moved:
            id = chain.id if given else f"c{len(ids)}"
            while id in taken:
                id += "'"
            ids[number] = id
    chains = [groups[n][0].model_copy(update={"id": id, "mentions": tuple(groups[n][1])}) for n, id in ids.items()]
    return tuple(chains), [{id: ids[_root(moved, n)] for id, n in own.items()} for own in at]


def _root(moved: dict[int, int], number: int) -> int:
    """The chain that a chain has become a part of; what was passed on the way leads there at once from now on."""
    passed = []
    while number in moved:
        passed.append(number)
        number = moved[number]
    moved.update(dict.fromkeys(passed, number))
    return number


def _relations(
    document: Document,
    segments: Sequence[Segment],
    found: Sequence[Document],
    names: Sequence[dict[str, str]],
    start: dict[str, int],
    symmetric: Collection[str],
) -> tuple[Relation, ...]:
    best: dict[tuple[str, frozenset[str] | tuple[str, str]], Relation] = {}
    for segment, one, name in zip(segments, found, names):
        _, low, high = _borders(document, segment)
        for r in one.relations:
            if r.head not in name or r.tail not in name:
                continue
            moved = r.model_copy(update={"head": name[r.head], "tail": name[r.tail]})
            places = [start[id] for id in (moved.head, moved.tail) if id in start]
            if moved.head == moved.tail or (len(places) == 2 and not low <= min(places) < high):
                continue
            ends: frozenset[str] | tuple[str, str] = (moved.head, moved.tail)
            key = (r.label, frozenset(ends) if r.label in symmetric else ends)
            if key not in best or (r.score or 0.0) > (best[key].score or 0.0):
                best[key] = moved
    return tuple(best.values())
