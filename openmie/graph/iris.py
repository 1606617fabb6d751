"""The names of things in the graph: IRIs below a base, and the prefixes of the vocabularies that are used.

urn:openmie:document/ID            a document; ID and all others are percent-encoded
urn:openmie:document/ID#mention-m0 its facts: mention-, chain-, entity- (a mention in no chain), relation-, region-,
                                   image-; selectors end in -target, -position, -quote, -fragment
urn:openmie:document/ID/2#...      the facts of a second result for the same document
urn:openmie:entity/PER/ada         what is merged across documents
urn:openmie:relation/LABEL         a relation as a property
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from openmie.errors import OpenMIEError

BASE = "urn:openmie:"
PREFIXES = {
    "mie": "urn:openmie:vocabulary#",
    "oa": "http://www.w3.org/ns/oa#",
    "prov": "http://www.w3.org/ns/prov#",
    "schema": "https://schema.org/",
    "wd": "http://www.wikidata.org/entity/",
    "wdt": "http://www.wikidata.org/prop/direct/",
    "owl": "http://www.w3.org/2002/07/owl#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcterms": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
MEDIA_FRAGMENTS = "http://www.w3.org/TR/media-frags/"
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|\\^`\x7f-\x9f]+")


class Iri(str):
    """An IRI, or a name with one of `PREFIXES`, such as `oa:start`; any other text is a literal."""

    __slots__ = ()


@lru_cache(1 << 12)
def expand_iri(name: str) -> str:
    """The whole IRI of a name with a prefix; a whole one stays."""
    prefix, colon, local = name.partition(":")
    return PREFIXES[prefix] + local if colon and prefix in PREFIXES else name


def check_iri(name: str, where: str) -> str:
    """The name, if it is an IRI, or begins with a known prefix.

    Raises:
        OpenMIEError: neither.
    """
    if _IRI.fullmatch(name):
        return name
    raise OpenMIEError(
        f"{name[:200]!r}, which is no IRI",
        expected=f"an absolute IRI, or a name with one of the prefixes {', '.join(PREFIXES)}",
        where=where,
        remedy="write it such as schema:Person or https://example.org/Person",
    )


@lru_cache(1 << 12)
def encode_segment(text: str) -> str:
    """A text as one segment of an IRI, percent-encoded but for letters, digits, `-`, `.`, `_` and `~`."""
    return quote(text, safe="")


@lru_cache(1 << 12)
def _encode_key(key: str) -> str:
    return quote(key, safe="/")


class GraphNames:
    """The IRIs of one graph.

    Args:
        base: what they begin with; it ends in `:`, `/` or `#`.

    Raises:
        OpenMIEError: no absolute IRI, or one that does not end so.
    """

    def __init__(self, base: str = BASE) -> None:
        if not _IRI.fullmatch(base) or base[-1] not in ":/#" or base.partition(":")[0] in PREFIXES:
            raise OpenMIEError(
                f"the base {base[:200]!r}",
                expected="an absolute IRI that ends in ':', '/' or '#'",
                remedy="write it such as https://example.org/graph/",
            )
        self.base = base

    def document(self, id: str, reading: int = 1) -> str:
        """A document; `reading` numbers results with one id."""
        return f"{self.base}document/{encode_segment(id)}" + (f"/{reading}" if reading > 1 else "")

    def fact(self, document: str, kind: str, id: str | int) -> str:
        """A fact of a document, given by its IRI."""
        return f"{document}#{kind}-{encode_segment(str(id))}"

    def entity(self, key: str) -> str:
        """What is merged across documents, by its key."""
        return f"{self.base}entity/{_encode_key(key)}"

    def relation(self, label: str) -> str:
        """A relation as a property."""
        return f"{self.base}relation/{encode_segment(label)}"

    def named(self, kind: str, id: str) -> str:
        """A model or an activity, by its hash."""
        return f"{self.base}{kind}/{encode_segment(id)}"

    @property
    def graph(self) -> str:
        """The graph itself, and the named graph of what is of no document."""
        return f"{self.base}graph"

    def prefixes(self) -> Mapping[str, str]:
        """`PREFIXES`, and `rel:`, `entity:` and `document:` of this graph."""
        own = {"rel": "relation/", "entity": "entity/", "document": "document/"}
        return {**PREFIXES, **{name: self.base + path for name, path in own.items()}}
