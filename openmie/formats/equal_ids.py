"""Documents with an id that came before: both are kept, and the second says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openmie.data.document import Document
from openmie.errors import ErrorRecord


def remark_equal_ids(items: Iterable[Document | ErrorRecord]) -> Iterator[Document | ErrorRecord]:
    """The items; a document whose id came before gets a note."""
    seen: set[int] = set()
    for item in items:
        if isinstance(item, Document):
            key = hash(item.id)
            if key in seen:
                told = ErrorRecord(
                    where=f"document {item.id}"[:200],
                    found="an id that an earlier document has",
                    expected="an id of its own for each",
                    remedy="both were kept; rename one, for predictions and scores are paired by id",
                    note=True,
                )
                item = item.model_copy(update={"errors": (*item.errors, told)})
            seen.add(key)
        yield item
