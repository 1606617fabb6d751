"""Long texts for openmie-base: read in segments, as `openmie.data.segments` cuts them, and batches of bounded length.

A relation holds between names of at most 48 words apart, and a segment reads 256 words beyond its own, so that none is
lost at a border. Chains, which are found by the words of names, are found in the whole text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from openmie.data import segments
from openmie.data.document import Document
from openmie.text.words import split_words

if TYPE_CHECKING:
    from openmie.base.text_model import Entity

LONG = 8192  # words of a text, about, up to which it is read whole
WORDS, OVERLAP = 4096, 256  # of a segment, and on either side of its own
BATCH_CHARACTERS = 1 << 16  # of the texts that are read together


class Parts(Sequence[Document]):
    """The segments of a long document, each as a document of its own with nothing but its text, made when it is read.

    Args:
        document: text and words.
        found: its segments.
    """

    def __init__(self, document: Document, found: Sequence[segments.Segment]) -> None:
        self.document, self.segments = document, found

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, at: int) -> Document:  # type: ignore[override]
        return segments.part(self.document, self.segments[at]).replace(words=())

    def joined(self, read: Sequence[Document]) -> Document:
        """The document with the mentions and relations of its segments."""
        return segments.joined(self.document, self.segments, read)


def segments_of(document: Document) -> Parts | None:
    """The parts of a text that is longer than is read at once; None for one that is not."""
    if len(document.text) <= LONG:
        return None
    plain = Document(id=document.id, text=document.text, words=split_words(document.text))
    whole = len(segments.cut(plain, LONG, 0)) == 1
    return None if whole else Parts(plain, segments.cut(plain, WORDS, OVERLAP))


def batches(documents: Sequence[Document], size: int) -> Iterator[list[Document]]:
    """Documents in order, at most `size` together, and fewer where their texts are long; a very long one by itself."""
    batch, length = list[Document](), 0
    for document in documents:
        if batch and (len(batch) == size or length + len(document.text) > BATCH_CHARACTERS):
            yield batch
            batch, length = [], 0
        batch.append(document)
        length += len(document.text)
    if batch:
        yield batch


def entities_of(document: Document) -> list[Entity]:
    """The mentions of a document as a text model has them."""
    from openmie.base.text_model import Entity

    return [Entity(m.start, m.end, m.label, m.score or 0.0) for m in document.mentions]
