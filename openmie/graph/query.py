"""SPARQL over a graph: a store of `openmie graph build`, or one of its RDF files, which is then read into memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from openmie.errors import OpenMIEError
from openmie.graph.iris import BASE, PREFIXES, GraphNames, expand_iri
from openmie.graph.rdf_reading import graph_format
from openmie.graph.rdf_writing import write_trig
from openmie.graph.resources import Resource

STORE = "graph.oxigraph"  # in a folder of several formats
_SPARQL_VALUES = re.compile(  # texts, IRIs, comments: what is no keyword whatever it says
    r'"""(?:[^\\]|\\.)*?"""|'
    r"'''(?:[^\\]|\\.)*?'''|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'(?:[^'\\\n]|\\.)*'|"
    r'<[^<>"{}|^`\\\x00-\x20]*>|#[^\n\r]*',
    re.DOTALL,
)
_SERVICE = re.compile(r"(?<![\w?$:.-])SERVICE(?![\w:-])", re.IGNORECASE)
AT_ONCE = 60_000  # resources that a store loads at once: about 360,000 triples
IN_MEMORY = 512 << 20  # bytes of an RDF file that is read into memory


def fill_oxigraph(resources: Iterable[Resource], folder: Path) -> None:
    """Write resources into a new store, `AT_ONCE` at a time: the store sorts what it loads at once in memory.

    Args:
        resources: of the graph.
        folder: an empty folder.

    Raises:
        MissingPackageError: pyoxigraph is not installed.
    """
    from pyoxigraph import RdfFormat, Store

    store, left = Store(str(folder)), iter(resources)
    while part := list(islice(left, AT_ONCE)):
        data = BytesIO()
        write_trig(part, data, PREFIXES)
        store.bulk_load(input=data.getvalue(), format=RdfFormat.TRIG, lenient=True)
    store.flush()


def open_store(path: str | os.PathLike[str]) -> Any:
    """Open a store for reading: a `pyoxigraph.Store`.

    Args:
        path: a store, a folder that holds one as `graph.oxigraph`, or a file in Turtle, N-Quads or JSON-LD.

    Raises:
        OpenMIEError: nothing there, no store, or a file that is too large to be read into memory.
        MissingPackageError: pyoxigraph is not installed.
    """
    from pyoxigraph import Store

    where = Path(path)
    if where.is_dir():
        where = where / STORE if (where / STORE).is_dir() else where
        if not (where / "CURRENT").is_file():  # which every store has
            raise _no_store("a folder without a store", where)
        return Store.read_only(str(where))
    if not where.is_file():
        raise _no_store("no such file or folder", where)
    if where.stat().st_size > IN_MEMORY:
        raise OpenMIEError(
            f"a file of {where.stat().st_size >> 20} MiB",
            expected=f"at most {IN_MEMORY >> 20} MiB, which is read into memory",
            where=os.fspath(path),
            remedy="build a store: openmie graph build RESULTS --out graph.oxigraph",
        )
    store = Store()
    try:
        store.load(path=str(where), format=graph_format(where))
    except (SyntaxError, ValueError, OSError) as error:
        raise _no_store(str(error)[:300], where) from None
    return store


def graph_names(store: Any) -> GraphNames:
    """The IRIs of a store, which knows its base."""
    found = store.query(f"SELECT ?b {{ {{ ?g <{expand_iri('mie:base')}> ?b }} UNION "
                        f"{{ GRAPH ?h {{ ?g <{expand_iri('mie:base')}> ?b }} }} }} LIMIT 1")  # fmt: skip
    return GraphNames(next((row["b"].value for row in found), BASE))


def ask(store: Any, query: str, prefixes: Mapping[str, str]) -> Any:
    """What pyoxigraph answers to a query, over all named graphs, with these prefixes known.

    Raises:
        OpenMIEError: a query that cannot be parsed or answered, or one that asks another host.
    """
    if _SERVICE.search(_SPARQL_VALUES.sub(" ", query)):
        raise OpenMIEError(
            "SERVICE, which asks another host",
            expected="a query to this graph alone",
            where="the query",
            remedy="fetch the other data first, and ask for it elsewhere",
        )
    try:
        return store.query(query, prefixes=dict(prefixes), use_default_graph_as_union=True)
    except (SyntaxError, ValueError, OSError, RuntimeError) as error:
        raise OpenMIEError(
            str(error)[:500],
            expected="SPARQL 1.1: SELECT, ASK, CONSTRUCT or DESCRIBE",
            where="the query",
            remedy=f"correct it; known prefixes: {', '.join(prefixes)}",
        ) from None


def query_graph(path: str | os.PathLike[str], query: str) -> list[dict[str, Any]]:
    """Ask a graph.

    Args:
        path: as for `open_store`.
        query: SPARQL 1.1; the prefixes of `openmie.graph.iris.PREFIXES`, and `rel:`, `entity:` and `document:` of the
            graph need no declaration.

    Returns:
        A row for each solution: variable -> IRI or value; numbers and truth values as such, what is unbound missing.
        ASK gives one row with the key `answer`, CONSTRUCT and DESCRIBE rows with subject, predicate and object.

    Raises:
        OpenMIEError: no store there, or a query that cannot be parsed.
    """
    store = open_store(path)
    return rows(ask(store, query, graph_names(store).prefixes()))


def rows(found: Any) -> list[dict[str, Any]]:
    """What `ask` returned, as rows of Python values."""
    from pyoxigraph import QueryBoolean, QueryTriples

    if isinstance(found, QueryBoolean):
        return [{"answer": bool(found)}]
    if isinstance(found, QueryTriples):
        parts = ("subject", "predicate", "object")
        return [{name: _value(getattr(triple, name)) for name in parts} for triple in found]
    names = [variable.value for variable in found.variables]
    return [{n: _value(row[n]) for n in names if row[n] is not None} for row in found]


def shorten(value: Any, prefixes: Mapping[str, str]) -> str:
    """A cell of a table: IRIs with a prefix where one is known."""
    text = str(value)
    whole = max((iri for iri in prefixes.values() if text.startswith(iri)), key=len, default="")
    name = next((n for n, iri in prefixes.items() if iri == whole), "") if whole else ""
    return f"{name}:{text[len(whole) :]}" if name else text


def _value(term: Any) -> Any:
    kind = getattr(getattr(term, "datatype", None), "value", "").rpartition("#")[2]
    if kind in ("integer", "nonNegativeInteger", "long", "int"):
        return int(term.value)
    if kind in ("double", "decimal", "float"):
        return float(term.value)
    return term.value == "true" if kind == "boolean" else getattr(term, "value", str(term))


def _no_store(found: str, where: Path) -> OpenMIEError:
    return OpenMIEError(
        found,
        expected="a store or an RDF file of `openmie graph build`",
        where=str(where),
        remedy="check the path, or build one: openmie graph build RESULTS --out graph.oxigraph",
    )
