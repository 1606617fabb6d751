"""Pairs of mentions: all of a document in one encoded document, or each in one of its own, with markers in its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from openmie.data.document import Document
from openmie.model.codec.subwords import with_markers
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.relations import RelationsTask


def encode_pairs(
    base: EncodedDocument, task: RelationsTask, gold: bool, markers: Sequence[int] = ()
) -> list[EncodedDocument]:
    """The document with the pairs that are to be labelled; with the ids of four `markers`, a copy for each pair.

    With `gold`, none of a document without a pair to learn from. A recipe that finds the mentions itself is given
    pairs only to learn from.
    """
    if task.tagger and not gold:
        return [base]
    pairs, dropped = task.list_pairs(base.document, gold)
    for gone in dropped:
        base.skip(f"relation {gone.what.head} {gone.what.tail}", gone.why, task.represents)
    if gold and not pairs and not task.tagger:
        return []
    spans = task.spans(base.document, pairs)
    if not markers or not pairs:
        base.pairs, base.listed = spans, tuple(pairs)
        return [base]
    out = []
    for span, pair in zip(spans, pairs):
        tokens, words, position = with_markers(*base.rows[0], span, np.array(markers))
        one = replace(base, rows=[(tokens, words)], words=base.words + 4, targets={}, cached={})
        one.pairs, one.listed = position[None], (pair,)
        out.append(one)
    return out


def merge_pairs(encoded: Sequence[EncodedDocument], predicted: Sequence[Document]) -> list[Document]:
    """One Document per document again, where each of its pairs was encoded by itself."""
    out: list[Document] = []
    last = -1
    for one, document in zip(encoded, predicted):
        if one.index == last:
            errors = tuple(dict.fromkeys((*out[-1].errors, *document.errors)))
            out[-1] = out[-1].replace(relations=(*out[-1].relations, *document.relations), errors=errors)
        else:
            out.append(document)
        last = one.index
    return out
