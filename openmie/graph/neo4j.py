"""A folder of CSV files, one for each kind of node and edge, and `load.cypher`, which loads them into Neo4j 5.

Cells are as the texts are: a program reads them. For a spreadsheet, `openmie convert RESULT x.csv` guards its cells.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from openmie.graph.property_graph import COLUMNS, EDGES, NODES, Edge, Node

_CAST = {int: "toInteger(row.{0})", float: "toFloat(row.{0})", str: "row.{0}"}


def write_neo4j(items: Iterable[Node | Edge], folder: Path) -> None:
    """Write nodes and edges into an empty folder."""
    labels: dict[str, None] = {}
    with ExitStack() as stack:
        files = {kind: stack.enter_context((folder / f"{kind.lower()}.csv").open("wb")) for kind in COLUMNS}
        for kind, file in files.items():
            _line(file, [*(("id",) if kind in NODES else ("source", "target")), *COLUMNS[kind]])
        for item in items:
            ends = [item.id] if isinstance(item, Node) else [item.source, item.target]
            _line(files[item.kind], [*ends, *(_cell(item.properties.get(name)) for name in COLUMNS[item.kind])])
            if item.kind == "RELATION":
                labels[item.properties["label"]] = None
    (folder / "load.cypher").write_text(load_script(list(labels)), encoding="utf-8")


def load_script(labels: Iterable[str]) -> str:
    """Cypher that loads the files; a relation's label becomes the type of its edge.

    Args:
        labels: of the relations; those with control characters, or a backslash, which Cypher may read as the beginning
            of a character's code, are loaded as `RELATION` with a property `label`.
    """
    lines = [
        "// In the folder `import` of Neo4j 5: cypher-shell -f load.cypher",
        "// Cells are quoted as in RFC 4180; for texts with backslashes set db.import.csv.legacy_quote_escaping=false",
    ]
    for kind in NODES:
        lines.append(f"CREATE CONSTRAINT {kind.lower()}_id IF NOT EXISTS FOR (n:{kind}) REQUIRE n.id IS UNIQUE;")
    for kind in NODES:
        body = f"MERGE (n:{kind} {{id: row.id}}) SET {_assignments('n', kind)}"
        lines.append(_load(kind, body))
    for kind in EDGES:
        source, target = _ENDS[kind]
        ends = f"MATCH (a:{source} {{id: row.source}}) MATCH (b:{target} {{id: row.target}})"
        written = [(x, _quoted(x)) for x in labels if x and x.isprintable() and "\\" not in x]
        types = [("RELATION", ""), *written] if kind == "RELATION" else [(kind, "")]
        for label, name in types:
            chosen = _condition(label, [x for x, _ in written]) if kind == "RELATION" else ""
            assigned = _assignments("r", kind)
            body = f"{chosen}{ends} CREATE (a)-[r:{name or label}]->(b)" + (f" SET {assigned}" if assigned else "")
            lines.append(_load(kind, body))
    return "\n".join(lines) + "\n"


_ENDS = {
    "HAS_IMAGE": ("Document", "Image"),
    "IN_DOCUMENT": ("Mention", "Document"),
    "IN_IMAGE": ("Region", "Image"),
    "REFERS_TO": ("Mention", "Entity"),
    "SHOWS": ("Region", "Entity"),
    "SEEN_IN": ("Entity", "Image"),
    "RELATION": ("Entity", "Entity"),
}


def _condition(label: str, written: list[str]) -> str:
    if label == "RELATION":  # those whose label no statement of its own loads
        return f"WITH row WHERE NOT coalesce(row.label, '') IN [{', '.join(map(_string, written))}] "
    return f"WITH row WHERE row.label = {_string(label)} "


def _load(kind: str, body: str) -> str:
    source = f"LOAD CSV WITH HEADERS FROM 'file:///{kind.lower()}.csv' AS row"
    return f"{source} CALL {{ WITH row {body} }} IN TRANSACTIONS OF 10000 ROWS;"


def _assignments(variable: str, kind: str) -> str:
    return ", ".join(f"{variable}.{name} = {_CAST[type_].format(name)}" for name, type_ in COLUMNS[kind].items())


def _quoted(label: str) -> str:
    """A name in Cypher that nothing in it can end."""
    escaped = label.replace("`", "``")
    return f"`{escaped}`"


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _cell(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _line(file: IO[bytes], cells: Iterable[str]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    file.write(text.getvalue().encode())
