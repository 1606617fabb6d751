"""A grid of word-pair classes to mentions and relations; see `openmie.model.codec.word_pairs` for the grid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document, Mention, Relation
from openmie.errors import DocumentError
from openmie.model.codec.word_pairs_classes import PAD, Scheme, class_names
from openmie.model.codec.word_pairs_reading import NO_LABEL, Reading, read_exact, read_released


def decode_batch(
    cells: Sequence[npt.ArrayLike],
    documents: Sequence[Document],
    mentions: Sequence[str],
    relations: Sequence[str],
    *,
    scores: Sequence[npt.ArrayLike] | None = None,
    scheme: Scheme = "exact",
    symmetric: Collection[str] = (),
    overlaps: bool = False,
) -> list[tuple[tuple[Mention, ...], tuple[Relation, ...]]]:
    """Mentions and relations of each document; cells and `scores` (probabilities) may be padded beyond its words.

    How `exact` reads: every cell on or above the diagonal that answers a mention label is a mention; of those that
    overlap the one with the higher score stays, then the first, then the longer, unless `overlaps`. For each ordered
    pair of mentions the cells of its block vote with their scores: the label with the highest sum (the lowest id on
    ties) is taken if its sum is not below that of the cells that answer nothing; cells of mention labels do not vote.
    Its score is that sum over the number of voting cells. A symmetric label found both ways is kept where its score is
    higher, else in text order. With `overlaps`, where blocks share cells, the pair whose voting cells agree most is
    read first (of those the one with most of them), and its cells then vote no more; a cell of score 0 has no voice.
    `as_released` reads runs on the diagonal, and counts over blocks in which nothing has no vote.
    Mentions are named m0, m1, ... in reading order. Errors: fewer cells than words, a class that there is not.
    """
    names, undirected = class_names(mentions, relations, scheme), frozenset(symmetric)
    for what in (cells, scores):
        if what is not None and len(what) != len(documents):
            raise DocumentError(
                f"{len(what)} grids for {len(documents)} documents",
                expected="a grid each",
                remedy="pass the documents that the cells were predicted for",
            )
    mirror = np.array([k for k, name in enumerate(names) if k > len(mentions) and name in undirected], dtype=np.int64)
    out = []
    for k, document in enumerate(documents):
        grid = _grid(cells[k], document, len(names))
        weight = np.ones(grid.shape) if scores is None else _scores(scores[k], document)
        bounds = np.array(document.words, dtype=np.int64).reshape(-1, 2)
        if scheme == "exact":
            read = read_exact(grid, weight, bounds, len(mentions), mirror, overlaps)
        else:
            read = read_released(grid, weight, bounds, len(mentions))
        out.append(_layers(read, document, names, scores is not None))
    return out


def _scores(values: npt.ArrayLike, document: Document) -> npt.NDArray[np.float64]:
    return np.nan_to_num(_square(np.asarray(values, dtype=np.float64), document), posinf=0.0, neginf=0.0).clip(0.0)


def _grid(values: npt.ArrayLike, document: Document, classes: int) -> npt.NDArray[np.int64]:
    """(T, T) classes of the document's words."""
    grid = _square(np.asarray(values), document).astype(np.int64)
    wrong = (grid < PAD) | (grid >= classes)
    if wrong.any():
        row, column = map(int, np.argwhere(wrong)[0])
        raise DocumentError(
            f"no such class (id {int(grid[row, column])}) at words {row} and {column}",
            expected=f"an id from {PAD} to {classes - 1}",
            where=f"document {document.id}",
            remedy="decode with the label sets that the cells were made with",
        )
    return grid


def _square(values: npt.NDArray[Any], document: Document) -> npt.NDArray[Any]:
    t = len(document.words)
    if t == 0:
        return np.zeros((0, 0))
    if values.ndim != 2 or min(values.shape) < t:
        raise DocumentError(
            f"cells of shape {values.shape} for {t} words",
            expected="a cell for every pair of words",
            where=f"document {document.id}",
            remedy="do not cut long texts off",
        )
    return values[:t, :t]


def _layers(
    read: Reading, document: Document, names: Sequence[str], scored: bool
) -> tuple[tuple[Mention, ...], tuple[Relation, ...]]:
    """Mentions and relations with offsets, ids and label names."""
    mentions = []
    for k, ((first, last), kind, score) in enumerate(zip(read.spans.tolist(), read.kinds.tolist(), read.sure.tolist())):
        start, end = document.words[first].start, document.words[last].end
        mentions.append(
            Mention(
                id=f"m{k}",
                start=start,
                end=end,
                label=names[kind],
                text=document.text[start:end],
                score=score if scored else None,
            )
        )
    heads, tails = np.nonzero(read.links != NO_LABEL)
    relations = tuple(
        Relation(
            head=f"m{h}",
            tail=f"m{t}",
            label=names[read.links[h, t]],
            score=float(read.link_sure[h, t]) if scored else None,
        )
        for h, t in zip(heads.tolist(), tails.tolist())
    )
    return tuple(mentions), relations
