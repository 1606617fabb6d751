"""Posts as rows of columns: `text`, `image`, `caption`, `id`, fields of a Document, and any others, which travel along.

In place of a text a row may have tokens and their tags (`openmie.formats.token_rows`).

A row is a JSON object, a line of a table or a record of Parquet. What is no field goes into `Document.source` under its
own name, and so comes out again with the predictions. A column that is called as a layer and cannot be one, such as a
count under `mentions` or a client's name under `source`, is a column like any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from openmie.data.document import USER_CAPTION, Document, Image
from openmie.data.json_values import validate_json
from openmie.errors import DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats.post_columns import USUAL, PostColumns
from openmie.formats.token_rows import is_token_row, text_row

_FIELDS = tuple(Document.model_fields)
_TEXTS = ("id", "text", "caption", "lang", "summary")
_OBJECTS = ("captions", "source")
EMPTY = ErrorRecord(
    found="an empty post", expected="a text, an image or both", remedy="nothing is found in it", note=True
)


def read_row(
    data: Any,
    number: int,
    where: str,
    folder: paths.Folder,
    images: paths.Folder | None = None,
    columns: PostColumns = USUAL,
) -> Document | ErrorRecord:
    """The document of one row with its images found, or the record of one that cannot be read.

    Args:
        data: a JSON object.
        number: of the row, its id where it has none.
        where: file and line, for records.
        folder: that image paths are relative to.
        images: further folder that they may lie in.
        columns: names of the columns.
    """
    try:
        document = paths.resolve_paths(row_document(data, number, columns), folder, images)
    except DocumentError as error:
        return error.record.model_copy(update={"where": f"{where}, {error.record.where}".rstrip(", ")})
    told = tuple(e if e.where else e.model_copy(update={"where": where}) for e in document.errors)
    return document.model_copy(update={"errors": told}) if told else document


def row_document(data: Any, number: int, columns: PostColumns = USUAL) -> Document:
    """The document of one row.

    Args:
        data: a JSON object.
        number: of the row, its id where it has none.
        columns: names of the columns.

    Returns:
        A document; columns that are no field of it are in `source`, and an empty post has a note.

    Raises:
        DocumentError: no object, no column of text or image, values of the wrong type, a misspelt layer.
    """
    data = validate_json(data, "row", depth=-1)
    if not isinstance(data, dict):
        raise DocumentError(
            f"a JSON {type(data).__name__}",
            expected="an object with `text`",
            remedy='write {"text": "...", "image": "file.jpg"}',
        )
    if is_token_row(data) and not data.get(columns.text):
        data = text_row({k: v for k, v in data.items() if k != columns.text})
        columns = replace(columns, text="text")
    layers, others = _sorted_columns(data, columns)
    caption = layers.pop("caption", "")
    notes = [] if layers.get("images") or str(layers.get("text") or "").strip() else _empty(data, layers, columns)
    if data.get(columns.id, 0) in ("", None):
        notes.append(_without_id(columns, number))
    if wrong := [k for k, v in (*layers.items(), ("caption", caption)) if k in _TEXTS and not isinstance(v, str)]:
        raise DocumentError(
            f"unusable fields {wrong}",
            expected="`text`, `image`, `caption`, `id`, each a text",
            remedy="correct them, or write whole Documents",
        )
    layers = {"id": f"{columns.prefix}{number}", "text": "", **layers}
    if caption:
        layers["captions"] = {**layers.get("captions", {}), USER_CAPTION: caption}
    if others:
        layers["source"] = _beside(layers.get("source", {}), others)
    document = Document.from_json(json.dumps(layers))
    return document.model_copy(update={"errors": (*document.errors, *notes)}) if notes else document


def _sorted_columns(data: Mapping[str, Any], columns: PostColumns) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of a document, and `caption`, by their names; and the columns that travel along."""
    roles = columns.roles
    fields = {*(_FIELDS if columns.layers else ("text", "id", "lang", "images")), "caption"} - {*roles.values()}
    layers: dict[str, Any] = {}
    others: dict[str, Any] = {}
    pictures: list[str] = []
    for key, value in data.items():
        role = roles.get(key, key if key in fields else "")
        if not role or (key not in roles and not _can_be(role, value)):
            others[key] = value
        elif role == "image" or (role == "images" and _are_names(value)):
            pictures.extend(_names(value, key))
        elif value is not None:
            layers[role] = value
    _check_spelling(others)
    if "id" in layers and (id := _id(layers.pop("id"), columns.id)):
        layers["id"] = id
    if pictures and layers.get("images"):
        raise DocumentError(
            "unusable fields ['image', 'images']", expected="one of them", remedy="leave one of them out"
        )
    if pictures:
        ids = ["main", *(f"image{n}" for n in range(2, len(pictures) + 1))]
        layers["images"] = [
            Image(path=path, id=id).model_dump(include={"path", "id"}) for path, id in zip(pictures, ids)
        ]
    return layers, others


def _can_be(field: str, value: Any) -> bool:
    """Whether a value may be meant as this field of a document; a number under `mentions` is a column of its own."""
    if value is None or field in ("id", "text", "caption"):
        return True
    if field in _TEXTS:
        return isinstance(value, str)
    if field in _OBJECTS:
        return isinstance(value, dict)
    if field == "images" and isinstance(value, str):
        return True
    plain = isinstance(value, list) and any(value) and not any(isinstance(x, list | dict) for x in value)
    return isinstance(value, list | dict) and (not plain or field in ("words", "images"))


def _id(value: Any, column: str) -> str:
    """An id as text; whole numbers are ids too, also where pandas made 5.0 of 5."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    kind = {dict: "object", list: "list", bool: "truth value", float: "fraction"}.get(type(value), "value")
    raise DocumentError(
        f"an id that is a JSON {kind} under {column!r}",
        expected="a text or a whole number",
        remedy="correct it, or leave it out: rows without an id are numbered",
    )


def _without_id(columns: PostColumns, number: int) -> ErrorRecord:
    """The note of a row whose id is empty, where others have one."""
    return ErrorRecord(
        found=f"an empty id under {columns.id!r}",
        expected="an id, by which predictions and scores are paired",
        remedy=f"give it one; its number, {columns.prefix}{number}, was taken",
        note=True,
    )


def _empty(data: Mapping[str, Any], layers: Mapping[str, Any], columns: PostColumns) -> list[ErrorRecord]:
    """What is to be said of a row without text and image: an error where it has no such columns at all."""
    if not (data.keys() & {columns.text, *columns.images, "images"} or layers.get("errors")):
        among = f" among the columns {', '.join(map(repr, data))}"[:160] if data else ""
        raise DocumentError(
            f"an empty post: neither {columns.text!r} nor {columns.image!r}{among}",
            expected="a text, an image or both",
            remedy="name the column that holds the text (--text-column)",
        )
    return [] if layers.get("errors") else [EMPTY]


def _beside(source: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """A document's `source` with the columns that travel along; one whose name is taken there gets an underscore."""
    found = dict(source)
    for name, value in others.items():
        while name in found:
            name += "_"
        found[name] = value
    return found


def _check_spelling(others: Mapping[str, Any]) -> None:
    """A list or object under a name near a layer's is a misspelt layer, not a column that travels along."""
    for key, value in others.items():
        if key in _FIELDS or not isinstance(value, list | dict):
            continue
        if get_close_matches(key, _FIELDS, n=1, cutoff=0.8):
            raise DocumentError.unknown("field", key, _FIELDS)


def _are_names(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and any(value) and all(x is None or isinstance(x, str) for x in value)
    )


def _names(value: Any, column: str) -> Iterable[str]:
    """The paths of a cell: one, or a list of them."""
    names = [value] if value is None or isinstance(value, str) else value
    if not isinstance(names, list) or not all(name is None or isinstance(name, str) for name in names):
        raise DocumentError(
            f"a {type(value).__name__} under {column!r}",
            expected="the path of an image, or a list of paths",
            remedy="correct it, or leave it out",
        )
    return (name for name in names if name)
