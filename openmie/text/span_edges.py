"""Spans that cut words: what becomes of a mention that begins or ends inside a word, one rule for all who count words.

People draw spans with a mouse, a character short or with a comma too many; taggers, files in columns and their scores
know whole words. `expand` takes all words that a span touches, `shrink` those that lie whole within it, `drop` refuses
it: training then leaves its words open, a file in columns leaves it out, and a score counts it on neither side. spaCy's
`alignment_mode` calls the first two `expand` and `contract`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from openmie.data.document import Document, Mention, Word
from openmie.text.words import split_words

SpanEdges = Literal["expand", "shrink", "drop"]
Span = tuple[int, int]


class WholeWords(NamedTuple):
    """A document whose mentions begin and end where words do, as far as the rule says so.

    Args:
        document: with the moved mentions; those that are refused stand as they were.
        moved: ids of mentions that were moved.
        skipped: ids of mentions that the rule leaves where they are.
    """

    document: Document
    moved: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def whole_words(document: Document, edges: SpanEdges = "expand", words: Sequence[Word] = ()) -> WholeWords:
    """The document with its mentions at whole words.

    Args:
        document: with words; of one without, the words of its text count.
        edges: the rule.
        words: other words that count; in text order, apart from each other.

    Returns:
        The document, itself where no mention cuts a word, and what was done. What is not located in the text stays.
    """
    places = cut_spans(document, edges, words)
    if not places:
        return WholeWords(document)
    mentions: list[Mention] = []
    moved: list[str] = []
    skipped: list[str] = []
    for m in document.mentions:
        place = places.get((m.start, m.end)) if m.status != "unlocated" else None
        cut = m.status != "unlocated" and (m.start, m.end) in places
        mentions.append(moved_mention(document.text, m, place) if place else m)
        moved += [m.id] if place else []
        skipped += [m.id] if cut and not place else []
    return WholeWords(document.replace(mentions=tuple(mentions)), tuple(moved), tuple(skipped))


def moved_mention(text: str, mention: Mention, place: Span) -> Mention:
    """The mention at another place of a text."""
    start, end = place
    return mention.model_copy(update={"start": start, "end": end, "text": text[start:end]})


def cut_spans(document: Document, edges: SpanEdges, words: Sequence[Word] = ()) -> Mapping[Span, Span | None]:
    """The spans of a document's mentions that cut words, and where the rule puts them; None where it refuses them.

    Args:
        document: see `whole_words`.
        edges: the rule.
        words: see `whole_words`.
    """
    spans = {(m.start, m.end) for m in document.mentions if m.status != "unlocated"}
    if not spans:
        return {}
    known = [w for w in words or document.words or split_words(document.text) if w[1] > w[0]]
    starts, ends = {w[0] for w in known}, {w[1] for w in known}
    cut = [s for s in spans if s[0] not in starts or s[1] not in ends]
    if not cut:
        return {}
    ordered = sorted((w[0], w[1]) for w in known)
    return {span: _placed(span, [w[0] for w in ordered], [w[1] for w in ordered], edges) for span in cut}


def _placed(span: Span, starts: Sequence[int], ends: Sequence[int], edges: SpanEdges) -> Span | None:
    start, end = span
    if edges == "drop":
        return None
    if edges == "expand":  # the words that share a character with it
        first, last = bisect_right(ends, start), bisect_left(starts, end) - 1
    else:  # the words that lie whole within it
        first, last = bisect_left(starts, start), bisect_right(ends, end) - 1
    return (starts[first], ends[last]) if first <= last else None
