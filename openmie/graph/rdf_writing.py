"""RDF as text, resource by resource, so that a graph of any size is written in bounded memory.

Turtle; N-Quads and TriG, with a named graph for each document; and JSON-LD 1.1 with its context inside, which no
reader has to fetch. A subject may come several times; readers add up what is said of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import groupby
from typing import IO, Any

from openmie.graph.iris import PREFIXES, Iri, expand_iri
from openmie.graph.resources import Properties, Resource, Typed, Value

_ESCAPES = {
    **{i: f"\\u{i:04X}" for i in (*range(0x20), 0x7F)},
    ord("\\"): "\\\\", ord('"'): '\\"', ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t",
}  # fmt: skip
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\]')  # what `_ESCAPES` has


def write_nquads(resources: Iterable[Resource], file: IO[bytes]) -> None:
    """N-Quads: a line for each triple with the named graph that it is in."""
    for iri, properties, graph in resources:
        lines = [f"<{iri}> <{expand_iri(name)}> {_full(value)} <{graph}> .\n" for name, value in properties]
        file.write("".join(lines).encode())


def write_turtle(resources: Iterable[Resource], file: IO[bytes], prefixes: Mapping[str, str]) -> None:
    """Turtle, a block for each resource; named graphs have no place in it."""
    file.write("".join(f"@prefix {name}: <{iri}> .\n" for name, iri in prefixes.items()).encode())
    for iri, properties, _ in resources:
        if properties:
            file.write(f"\n<{iri}>\n  {_short_lines(properties)} .\n".encode())


def write_trig(resources: Iterable[Resource], file: IO[bytes], prefixes: Mapping[str, str]) -> None:
    """TriG, Turtle with named graphs: a third of the bytes of N-Quads."""
    file.write("".join(f"@prefix {name}: <{iri}> .\n" for name, iri in prefixes.items()).encode())
    for graph, group in groupby(resources, key=lambda resource: resource.graph):
        blocks = [f"<{iri}> {_short_lines(properties)} .\n" for iri, properties, _ in group if properties]
        file.write(f"<{graph}> {{\n{''.join(blocks)}}}\n".encode())


def write_jsonld(resources: Iterable[Resource], file: IO[bytes], prefixes: Mapping[str, str]) -> None:
    """JSON-LD: one object with `@context` and `@graph`, a line for each resource."""
    context = {"@version": 1.1, **prefixes}
    file.write(b'{"@context":' + _json(context) + b',\n"@graph":[')
    first = True
    for iri, properties, _ in resources:
        file.write(b"\n" if first else b",\n")
        file.write(_json(_node(iri, properties)))
        first = False
    file.write(b"\n]}\n")


def _short_lines(properties: Properties) -> str:
    return " ;\n  ".join([_predicate(name) + _short(value) for name, value in properties])


def _full(value: Value) -> str:
    if isinstance(value, Iri):
        return f"<{expand_iri(value)}>"
    return _literal(value, lambda datatype: f"<{expand_iri(datatype)}>")


def _short(value: Value) -> str:
    if type(value) is Iri:  # the parts are added, for formatting an object that is no plain text takes twice as long
        return value if value.partition(":")[0] in PREFIXES else "<" + value + ">"
    if type(value) is int:
        return str(value)
    return _literal(value, str)


@lru_cache(1 << 12)  # predicates are few, subjects and objects are not
def _predicate(name: str) -> str:
    """A predicate, and the blank behind it."""
    return "a " if name == "rdf:type" else f"{_short(Iri(name))} "


def _literal(value: Value, datatype: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    text, kind = _typed(value)
    return f'"{_escaped(text)}"^^{datatype(kind)}'


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def _typed(value: Any) -> tuple[str, str]:
    """Lexical form and datatype of what is no plain text."""
    if isinstance(value, Typed):
        return value.text, value.datatype
    return (str(value), "xsd:integer") if isinstance(value, int) else (repr(float(value)), "xsd:double")


def _node(iri: str, properties: Properties) -> dict[str, Any]:
    node: dict[str, Any] = {"@id": iri}
    types = [value for name, value in properties if name == "rdf:type"]
    if types:
        node["@type"] = types
    for name, value in properties:
        if name != "rdf:type":
            node.setdefault(name, []).append(_json_value(value))
    return {name: value[0] if name[0] != "@" and len(value) == 1 else value for name, value in node.items()}


def _json_value(value: Value) -> Any:
    if isinstance(value, Iri):
        return {"@id": value}
    if isinstance(value, str):
        return {"@value": value}
    text, datatype = _typed(value)
    return {"@value": text, "@type": datatype}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
