"""The ceiling of a word-pair scheme: what a perfect model reaches whose predictions go through it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from openmie.data.document import Document
from openmie.model.codec.word_pairs import encode_batch
from openmie.model.codec.word_pairs_classes import Scheme, facts
from openmie.model.codec.word_pairs_decoding import decode_batch


class Counts(NamedTuple):
    """How many were found and true, found, and true; rates in percent, 0 where there is nothing to divide by."""

    correct: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        return 100 * self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return 100 * self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 200 * self.correct / (self.predicted + self.gold) if self.predicted + self.gold else 0.0


class Ceiling(NamedTuple):
    """The best that a scheme lets a perfect model reach: gold, encoded and decoded, against gold."""

    entities: Counts
    pairs: Counts


def ceiling(
    documents: Sequence[Document],
    mentions: Sequence[str],
    relations: Sequence[str],
    scheme: Scheme = "exact",
    symmetric: Collection[str] = (),
    overlaps: bool = False,
) -> Ceiling:
    """Gold through the cells and back, against gold as annotated; sets of facts a document, "None" left out.

    Read as predictions are: without `overlaps`, one mention of those that overlap.
    """
    cells = encode_batch(documents, mentions, relations, scheme=scheme, symmetric=symmetric).cells
    found = decode_batch(cells, documents, mentions, relations, scheme=scheme, symmetric=symmetric, overlaps=overlaps)
    totals = np.zeros((2, 3), dtype=np.int64)
    for document, (spans, links) in zip(documents, found):
        gold, read = facts(document.mentions, document.relations, symmetric), facts(spans, links, symmetric)
        totals += [[len(r & g), len(r), len(g)] for g, r in zip(gold, read)]
    entities, pairs = (Counts(*row) for row in totals.tolist())
    return Ceiling(entities, pairs)
