"""WordPairs: mentions and relations at once, as one class for every pair of words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from openmie.data.document import Document
from openmie.model.codec import word_pairs
from openmie.model.codec.dropped import Dropped, dropped_words
from openmie.model.codec.word_pairs_classes import PAD, Cells, Scheme, stack_cells
from openmie.model.codec.word_pairs_decoding import decode_batch
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.task import Arrays, CandidateSource, DecodedDocument, Encoded, held


class WordPairGrid:
    """Mentions and relations of a document as a grid of classes (T, T), in the scheme of the recipe's head."""

    represents = "what one class for each pair of words can represent"

    def __init__(
        self,
        mentions: Sequence[str],
        relations: Sequence[str],
        scheme: Scheme = "exact",
        symmetric: Collection[str] = (),
    ) -> None:
        self.labels, self.scheme, self.symmetric = (tuple(mentions), tuple(relations)), scheme, symmetric

    def encode(self, documents: Sequence[EncodedDocument]) -> list[Encoded]:
        plain = [d.document for d in documents]
        found = word_pairs.encode_batch(plain, *self.labels, scheme=self.scheme, symmetric=self.symmetric)
        return [
            Encoded({"cells": _known(document, cells, gone)}, gone)
            for document, cells, gone in zip(plain, found.cells, found.dropped)
        ]

    def collate(self, documents: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        cells = held(documents, "cells")
        if not cells:
            return {}
        return {"cells": torch.from_numpy(stack_cells(cells, inputs["words"].shape[1]))}

    def visible(self, given: Mapping[str, Tensor], candidates: CandidateSource) -> dict[str, Tensor]:
        return dict(given)

    def decode(self, documents: Sequence[DecodedDocument], predictions: Arrays) -> None:
        sizes = [d.encoded.words for d in documents]
        found = decode_batch(
            [cells[:n, :n] for cells, n in zip(predictions["cells"], sizes)],
            [d.encoded.document for d in documents],
            *self.labels,
            scores=[scores[:n, :n] for scores, n in zip(predictions["cell_scores"], sizes)],
            scheme=self.scheme,
            symmetric=self.symmetric,
        )
        for d, (mentions, relations) in zip(documents, found):
            d.layers |= {"mentions": mentions, "relations": relations}


def _known(document: Document, cells: Cells, gone: Sequence[Dropped]) -> Cells:
    """Cells (T, T) with `PAD` where nothing would be said of a word of a mention that was refused."""
    refused = dropped_words(document, gone)
    return np.where((refused[:, None] | refused) & (cells == 0), PAD, cells).astype(cells.dtype)
