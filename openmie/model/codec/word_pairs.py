"""Word pairs: mentions and relations together as one grid of classes, a cell for every pair of words, and back.

Shapes: T words of a document, C = 1 + M + R classes: 0 for nothing, 1 to M the mention labels, then the relation
labels (`class_names`). "None" is no class: that nothing holds between two mentions is what empty cells say.

`scheme="exact"` (ours). A mention is its label in one cell, row its first word, column its last. A relation is its
label in the block of its head's words (rows) and its tail's words (columns), so it has a direction. The cells of
mentions lie over blocks, smaller blocks over larger ones. Mentions that do not overlap have blocks that do not overlap,
so the grid holds all that is said about them. Overlapping mentions are held too, except where two readings share one
grid; of those that overlap a prediction has one. What is lost is listed. A symmetric relation stands in both blocks, or
in the one that is free; it is read once.

`scheme="as_released"`: the grid of the EEGA release (Yuan et al., AAAI 2023), which Shap-CA takes over. Row <= column;
-1 below. A mention fills the triangle of its words, a relation the block of its words; later ones overwrite. A mention
without a relation is not in the grid, neighbours melt into one, a relation is read in both directions: `ceiling`
says what that costs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from openmie.data.document import Document, Relation
from openmie.model.codec.dropped import CUT, Dropped
from openmie.model.codec.subwords import word_spans
from openmie.model.codec.word_pairs_classes import (
    PAD,
    Cells,
    Scheme,
    class_names,
)
from openmie.model.codec.word_pairs_decoding import decode_batch
from openmie.model.codec.word_pairs_losses import additions, losses

Span = tuple[int, int]  # first and last word


class EncodedGrids(NamedTuple):
    """Cells (T, T) of each document, what reading them loses of it, and what it finds beyond it.

    `dropped` is gold less what decoding finds in its own cells, exactly: the annotations whose fact is not among those
    read, each with the reason. `spurious` are relations between mentions of the document (by its ids) that decoding
    finds and the document does not state: the reverse of each in `as_released`, and in `exact` the other reading where
    overlapping mentions share it.
    """

    cells: list[Cells]
    dropped: tuple[tuple[Dropped, ...], ...]
    spurious: tuple[tuple[Relation, ...], ...]


def encode_batch(
    documents: Sequence[Document],
    mentions: Sequence[str],
    relations: Sequence[str],
    *,
    scheme: Scheme = "exact",
    symmetric: Collection[str] = (),
    overlaps: bool = False,
) -> EncodedGrids:
    """Cells (T, T) over the words of each document. What a document lists twice is held once.

    Of two mentions of one span, and of two relations of one pair, the first listed is held (`as_released`: the last).
    `overlaps`: how the cells will be read, see `decode_batch`; by default as predictions are, one of the mentions that
    overlap. It changes what is listed as lost, never the cells.
    """
    names, undirected = class_names(mentions, relations, scheme), frozenset(symmetric)
    cells, dropped, spurious = [], [], []
    for document in documents:
        held, gone = _spans(document, names[1 : len(mentions) + 1], scheme)
        wanted, more = _wanted(document, held, names[len(mentions) + 1 :])
        gone += more
        draw = _draw_exact if scheme == "exact" else _draw_released
        grid, more = draw(len(document.words), held, wanted, len(mentions), undirected)
        gone += more
        beyond: list[Relation] = []
        if scheme == "as_released" or _overlap(sorted({span for span, _ in held.values()})):  # else all drawn is read
            found = decode_batch(
                [grid], [document], mentions, relations, scheme=scheme, symmetric=undirected, overlaps=overlaps
            )[0]
            gone, beyond = losses(document, found, gone, undirected), additions(document, found, undirected)
        cells.append(grid)
        dropped.append(tuple(gone))
        spurious.append(tuple(beyond))
    return EncodedGrids(cells, tuple(dropped), tuple(spurious))


def _spans(
    document: Document, labels: Sequence[str], scheme: Scheme
) -> tuple[dict[str, tuple[Span, int]], list[Dropped]]:
    """Mention id -> (its words, its class), and the mentions that have none."""
    touched, index = word_spans(document), {label: k for k, label in enumerate(labels, 1)}
    held: dict[str, tuple[Span, int]] = {}
    dropped: list[Dropped] = []
    taken: dict[Span, int] = {}
    for m in document.mentions:
        span = touched.get(m.id, (0, -1))
        aligned = span[0] <= span[1] and document.words[span[0]].start == m.start
        if m.status == "unlocated":
            dropped.append(Dropped(m, "it is not located in the text"))
        elif m.label not in index:
            dropped.append(Dropped(m, f"its label {m.label!r} is not in the label set"))
        elif not aligned or document.words[span[1]].end != m.end:
            dropped.append(Dropped(m, CUT))
        elif scheme == "exact" and taken.setdefault(span, index[m.label]) != index[m.label]:
            dropped.append(Dropped(m, f"its words are already held as {labels[taken[span] - 1]!r}"))
        else:
            held[m.id] = span, index[m.label]
    return held, dropped


def _wanted(
    document: Document, held: dict[str, tuple[Span, int]], labels: Sequence[str]
) -> tuple[list[tuple[Relation, int]], list[Dropped]]:
    """The relations that a grid can try to hold, each with the index of its label, and the rest; "None" is neither."""
    index, ids = {label: k for k, label in enumerate(labels)}, {m.id for m in document.mentions}
    wanted, dropped = [], []
    for r in document.relations:
        if r.label == "None":
            continue
        if not {r.head, r.tail} <= ids:
            dropped.append(Dropped(r, "its head or tail is not a mention"))
        elif r.label not in index:
            dropped.append(Dropped(r, f"its label {r.label!r} is not in the label set"))
        elif r.head not in held or r.tail not in held:
            dropped.append(Dropped(r, "its head or tail is a mention that is dropped"))
        elif held[r.head][0] == held[r.tail][0]:
            dropped.append(Dropped(r, "its head and tail are the same words"))
        else:
            wanted.append((r, index[r.label]))
    return wanted, dropped


def _draw_exact(
    length: int,
    held: dict[str, tuple[Span, int]],
    wanted: list[tuple[Relation, int]],
    kinds: int,
    symmetric: frozenset[str],
) -> tuple[Cells, list[Dropped]]:
    """Blocks, the largest first, then the cells of mentions over them."""
    blocks: dict[tuple[Span, Span], int] = {}
    dropped, mirrored = [], []
    for r, label in sorted(wanted, key=lambda x: x[0].label in symmetric):  # those with a direction choose first
        here, back = (held[r.head][0], held[r.tail][0]), (held[r.tail][0], held[r.head][0])
        if r.label in symmetric and (blocks.get(here, label) != label or blocks.get(back) == label):
            here, back = back, here
        if blocks.setdefault(here, label) != label:
            dropped.append(Dropped(r, "its pair already holds another relation"))
        elif r.label in symmetric:
            mirrored.append((back, label))
    for back, label in mirrored:
        blocks.setdefault(back, label)
    grid = np.zeros((length, length), dtype=np.int16)
    for (head, tail), label in sorted(blocks.items(), key=lambda x: -_size(x[0][0]) * _size(x[0][1])):
        grid[head[0] : head[1] + 1, tail[0] : tail[1] + 1] = 1 + kinds + label
    for span, kind in held.values():
        grid[span] = kind
    return grid, dropped


def _draw_released(
    length: int,
    held: dict[str, tuple[Span, int]],
    wanted: list[tuple[Relation, int]],
    kinds: int,
    symmetric: frozenset[str],
) -> tuple[Cells, list[Dropped]]:
    """Relation by relation, in document order: head, tail, block, each over what stood there."""
    grid = np.zeros((length, length), dtype=np.int16)
    for r, label in wanted:
        (head, first), (tail, second) = held[r.head], held[r.tail]
        for (a, b), kind in ((head, first), (tail, second)):
            grid[a : b + 1, a : b + 1] = kind
        rows, columns = np.arange(head[0], head[1] + 1)[:, None], np.arange(tail[0], tail[1] + 1)
        grid[np.minimum(rows, columns), np.maximum(rows, columns)] = 1 + kinds + label
    grid[np.tri(length, k=-1, dtype=bool)] = PAD
    return grid, []


def _size(span: Span) -> int:
    return span[1] - span[0] + 1


def _overlap(spans: list[Span]) -> bool:
    """Whether any two of these sorted, different spans share a word."""
    return any(b[0] <= a[1] for a, b in pairwise(spans))
