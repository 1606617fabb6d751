"""Image files of a corpus of one's own: each is opened once, and what cannot be read is a record."""

from __future__ import annotations

from collections.abc import Iterator

from openmie.data import images as pictures
from openmie.data.document import Document
from openmie.datasets.audit.checks import Finding
from openmie.errors import ErrorRecord, ImageError


class OwnImages:
    """A check of the images that documents name; those that a reader refused have their record there.

    Args:
        decode: whether pixels are decoded; else headers are read, which misses damaged files.
    """

    def __init__(self, decode: bool) -> None:
        self.records: dict[str, ErrorRecord] = {}  # by path
        self._decode = decode
        self._seen: set[str] = set()

    def add(self, split: str, document: Document) -> None:
        for image in document.images:
            if not image.path or image.path in self._seen:
                continue
            self._seen.add(image.path)
            try:
                pictures.load_image(image.path) if self._decode else pictures.image_size(image.path)
            except ImageError as error:
                where = f"document {document.id}, {error.record.where}"[:300]
                self.records[image.path] = error.record.model_copy(update={"where": where})

    def findings(self) -> Iterator[Finding]:
        if self.records:
            yield Finding("images that cannot be read", "", len(self.records), tuple(list(self.records)[:5]))
