"""Documents with an id that came before: both are kept, and the second says so."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from openmie.data.document import Document
from openmie.errors import ErrorRecord


def remark_equal_ids(items: Iterable[Document | ErrorRecord]) -> Iterator[Document | ErrorRecord]:
    """The items; a document whose id came before gets a note."""
    seen = _SeenIds()
    for item in items:
        if isinstance(item, Document) and not seen.add(item.id):
            told = ErrorRecord(
                where=f"document {item.id}"[:200],
                found="an id that an earlier document has",
                expected="an id of its own for each",
                remedy="both were kept; rename one, for predictions and scores are paired by id",
                note=True,
            )
            if told not in item.errors:  # of its own file
                item = item.model_copy(update={"errors": (*item.errors, told)})
        yield item


class _SeenIds:
    """Ids by 64 bits of their hash, with open addressing: 12 to 24 bytes each, for a job may have millions."""

    def __init__(self) -> None:
        self._table, self._count = array("Q", bytes(8 << 10)), 0

    def add(self, id: str) -> bool:
        """Whether it is new."""
        if not self._put(self._table, (hash(id) & 0xFFFFFFFFFFFFFFFF) or 1):
            return False
        self._count += 1
        if 3 * self._count > 2 * len(self._table):
            larger = array("Q", bytes(16 * len(self._table)))
            for key in filter(None, self._table):
                self._put(larger, key)
            self._table = larger
        return True

    @staticmethod
    def _put(table: array[int], key: int) -> bool:
        last = len(table) - 1
        place = key & last
        while table[place]:
            if table[place] == key:
                return False
            place = (place + 1) & last
        table[place] = key
        return True
