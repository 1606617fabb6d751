"""Word pairs: mentions and relations together as one grid of classes, a cell for every pair of words, and back.

Shapes: T words of a document, C = 1 + M + R classes: 0 for nothing, 1 to M the mention labels, then the relation
labels (`class_names`). "None" is no class: that nothing holds between two mentions is what empty cells say.

`scheme="exact"` (ours). A mention is its label in one cell, row its first word, column its last. A relation is its
label in the block of its head's words (rows) and its tail's words (columns), so it has a direction. The cells of
mentions lie over blocks, smaller blocks over larger ones. Mentions that do not overlap have blocks that do not overlap,
so the grid holds all that is said about them. Overlapping mentions are held too, except where two readings share one
grid; what is lost is listed. A symmetric relation stands in both blocks, or in the one that is free; it is read once.

`scheme="as_released"`: the grid of the EEGA release (Yuan et al., AAAI 2023), which Shap-CA takes over. Row <= column;
-1 below. A mention fills the triangle of its words, a relation the block of its words; later ones overwrite. A mention
without a relation is not in the grid, neighbours melt into one, a relation is read in both directions: `ceiling`
says what that costs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document, Mention, Relation
from openmie.errors import DocumentError
from openmie.model.codec.subwords import word_spans
from openmie.model.codec.word_pairs_reading import MOST, NO_LABEL, Reading, read_exact, read_released

Scheme = Literal["exact", "as_released"]
Cells = npt.NDArray[np.int16]
Span = tuple[int, int]  # first and last word
Fact = tuple[Any, ...]  # what is said, by place: compared as a set
PAD = -1  # what cells hold that are no pair of words, or that a scheme does not use


class Lost(NamedTuple):
    """A mention or relation that the cells do not hold, and why."""

    what: Mention | Relation
    why: str


class Encoded(NamedTuple):
    """Cells (T, T) of each document, what they leave out, and what they say beyond the document.

    `made` are relations between mentions of the document (by its ids) that decoding finds and the document does not
    state: the reverse of each in `as_released`, and in `exact` the other reading where overlapping mentions share it.
    """

    cells: list[Cells]
    lost: tuple[tuple[Lost, ...], ...]
    made: tuple[tuple[Relation, ...], ...]


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


def class_names(mentions: Sequence[str], relations: Sequence[str], scheme: Scheme = "exact") -> tuple[str, ...]:
    """The classes in the order of their ids: "none", the mention labels, the relation labels without "None"."""
    if scheme not in get_args(Scheme):
        raise DocumentError(f"scheme={scheme!r}", expected="exact or as_released", remedy="exact loses the least")
    for labels in (mentions, relations):
        if isinstance(labels, str) or len(set(labels)) != len(labels):
            raise DocumentError(
                f"labels {labels!r}",
                expected="a tuple of label strings, each once",
                remedy="pass corpus.labels.mentions and corpus.labels.relations",
            )
    return ("none", *mentions, *(r for r in relations if r != "None"))


def stack_cells(cells: Sequence[Cells], length: int = 0) -> npt.NDArray[np.int64]:
    """Grids of unequal size as one (B, T, T) array, T at least `length`, padded with `PAD`."""
    t = max([length, *map(len, cells)])
    out = np.full((len(cells), t, t), PAD, dtype=np.int64)
    for k, grid in enumerate(cells):
        out[k, : len(grid), : len(grid)] = grid
    return out


def encode_batch(
    documents: Sequence[Document],
    mentions: Sequence[str],
    relations: Sequence[str],
    *,
    scheme: Scheme = "exact",
    symmetric: Collection[str] = (),
) -> Encoded:
    """Cells (T, T) over the words of each document. What a document lists twice is held once.

    Of two mentions of one span, and of two relations of one pair, the first listed is held (`as_released`: the last).
    """
    names, undirected = class_names(mentions, relations, scheme), frozenset(symmetric)
    cells, lost, made = [], [], []
    for document in documents:
        held, gone = _spans(document, names[1 : len(mentions) + 1], scheme)
        wanted, more = _wanted(document, held, names[len(mentions) + 1 :])
        gone += more
        draw = _draw_exact if scheme == "exact" else _draw_released
        grid, more = draw(len(document.words), held, wanted, len(mentions), undirected)
        gone += more
        beyond: list[Relation] = []
        if scheme == "as_released" or _overlap(sorted({span for span, _ in held.values()})):
            gone, beyond = _check(document, grid, gone, (mentions, relations, scheme, undirected))
        cells.append(grid)
        lost.append(tuple(gone))
        made.append(tuple(beyond))
    return Encoded(cells, tuple(lost), tuple(made))


def _spans(document: Document, labels: Sequence[str], scheme: Scheme) -> tuple[dict[str, tuple[Span, int]], list[Lost]]:
    """Mention id -> (its words, its class), and the mentions that have none."""
    touched, index = word_spans(document), {label: k for k, label in enumerate(labels, 1)}
    held: dict[str, tuple[Span, int]] = {}
    lost: list[Lost] = []
    taken: dict[Span, int] = {}
    for m in document.mentions:
        span = touched.get(m.id, (0, -1))
        aligned = span[0] <= span[1] and document.words[span[0]].start == m.start
        if m.status == "unlocated":
            lost.append(Lost(m, "it is not located in the text"))
        elif m.label not in index:
            lost.append(Lost(m, f"its label {m.label!r} is not in the label set"))
        elif not aligned or document.words[span[1]].end != m.end:
            lost.append(Lost(m, "it does not begin and end where words do"))
        elif scheme == "exact" and taken.setdefault(span, index[m.label]) != index[m.label]:
            lost.append(Lost(m, f"its words are already held as {labels[taken[span] - 1]!r}"))
        else:
            held[m.id] = span, index[m.label]
    return held, lost


def _wanted(
    document: Document, held: dict[str, tuple[Span, int]], labels: Sequence[str]
) -> tuple[list[tuple[Relation, int]], list[Lost]]:
    """The relations that a grid can try to hold, each with the index of its label, and the rest; "None" is neither."""
    index, ids = {label: k for k, label in enumerate(labels)}, {m.id for m in document.mentions}
    wanted, lost = [], []
    for r in document.relations:
        if r.label == "None":
            continue
        if not {r.head, r.tail} <= ids:
            lost.append(Lost(r, "its head or tail is not a mention"))
        elif r.label not in index:
            lost.append(Lost(r, f"its label {r.label!r} is not in the label set"))
        elif r.head not in held or r.tail not in held:
            lost.append(Lost(r, "its head or tail is a mention that is lost"))
        elif held[r.head][0] == held[r.tail][0]:
            lost.append(Lost(r, "its head and tail are the same words"))
        else:
            wanted.append((r, index[r.label]))
    return wanted, lost


def _draw_exact(
    length: int,
    held: dict[str, tuple[Span, int]],
    wanted: list[tuple[Relation, int]],
    kinds: int,
    symmetric: frozenset[str],
) -> tuple[Cells, list[Lost]]:
    """Blocks, the largest first, then the cells of mentions over them."""
    blocks: dict[tuple[Span, Span], int] = {}
    lost, mirrored = [], []
    for r, label in sorted(wanted, key=lambda x: x[0].label in symmetric):  # those with a direction choose first
        here, back = (held[r.head][0], held[r.tail][0]), (held[r.tail][0], held[r.head][0])
        if r.label in symmetric and (blocks.get(here, label) != label or blocks.get(back) == label):
            here, back = back, here
        if blocks.setdefault(here, label) != label:
            lost.append(Lost(r, "its pair already holds another relation"))
        elif r.label in symmetric:
            mirrored.append((back, label))
    for back, label in mirrored:
        blocks.setdefault(back, label)
    grid = np.zeros((length, length), dtype=np.int16)
    for (head, tail), label in sorted(blocks.items(), key=lambda x: -_size(x[0][0]) * _size(x[0][1])):
        grid[head[0] : head[1] + 1, tail[0] : tail[1] + 1] = 1 + kinds + label
    for span, kind in held.values():
        grid[span] = kind
    return grid, lost


def _draw_released(
    length: int,
    held: dict[str, tuple[Span, int]],
    wanted: list[tuple[Relation, int]],
    kinds: int,
    symmetric: frozenset[str],
) -> tuple[Cells, list[Lost]]:
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


def _check(
    document: Document, grid: Cells, gone: list[Lost], how: tuple[Any, ...]
) -> tuple[list[Lost], list[Relation]]:
    """What a decoder does not find in the cells, and the relations that it finds beyond the document.

    A relation given up for its pair's other one is not lost where that other one is read as it.
    """
    mentions, relations, scheme, symmetric = how
    found = decode_batch([grid], [document], mentions, relations, scheme=scheme, symmetric=symmetric, overlaps=True)[0]
    read, said = facts(*found, symmetric), facts(document.mentions, document.relations, symmetric)
    ends = _places(document.mentions)
    lost = [x for x in gone if not (isinstance(x.what, Relation) and _fact(x.what, ends, symmetric) in read[1])]
    given_up = {id(x.what) for x in gone}
    for m in document.mentions:
        if id(m) not in given_up and (m.start, m.end, m.label) not in read[0]:
            lost.append(
                Lost(
                    m,
                    "no relation of it is held, or its cells are read otherwise"
                    if scheme == "as_released"
                    else f"of overlapping mentions {MOST} a document are read",
                )
            )
    for r in document.relations:
        if id(r) not in given_up and r.label != "None" and _fact(r, ends, symmetric) not in read[1]:
            lost.append(Lost(r, "its cells are those of other mentions and relations, and are read as theirs"))
    ids = {(m.start, m.end, m.label): m.id for m in reversed(document.mentions)}
    places = _places(found[0])
    beyond = [r for r in found[1] if _fact(r, places, symmetric) not in said[1]]
    named = [(ids.get(places[r.head]), ids.get(places[r.tail]), r.label) for r in beyond]
    return lost, [Relation(head=a, tail=b, label=label) for a, b, label in named if a and b]


def _places(mentions: Iterable[Mention]) -> dict[str, Fact]:
    return {m.id: (m.start, m.end, m.label) for m in mentions}


def _fact(r: Relation, places: dict[str, Fact], symmetric: Collection[str]) -> Fact:
    head, tail = places.get(r.head, (-1, -1, r.head)), places.get(r.tail, (-1, -1, r.tail))
    return (min(head, tail), max(head, tail), r.label) if r.label in symmetric else (head, tail, r.label)


def facts(
    mentions: Iterable[Mention], relations: Iterable[Relation], symmetric: Collection[str] = ()
) -> tuple[set[Fact], set[Fact]]:
    """What is said, free of ids: (start, end, label), and (head, tail, label) of these, "None" left out."""
    places = _places(mentions)
    return set(places.values()), {_fact(r, places, symmetric) for r in relations if r.label != "None"}


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
        out.append(_say(read, document, names, scores is not None))
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


def _say(
    read: Reading, document: Document, names: Sequence[str], scored: bool
) -> tuple[tuple[Mention, ...], tuple[Relation, ...]]:
    """What was read, with offsets, ids and names."""
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
