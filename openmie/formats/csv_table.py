"""CSV: a flat table with a row per mention, chain, relation, region and error, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator

from openmie.data.document import Document, Mention, Region, Relation
from openmie.formats import output

COLUMNS = ("document", "kind", "id", "label", "text", "start", "end", "head", "tail", "image", "box", "score", "status")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # and the full-width twins, which some spreadsheets fold
CANNOT_HOLD = ("text", "words", "images", "phrases", "captions", "summary", "times", "lang", "source")


def table_rows(documents: Iterable[Document]) -> Iterator[dict[str, str]]:
    """Rows with the keys of `COLUMNS`, all of them text, empty where a kind has no such value.

    What could not be read or done for a document is a row of kind `error`, with the reason as its text.
    Of a relation, head and tail are ids and `text` joins their names; of a chain, `tail` lists its mentions' ids; of a
    region, `head` is what it shows, `text` the words in the box or else the name of what it shows, and `box` is
    "x y right bottom" in pixels.
    """
    for document in documents:
        for m in document.mentions:
            yield _row(document, "mention", m, id=m.id, text=m.text, start=m.start, end=m.end, status=m.status)
        for c in document.chains:
            yield _row(document, "chain", c, id=c.id, text=_name(document, c.id), tail=" ".join(c.mentions))
        for r in document.relations:
            names = f"{_name(document, r.head)} -> {_name(document, r.tail)}"
            yield _row(document, "relation", r, text=names, head=r.head, tail=r.tail)
        for b in document.regions:
            box = " ".join(f"{x:g}" if abs(x) < 1e6 else repr(x) for x in b.box)
            words = b.text or _name(document, b.of)
            yield _row(document, "region", b, text=words, head=b.of, image=b.image, box=box)
        for e in document.errors:
            yield _row(document, "error", e, text=str(e))


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
    """A cell that no spreadsheet runs: one that would begin a formula gets an apostrophe in front."""
    return "'" + cell if cell.lstrip().startswith(_FORMULA) or cell[:1] in ("\t", "\r", "\n") else cell


def write_csv(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """UTF-8 with a header line, all cells quoted; "-" is standard output."""
    report = output.WriteReport(CANNOT_HOLD)
    with output.open_output(path) as file:
        file.write(csv_line(COLUMNS))
        for document in documents:
            file.write(
                b"".join(
                    csv_line([escape_formula(row[column]) for column in COLUMNS])
                    for row in writable_rows(document, report)
                )
            )
    return report.result()


def writable_rows(document: Document, report: output.WriteReport) -> list[dict[str, str]]:
    """The rows of one document; where they cannot be written, the row of a record that says so."""
    report.count(document)
    try:
        found = list(table_rows([document]))
        for row in found:
            csv_line(row.values())
    except Exception as error:
        return list(table_rows([report.placeholder(document, error)]))
    return found


def csv_line(cells: Iterable[str]) -> bytes:
    """One row as UTF-8, all cells quoted."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return output.encode_utf8(text.getvalue(), "a table row")
