"""CSV: a flat table with a row for each post and one for each mention, chain, relation, region, record and error in it.

Columns of a user's own follow those of `COLUMNS`, on every row of their post. No cell begins what a spreadsheet runs.
"""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from openmie.data.document import Document, Mention, Region, Relation
from openmie.data.provenance import own_columns
from openmie.formats import output

COLUMNS = ("document", "kind", "id", "label", "text", "start", "end", "head", "tail", "image", "box", "score", "status")
MORE = "more columns"  # of posts whose columns are not among those of the first `HEAD_POSTS`: a JSON object
HEAD_POSTS = 1024  # posts that are read before the header is written
CANNOT_HOLD = ("words", "images", "phrases", "captions", "times", "lang", "records.spans")
_FORMULA = "=+-@\u2212"  # and what is one of these in another width, which some spreadsheets fold
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0\u2800"  # letters and a sign that show nothing


def table_rows(documents: Iterable[Document]) -> Iterator[dict[str, str]]:
    """Rows with the keys of `COLUMNS`, all of them text, empty where a kind has no such value.

    The row of kind `post` has the document's text and, as `image`, the paths of its images; a summary is a row, too.
    What could not be read or done for a document is a row of kind `error`, with the reason as its text; a note, by
    which nothing is lost, is one of kind `note`.
    Of an attribute, `id` is its mention's and `label` its name; of a record, `text` is its data as JSON.
    Of a relation, head and tail are ids and `text` joins their names; of a chain, `tail` lists its mentions' ids; of a
    region, `head` is what it shows, `text` the words in the box or else the name of what it shows, and `box` is
    "x y right bottom" in pixels.
    """
    for document in documents:
        paths = " | ".join(image.path for image in document.images if image.path)
        yield _row(document, "post", document, id="", text=document.text, image=paths)
        if document.summary:
            yield _row(document, "summary", document, id="", text=document.summary)
        for m in document.mentions:
            yield _row(document, "mention", m, id=m.id, text=m.text, start=m.start, end=m.end, status=m.status)
            for name, value in m.attributes.items():
                yield _row(document, "attribute", m, id=m.id, label=name, text=_text(value), score="")
        for c in document.chains:
            yield _row(document, "chain", c, id=c.id, text=_name(document, c.id), tail=" ".join(c.mentions))
        for r in document.relations:
            names = f"{_name(document, r.head)} -> {_name(document, r.tail)}"
            yield _row(document, "relation", r, text=names, head=r.head, tail=r.tail)
        for b in document.regions:
            box = " ".join(f"{x:g}" if abs(x) < 1e6 else repr(x) for x in b.box)
            words = b.text or _name(document, b.of)
            yield _row(document, "region", b, text=words, head=b.of, image=b.image, box=box)
        for record in document.records:
            yield _row(document, "record", record, text=_text(record.data))
        for e in document.errors:
            yield _row(document, "note" if e.note else "error", e, text=str(e))


def _row(document: Document, kind: str, item: Mention | Relation | Region | object, **values: object) -> dict[str, str]:
    score = getattr(item, "score", None)
    known = {
        "document": document.id,
        "kind": kind,
        "label": getattr(item, "label", ""),
        "score": "" if score is None else f"{score:.6g}",
        **values,
    }
    return {column: str(known.get(column, "")) for column in COLUMNS}


def _name(document: Document, id: str) -> str:
    """The surface form of a mention, or of the first mention of a chain; else the id itself."""
    found = document.find(id)
    if found is not None and not isinstance(found, Mention):
        found = document.find(found.mentions[0]) if found.mentions else None
    return found.text if isinstance(found, Mention) else id


def escape_formula(cell: str) -> str:
    """A cell that no spreadsheet runs: one that would begin a formula gets an apostrophe in front.

    What shows nothing may stand before the formula: blanks, marks of byte order and direction, soft hyphens, NUL.
    """
    if cell[:1].isalnum():
        return cell
    first = next((c for c in cell if unicodedata.category(c)[0] not in "CZM" and c not in _BLANK_LETTERS), "")
    begins = cell[:1] in ("\t", "\r", "\n") or (bool(first) and unicodedata.normalize("NFKC", first)[0] in _FORMULA)
    return "'" + cell if begins else cell


def write_csv(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """UTF-8 with a header line, all cells quoted; "-" is standard output."""
    report, stream = output.WriteReport(CANNOT_HOLD), iter(documents)
    with output.open_output(path) as file:
        first = list(islice(stream, HEAD_POSTS))
        names = list(dict.fromkeys(name for document in first for name in own_columns(document)))
        more = len(first) == HEAD_POSTS
        titles = [f"source.{name}" if name in (*COLUMNS, MORE) else name for name in names]
        head = [*COLUMNS, *map(escape_formula, titles), *([MORE] if more else [])]
        file.write(csv_line(head))
        while first:
            file.write(b"".join(_lines(first.pop(0), names, more, report)))
        for document in stream:
            file.write(b"".join(_lines(document, names, more, report)))
    return report.result()


def _lines(document: Document, names: Sequence[str], more: bool, report: output.WriteReport) -> list[bytes]:
    """The lines of one document; where they cannot be written, those of a record that says so."""
    report.count(document)
    try:
        return _cells(document, names, more)
    except Exception as error:
        return _cells(report.placeholder(document, error), names, more)


def _cells(document: Document, names: Sequence[str], more: bool) -> list[bytes]:
    own = own_columns(document)
    others = [_value(own.pop(name, None)) for name in names]
    others += [json.dumps(own, ensure_ascii=False) if own else ""] if more else []
    return [csv_line([*map(escape_formula, row.values()), *others]) for row in table_rows([document])]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(value: Any) -> str:
    """A cell of a user's own column; a number is no formula, whatever its sign."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return escape_formula(_text(value))


def csv_line(cells: Iterable[str]) -> bytes:
    """One row as UTF-8, all cells quoted."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return output.encode_utf8(text.getvalue(), "a table row")
