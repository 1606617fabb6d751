"""Documents from a graph: what `build_graph` wrote, read back through its annotations and selectors."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import OpenMIEError
from openmie.graph.iris import expand_iri
from openmie.graph.selectors import parse_xywh

SUFFIXES = {".ttl": "TURTLE", ".nq": "N_QUADS", ".nt": "N_TRIPLES", ".jsonld": "JSON_LD", ".trig": "TRIG"}
Triples = Mapping[str, Mapping[str, list[str]]]  # subject -> predicate -> objects


def read_graph(path: str | os.PathLike[str]) -> Iterator[Document]:
    """Read the documents of a graph back.

    Args:
        path: Turtle, N-Quads or JSON-LD as `build_graph` writes them. It is read as a whole.

    Yields:
        Documents with text, images, mentions, chains, relations and regions, their ids, offsets, boxes, labels and
        scores as they were. What the graph leaves out is missing: words, captions, crops that no region names,
        relations labelled `None`, and chains of mentions that the document does not have. A graph without texts gives
        empty ones, whose mentions are unlocated.

    Raises:
        OpenMIEError: no such file, another format, or RDF that cannot be parsed.
    """
    subjects = _subjects(path)
    facts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for iri, properties in subjects.items():
        document, hash_, _ = iri.partition("#")
        if hash_:
            for type_ in properties.get(_iri("rdf:type"), ()):
                facts[document][type_].append(iri)
    order = [i for i, p in subjects.items() if _iri("schema:identifier") in p and "#" not in i]
    readings = {i for i in facts if "#" not in i}
    for iri in dict.fromkeys([*order, *sorted(readings - set(order))]):
        yield _GraphDocument(subjects, iri, facts[iri]).read()


def graph_format(path: str | os.PathLike[str]) -> Any:
    """The RDF format of a file by its ending.

    Raises:
        OpenMIEError: none of `SUFFIXES`.
    """
    from pyoxigraph import RdfFormat

    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OpenMIEError(
            f"a file that ends in {suffix!r}",
            expected=f"RDF: one of {', '.join(SUFFIXES)}",
            where=os.fspath(path),
            remedy="name a file that `openmie graph build` wrote",
        )
    return getattr(RdfFormat, SUFFIXES[suffix])


def _iri(name: str) -> str:
    return expand_iri(name)


def _subjects(path: str | os.PathLike[str]) -> Triples:
    from pyoxigraph import parse

    found: dict[str, dict[str, list[str]]] = {}
    try:
        for quad in parse(path=os.fspath(path), format=graph_format(path)):
            triples = found.setdefault(quad.subject.value, {})
            triples.setdefault(quad.predicate.value, []).append(quad.object.value)
    except (OSError, SyntaxError, ValueError) as error:
        raise OpenMIEError(
            str(error)[:300],
            expected="RDF as `openmie graph build` writes it",
            where=os.fspath(path),
            remedy="check the path, or build the graph anew",
        ) from None
    return found


class _GraphDocument:
    """One document: the subjects of its facts by their type."""

    def __init__(self, subjects: Triples, iri: str, facts: Mapping[str, list[str]]) -> None:
        self.subjects, self.iri, self.facts = subjects, iri, facts

    def one(self, subject: str, name: str) -> str | None:
        values = self.subjects.get(subject, {}).get(_iri(name))
        return values[0] if values else None

    def number(self, subject: str, name: str) -> float | None:
        value = self.one(subject, name)
        return None if value is None else float(value)

    def whole(self, subject: str, name: str) -> int | None:
        value = self.one(subject, name)
        return None if value is None else int(value)

    def ordered(self, type_: str) -> list[str]:
        return sorted(self.facts.get(_iri(type_), ()), key=lambda iri: self.whole(iri, "mie:order") or 0)

    def read(self) -> Document:
        made = next((i for t in ("oa:Annotation", "mie:EntityInDocument") for i in self.facts.get(_iri(t), ())), "")
        inputs = self.one(made, "prov:wasDerivedFrom") or self.iri
        images = sorted(
            self.subjects.get(inputs, {}).get(_iri("schema:image"), ()), key=lambda i: self.whole(i, "mie:order") or 0
        )
        text = self.one(inputs, "schema:text")
        mentions = [self.mention(iri, text) for iri in self.ordered("mie:Mention")]
        return Document(
            id=self.one(inputs, "schema:identifier") or inputs,
            text=text or "",
            lang=self.one(inputs, "schema:inLanguage") or "",
            summary=self.one(inputs, "schema:abstract") or "",
            images=tuple(map(self.image, images)),
            mentions=tuple(mentions),
            chains=tuple(map(self.chain, self.ordered("mie:Chain"))),
            relations=tuple(map(self.relation, self.ordered("mie:Relation"))),
            regions=tuple(map(self.region, self.ordered("mie:Region"))),
        )

    def image(self, iri: str) -> Image:
        box = self.one(iri, "mie:cropBox")
        kind: Any = self.one(iri, "mie:kind") or "main"
        return Image(
            id=self.one(iri, "schema:identifier") or "",
            kind=kind,
            path=self.one(iri, "schema:contentUrl") or "",
            width=self.whole(iri, "schema:width"),
            height=self.whole(iri, "schema:height"),
            time=self.number(iri, "mie:time"),
            parent=self.one(iri, "mie:cropOf") or "",
            box=parse_xywh(box) if box else None,
        )

    def selectors(self, iri: str) -> Iterator[str]:
        target = self.one(iri, "oa:hasTarget") or ""
        yield from self.subjects.get(target, {}).get(_iri("oa:hasSelector"), ())

    def mention(self, iri: str, text: str | None) -> Mention:
        start = end = None
        surface = ""
        for selector in self.selectors(iri):
            surface = self.one(selector, "oa:exact") or surface
            if (at := self.whole(selector, "oa:start")) is not None:
                start, end = at, self.whole(selector, "oa:end")
        status: Any = self.one(iri, "mie:status") or "located"
        if text is None or start is None or end is None:
            start = end = 0
            status = "unlocated"
        label, score = self.one(iri, "mie:label") or "", self.number(iri, "mie:score")
        return Mention(id=self._id(iri), start=start, end=end, label=label, text=surface, status=status, score=score)

    def _id(self, iri: str) -> str:
        return self.one(iri, "mie:id") or ""

    def chain(self, iri: str) -> Chain:
        members = self.subjects[iri].get(_iri("mie:mention"), ())
        return Chain(
            id=self._id(iri),
            mentions=tuple(map(self._id, members)),
            label=self.one(iri, "mie:label") or "",
            score=self.number(iri, "mie:score"),
        )

    def relation(self, iri: str) -> Relation:
        head, tail = (self._id(self.one(iri, name) or "") for name in ("mie:head", "mie:tail"))
        return Relation(
            head=head, tail=tail, label=self.one(iri, "mie:label") or "", score=self.number(iri, "mie:score")
        )

    def region(self, iri: str) -> Region:
        values = (self.one(selector, "rdf:value") for selector in self.selectors(iri))
        source = self.one(self.one(iri, "oa:hasTarget") or "", "oa:hasSource") or ""
        shown = self.one(iri, "mie:shows")
        return Region(
            image=self.one(source, "schema:identifier") or "",
            box=parse_xywh(next(filter(None, values), "")),
            label=self.one(iri, "mie:label") or "",
            of=self._id(shown) if shown else "",
            text=self.one(iri, "mie:text") or "",
            score=self.number(iri, "mie:score"),
        )
