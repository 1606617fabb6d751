"""Records: objects of a JSON Schema of the user's own, asked for, checked, and located in the text.

    {"title": "offer", "type": "object", "required": ["product"], "properties": {
        "product": {"type": "string", "description": "what is sold, in the words of the text"},
        "price": {"type": "number"},
        "seller": {"type": "object", "properties": {"name": {"type": "string"}}}}}

Read of JSON Schema: type, properties, required, items, enum, const, anyOf, title, description, and references inside
the file (`$ref`). A property that is not required may be null, which is how servers with strict schemas leave one out;
it is then not in the record. A text without enum, const or format is a copy from the document, and is located there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.json_values import replace_surrogates
from openmie.errors import RecipeError
from openmie.formats import jsonl

KINDS = ("string", "number", "integer", "boolean", "object", "array", "null")
_KEPT = ("description", "enum", "const", "format")
Note = Callable[[str, str, str], None]  # (place, what was found, what was expected)
_LEFT_OUT: Any = object()  # a value that does not follow the schema
MAX_DEPTH = 16  # objects and lists in one another


@dataclass(frozen=True)
class RecordSchema:
    """The JSON Schema of one kind of record.

    Args:
        name: label of the records.
        schema: of one record, an object, references resolved.
    """

    name: str
    schema: Mapping[str, Any]

    @classmethod
    def of(cls, schema: Any, name: str = "record", where: str = "") -> RecordSchema:
        """Take a JSON Schema of a record, or of a list of records.

        Args:
            schema: the JSON value.
            name: of the records where the schema has no title.
            where: the place of errors.

        Raises:
            RecipeError: no JSON Schema of an object, an unknown type, a reference that leads nowhere or to itself.
        """
        whole = _resolved(schema, schema, where, ())
        if whole.get("type") == "array" and isinstance(whole.get("items"), Mapping):
            whole = {"title": whole.get("title", ""), **whole["items"]}
        if whole.get("type") != "object" or not whole.get("properties"):
            raise _error(f"type {whole.get('type')!r} without properties", "an object with properties", where)
        return cls(str(whole.get("title") or name), whole)

    @classmethod
    def read(cls, path: Path) -> RecordSchema:
        """The JSON Schema in a file; records without a title are named after the file."""
        return cls.of(jsonl.load_json(path), path.stem, str(path))

    def facts(self) -> dict[str, Any]:
        """The schema as JSON values."""
        return {"name": self.name, "schema": dict(self.schema)}

    def wire(self) -> dict[str, Any]:
        """The schema as strict servers take it: every property required, no other allowed, nulls for absent values."""
        return _wire(self.schema)

    def lines(self) -> list[str]:
        """One line a value for the prompt: its place, its type, its description."""
        return [f"{place}: {_told(part)}" for place, part in _parts(self.schema, "")]

    def form(self) -> Any:
        """An object of the schema's form, with the types in place of values."""
        return _form(self.schema)

    def conform(self, value: Any, note: Note) -> tuple[dict[str, Any] | None, list[tuple[str, str]]]:
        """The part of an answer's object that follows the schema.

        Args:
            value: the object as the model wrote it.
            note: is told of what is left out.

        Returns:
            The data (None: nothing of it follows the schema), and the texts in it that are copies from the document, as
            (JSON Pointer, text) in the order of the schema.
        """
        texts: list[tuple[str, str]] = []
        found = _conform(value, self.schema, "", note, texts)
        return (found or None) if isinstance(found, dict) else None, texts


def _error(found: str, expected: str, where: str) -> RecipeError:
    return RecipeError(found, expected=expected, where=where, remedy="correct the JSON Schema of --schema")


def _resolved(part: Any, root: Any, where: str, seen: tuple[str, ...]) -> dict[str, Any]:
    """A part of the schema with references replaced by what they name, and only the keywords that are read."""
    if not isinstance(part, Mapping) or len(seen) > MAX_DEPTH:
        raise _error(
            "a schema that holds itself" if isinstance(part, Mapping) else f"the value {part!r:.80}",
            f"a JSON Schema of at most {MAX_DEPTH} levels",
            where,
        )
    if "$ref" in part:
        name = str(part["$ref"])
        if name in seen:
            raise _error(f"the reference {name}, which leads to itself", "records of a fixed depth", where)
        named = _resolved(_target(root, name, where), root, where, (*seen, name))
        return {**named, **{k: part[k] for k in ("title", "description") if k in part}}
    inside = partial(_resolved, root=root, where=where, seen=(*seen, ""))
    found: dict[str, Any] = {k: part[k] for k in ("title", "required", *_KEPT) if k in part}
    if "anyOf" in part:
        options = [inside(option) for option in part["anyOf"]]
        real = [option for option in options if option.get("type") != "null"]
        if len(real) == 1:  # an optional value, as pydantic writes it
            return {**real[0], **found, "nullable": len(real) < len(options)}
        return {**found, "anyOf": real}
    kinds = part.get("type", "object" if "properties" in part else "string")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    real = [kind for kind in kinds if kind != "null"] or kinds[:1]
    if len(real) != 1 or real[0] not in KINDS:
        raise _error(f"type {part.get('type')!r}", f"one of {', '.join(KINDS)}, and null beside it", where)
    found |= {"type": real[0], "nullable": len(real) < len(kinds)}
    if real[0] == "object":
        found["properties"] = {str(k): inside(v) for k, v in dict(part.get("properties", {})).items()}
    if real[0] == "array":
        found["items"] = inside(part.get("items", {}))
    return found


def _target(root: Any, name: str, where: str) -> Any:
    """What a reference such as "#/$defs/Place" names."""
    place = root if name.startswith("#") else None
    for key in filter(None, name.removeprefix("#").split("/")):
        place = place.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(place, Mapping) else None
    if place is None:
        raise _error(f"the reference {name}", "a part of this file, such as #/$defs/Place", where)
    return place


def _wire(part: Mapping[str, Any]) -> dict[str, Any]:
    if "anyOf" in part:
        return {"anyOf": [_wire(option) for option in part["anyOf"]]}
    found: dict[str, Any] = {k: part[k] for k in ("description", "enum", "const") if k in part}
    found["type"] = part["type"]
    if part["type"] == "object":
        properties = {k: _optional(v, k in part.get("required", ())) for k, v in part["properties"].items()}
        found |= {"properties": properties, "required": list(properties), "additionalProperties": False}
    if part["type"] == "array":
        found["items"] = _wire(part["items"])
    return found


def _optional(part: Mapping[str, Any], required: bool) -> dict[str, Any]:
    found = _wire(part)
    return found if required and not part.get("nullable") else {"anyOf": [found, {"type": "null"}]}


def _parts(part: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(dotted place, schema) of each value, and of each object or list that is described."""
    if place and (part.get("description") or part.get("type") not in ("object", "array")):
        yield place, part
    for key, inner in part.get("properties", {}).items():
        yield from _parts(inner, f"{place}.{key}" if place else key)
    if part.get("type") == "array":
        inner = part["items"]
        yield from ((p, s) for p, s in _parts(inner, f"{place}[]") if p != place)


def _told(part: Mapping[str, Any]) -> str:
    options = [repr(x) for x in part.get("enum", ())] or ([repr(part["const"])] if "const" in part else [])
    kind = " or ".join(str(o.get("type")) for o in part["anyOf"]) if "anyOf" in part else part["type"]
    told = f"one of {', '.join(options)}" if options else "words of the text" if is_copied(part) else str(kind)
    return f"{told}; {part['description']}" if part.get("description") else told


def is_copied(part: Mapping[str, Any]) -> bool:
    """Whether a value is a copy from the text: a string that neither enum, const nor format fixes otherwise."""
    return part.get("type") == "string" and not any(k in part for k in ("enum", "const", "format"))


def _form(part: Mapping[str, Any]) -> Any:
    if "anyOf" in part:
        return _form(part["anyOf"][0])
    if part["type"] == "object":
        return {k: _form(v) for k, v in part["properties"].items()}
    if part["type"] == "array":
        return [_form(part["items"])]
    return "..." if part["type"] == "string" else part["type"]


def _conform(value: Any, part: Mapping[str, Any], at: str, note: Note, texts: list[tuple[str, str]]) -> Any:
    if "anyOf" in part:
        for option in part["anyOf"]:
            own: list[tuple[str, str]] = []
            silent: Note = lambda place, found, expected: None  # noqa: E731
            if (found := _conform(value, option, at, silent, own)) is not _LEFT_OUT:
                texts += own
                return found
        note(at, f"the value {value!r}"[:120], "one of the schema's forms")
        return _LEFT_OUT
    if part["type"] == "object" and isinstance(value, dict):
        return _conform_object(value, part, at, note, texts)
    if part["type"] == "array" and isinstance(value, list):
        kept: list[Any] = []
        for item in value:
            if (found := _conform(item, part["items"], f"{at}/{len(kept)}", note, texts)) is not _LEFT_OUT:
                kept.append(found)
        return kept
    found = _scalar(value, part["type"])
    allowed = part.get("enum", [part["const"]] if "const" in part else None)
    if found is _LEFT_OUT or (allowed is not None and found not in allowed):
        expected = f"one of {allowed}"[:120] if allowed is not None else f"type {part['type']}"
        note(at, f"the value {value!r}"[:120], expected)
        return _LEFT_OUT
    if is_copied(part) and found.strip():
        texts.append((at, found))
    return found


def _conform_object(
    value: Mapping[str, Any], part: Mapping[str, Any], at: str, note: Note, texts: list[tuple[str, str]]
) -> Any:
    kept: dict[str, Any] = {}
    for key, inner in part["properties"].items():
        place = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
        if value.get(key) is not None:
            if (found := _conform(value[key], inner, place, note, texts)) is not _LEFT_OUT:
                kept[key] = found
        elif key in part.get("required", ()) and not inner.get("nullable"):
            note(place, "no value", "a value, which the schema requires")
    for key in sorted(value.keys() - part["properties"].keys()):
        note(f"{at}/{key}"[:80], "a property that the schema does not have", "those of the schema")
    return kept


def _scalar(value: Any, kind: str) -> Any:
    """The value as its type; a number in quotes is a number."""
    if kind == "string":
        return replace_surrogates(value) if isinstance(value, str) else _LEFT_OUT
    if kind == "boolean":
        return value if isinstance(value, bool) else _LEFT_OUT
    if kind not in ("number", "integer") or isinstance(value, bool):
        return _LEFT_OUT
    try:
        number = float(value) if isinstance(value, str | int | float) else float("nan")
    except (ValueError, OverflowError):
        return _LEFT_OUT
    if number != number or number in (float("inf"), float("-inf")) or (kind == "integer" and number != int(number)):
        return _LEFT_OUT
    return int(number) if kind == "integer" else value if isinstance(value, int | float) else number
