"""What reading a grid loses of the document that it was made of, and what it finds beyond it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from openmie.data.document import Document, Mention, Relation
from openmie.model.codec.dropped import Dropped
from openmie.model.codec.word_pairs_classes import Fact, fact_of, facts, places_of

Found = tuple[tuple[Mention, ...], tuple[Relation, ...]]  # the mentions and relations that decoding finds


def losses(
    document: Document, found: Found, given_up: Sequence[Dropped], symmetric: Collection[str] = ()
) -> list[Dropped]:
    """Every mention and relation (but "None") whose fact is not among those that decoding finds, with the reason.

    Args:
        document: Gold, as annotated.
        found: What decoding finds in the cells of this document.
        given_up: What encoding could not draw, with its reasons; what is found all the same is not lost.
        symmetric: Relation labels without a direction.

    Returns:
        The losses: first those of `given_up`, then mentions, then relations, in document order. As a set of facts
        these are gold less what is found.
    """
    read, places = facts(*found, symmetric), places_of(document.mentions)
    reasons = {id(x.what): x for x in given_up}
    lost_mentions = [m for m in document.mentions if (m.start, m.end, m.label) not in read[0]]
    lost = {m.id for m in lost_mentions}
    lost_relations = [
        r for r in document.relations if r.label != "None" and fact_of(r, places, symmetric) not in read[1]
    ]
    spans = [m for m in document.mentions if m.id not in lost]
    rest = [Dropped(m, _why_mention(m, spans)) for m in lost_mentions if id(m) not in reasons]
    rest += [Dropped(r, _why_relation(r, lost)) for r in lost_relations if id(r) not in reasons]
    gone = {id(x) for x in (*lost_mentions, *lost_relations)}
    return [x for key, x in reasons.items() if key in gone] + rest


def additions(document: Document, found: Found, symmetric: Collection[str] = ()) -> list[Relation]:
    """The relations between mentions of the document, by its ids, that decoding finds and it does not state."""
    said, places = facts(document.mentions, document.relations, symmetric), places_of(found[0])
    ids: dict[Fact, str] = {(m.start, m.end, m.label): m.id for m in reversed(document.mentions)}
    beyond = [r for r in found[1] if fact_of(r, places, symmetric) not in said[1]]
    named = [(ids.get(places[r.head]), ids.get(places[r.tail]), r.label) for r in beyond]
    return [Relation(head=a, tail=b, label=label) for a, b, label in named if a and b]


def _why_mention(m: Mention, read: Sequence[Mention]) -> str:
    if any(m.start < other.end and other.start < m.end for other in read):
        return "it overlaps another mention, and of mentions that overlap one is read"
    return "its cells are read as other mentions, or as none"


def _why_relation(r: Relation, lost: Collection[str]) -> str:
    if r.head in lost or r.tail in lost:
        return "its head or tail is a mention that is not read"
    return "its cells are those of other mentions and relations, and are read as theirs"
