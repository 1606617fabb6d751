"""Posts as rows of columns: `text`, `image`, `caption`, `id`, fields of a Document, and any others, which travel along.

In place of a text a row may have tokens and their tags (`openmie.formats.token_rows`).

A row is a JSON object, a line of a table or a record of Parquet. What is no field goes into `Document.source` under its
own name, and so comes out again with the predictions.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from openmie.data.document import USER_CAPTION, Document, Image
from openmie.data.json_values import validate_json
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats.text_lines import TextLine, read_lines
from openmie.formats.token_rows import is_token_row, text_row

_FIELDS = tuple(Document.model_fields)
TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Columns:
    """Names of the columns that hold a post.

    Args:
        text: column of the text.
        image: column of the image's path, or of a list of paths.
        id: column of the id; rows without one are numbered.
    """

    text: str = "text"
    image: str = "image"
    id: str = "id"


DEFAULT = Columns()


def row_document(data: Any, number: int, columns: Columns = DEFAULT) -> Document:
    """The document of one row.

    Args:
        data: a JSON object.
        number: of the row, its id where it has none.
        columns: names of the columns.

    Returns:
        A document; columns that are no field of it are in `source`.

    Raises:
        DocumentError: no object, no text and no image, values of the wrong type, a misspelt layer.
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
        columns = Columns("text", columns.image, columns.id)
    roles = {columns.text: "text", columns.image: "image", columns.id: "id"}
    known = {*_FIELDS, "image", "caption"} - set(roles.values())
    named: dict[str, Any] = {str(roles.get(k) or k): v for k, v in data.items() if k in roles or k in known}
    named = {k: v for k, v in named.items() if v is not None or k not in ("image", "caption", "id")}  # null: none
    others = {k: v for k, v in data.items() if k not in roles and k not in known}
    _check_spelling(others)
    if isinstance(named.get("id"), int):
        named["id"] = str(named["id"])
    pictures = _pictures(named.pop("image", ()), columns.image)
    caption = named.pop("caption", "")
    if named.get("text") is None and not pictures and not named.get("images"):
        raise DocumentError(
            f"neither {columns.text!r} nor {columns.image!r} among the columns {', '.join(map(repr, data))}"[:200],
            expected="a text, an image or both",
            remedy="name the column that holds the text (--text-column)",
        )
    wrong = [k for k in ("text", "id") if not isinstance(named.get(k) or "", str)]
    wrong += ["caption"] if not isinstance(caption, str) else []
    wrong += ["image"] if pictures and named.get("images") else []
    if wrong or not isinstance(named.get("source", {}), dict):
        raise DocumentError(
            f"unusable fields {wrong or ['source']}",
            expected="`text`, `image`, `caption`, `id`, each a text",
            remedy="correct them, or write whole Documents",
        )
    layers: dict[str, Any] = {"id": str(number), **named, "text": named.get("text") or ""}
    if pictures:
        layers["images"] = [{"path": image.path, "id": image.id} for image in pictures]
    if caption:
        layers["captions"] = {**layers.get("captions", {}), USER_CAPTION: caption}
    if others:
        layers["source"] = {**others, **layers.get("source", {})}
    return Document.from_json(json.dumps(layers))


def _check_spelling(others: Mapping[str, Any]) -> None:
    """A list or object under a name near a layer's is a misspelt layer, not a column that travels along."""
    for key, value in others.items():
        if isinstance(value, list | dict) and get_close_matches(key, _FIELDS, n=1, cutoff=0.8):
            raise DocumentError.unknown("field", key, _FIELDS)


def _pictures(value: Any, column: str) -> tuple[Image, ...]:
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else [None]
    if not all(isinstance(name, str) for name in names):
        raise DocumentError(
            f"a {type(value).__name__} under {column!r}",
            expected="the path of an image, or a list of paths",
            remedy="correct it, or leave it out",
        )
    names = [name for name in names if name]
    return tuple(Image(path=name, id=f"image{n}" if n > 1 else "main") for n, name in enumerate(names, 1))


def read_table(
    path: str | os.PathLike[str], images: str | os.PathLike[str] | None = None, columns: Columns = DEFAULT
) -> Iterator[Document | ErrorRecord]:
    """Posts of a CSV or TSV file with a header line, or of plain text, a post a line.

    Args:
        path: file, `.csv` (comma or semicolon), `.tsv` or `.txt`.
        images: further folder that image paths may lie in.
        columns: names of the columns.

    Yields:
        A document for each row, or the record of one that cannot be read.

    Raises:
        CorpusError: no such file, or a table without the columns that were named.
    """
    lines = list(read_lines(Path(path)))
    plain = Path(path).suffix.lower() == ".txt"
    rows = (
        ((n.number, {columns.text: n.text}) for n in lines if n.text.strip()) if plain else _cells(path, lines, columns)
    )
    for number, row in rows:
        if isinstance(row, ErrorRecord):
            yield row
            continue
        try:
            document = row_document(row, number if plain else number - 1, columns)
            yield paths.resolve_paths(document, paths.parent_folder(path), images)
        except DocumentError as error:
            where = f"{path}:{number}, {error.record.where}".rstrip(", ")
            yield error.record.model_copy(update={"where": where})
    yield from (line.error for line in lines if line.error)


def _cells(
    path: str | os.PathLike[str], lines: list[TextLine], columns: Columns
) -> Iterator[tuple[int, dict[str, Any] | ErrorRecord]]:
    """Number and cells of each row, the header being row 1; an empty cell of a post's own columns is none.

    A row that is no CSV, such as one with a carriage return in it or of a cell beyond 131,072 characters, is a record.
    """
    text = "\n".join(line.text for line in lines)
    head = text.split("\n", 1)[0]
    mark = "\t" if Path(path).suffix.lower() == ".tsv" else max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=mark)
    names = _next(reader, f"{path}:1")
    if isinstance(names, ErrorRecord):
        raise CorpusError.of(names)
    names = names or []
    if columns.text not in names and columns.image not in names:
        raise CorpusError(
            f"the columns {', '.join(map(repr, names[:20]))}",
            expected=f"a column {columns.text!r} or {columns.image!r}",
            where=str(path),
            remedy="name the column that holds the text (--text-column)",
        )
    number = 1
    while (cells := _next(reader, f"{path}:{number + 1}")) is not None:
        number += 1
        if isinstance(cells, ErrorRecord):
            yield number, cells
        elif any(cells):
            named = {n: c for n, c in zip(names, cells) if c or n not in (columns.text, columns.image, columns.id)}
            more = {f"column {n + 1}": c for n, c in enumerate(cells[len(names) :], len(names))}
            yield number, {**named, **more}


def _next(reader: Iterator[list[str]], where: str) -> list[str] | ErrorRecord | None:
    """The next row; None at the end."""
    try:
        return next(reader, None)
    except csv.Error as error:
        return ErrorRecord(
            where=where,
            found=f"a row that is no CSV ({error})",
            expected="cells between marks, quoted where they hold one",
            remedy="write the table again; the row was left out",
        )
