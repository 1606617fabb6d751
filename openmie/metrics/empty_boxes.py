"""Boxes without an area: no box can match them, not even their own copy, and that is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openmie.data.document import Document
from openmie.errors import ErrorRecord


def empty_boxes(documents: Iterable[Document], side: str) -> Iterator[ErrorRecord]:
    """A note for each document with boxes that have no area.

    Args:
        documents: with regions.
        side: "gold" or "predicted", as the note names it.
    """
    for document in documents:
        empty = [r.box for r in document.regions if not (r.box[0] < r.box[2] and r.box[1] < r.box[3])]
        if empty:
            yield ErrorRecord(
                where=f"{side} document {document.id}",
                found=f"{len(empty)} boxes without area, the first {empty[0]}",
                expected="boxes x0, y0, x1, y1 with x0 < x1 and y0 < y1",
                remedy="correct them: they count, but nothing can match them",
                note=True,
            )
