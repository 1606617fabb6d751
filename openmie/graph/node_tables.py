"""Nodes and edges as two Parquet tables, `nodes.parquet` and `edges.parquet`, written in row groups."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from openmie.graph.property_graph import COLUMNS, EDGES, NODES, Edge, Node

ROWS = 20_000  # of a row group
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64()}


def write_parquet(items: Iterable[Node | Edge], folder: Path) -> None:
    """Write nodes and edges into a folder; a property that a kind does not have is null."""
    with (
        _Table(folder / "nodes.parquet", ("id",), NODES) as nodes,
        _Table(folder / "edges.parquet", ("source", "target"), EDGES) as edges,
    ):
        for item in items:
            if isinstance(item, Node):
                nodes.add({"id": item.id, "kind": item.kind, **item.properties})
            else:
                edges.add({"source": item.source, "target": item.target, "kind": item.kind, **item.properties})


class _Table:
    def __init__(self, path: Path, keys: tuple[str, ...], kinds: tuple[str, ...]) -> None:
        columns = {name: type_ for kind in kinds for name, type_ in COLUMNS[kind].items()}
        fields = [(name, pa.string()) for name in (*keys, "kind")]
        self.schema = pa.schema(fields + [(name, _TYPES[type_]) for name, type_ in columns.items()])
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd")
        self.rows: list[dict[str, Any]] = []

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self.writer.close()

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if len(self.rows) >= ROWS:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
            self.rows.clear()
