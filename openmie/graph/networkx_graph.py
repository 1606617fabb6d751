"""A NetworkX graph of results, for graph algorithms in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from openmie.data.document import Document
from openmie.graph.build import GraphOptions, fill_store
from openmie.graph.iris import GraphNames
from openmie.graph.property_graph import Node, nodes_and_edges
from openmie.graph.type_mapping import read_mapping


def to_networkx(documents: Iterable[Document], options: GraphOptions | None = None) -> Any:
    """Make a graph of documents, merged as `build_graph` merges them.

    Args:
        documents: any number that fits in memory as nodes and edges.
        options: as for `build_graph`.

    Returns:
        A `networkx.MultiDiGraph`; nodes and edges carry `kind` and the properties of
        `openmie.graph.property_graph.COLUMNS` that they have.

    Raises:
        MissingPackageError: NetworkX is not installed.
    """
    import networkx

    options = options or GraphOptions()
    graph = networkx.MultiDiGraph()
    with tempfile.TemporaryDirectory() as folder, fill_store(Path(folder) / "facts", documents, options)[0] as store:
        for item in nodes_and_edges(store, GraphNames(options.base), read_mapping(options.types), options.text):
            own = {"kind": item.kind} | {k: v for k, v in item.properties.items() if v is not None}
            if isinstance(item, Node):
                graph.add_node(item.id, **own)
            else:
                graph.add_edge(item.source, item.target, **own)
    return graph
