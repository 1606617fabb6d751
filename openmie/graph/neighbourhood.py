"""What surrounds an entity in a graph: its relations, what is seen in one image with it, the posts that say so."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from openmie.data.document import Box
from openmie.errors import OpenMIEError, nearest
from openmie.graph.iris import GraphNames
from openmie.graph.query import ask, graph_names, rows
from openmie.graph.selectors import parse_xywh

MOST_POSTS = 60  # that a page shows
MOST_LINKS = 50_000  # documents of links that are read
MOST_SIGHTS = 3  # thumbnails of one entity


@dataclass(frozen=True)
class Sight:
    """A box in an image that shows an entity.

    Args:
        image: IRI of the image.
        path: of its file, as the graph names it; "" for none.
        box: (x0, y0, x1, y1) in pixels of the upright original.
        document: IRI of its document.
    """

    image: str
    path: str
    box: Box
    document: str


@dataclass
class DrawnEntity:
    """An entity of the neighbourhood: IRI, name, type, number of documents, and where it is seen."""

    iri: str
    name: str
    type: str
    documents: int = 0
    sights: list[Sight] = field(default_factory=list)


@dataclass(frozen=True)
class DrawnLink:
    """A relation, or that two entities are seen in one image (label ""): their IRIs, the label, and documents' IRIs."""

    head: str
    tail: str
    label: str
    documents: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a document mentions an entity: IRI of the entity, and code-point offsets."""

    entity: str
    start: int
    end: int


@dataclass
class DrawnPost:
    """A document of the neighbourhood: IRI, id, text, and the mentions of drawn entities in it."""

    iri: str
    id: str
    text: str
    places: list[Place] = field(default_factory=list)


@dataclass
class Neighbourhood:
    """What is drawn: an entity, those around it, their links and posts; entities left out, and images not read."""

    centre: str
    entities: dict[str, DrawnEntity]
    links: list[DrawnLink]
    posts: list[DrawnPost]
    left_out: int = 0
    unread: int = 0


def find_entity(store: Any, entity: str) -> str:
    """The IRI of an entity.

    Args:
        store: of `openmie.graph.query.open_store`.
        entity: its IRI, its key such as `PER/ada`, or a name that it has; of several, the one in most documents.

    Raises:
        OpenMIEError: none; names that are near are proposed.
    """
    from pyoxigraph import Literal

    names = graph_names(store)
    prefixes = names.prefixes()
    keyed = names.entity(entity)
    for iri in (names.base + quote(entity.removeprefix(names.base), safe="/%~"), keyed):
        if bool(ask(store, f"ASK {{ <{iri}> a mie:Entity }}", prefixes)):
            return iri
    query = f"""SELECT ?e (COUNT(DISTINCT ?d) AS ?n) {{ VALUES ?asked {{ {Literal(entity)} }}
      ?e a mie:Entity ; rdfs:label|skos:altLabel ?name ;
      mie:mentionedIn ?d . FILTER(LCASE(STR(?name)) = LCASE(?asked)) }} GROUP BY ?e ORDER BY DESC(?n) ?e LIMIT 1"""
    for row in rows(ask(store, query, prefixes)):
        return str(row["e"])
    some = rows(ask(store, "SELECT ?name { ?e a mie:Entity ; rdfs:label ?name } LIMIT 5000", prefixes))
    raise OpenMIEError(
        f"no entity {entity!r}",
        expected="a name, a key such as PER/ada, or an IRI of this graph",
        remedy=nearest(entity, (str(row["name"]) for row in some)),
    )


def read_neighbourhood(store: Any, centre: str, steps: int = 1, most: int = 30) -> Neighbourhood:
    """Read what surrounds an entity.

    Args:
        store: of `openmie.graph.query.open_store`.
        centre: IRI of the entity.
        steps: how many links away.
        most: entities at most; those with most links to the ones before come first.
    """
    return _Reader(store).read(centre, steps, most)


class _Reader:
    def __init__(self, store: Any) -> None:
        self.store = store
        self.names: GraphNames = graph_names(store)
        self.prefixes = self.names.prefixes()

    def query(self, query: str, entities: Iterable[str] = ()) -> list[dict[str, Any]]:
        values = " ".join(f"<{iri}>" for iri in entities)
        return rows(
            ask(self.store, query.replace("$ENTITIES", values).replace("{MOST_LINKS}", str(MOST_LINKS)), self.prefixes)
        )

    def read(self, centre: str, steps: int, most: int) -> Neighbourhood:
        chosen, left = [centre], 0
        ring = [centre]
        for _ in range(steps):
            counts: dict[str, int] = {}
            for link in self.links(ring):
                for end in (link.head, link.tail):
                    if end not in chosen:
                        counts[end] = counts.get(end, 0) + len(link.documents)
            ring = sorted(counts, key=lambda iri: (-counts[iri], iri))
            left += max(0, len(ring) - (most - len(chosen)))
            ring = ring[: most - len(chosen)]
            chosen += ring
            if not ring:
                break
        links = [x for x in self.links(chosen) if x.head in chosen and x.tail in chosen]
        entities = self.entities(chosen)
        return Neighbourhood(centre, entities, links, self.posts(links, centre, chosen), left)

    def links(self, entities: list[str]) -> list[DrawnLink]:
        """Relations of these entities, and who is seen in one image with them."""
        found: dict[tuple[str, str, str], dict[str, None]] = {}
        relations = """SELECT DISTINCT ?h ?t ?label ?d { VALUES ?e { $ENTITIES } { ?r rdf:subject ?e } UNION
          { ?r rdf:object ?e } ?r a mie:Relation ; rdf:subject ?h ; rdf:object ?t ; mie:label ?label ;
          prov:wasDerivedFrom ?d } ORDER BY ?h ?t ?label ?d LIMIT {MOST_LINKS}"""
        for row in self.query(relations, entities):
            found.setdefault((row["h"], row["t"], row["label"]), {})[row["d"]] = None
        beside = """SELECT DISTINCT ?e ?o ?d { VALUES ?e { $ENTITIES } ?e mie:seenIn ?i . ?o mie:seenIn ?i .
          ?i schema:isPartOf ?d FILTER(?e != ?o) } ORDER BY ?e ?o ?d LIMIT {MOST_LINKS}"""
        for row in self.query(beside, entities):
            pair = sorted((row["e"], row["o"]))
            found.setdefault((pair[0], pair[1], ""), {})[row["d"]] = None
        return [DrawnLink(*key, tuple(documents)) for key, documents in found.items()]

    def entities(self, chosen: list[str]) -> dict[str, DrawnEntity]:
        found = {iri: DrawnEntity(iri, iri, "") for iri in chosen}
        about = """SELECT ?e ?name ?type (COUNT(DISTINCT ?d) AS ?n) { VALUES ?e { $ENTITIES } ?e rdfs:label ?name ;
          mie:label ?type ; mie:mentionedIn ?d } GROUP BY ?e ?name ?type"""
        for row in self.query(about, chosen):
            entity = found[row["e"]]
            entity.name, entity.type, entity.documents = row["name"], row["type"], row["n"]
        seen = """SELECT ?e ?i ?path ?box ?d { VALUES ?e { $ENTITIES } ?e owl:sameAs ?l .
          ?r oa:hasBody ?l ; a mie:Region ; oa:hasTarget ?t .
          ?t oa:hasSource ?i ; oa:hasSelector/rdf:value ?box . ?i schema:isPartOf ?d .
          OPTIONAL { ?i schema:contentUrl ?path } } ORDER BY ?e ?d ?i ?box"""
        for row in self.query(seen, chosen):
            sights = found[row["e"]].sights
            if len(sights) < MOST_SIGHTS:
                sights.append(Sight(row["i"], row.get("path", ""), parse_xywh(row["box"]), row["d"]))
        return found

    def posts(self, links: list[DrawnLink], centre: str, chosen: list[str]) -> list[DrawnPost]:
        """Documents of links at the centre first, then of others, then further ones that mention the centre."""
        order = dict.fromkeys(d for x in links if centre in (x.head, x.tail) for d in x.documents)
        order |= dict.fromkeys(d for x in links for d in x.documents)
        mentioned = self.query(
            "SELECT DISTINCT ?d { VALUES ?e { $ENTITIES } ?e mie:mentionedIn ?d } ORDER BY ?d", [centre]
        )
        order |= dict.fromkeys(row["d"] for row in mentioned)
        shown = list(order)[:MOST_POSTS]
        posts = {iri: DrawnPost(iri, iri, "") for iri in shown}
        about = (
            "SELECT ?d ?id ?text { VALUES ?d { $ENTITIES } ?d schema:identifier ?id OPTIONAL { ?d schema:text ?text } }"
        )
        for row in self.query(about, shown):
            posts[row["d"]].id, posts[row["d"]].text = row["id"], row.get("text", "")
        places = """SELECT DISTINCT ?d ?e ?start ?end { VALUES ?d { $ENTITIES } ?t oa:hasSource ?d ; oa:hasSelector ?s .
          ?s oa:start ?start ; oa:end ?end . ?a oa:hasTarget ?t ; oa:hasBody ?l . ?e owl:sameAs ?l }
          ORDER BY ?d ?start DESC(?end)"""
        for row in self.query(places, shown):
            if row["e"] in chosen:
                posts[row["d"]].places.append(Place(row["e"], row["start"], row["end"]))
        return list(posts.values())


def graph_folder(path: str | os.PathLike[str]) -> str:
    """The folder that image paths of a graph are relative to."""
    where = os.path.abspath(path)
    return where if os.path.isdir(os.path.join(where, "graph.oxigraph")) else os.path.dirname(where)
