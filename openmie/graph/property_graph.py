"""The same facts as nodes and edges with properties, for GraphML, NetworkX, Neo4j and tables.

nodes    Document, Image, Mention, Region, Entity
edges    HAS_IMAGE document -> image            IN_DOCUMENT mention -> document    IN_IMAGE region -> image
         REFERS_TO mention -> entity            SHOWS region -> entity             SEEN_IN entity -> image
         RELATION entity -> entity, with its label
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from openmie.data.document import Document
from openmie.data.provenance import describe, read_provenance
from openmie.graph.fact_store import FactStore, Membership, StoredDocument
from openmie.graph.iris import GraphNames
from openmie.graph.local_entities import local_entities, owners
from openmie.graph.resources import KINDS_WITH_FILE, NO_RELATION
from openmie.graph.type_mapping import TypeMapping

Properties = dict[str, Any]
COLUMNS: Mapping[str, Mapping[str, type]] = {  # properties of each kind, and their types; any but the names may be None
    "Document": {"name": str, "text": str, "lang": str, "model": str},
    "Image": {"name": str, "image_kind": str, "path": str, "width": int, "height": int, "time": float},
    "Mention": {"name": str, "label": str, "start": int, "end": int, "score": float, "status": str, "model": str},
    "Region": {"name": str, "label": str, "x0": float, "y0": float, "x1": float, "y1": float, "score": float,
               "model": str},
    "Entity": {"name": str, "label": str, "types": str},
    "HAS_IMAGE": {},
    "IN_DOCUMENT": {},
    "IN_IMAGE": {},
    "REFERS_TO": {"rule": str, "reason": str},
    "SHOWS": {"rule": str, "reason": str},
    "SEEN_IN": {"document": str},
    "RELATION": {"label": str, "score": float, "document": str, "model": str, "head": str, "tail": str},
}  # fmt: skip
NODES = ("Document", "Image", "Mention", "Region", "Entity")
EDGES = tuple(name for name in COLUMNS if name not in NODES)


class Node(NamedTuple):
    """A node: its IRI, its kind, one of `NODES`, and the properties of `COLUMNS` that it has."""

    id: str
    kind: str
    properties: Properties


class Edge(NamedTuple):
    """An edge: IRIs of its ends, its kind, one of `EDGES`, and the properties of `COLUMNS` that it has."""

    source: str
    target: str
    kind: str
    properties: Properties


def nodes_and_edges(
    store: FactStore, names: GraphNames, mapping: TypeMapping, text: bool = True, paths: Any = str
) -> Iterator[Node | Edge]:
    """All nodes and edges of a store: those of each document, at last the entities.

    Args:
        store: with its entities merged.
        names: IRIs.
        mapping: classes of other vocabularies, in the property `types` of entities.
        text: whether documents carry their texts.
        paths: path of an image file -> how the graph names it.
    """
    for stored in store.documents():
        yield from _of_document(stored, store.links(stored.number), names, text, paths)
    for key, type_, title, _ in store.entities():
        types = " ".join(mapping.types.get(type_, ()))
        yield Node(names.entity(key), "Entity", {"name": title, "label": type_, "types": types})


def _of_document(
    stored: StoredDocument, links: Mapping[str, Membership], names: GraphNames, text: bool, paths: Any
) -> Iterator[Node | Edge]:
    document = stored.document
    inputs = names.document(document.id, stored.original)
    facts = names.document(document.id, stored.reading)
    told = read_provenance(document)
    model = describe(told) if told else ""
    boxed = {r.image for r in document.regions}
    images = [i for i in document.images if i.kind in KINDS_WITH_FILE or i.id in boxed]
    iris = {i.id: names.fact(inputs, "image", i.id) for i in images}
    if stored.original == stored.reading:
        about = {"name": document.id, "text": document.text if text else "", "lang": document.lang, "model": model}
        yield Node(inputs, "Document", about)
        for i in images:
            path = paths(i.path) if i.path else ""
            own = {
                "name": i.id,
                "image_kind": i.kind,
                "path": path,
                "width": i.width,
                "height": i.height,
                "time": i.time,
            }
            yield Node(iris[i.id], "Image", own)
            yield Edge(inputs, iris[i.id], "HAS_IMAGE", {})
    of = owners(local_entities(document))
    entities = {id: (names.entity(links[owner].key), links[owner]) for id, owner in of.items()}
    yield from _mentions(document, facts, inputs, names, model, entities)
    yield from _regions(document, facts, iris, names, model, entities)
    yield from _relations(document, model, entities)


Entities = Mapping[str, tuple[str, Membership]]


def _why(link: Membership) -> Properties:
    return {"rule": link.rule, "reason": link.reason}


def _mentions(
    document: Document, facts: str, inputs: str, names: GraphNames, model: str, entities: Entities
) -> Iterator[Node | Edge]:
    for m in document.mentions:
        iri = names.fact(facts, "mention", m.id)
        own = {"name": m.text, "label": m.label, "start": m.start, "end": m.end, "score": m.score}
        yield Node(iri, "Mention", {**own, "status": m.status, "model": model})
        yield Edge(iri, inputs, "IN_DOCUMENT", {})
        entity, link = entities[m.id]
        yield Edge(iri, entity, "REFERS_TO", _why(link))


def _regions(
    document: Document, facts: str, images: Mapping[str, str], names: GraphNames, model: str, entities: Entities
) -> Iterator[Node | Edge]:
    seen = set[tuple[str, str]]()
    for order, r in enumerate(document.regions):
        if r.image not in images:
            continue
        iri = names.fact(facts, "region", order)
        own = dict(zip(("x0", "y0", "x1", "y1"), r.box))
        yield Node(iri, "Region", {"name": r.text, "label": r.label, **own, "score": r.score, "model": model})
        yield Edge(iri, images[r.image], "IN_IMAGE", {})
        if r.of in entities:
            entity, link = entities[r.of]
            yield Edge(iri, entity, "SHOWS", _why(link))
            if (entity, r.image) not in seen:
                seen.add((entity, r.image))
                yield Edge(entity, images[r.image], "SEEN_IN", {"document": document.id})


def _relations(document: Document, model: str, entities: Entities) -> Iterator[Edge]:
    for r in document.relations:
        if r.label != NO_RELATION and r.head in entities and r.tail in entities:
            own = {"label": r.label, "score": r.score, "document": document.id, "model": model}
            ends = entities[r.head][0], entities[r.tail][0]
            yield Edge(*ends, "RELATION", {**own, "head": r.head, "tail": r.tail})
