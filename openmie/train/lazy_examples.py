"""Training examples that are encoded when a batch wants them, so that memory does not grow with the documents."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.model.features.batching import Featurizer
from openmie.model.features.encoded_document import EncodedDocument
from openmie.train.gather import Processes

CHUNK = 64  # documents that are encoded together when they are counted


class LazyExamples(Sequence[EncodedDocument]):
    """The examples of documents with gold: one of each, or one of each pair where the recipe marks pairs.

    Each document is encoded once when the sequence is made, which says how many examples it has and how long they are,
    and again whenever a batch asks for one: a fraction of a millisecond of a step. A document takes 8 bytes, and an
    example 4.

    Args:
        featurizer: encodes the documents.
        documents: they are asked for one by one, such as a `DocumentFile`.
        processes: that share the counting, each a part of the documents, which are the same in all; None: one.

    Attributes:
        lengths: tokens of each example.
        records: what could not be learnt from or read so far, each once.
        has_context: whether any example has a context.
    """

    def __init__(
        self, featurizer: Featurizer, documents: Sequence[Document], processes: Processes | None = None
    ) -> None:
        self._featurizer, self._documents = featurizer, documents
        self._cached = dict[int, dict[str, Any]]()
        self.records, self.has_context = dict[ErrorRecord, None](), False
        processes = processes or Processes()
        own = self._count(processes.index, processes.count)
        counted = [*map(list, own)] if processes.count > 1 else own
        parts = processes.exchange([counted, self.has_context, [r.model_dump() for r in self.records]])
        self.has_context = any(has for _, has, _ in parts)
        self.records = {ErrorRecord(**record): None for _, _, records in parts for record in records}
        self._first, self.lengths = _merged(len(documents), [part for part, _, _ in parts])

    def _count(self, process: int, processes: int) -> tuple[array[int], array[int]]:
        """Examples of each document of this process's part, and tokens of each of these examples."""
        counts, lengths = array("I"), array("I")
        for start in range(process * CHUNK, len(self._documents), processes * CHUNK):
            chunk = range(start, min(start + CHUNK, len(self._documents)))
            examples = self._encoded(chunk)
            counts.extend(np.bincount([e.index for e in examples], minlength=len(chunk)).tolist())
            lengths.extend(e.length for e in examples)
            self.has_context |= any(len(e.context) > 0 for e in examples)
            self.note(examples)
            del examples  # before the next chunk is there
        return counts, lengths

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
        documents = [int(np.searchsorted(self._first, i, "right")) - 1 for i in chosen]
        needed = [*dict.fromkeys(documents)]
        of_document: dict[int, list[EncodedDocument]] = {i: [] for i in needed}
        for example in self._encoded(needed):
            of_document[needed[example.index]].append(example)
        found = []
        for i, document in zip(chosen, documents):
            example = of_document[document][i - int(self._first[document])]
            example.index = document
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


def _merged(documents: int, parts: Sequence[Sequence[Sequence[int]]]) -> tuple[np.ndarray, np.ndarray]:
    """The first example of each document (and the number of all), and tokens of each example.

    Args:
        documents: how many there are.
        parts: of each process, what it counted: chunk c is in part c % processes.
    """
    of_part = np.arange(documents) // CHUNK % len(parts)
    counts = np.zeros(documents, np.int64)
    for r, (theirs, _) in enumerate(parts):
        counts[of_part == r] = theirs
    first = np.concatenate([[0], np.cumsum(counts)])
    lengths = np.zeros(first[-1], np.uint32)
    for r, (_, theirs) in enumerate(parts):
        lengths[np.repeat(of_part == r, counts)] = theirs
    return first, lengths
