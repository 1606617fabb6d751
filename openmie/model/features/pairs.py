"""Pairs of mentions: all of a document in one encoded document, or each in one of its own, with markers in its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document, Relation
from openmie.model.codec.subwords import with_markers, word_spans
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.relations import RelationsTask, limit_note

PAIRS_AT_ONCE = 4096  # of a document
MARKED_AT_ONCE = 512  # the same, where each has a copy of the text with markers
LONG_REACH, MARKED_REACH = 256, 64  # words on either side of a mention that are read of a long text

Bools = npt.NDArray[np.bool_]


def encode_pairs(
    base: EncodedDocument, task: RelationsTask, gold: bool, markers: Sequence[int] = ()
) -> list[EncodedDocument]:
    """The document with the pairs that are to be labelled; with the ids of four `markers`, a copy for each pair.

    With `gold`, none of a document without a pair to learn from. A recipe that finds the mentions itself is given
    pairs only to learn from.
    """
    if task.tagger and not gold:
        return [base]
    pairs = _listed(base, task, gold)
    if gold and not pairs and not task.tagger:
        return []
    spans = task.spans(base.document, pairs)
    if not markers or not pairs:
        base.pairs, base.listed = spans, tuple(pairs)
        return [base]
    return [_marked(base, base, span, pair, markers) for span, pair in zip(spans, pairs)]


def pair_blocks(
    base: EncodedDocument, task: RelationsTask, markers: Sequence[int], long: bool
) -> Iterator[tuple[list[int], list[EncodedDocument]]]:
    """The pairs of a document that has many, or is long: their numbers, and what is encoded of the text for them.

    Args:
        base: with all tokens of the text in one row.
        task: that says which pairs are to be labelled.
        markers: ids of four markers, or none.
        long: whether the text is longer than is read at once. Of it, and for markers of one with more pairs than are
            labelled, only the words around the mentions are read.

    Yields:
        Blocks of pairs that lie near each other, in the order of the text.
    """
    pairs = _listed(base, task, False)
    spans = task.spans(base.document, pairs)
    light = replace(base, document=without_text(base.document))
    crop = long or (bool(markers) and "pairs" in base.errors)
    reach = (MARKED_REACH if markers else LONG_REACH) if crop else len(base.document.words)
    for block in _blocks(spans, base.words, reach, MARKED_AT_ONCE if markers else PAIRS_AT_ONCE):
        if markers:
            found = []
            for n in block:
                inside, span = cropped(light, spans[n, None], reach) if crop else (light, spans[n, None])
                found.append(_marked(light, inside, span[0], pairs[n], markers))
            yield block, found
            continue
        inside, own = cropped(light, spans[block], reach) if crop else (light, spans[block])
        yield block, [replace(inside, pairs=own, listed=tuple(pairs[n] for n in block), targets={}, cached={})]


def without_text(document: Document) -> Document:
    """The document without what encoded pairs have in integers: text, words and annotation."""
    layers = ("words", "mentions", "chains", "relations", "regions", "times")
    return document.replace(text="", **dict.fromkeys(layers, ()))


def cropped(base: EncodedDocument, spans: np.ndarray, reach: int) -> tuple[EncodedDocument, np.ndarray]:
    """Only the words that are at most `reach` from a head or tail of these pairs (P, 4), and the pairs among these."""
    near = _near(spans, base.words, reach)
    place = np.cumsum(near) - 1
    tokens, words = base.rows[0]
    kept = near[words]
    pos = None if base.pos is None else base.pos[near]
    return replace(base, rows=[(tokens[kept], place[words[kept]])], words=int(near.sum()), pos=pos), place[spans]


def _near(spans: np.ndarray, words: int, reach: int) -> Bools:
    """(T,) whether a word is near an entity."""
    ends = spans.reshape(-1, 2)
    change = np.zeros(words + 1, np.int64)
    np.add.at(change, np.maximum(ends[:, 0] - reach, 0), 1)
    np.add.at(change, np.minimum(ends[:, 1] + reach + 1, words), -1)
    return np.cumsum(change)[:words] > 0


def _blocks(spans: np.ndarray, words: int, reach: int, most: int) -> Iterator[list[int]]:
    """Numbers of pairs (P, 4) in blocks of at most `most`, which read at most `PAIRS_AT_ONCE` words, or one pair's."""
    block, covered = list[int](), np.zeros(words, bool)
    for n in np.lexsort((spans[:, 2], spans[:, 0])).tolist():
        parts = [slice(max(a - reach, 0), b + reach + 1) for a, b in spans[n].reshape(2, 2).tolist()]
        new = sum(int((~covered[part]).sum()) for part in parts)
        full = reach < words and block and int(covered.sum()) + new > PAIRS_AT_ONCE
        if len(block) == most or full:
            yield block
            block, covered = [], np.zeros(words, bool)
        block.append(n)
        for part in parts:
            covered[part] = True
    if block:
        yield block


def _listed(base: EncodedDocument, task: RelationsTask, gold: bool) -> list[Relation]:
    """The pairs that are to be labelled; what is left out has a record."""
    pairs, dropped = task.list_pairs(base.document, gold)
    for gone in dropped:
        base.skip(f"relation {gone.what.head} {gone.what.tail}", gone.why, task.represents)
    if task.adds_pairs(base.document, gold) and (note := limit_note(base.document, len(word_spans(base.document)))):
        base.errors["pairs"] = note
    return pairs


def _marked(
    whole: EncodedDocument, inside: EncodedDocument, span: np.ndarray, pair: Relation, markers: Sequence[int]
) -> EncodedDocument:
    """One pair of a document with markers in the words that are read for it."""
    tokens, words, position = with_markers(*inside.rows[0], span, np.array(markers))
    one = replace(whole, rows=[(tokens, words)], words=inside.words + 4, targets={}, cached={})
    one.pairs, one.listed = position[None], (pair,)
    return one


def merge_pairs(encoded: Sequence[EncodedDocument], predicted: Sequence[Document]) -> list[Document]:
    """One Document per document again, where each of its pairs was encoded by itself."""
    groups = groupby(zip(encoded, predicted), lambda pair: pair[0].index)
    return [merged([document for _, document in found]) for _, found in groups]


def merged(found: Sequence[Document]) -> Document:
    """One Document of those of its pairs, in their order."""
    if len(found) == 1:
        return found[0]
    errors = dict.fromkeys(error for one in found for error in one.errors)
    return found[0].replace(relations=tuple(r for one in found for r in one.relations), errors=tuple(errors))
