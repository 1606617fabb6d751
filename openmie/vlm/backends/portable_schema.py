"""A JSON Schema in the part of the language that all servers accept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_DROPPED = frozenset({"minItems", "maxItems", "minimum", "maximum", "minLength", "maxLength", "pattern", "uniqueItems"})
_NAMED = frozenset({"properties", "$defs", "definitions"})  # of which the keys are names, not words of the language


def portable_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with enumerations as text and without bounds.

    Gemini's API takes enumerations of texts only; OpenAI's and Anthropic's strict schemas have refused bounds of lists
    and numbers (docs/reference/endpoints.md). What is dropped is checked when the answer is parsed.

    Args:
        schema: a JSON Schema.

    Returns:
        A copy. An enumeration with a value that is no text is one of texts, with the type string.
    """
    found: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _NAMED and isinstance(value, Mapping):
            found[name] = {key: portable_schema(part) for key, part in value.items()}
        elif name not in _DROPPED:
            found[name] = _portable(value)
    values = found.get("enum")
    if isinstance(values, list) and any(not isinstance(value, str) for value in values):
        found |= {
            "type": "string",
            "enum": [value if isinstance(value, str) else json.dumps(value) for value in values],
        }
    return found


def _portable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return portable_schema(value)
    return [_portable(item) for item in value] if isinstance(value, list) else value
