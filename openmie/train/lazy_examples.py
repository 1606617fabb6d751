"""Training examples that are encoded when a batch wants them, so that memory does not grow with the documents."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.model.features.batching import Featurizer
from openmie.model.features.encoded_document import EncodedDocument

CHUNK = 64  # documents that are encoded together when they are counted


class LazyExamples(Sequence[EncodedDocument]):
    """The examples of documents with gold: one of each, or one of each pair where the recipe marks pairs.

    Each document is encoded once when the sequence is made, which says how many examples it has and how long they are,
    and again whenever a batch asks for one: a fraction of a millisecond of a step. An example takes 24 bytes.

    Args:
        featurizer: encodes the documents.
        documents: they are asked for one by one, such as a `DocumentFile`.

    Attributes:
        lengths: tokens of each example.
        records: what could not be learnt from or read so far, each once.
        has_context: whether any example has a context.
    """

    def __init__(self, featurizer: Featurizer, documents: Sequence[Document]) -> None:
        self._featurizer, self._documents = featurizer, documents
        self._document, self._nth, self.lengths = array("Q"), array("Q"), array("Q")
        self._cached = dict[int, dict[str, Any]]()
        self.records, self.has_context = dict[ErrorRecord, None](), False
        for start in range(0, len(documents), CHUNK):
            before = -1
            for example in self._encoded(range(start, min(start + CHUNK, len(documents)))):
                same = example.index == before
                self._nth.append(self._nth[-1] + 1 if same else 0)
                self._document.append(start + example.index)
                self.lengths.append(example.length)
                self.has_context |= len(example.context) > 0
                self.note([example])
                before = example.index

    def _encoded(self, chosen: Iterable[int]) -> list[EncodedDocument]:
        return self._featurizer.featurize([self._documents[i] for i in chosen], gold=True)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, at: int) -> EncodedDocument:  # type: ignore[override]
        if not 0 <= at < len(self):
            raise IndexError(at)
        return self.__getitems__([at])[0]

    def __getitems__(self, chosen: Sequence[int]) -> list[EncodedDocument]:
        """The examples of a batch; torch's loader calls it by this name."""
        needed = [*dict.fromkeys(self._document[i] for i in chosen)]
        of_document: dict[int, list[EncodedDocument]] = {i: [] for i in needed}
        for example in self._encoded(needed):
            of_document[needed[example.index]].append(example)
        found = []
        for i in chosen:
            example = of_document[self._document[i]][self._nth[i]]
            example.index = self._document[i]
            example.cached = self._cached.get(i, {})
            found.append(example)
        return found

    def note(self, examples: Iterable[EncodedDocument]) -> None:
        """Keep the records of what could not be read of these examples."""
        for example in examples:
            self.records.update(dict.fromkeys(example.errors.values()))

    def keep_cached(self, at: int, cached: dict[str, Any], errors: Iterable[ErrorRecord]) -> None:
        """Keep the keys of an example's frozen states, and what could not be read for them."""
        self._cached[at] = cached
        self.records.update(dict.fromkeys(errors))
