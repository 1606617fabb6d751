"""GraphML 1.0 (http://graphml.graphdrawing.org), node by node; characters that XML cannot hold become U+FFFD."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from openmie.graph.property_graph import COLUMNS, Edge, Node, Properties

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TYPES = {str: "string", int: "long", float: "double"}


def write_graphml(items: Iterable[Node | Edge], file: IO[bytes]) -> None:
    """Write nodes and edges as a directed graph, in the order in which they come."""
    keys = {"kind": str} | {name: kind for columns in COLUMNS.values() for name, kind in columns.items()}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    for name, kind in keys.items():
        for domain in ("node", "edge"):
            key = f'<key id="{domain[0]}-{name}" for="{domain}" attr.name="{name}" attr.type="{_TYPES[kind]}"/>'
            lines.append(key)
    lines.append('<graph id="openmie" edgedefault="directed">')
    file.write(("\n".join(lines) + "\n").encode())
    for number, item in enumerate(items):
        if isinstance(item, Node):
            head, end = f"<node id={_attribute(item.id)}>", "</node>\n"
        else:
            ends = f"source={_attribute(item.source)} target={_attribute(item.target)}"
            head, end = f'<edge id="e{number}" {ends}>', "</edge>\n"
        file.write((head + _data(end[2], {"kind": item.kind, **item.properties}) + end).encode())
    file.write(b"</graph>\n</graphml>\n")


def _data(domain: str, properties: Properties) -> str:
    found = ((name, value) for name, value in properties.items() if value is not None)
    return "".join(f'<data key="{domain}-{name}">{_text(value)}</data>' for name, value in found)


def _text(value: object) -> str:
    text = repr(float(value)) if isinstance(value, float) else str(value)
    return escape(_NOT_XML.sub("\ufffd", text), {"\r": "&#13;"})


def _attribute(text: str) -> str:
    return quoteattr(text)
