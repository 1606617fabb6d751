"""How much of one JSON value another says: values in equal fields, items of lists in any order.

The items of two lists are paired, one to one, so that most values are equal (Kuhn, 1955): items that say the same
first, which loses nothing, since the share that two items do not have in common is a metric. Null, an empty list and an
empty object say nothing. Values are equal as JSON: 1 is 1.0, and neither true nor "1".
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class JsonNode:
    """A JSON value, prepared for comparison.

    Args:
        text: canonical JSON; nodes of equal texts say the same.
        names: of the values in it, one each: the names of the fields on the way, "*" for items of lists.
        fields: those of an object.
        items: those of a list, in canonical order, or as they are where their order counts.
        ordered: whether it does.
    """

    text: str
    names: tuple[str, ...] = ()
    fields: dict[str, JsonNode] = field(default_factory=dict)
    items: tuple[JsonNode, ...] = ()
    ordered: bool = False


def json_node(value: Any, name: str, ordered: Collection[str] = ()) -> JsonNode:
    """The node of a value.

    Args:
        value: JSON.
        name: its own.
        ordered: names of lists whose order counts.
    """
    if isinstance(value, dict):
        found = {key: json_node(value[key], f"{name}/{_escaped(key)}", ordered) for key in sorted(value)}
        fields = {key: node for key, node in found.items() if node.names}
        text = ",".join(f"{json.dumps(key)}:{node.text}" for key, node in fields.items())
        return JsonNode(f"{{{text}}}", _names(fields.values()), fields)
    if isinstance(value, list | tuple):
        every = [json_node(item, f"{name}/*", ordered) for item in value]
        kept = every if name in ordered else sorted((node for node in every if node.names), key=lambda node: node.text)
        text = ",".join(node.text for node in kept)
        return JsonNode(f"[{text}]", _names(kept), items=tuple(kept), ordered=name in ordered)
    if value is None:
        return JsonNode("null")
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    return JsonNode(json.dumps(value), (name,))


def equal_values(a: JsonNode, b: JsonNode) -> list[str]:
    """Names of the values that both say."""
    if a.text == b.text:
        return list(a.names)
    names = [name for key in a.fields if key in b.fields for name in equal_values(a.fields[key], b.fields[key])]
    pairs = zip(a.items, b.items) if a.ordered else pair_items(a.items, b.items)
    return names + [name for x, y in pairs for name in equal_values(x, y)]


def pair_items(a: Sequence[JsonNode], b: Sequence[JsonNode]) -> Iterator[tuple[JsonNode, JsonNode]]:
    """Pairs, one to one, with most equal values; what has none in common with its partner stands in none or any."""
    waiting = defaultdict[str, list[JsonNode]](list)
    for node in b:
        waiting[node.text].append(node)
    rest: list[JsonNode] = []
    for node in a:
        if waiting[node.text]:
            yield node, waiting[node.text].pop()
        else:
            rest.append(node)
    rest = [node for node in rest if node.fields or node.items]  # a plain value equals nothing but itself
    others = [node for left in waiting.values() for node in left if node.fields or node.items]
    if rest and others:
        from scipy.optimize import linear_sum_assignment

        counts = np.array([[len(equal_values(x, y)) for y in others] for x in rest])
        for i, j in zip(*linear_sum_assignment(counts, maximize=True)):
            yield rest[i], others[j]


def _names(nodes: Iterable[JsonNode]) -> tuple[str, ...]:
    return tuple(name for node in nodes for name in node.names)


def _escaped(key: str) -> str:
    """A part of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
