"""Many documents in little memory: as compressed JSON, from which each is made anew when it is asked for.

100,000 posts with mentions take about 2.5 GB as Documents, and 50 MB so.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

from openmie.data.document import Document


class PackedDocuments(Sequence[Document]):
    """A sequence of documents; pixels in memory, which no file holds either, are left out.

    Args:
        documents: read once.

    Attributes:
        ids: of the documents, in order.

    Raises:
        DocumentError: a document that JSON cannot hold.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self.ids: list[str] = []
        self._packed: list[bytes] = []
        for document in documents:
            self.ids.append(document.id)
            self._packed.append(zlib.compress(document.to_json().encode(), 1))

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, at: int) -> Document:  # type: ignore[override]
        return Document.from_json(zlib.decompress(self._packed[at]))

    def __iter__(self) -> Iterator[Document]:
        return (self[at] for at in range(len(self)))


def ids_of(documents: Sequence[Document]) -> list[str]:
    """The ids of documents, in order; of packed ones without making them."""
    return documents.ids if isinstance(documents, PackedDocuments) else [d.id for d in documents]
