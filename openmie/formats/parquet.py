"""Parquet: a row per document, a nested column per layer, written and read by row groups. An exact round trip.

`source` is a column of JSON text; all else is typed, so that other tools can query it. Files of tokens and tags, as the
library datasets writes them, are read too (`openmie.formats.token_rows`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from openmie.data.document import Document, TimeSpan, Word
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats import output
from openmie.formats.post_rows import row_document
from openmie.formats.token_rows import TOKENS, class_names, text_row

CANNOT_HOLD = ("images.pixels",)

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
            ("mentions", rows(id=text, start=whole, end=whole, label=text, text=text, status=text, score=number)),
            ("chains", rows(id=text, mentions=pa.list_(text), label=text, score=number)),
            ("relations", rows(head=text, tail=text, label=text, score=number)),
            ("regions", rows(image=text, box=box, label=text, of=text, text=text, score=number)),
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
    row["source"] = json.dumps(json.loads(source).get("source", {}), ensure_ascii=False, sort_keys=True)
    row["captions"] = sorted(document.captions.items())
    row["words"] = [w._asdict() for w in document.words]
    row["times"] = [t._asdict() for t in document.times]
    for image in row["images"]:
        image["relevance"] = [{"name": name, "score": score} for name, score in image["relevance"]]
    return row


def read(
    path: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None
) -> Iterator[Document | ErrorRecord]:
    """A document, or the record of a bad row, per row; only `id` must be there, absent columns are empty layers.

    Rows of tokens need no `id`; what is no field of a Document is then in `source`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from openmie.formats.jsonl import open_binary

    with open_binary(path) as file:
        number = 0
        try:
            table = pq.ParquetFile(file)
            has_tokens = TOKENS in table.schema_arrow.names and "text" not in table.schema_arrow.names
            if "id" not in table.schema_arrow.names and not has_tokens:
                raise CorpusError(
                    f"the columns {table.schema_arrow.names[:20]}",
                    expected="a column id",
                    where=str(path),
                    remedy="rename the columns to the layers of a Document",
                )
            known = [name for name in table.schema_arrow.names if name in Document.model_fields]
            names = class_names(table.schema_arrow.metadata) if has_tokens else None
            for batch in table.iter_batches(batch_size=1000, columns=None if has_tokens else known):
                for row in _batch_rows(batch):
                    number += 1
                    data = _tagged(row, number, names) if names is not None else row
                    yield _document(data, f"{path}, row {number}", paths.parent_folder(path), images)
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
                where=f"{path}, after row {number}",
                remedy="write the file again",
            ) from None


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


def _tagged(
    row: dict[str, Any] | Exception, number: int, names: Mapping[str, Sequence[str]]
) -> Document | dict[str, Any] | Exception:
    """The document of a row of tokens and tags; other columns, as JSON or as text, are in `source`."""
    if isinstance(row, Exception):
        return row
    try:
        plain = {k: v if isinstance(v, str | int | float | list | dict | None) else str(v) for k, v in row.items()}
        return row_document(text_row(plain, names) if plain.get(TOKENS) else plain, number)
    except DocumentError as error:
        return error


def _document(
    row: Document | dict[str, Any] | Exception, where: str, folder: Path, images: Any
) -> Document | ErrorRecord:
    try:
        if isinstance(row, Exception):
            raise row
        if isinstance(row, Document):
            return paths.resolve_paths(row, folder, images)
        row = {name: value for name, value in row.items() if value is not None}
        for layer in _LAYERS:
            row[layer] = [{k: v for k, v in item.items() if v is not None} for item in row.get(layer, ())]
        for image in row["images"]:
            image["relevance"] = [(x["name"], x["score"]) for x in image.get("relevance", ())]
        row["words"] = [Word(**w) for w in row.get("words", ())]
        row["times"] = [TimeSpan(**{_RENAMED.get(k, k): v for k, v in t.items()}) for t in row.get("times", ())]
        row["source"] = json.loads(row.get("source") or "{}")
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
