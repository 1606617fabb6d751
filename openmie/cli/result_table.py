"""The table that `openmie extract --format table` prints: a row for each entity, attribute, relation, object, line of
words, link, record and error of a document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from openmie.data.document import Chain, Document, Mention, Region
from openmie.formats import output

COLUMNS = ("document", "kind", "label", "text", "where", "score")
WORDS = "WORDS"  # label of regions that are lines of words, see openmie/base/photograph.py


def result_rows(documents: Iterable[Document], report: output.WriteReport) -> list[list[str]]:
    """Rows with the columns of `COLUMNS`; a document that cannot be written is a row that says why.

    `where` is start:end of a mention, and x y right bottom in pixels of a box, behind the image's id where the document
    has several images, and behind "photograph" for an entity that only the words of a photograph name.
    """
    rows: list[list[str]] = []
    for document in documents:
        report.count(document)
        try:
            found = list(_rows(document))
            for cell in (document.id, *(cell for row in found for cell in row)):
                output.encode_utf8(cell, "a table row")
        except Exception as error:  # any value that cannot be shown: a record is in its place
            document = report.placeholder(document, error)
            found = list(_rows(document))
        rows.extend([document.id, *row] for row in found)
    return rows


def _rows(document: Document) -> Iterator[list[str]]:
    for m in document.mentions:
        place = f"{m.start}:{m.end}" if m.status != "unlocated" else "not in the text"
        yield ["entity", m.label, m.text, place, _score(m)]
        yield from (["attribute", name, f"{m.text}: {_shown(value)}", "", ""] for name, value in m.attributes.items())
    for c in document.chains:
        yield ["chain", c.label, " = ".join(_name(document, m) for m in c.mentions), "", _score(c)]
    for r in document.relations:
        yield ["relation", r.label, f"{_name(document, r.head)} -> {_name(document, r.tail)}", "", _score(r)]
    for region in document.regions:
        box = " ".join(f"{x:.0f}" for x in region.box)
        place = f"{region.image} {box}" if len(document.images) > 1 else box
        if region.of:
            yield ["link", region.label, _name(document, region.of), place, _score(region)]
        elif region.label == WORDS:
            yield ["words", "", region.text, place, _score(region)]
        elif region.text:
            yield ["entity", region.label, region.text, f"photograph {place}", _score(region)]
        else:
            yield ["object", region.label, "", place, _score(region)]
    for record in document.records:
        yield ["record", record.label, _shown(record.data), "", _score(record)]
    for error in document.errors:
        yield ["error", "", str(error), "", ""]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _name(document: Document, id: str) -> str:
    """The surface form of a mention, or of the first mention of a chain; else the id itself."""
    found = document.find(id)
    if isinstance(found, Chain):
        found = document.find(found.mentions[0]) if found.mentions else None
    return found.text if isinstance(found, Mention) else id


def _score(item: Mention | Region | Any) -> str:
    return "" if item.score is None else f"{item.score:.2f}"
