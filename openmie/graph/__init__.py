"""Results as a knowledge graph: entities, relations and chains of any number of documents, with the provenance of each.

`build_graph` reads Documents once and writes RDF (Turtle, JSON-LD, N-Quads, an embedded store), GraphML, tables for
Neo4j and Parquet; `read_graph` reads Documents back from RDF; `to_networkx` gives a NetworkX graph; `query_graph` asks
SPARQL of a store; `write_neighbourhood` draws what surrounds an entity as a page. Needs the extra `graph` for RDF that
is read, asked or drawn, and for nothing that is written as text.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openmie.graph.build import FORMATS, GraphOptions, build_graph
    from openmie.graph.networkx_graph import to_networkx
    from openmie.graph.page import write_neighbourhood
    from openmie.graph.query import query_graph
    from openmie.graph.rdf_reading import read_graph

_MODULES = {
    "FORMATS": "build",
    "GraphOptions": "build",
    "build_graph": "build",
    "query_graph": "query",
    "read_graph": "rdf_reading",
    "to_networkx": "networkx_graph",
    "write_neighbourhood": "page",
}

__all__ = [
    "FORMATS",
    "GraphOptions",
    "build_graph",
    "query_graph",
    "read_graph",
    "to_networkx",
    "write_neighbourhood",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"openmie.graph.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
