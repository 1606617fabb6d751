"""Convert chains to coreference links between mentions and back, for tools that have spans, relations and boxes only.

Annotators mark coreference by a relation between two mentions, as M3D's did in brat (its section IV-B).

    chains_to_links   chain m1 m2 m3                ->  m1 -coreference-> m2 -coreference-> m3
                      relation of two chains        ->  the same label between their first mentions
                      region of a chain             ->  of its first mention
    links_to_chains   the inverse; chains are the connected parts, a mention without a link is a chain of its own
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from openmie.data.document import Chain, Document, Mention, Relation
from openmie.errors import ErrorRecord

COREFERENCE = "coreference"


def chains_to_links(document: Document, label: str = COREFERENCE) -> Document:
    """The document with coreference links in place of chains.

    The label of a chain is that of its mentions. A relation of a chain without mentions is a record in `errors`.
    """
    nowhere = {m.id for m in document.mentions if m.status == "unlocated"}  # last, for tools have no place for them
    order = {c.id: sorted(c.mentions, key=nowhere.__contains__) for c in document.chains}
    first = {id: mentions[0] for id, mentions in order.items() if mentions}
    gone = {c.id for c in document.chains} - set(first)
    links = [Relation(head=a, tail=b, label=label) for m in order.values() for a, b in itertools.pairwise(m)]
    lost = [r for r in document.relations if {r.head, r.tail} & gone]
    kept = [
        r.model_copy(update={"head": first.get(r.head, r.head), "tail": first.get(r.tail, r.tail)})
        for r in document.relations
        if not {r.head, r.tail} & gone
    ]
    regions = [r.model_copy(update={"of": "" if r.of in gone else first.get(r.of, r.of)}) for r in document.regions]
    errors = [
        ErrorRecord(
            where=f"document {document.id}, relation {r.label}",
            found=f"{r.head} and {r.tail}",
            expected="two chains with mentions",
            remedy="it was left out",
        )
        for r in lost
    ]
    return document.replace(
        chains=(), relations=(*links, *kept), regions=tuple(regions), errors=(*document.errors, *errors)
    )


def links_to_chains(document: Document, label: str = COREFERENCE) -> Document:
    """The document with chains made of its links, named L0, L1, ... by their first mention; those it had go.

    Relations and regions are of chains then; relations that become equal are one. A chain has the label of most of its
    mentions, of the first one among equals. Records in `errors` say where they differ, where a relation joins a chain
    with itself, and where something is of a chain that went.
    """
    located = sorted((m for m in document.mentions if m.status != "unlocated"), key=lambda m: (m.start, -m.end))
    others = [m for m in document.mentions if m.status == "unlocated"]
    links = [(r.head, r.tail) for r in document.relations if r.label == label]
    groups = _connected([*located, *others], links)
    prefix = "L"
    while any(m.id.startswith(prefix) for m in document.mentions):
        prefix += "_"
    chains = tuple(
        Chain(id=f"{prefix}{n}", mentions=tuple(m.id for m in g), label=_most(g)) for n, g in enumerate(groups)
    )
    of = {m: c.id for c in chains for m in c.mentions}
    relations: dict[tuple[str, str, str], Relation] = {}
    errors = [
        _record(document, f"labels {sorted({m.label for m in g})} in one chain", "one label", c.id)
        for c, g in zip(chains, groups)
        if len({m.label for m in g}) > 1
    ]
    for r in document.relations:
        if lost := sorted({r.head, r.tail} - of.keys()):
            errors.append(_record(document, f"relation {r.label!r} with {lost[0]!r}", "mentions of it", lost[0]))
        if lost or r.label == label:
            continue
        head, tail = of[r.head], of[r.tail]
        if head == tail:
            errors.append(_record(document, f"relation {r.label!r} from a chain to itself", "two chains", head))
        else:
            relations.setdefault((head, tail, r.label), r.model_copy(update={"head": head, "tail": tail}))
    errors += [
        _record(document, f"a box in {r.image!r} of {r.of!r}", "a mention of it", r.of)
        for r in document.regions
        if r.of and r.of not in of
    ]
    regions = tuple(r.model_copy(update={"of": of.get(r.of, "")}) for r in document.regions)
    return document.replace(
        chains=chains, relations=tuple(relations.values()), regions=regions, errors=(*document.errors, *errors)
    )


def _record(document: Document, found: str, expected: str, chain: str) -> ErrorRecord:
    return ErrorRecord(
        where=f"document {document.id}, chain {chain}", found=found, expected=expected, remedy="correct the annotation"
    )


def _connected(mentions: list[Mention], links: Iterable[tuple[str, str]]) -> list[list[Mention]]:
    """Connected parts, in the order of their first mentions."""
    root = {m.id: m.id for m in mentions}

    def find(id: str) -> str:
        while root[id] != id:
            root[id] = id = root[root[id]]
        return id

    for a, b in links:
        if a in root and b in root:
            root[find(b)] = find(a)
    parts: dict[str, list[Mention]] = {}
    for m in mentions:
        parts.setdefault(find(m.id), []).append(m)
    return list(parts.values())


def _most(group: list[Mention]) -> str:
    labels = [m.label for m in group]
    return max(labels, key=lambda x: (labels.count(x), -labels.index(x)))
