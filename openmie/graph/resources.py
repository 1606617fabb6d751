"""Documents as RDF: Web Annotations of texts and images, PROV-O for models, owl:sameAs for what was merged.

A mention is an `oa:Annotation` whose target is a `TextPositionSelector` (code points) in its document and whose body
is the entity of the document; a region is one whose target is a `FragmentSelector` in its image. The entity of a
document (`mie:EntityInDocument`) is `owl:sameAs` that of the graph (`mie:Entity`), with the rule of the merge. A
relation is a triple between two entities of the graph, and an `rdf:Statement` with score, document and model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from openmie.data.document import Document, Image
from openmie.data.provenance import digest, read_provenance
from openmie.graph.fact_store import FactStore, Membership, StoredDocument
from openmie.graph.iris import MEDIA_FRAGMENTS, GraphNames, Iri
from openmie.graph.local_entities import local_entities, owners
from openmie.graph.selectors import format_xywh
from openmie.graph.type_mapping import TypeMapping

NO_RELATION = "None"  # label of pairs without one
KINDS_WITH_FILE = ("main", "frame", "generated")  # images that are always in the graph; crops where a region names them


class Typed(NamedTuple):
    """A literal with a datatype."""

    text: str
    datatype: str


Value = Iri | Typed | str | int | float
Properties = list[tuple[str, Value]]


class Resource(NamedTuple):
    """A subject with some of its triples.

    Args:
        iri: of the subject.
        properties: predicates and objects; predicates are IRIs or names with a prefix.
        graph: IRI of the named graph, for formats that have them.
    """

    iri: str
    properties: Properties
    graph: str


class ResourceWriter:
    """Makes the resources of a graph, document by document, in bounded memory.

    Args:
        names: IRIs.
        mapping: classes and properties of other vocabularies.
        text: whether documents carry their texts.
        paths: path of an image file -> how the graph names it.
    """

    def __init__(self, names: GraphNames, mapping: TypeMapping, text: bool = True, paths: Any = str) -> None:
        self.names, self.mapping, self.text, self.paths = names, mapping, text, paths
        self.known: set[str] = set()  # models, activities and relations that have been described

    def all(self, store: FactStore, rules: Iterable[str] = ()) -> Iterator[Resource]:
        """The resources of all documents, then those of the entities of the graph."""
        about: Properties = [("rdf:type", Iri("mie:Graph")), ("mie:base", self.names.base)]
        yield Resource(self.names.graph, [*about, *(("mie:mergedBy", rule) for rule in rules)], self.names.graph)
        for stored in store.documents():
            yield from self.document(stored, store.links(stored.number))
        for key, type_, title, aliases in store.entities():
            yield self.entity(key, type_, title, aliases)

    def entity(self, key: str, type: str, title: str, aliases: Iterable[str]) -> Resource:
        """An entity of the graph."""
        classes = ["mie:Entity", *self.mapping.types.get(type, ())]
        properties: Properties = [("rdf:type", Iri(name)) for name in classes]
        properties += [("rdfs:label", title), ("mie:label", type), ("mie:key", key)]
        properties += [("skos:altLabel", alias) for alias in aliases]
        return Resource(self.names.entity(key), properties, self.names.graph)

    def document(self, stored: StoredDocument, links: Mapping[str, Membership]) -> Iterator[Resource]:
        """All that one document says."""
        document = stored.document
        facts = self.names.document(document.id, stored.reading)
        inputs = self.names.document(document.id, stored.original)
        told = read_provenance(document)
        yield from self._activity(told)
        made: Properties = [("prov:wasDerivedFrom", Iri(inputs))]
        made += [("prov:wasGeneratedBy", Iri(self._activity_iri(told)))] if told else []
        of = owners(local_entities(document))
        found = _DocumentFacts(self, document, facts, inputs, made, links, of)
        for iri, properties in found.all():
            yield Resource(iri, properties, facts)

    def describe_relation(self, label: str) -> Iterator[tuple[str, Properties]]:
        """A relation as a property, once."""
        iri = self.names.relation(label)
        if iri not in self.known:
            self.known.add(iri)
            yield iri, [("rdf:type", Iri("rdf:Property")), ("rdfs:label", label)]

    def _activity_iri(self, told: Mapping[str, Any]) -> str:
        return self.names.named("activity", digest(told))

    def _activity(self, told: Mapping[str, Any] | None) -> Iterator[Resource]:
        """The models that ran, and when, once."""
        if not told or (iri := self._activity_iri(told)) in self.known:
            return
        self.known.add(iri)
        properties: Properties = [("rdf:type", Iri("prov:Activity")), ("mie:version", str(told.get("version", "")))]
        if told.get("when"):
            properties.append(("prov:startedAtTime", Typed(str(told["when"]), "xsd:dateTime")))
        for model in told["models"]:
            agent = self.names.named("model", digest(model))
            properties.append(("prov:wasAssociatedWith", Iri(agent)))
            if agent in self.known:
                continue
            self.known.add(agent)
            others: Properties = [("schema:softwareVersion", str(model["version"]))] if model.get("version") else []
            others += [
                (f"mie:{k}", str(v))
                for k, v in model.items()
                if k in ("recipe", "weights", "prompt", "query", "endpoint")
            ]
            agent_type: Properties = [("rdf:type", Iri("prov:SoftwareAgent")), ("rdfs:label", str(model["name"]))]
            yield Resource(agent, agent_type + others, self.names.graph)
        yield Resource(iri, properties, self.names.graph)


class _DocumentFacts:
    """The facts of one document, as pairs of IRI and properties."""

    def __init__(
        self,
        writer: ResourceWriter,
        document: Document,
        facts: str,
        inputs: str,
        made: Properties,
        links: Mapping[str, Membership],
        of: Mapping[str, str],
    ) -> None:
        self.writer, self.names, self.document = writer, writer.names, document
        self.facts, self.inputs, self.made, self.links, self.of = facts, inputs, made, links, of
        self.mentions = {m.id for m in document.mentions}
        self.chains = {c.id for c in document.chains}
        boxed = {r.image for r in document.regions}
        self.images = {
            i.id: self.names.fact(inputs, "image", i.id)
            for i in document.images
            if i.kind in KINDS_WITH_FILE or i.id in boxed
        }

    def all(self) -> Iterator[tuple[str, Properties]]:
        yield self._document()
        yield from (self._image(n, image) for n, image in enumerate(self.document.images) if image.id in self.images)
        yield from self._entities()
        yield from self._mentions()
        yield from self._regions()
        yield from self._relations()

    def _document(self) -> tuple[str, Properties]:
        document = self.document
        found: Properties = [("rdf:type", Iri("schema:CreativeWork")), ("rdf:type", Iri("prov:Entity"))]
        found.append(("schema:identifier", document.id))
        if self.writer.text:
            found.append(("schema:text", document.text))
        if document.lang:
            found.append(("schema:inLanguage", document.lang))
        if document.summary and self.writer.text:
            found.append(("schema:abstract", document.summary))
        found += [("schema:image", Iri(iri)) for iri in self.images.values()]
        return self.inputs, found

    def _image(self, order: int, image: Image) -> tuple[str, Properties]:
        found: Properties = [("rdf:type", Iri("schema:ImageObject")), ("schema:isPartOf", Iri(self.inputs))]
        found += [("schema:identifier", image.id), ("mie:kind", image.kind), ("mie:order", order)]
        optional = (
            ("schema:contentUrl", self.writer.paths(image.path) if image.path else None),
            ("schema:width", image.width),
            ("schema:height", image.height),
            ("mie:time", image.time),
            ("mie:cropBox", format_xywh(image.box) if image.box else None),
            ("mie:cropOf", image.parent or None),
        )
        found += [(name, value) for name, value in optional if value is not None]
        return self.images[image.id], found

    def _local(self, id: str) -> str:
        """The entity of the document that a mention or a chain belongs to."""
        owner = self.of[id]
        return self.names.fact(self.facts, "chain" if owner in self.chains else "entity", owner)

    def _entities(self) -> Iterator[tuple[str, Properties]]:
        orders = {c.id: (n, c) for n, c in enumerate(self.document.chains)}
        for id, link in self.links.items():
            iri, entity = self._local(id), self.names.entity(link.key)
            found: Properties = [("rdf:type", Iri("mie:EntityInDocument")), ("rdfs:label", link.name)]
            found += [("mie:id", id), ("mie:inDocument", Iri(self.inputs)), *self.made]
            if id in orders:
                order, chain = orders[id]
                found += [("rdf:type", Iri("mie:Chain")), ("mie:order", order), ("mie:label", chain.label)]
                found += [("mie:score", chain.score)] if chain.score is not None else []
                members = (self.names.fact(self.facts, "mention", m) for m in chain.mentions if m in self.mentions)
                found += [("mie:mention", Iri(m)) for m in members]
            found += [("mie:mergeRule", link.rule), ("mie:mergeReason", link.reason)] if link.rule else []
            yield iri, found
            seen = dict.fromkeys(
                self.images[r.image]
                for r in self.document.regions
                if self.of.get(r.of) == id and r.image in self.images
            )
            whole: Properties = [("owl:sameAs", Iri(iri)), ("mie:mentionedIn", Iri(self.inputs))]
            yield entity, whole + [("mie:seenIn", Iri(image)) for image in seen]

    def _annotation(self, iri: str, kind: str, order: int, item: Any) -> Properties:
        found: Properties = [("rdf:type", Iri("oa:Annotation")), ("rdf:type", Iri(kind)), ("mie:order", order)]
        found += [("oa:motivatedBy", Iri("oa:identifying")), ("oa:hasTarget", Iri(f"{iri}-target"))]
        found += [("mie:label", item.label), *self.made]
        return found + ([("mie:score", item.score)] if item.score is not None else [])

    def _target(self, iri: str, source: str, selectors: Iterable[str]) -> tuple[str, Properties]:
        found: Properties = [("rdf:type", Iri("oa:SpecificResource")), ("oa:hasSource", Iri(source))]
        return f"{iri}-target", found + [("oa:hasSelector", Iri(selector)) for selector in selectors]

    def _mentions(self) -> Iterator[tuple[str, Properties]]:
        for order, m in enumerate(self.document.mentions):
            iri = self.names.fact(self.facts, "mention", m.id)
            found = self._annotation(iri, "mie:Mention", order, m)
            found += [("mie:id", m.id), ("oa:hasBody", Iri(self._local(m.id)))]
            found += [("mie:status", m.status)] if m.status != "located" else []
            yield iri, found
            located = m.status != "unlocated"
            yield self._target(iri, self.inputs, [f"{iri}-position"] * located + [f"{iri}-quote"])
            if located:
                offsets: Properties = [
                    ("oa:start", Typed(str(m.start), "xsd:nonNegativeInteger")),
                    ("oa:end", Typed(str(m.end), "xsd:nonNegativeInteger")),
                ]
                yield f"{iri}-position", [("rdf:type", Iri("oa:TextPositionSelector")), *offsets]
            yield f"{iri}-quote", [("rdf:type", Iri("oa:TextQuoteSelector")), ("oa:exact", m.text)]

    def _regions(self) -> Iterator[tuple[str, Properties]]:
        for order, region in enumerate(self.document.regions):
            if region.image not in self.images:
                continue
            iri = self.names.fact(self.facts, "region", order)
            found = self._annotation(iri, "mie:Region", order, region)
            if region.of in self.of:
                found += [("oa:hasBody", Iri(self._local(region.of))), ("mie:shows", Iri(self._named(region.of)))]
            found += [("mie:text", region.text)] if region.text else []
            yield iri, found
            yield self._target(iri, self.images[region.image], [f"{iri}-fragment"])
            fragment: Properties = [("rdf:type", Iri("oa:FragmentSelector")), ("rdf:value", format_xywh(region.box))]
            yield f"{iri}-fragment", [*fragment, ("dcterms:conformsTo", Iri(MEDIA_FRAGMENTS))]

    def _named(self, id: str) -> str:
        """The mention or chain itself."""
        return self.names.fact(self.facts, "chain" if id in self.chains else "mention", id)

    def _relations(self) -> Iterator[tuple[str, Properties]]:
        for order, r in enumerate(self.document.relations):
            if r.label == NO_RELATION or r.head not in self.of or r.tail not in self.of:
                continue
            yield from self.writer.describe_relation(r.label)
            head, tail = (self.names.entity(self.links[self.of[id]].key) for id in (r.head, r.tail))
            predicate = self.names.relation(r.label)
            found: Properties = [("rdf:type", Iri("rdf:Statement")), ("rdf:type", Iri("mie:Relation"))]
            found += [("rdf:subject", Iri(head)), ("rdf:predicate", Iri(predicate)), ("rdf:object", Iri(tail))]
            found += [("mie:head", Iri(self._named(r.head))), ("mie:tail", Iri(self._named(r.tail)))]
            found += [("mie:label", r.label), ("mie:order", order), *self.made]
            found += [("mie:score", r.score)] if r.score is not None else []
            yield self.names.fact(self.facts, "relation", order), found
            others = self.writer.mapping.relations.get(r.label, ())
            yield head, [(name, Iri(tail)) for name in (predicate, *others)]
