"""Parquet: a row per document, a nested column per layer, written and read by row groups. An exact round trip.

`source`, `records` and attributes are JSON text; all else is typed, so that other tools can query it. Files of tokens
and tags, as the library datasets writes them, are read too (`openmie.formats.token_rows`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from openmie.data.document import Document, TimeSpan, Word
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats import output
from openmie.formats.jsonl import open_binary
from openmie.formats.post_columns import USUAL, PostColumns
from openmie.formats.post_rows import read_row
from openmie.formats.token_rows import TOKENS, class_names, is_token_row, text_row

CANNOT_HOLD = ("images.pixels",)

_BUFFER = 1 << 20  # bytes of a column that are read at a time: a row group may be the whole file
_RENAMED = {"begin": "start_time", "finish": "end_time"}  # columns of files written before November 2026
_LAYERS = ("images", "mentions", "chains", "relations", "regions", "phrases", "errors")


def schema() -> Any:
    """The Arrow schema of the file."""
    import pyarrow as pa

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    box = pa.list_(number)

    def rows(**fields: Any) -> Any:
        return pa.list_(pa.struct(list(fields.items())))

    relevance = rows(name=text, score=number)
    return pa.schema(
        [
            ("id", text),
            ("text", text),
            ("words", rows(start=whole, end=whole)),
            (
                "images",
                rows(
                    path=text,
                    kind=text,
                    id=text,
                    parent=text,
                    box=box,
                    time=number,
                    width=whole,
                    height=whole,
                    relevance=relevance,
                ),
            ),
            (
                "mentions",
                rows(
                    id=text, start=whole, end=whole, label=text, text=text, status=text, score=number, attributes=text
                ),
            ),
            ("chains", rows(id=text, mentions=pa.list_(text), label=text, score=number)),
            ("relations", rows(head=text, tail=text, label=text, score=number)),
            ("regions", rows(image=text, box=box, label=text, of=text, text=text, score=number)),
            ("records", text),
            ("phrases", rows(text=text, image=text)),
            ("captions", pa.map_(text, text)),
            ("summary", text),
            ("times", rows(start=whole, end=whole, start_time=number, end_time=number)),
            ("lang", text),
            ("source", text),
            ("errors", rows(where=text, found=text, expected=text, remedy=text, note=pa.bool_())),
        ]
    )


def write(documents: Iterable[Document], path: str | os.PathLike[str], *, rows: int = 1000) -> output.Written:
    """`rows` documents to a row group, zstd-compressed; image paths inside the file's folder become relative to it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if rows < 1:
        raise CorpusError(f"rows={rows}", expected="at least 1", remedy="leave it at 1000")
    report, types, stream = output.WriteReport(CANNOT_HOLD), schema(), iter(documents)
    with output.open_output(path) as file, pq.ParquetWriter(file, types, compression="zstd") as writer:
        while group := list(islice(stream, rows)):
            folder = paths.parent_folder(path)
            data = [_writable_row(document, folder, report) for document in group]
            try:
                table = pa.Table.from_pylist(data, schema=types)
            except Exception:  # of one of them, or of several
                data = [_writable_row(document, folder, report, row) for document, row in zip(group, data)]
                table = pa.Table.from_pylist(data, schema=types)
            writer.write_table(table)
    return report.result()


def _writable_row(
    document: Document, folder: Path, report: output.WriteReport, row: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The row of a document, or of the record of one that cannot be written; a row that was `made` is tried."""
    import pyarrow as pa

    try:
        if row is None:
            report.count(document)
            return _row(document, folder, report)
        pa.Table.from_pylist([row], schema=schema())
        return row
    except Exception as error:
        return _row(report.placeholder(document, error), folder, report)


def _row(document: Document, folder: Path, report: output.WriteReport) -> dict[str, Any]:
    document, outside = paths.relative_paths(document, folder)
    for image in outside:
        report.note_outside(document, image)
    row = document.model_dump()
    source = Document(id=document.id, source=document.source).to_json()  # refuses what JSON cannot hold
    row["source"] = _json(json.loads(source).get("source", {}))
    row["records"] = _json(row["records"]) if document.records else ""
    for mention in row["mentions"]:
        mention["attributes"] = _json(mention["attributes"]) if mention["attributes"] else None
    row["captions"] = sorted(document.captions.items())
    row["words"] = [w._asdict() for w in document.words]
    row["times"] = [t._asdict() for t in document.times]
    for image in row["images"]:
        image["relevance"] = [{"name": name, "score": score} for name, score in image["relevance"]]
    return row


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def read(
    path: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    columns: PostColumns = USUAL,
) -> Iterator[Document | ErrorRecord]:
    """A document, or the record of a bad row, per row: what `write` wrote, or rows of posts (`post_rows`).

    Args:
        path: file; "-" is standard input.
        images: further folder that image paths may lie in.
        columns: of a row's text, image and id. Rows without an id are numbered from 1.

    Raises:
        CorpusError: no Parquet, or a table with no column of ids, texts or images.
    """
    data = _content(path)
    with _opened(path, data, [0]) as table:
        names = list(table.schema_arrow.names)
    _check_columns(names, columns, path)
    return _documents(path, data, names, columns, images)


def _content(path: str | os.PathLike[str]) -> bytes | None:
    """Standard input as a whole, for a Parquet file is read from its end; None of a file."""
    return sys.stdin.buffer.read() if os.fspath(path) == "-" else None


def _check_columns(names: list[str], columns: PostColumns, path: str | os.PathLike[str]) -> None:
    """CorpusError unless the columns that were named are there, or else an id, a text or an image."""
    for given, usual in ((columns.text, "text"), (columns.id, "id"), *((i, "image") for i in columns.images)):
        if given != usual and given not in names:
            raise CorpusError.unknown("column", given, names, where=str(path))
    if not {"id", columns.text, *columns.images, "images", TOKENS} & {*names}:
        raise CorpusError(
            f"the columns {names[:20]}",
            expected="a column id, text or image",
            where=str(path),
            remedy="name the column that holds the text (--text-column)",
        )


@contextmanager
def _opened(path: str | os.PathLike[str], data: bytes | None, done: list[int]) -> Iterator[Any]:
    """The Parquet file; CorpusError for what any of its damages raises while it is read, after `done` rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_binary(path) if data is None else BytesIO(data) as file:
            yield pq.ParquetFile(file, buffer_size=_BUFFER)
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        TypeError,
        LookupError,
        OverflowError,
        RecursionError,
        MemoryError,
    ) as error:  # a damaged file may say anything
        raise CorpusError(
            f"no Parquet, or broken ({str(error)[:120]})",
            expected="a Parquet file",
            where=f"{path}, after row {done[0]}",
            remedy="write the file again",
        ) from None


def _documents(
    path: str | os.PathLike[str], data: bytes | None, names: list[str], columns: PostColumns, images: Any
) -> Iterator[Document | ErrorRecord]:
    folder, done = paths.parent_folder(path), [0]
    own = "id" in names and {*names} <= {*Document.model_fields} and columns.are_usual
    with _opened(path, data, done) as table:
        classes = class_names(table.schema_arrow.metadata)
        for batch in table.iter_batches(batch_size=1000):
            for row in _batch_rows(batch):
                done[0] += 1
                where = f"{path}, row {done[0]}"
                found = _document(row, where, folder, images) if own or isinstance(row, Exception) else None
                if not isinstance(found, Document) and not isinstance(row, Exception):
                    post = _post(row, done[0], where, folder, images, columns, classes)
                    found = post if found is None or isinstance(post, Document) else found
                if found is not None:
                    yield found


def _post(
    row: dict[str, Any],
    number: int,
    where: str,
    folder: Path,
    images: Any,
    columns: PostColumns,
    classes: Mapping[str, Sequence[str]],
) -> Document | ErrorRecord:
    """The row of a post, whose columns are typed as other tools type them."""
    binary = [name for name, value in row.items() if _is_binary(value)]
    plain = {name: _plain(value) for name, value in row.items() if name not in binary}
    for name in {*plain} & {*_LAYERS, "words", "times"}:
        plain[name] = _layer(name, plain[name])
    if isinstance(plain.get("source"), str):
        with suppress(ValueError, RecursionError):
            known = json.loads(plain["source"])
            plain["source"] = known if isinstance(known, dict) else plain["source"]
    for name in {*binary} & {*columns.images}:  # as the library `datasets` writes pictures: bytes and a path
        path = row[name].get("path") if isinstance(row[name], dict) else None
        plain[name] = path if isinstance(path, str) else None
    if is_token_row(plain) and not plain.get(columns.text):
        try:
            plain = text_row({k: v for k, v in plain.items() if k != columns.text}, classes)
        except DocumentError as error:
            return error.record.model_copy(update={"where": f"{where}, {error.record.where}".rstrip(", ")})
        columns = replace(columns, text="text")
    found = read_row(plain, number, where, folder, images, columns)
    if not binary or isinstance(found, ErrorRecord):
        return found
    told = ErrorRecord(
        where=where,
        found=f"binary values in {', '.join(map(repr, binary))}, which were left out",
        expected="paths of image files",
        remedy="write the pictures to files, and their paths into the table",
    )
    return found.model_copy(update={"errors": (*found.errors, told)})


def _is_binary(value: Any) -> bool:
    if isinstance(value, dict):
        return any(isinstance(x, bytes) for x in value.values())
    return isinstance(value, bytes) or (isinstance(value, list) and any(_is_binary(x) for x in value))


def _plain(value: Any) -> Any:
    """A cell as JSON holds it: a time as ISO 8601, a missing number (NaN) as null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return None if value != value else value
    return value if value is None or isinstance(value, str | int) else getattr(value, "isoformat", value.__str__)()


def _layer(name: str, value: Any) -> Any:
    """A layer as JSON holds it: no nulls, words and times as lists, relevance as pairs."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return value
    items = [{_RENAMED.get(k, k): v for k, v in item.items() if v is not None} for item in value]
    if name in ("words", "times"):
        return [list(item.values()) for item in items]
    for item in items:
        if "relevance" in item:
            item["relevance"] = [[x.get("name"), x.get("score")] for x in item["relevance"]]
    return items


def _batch_rows(batch: Any) -> Iterator[dict[str, Any] | Exception]:
    """The rows as Python holds them; one that it cannot hold, such as text that is not UTF-8, is the reason."""
    whole = _to_pylist(batch)
    for at in range(len(batch)) if whole is None else ():
        one = _to_pylist(batch.slice(at, 1))
        yield one[0] if one else ValueError("a cell that is not of its column's type, or no UTF-8")
    yield from whole or ()


def _to_pylist(batch: Any) -> list[dict[str, Any]] | None:
    try:
        return batch.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


def _document(row: dict[str, Any] | Exception, where: str, folder: Path, images: Any) -> Document | ErrorRecord:
    try:
        if isinstance(row, Exception):
            raise row
        row = {name: value for name, value in row.items() if value is not None}
        for layer in _LAYERS:
            row[layer] = [{k: v for k, v in item.items() if v is not None} for item in row.get(layer, ())]
        for image in row["images"]:
            image["relevance"] = [(x["name"], x["score"]) for x in image.get("relevance", ())]
        row["words"] = [Word(**w) for w in row.get("words", ())]
        row["times"] = [TimeSpan(**{_RENAMED.get(k, k): v for k, v in t.items()}) for t in row.get("times", ())]
        row["source"] = json.loads(row.get("source") or "{}")
        row["records"] = json.loads(row.get("records") or "[]")
        for mention in row["mentions"]:
            mention["attributes"] = json.loads(mention.get("attributes") or "{}")
        return paths.resolve_paths(Document(**row), folder, images)
    except DocumentError as error:
        return error.record.model_copy(update={"where": f"{where}, {error.record.where}".rstrip(", ")})
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        return ErrorRecord(
            where=where,
            found=f"a row of another shape ({str(error)[:120]})",
            expected="the columns of openmie.formats.parquet.schema()",
            remedy="rename or convert them",
        )
