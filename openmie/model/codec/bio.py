"""BIO: mentions as one tag a word, and back.

Shapes: B documents, T words (padded), L = 2 * len(labels) + 1 tags. Tag 0 is `O`; label k has `B-` at 2k + 1 and `I-`
at 2k + 2. `I-X` continues a mention only after `B-X` or `I-X`; any other `I-` run is an orphan. What becomes of orphans
is said by `orphans`: "keep" them as what they are (`status="orphan"`, an `I-` run), "open" them (a located mention, a
`B-`), or "drop" them.

BIO cannot hold everything: mentions that overlap, that begin or end inside a word, that are not in the text, whose
label is not in the label set, or an orphan right after a mention of its own label. `encode` returns those as `dropped`,
each with the reason. Encode and decode are inverse to each other on all the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document, Mention
from openmie.errors import DocumentError
from openmie.model.codec.dropped import CUT, OVERLAP, Dropped
from openmie.text.bio_runs import run_bounds

Orphans = Literal["keep", "open", "drop"]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
PAD = -100  # what padded positions of a batch hold; the ignore index of cross-entropy


class EncodedTags(NamedTuple):
    """Tag ids (T,) of one document, and what they leave out."""

    ids: Ints
    dropped: tuple[Dropped, ...]


class EncodedTagBatch(NamedTuple):
    """Tag ids (B, T), padded with `PAD`; mask (B, T), True at words; what the tags of each document leave out."""

    ids: Ints
    mask: Bools
    dropped: tuple[tuple[Dropped, ...], ...]


class Allowed(NamedTuple):
    """Which tag may open a text, (L,), and which may follow which, (L, L) from row to column. All may end a text."""

    start: Bools
    step: Bools


class Runs(NamedTuple):
    """Chunks of a batch of tags, in reading order: row, first word, word after the last, label index, orphan or not."""

    row: Ints
    first: Ints
    last: Ints
    label: Ints
    orphan: Bools


def tags(labels: Sequence[str]) -> tuple[str, ...]:
    """The tag names in the order of their ids: `O`, `B-X`, `I-X`, `B-Y`, ..."""
    if isinstance(labels, str) or len(set(labels)) != len(labels):
        raise DocumentError(
            f"labels {labels!r}", expected="a tuple of label strings, each once", remedy="pass corpus.labels.mentions"
        )
    return ("O", *chain.from_iterable((f"B-{x}", f"I-{x}") for x in labels))


def allowed(names: Sequence[str]) -> Allowed:
    """Legal transitions between these tag names, for constrained decoding: `I-X` needs `B-X` or `I-X` before it."""
    inside = np.array([name.startswith("I-") for name in names], dtype=bool)  # (L,)
    label = np.array([name[2:] if name != "O" else "\0" for name in names], dtype=object)
    return Allowed(~inside, ~inside[None, :] | (label[:, None] == label[None, :]).astype(bool))


def encode(document: Document, labels: Sequence[str], orphans: Orphans = "keep") -> EncodedTags:
    """Tag ids (T,) over `document.words`, and the mentions that they cannot hold."""
    batch = encode_batch([document], labels, orphans)
    return EncodedTags(batch.ids[0], batch.dropped[0])


def encode_batch(documents: Sequence[Document], labels: Sequence[str], orphans: Orphans = "keep") -> EncodedTagBatch:
    """Tag ids (B, T) over the words of each document; T is the longest document's, nothing is cut off.

    Of overlapping mentions the one that begins first is held, of those the longest, of those the first listed.
    """
    _check_orphans(orphans)
    lengths = np.array([len(d.words) for d in documents], dtype=np.int64)
    mask = np.arange(lengths.max(initial=0))[None, :] < lengths[:, None]  # (B, T)
    ids = np.where(mask, 0, PAD)
    index = {name[2:]: k for k, name in enumerate(tags(labels)[1::2])}
    dropped: list[list[Dropped]] = [[] for _ in documents]
    last_end, previous = [0] * len(documents), [-1] * len(documents)  # where the last held mention ends; its label
    for row, mention, first, last in sorted(_place(documents), key=lambda x: (x[0], x[2], -x[3])):
        why = _why_not(mention, first, last, last_end[row], index)
        keep_orphan = mention.status == "orphan" and orphans == "keep"
        if not why and keep_orphan and first == last_end[row] and previous[row] == index[mention.label]:
            why = "an orphan right after a mention of its own label would be read as its continuation"
        if not why and mention.status == "orphan" and orphans == "drop":
            why = "an orphan, and orphans are dropped"
        if why:
            dropped[row].append(Dropped(mention, why))
            continue
        label = index[mention.label]
        ids[row, first:last] = 2 * label + 2
        ids[row, first] -= not keep_orphan
        last_end[row], previous[row] = last, label
    return EncodedTagBatch(ids, mask, tuple(tuple(x) for x in dropped))


def _why_not(mention: Mention, first: int, last: int, last_end: int, index: dict[str, int]) -> str:
    if mention.status == "unlocated":
        return "it is not located in the text"
    if mention.label not in index:
        return f"its label {mention.label!r} is not in the label set"
    if first < 0 or last <= first:
        return CUT
    return OVERLAP if first < last_end else ""


def _place(documents: Sequence[Document]) -> list[tuple[int, Mention, int, int]]:
    """(row, mention, first word, word after the last) of every mention; -1 and 0 where no word begins or ends there."""
    found = [(row, m) for row, d in enumerate(documents) for m in d.mentions]
    if not found:
        return []
    stride = max(len(d.text) for d in documents) + 1
    counts = [len(d.words) for d in documents]
    spans = np.fromiter(chain.from_iterable(chain.from_iterable(d.words for d in documents)), np.int64).reshape(-1, 2)
    row_of = np.repeat(np.arange(len(documents)), counts)
    position = np.arange(len(spans)) - np.repeat(np.cumsum(counts) - counts, counts)
    real = spans[:, 1] > spans[:, 0]
    keys = (row_of[:, None] * stride + spans)[real]  # (words, 2): starts and ends on one global ruler
    rows = np.array([row for row, _ in found])
    starts = rows * stride + np.array([m.start for _, m in found])
    ends = rows * stride + np.array([m.end for _, m in found])
    first = _lookup(starts, keys[:, 0], position[real])
    last = _lookup(ends, keys[:, 1], position[real])
    return [(row, m, a, b + 1) for (row, m), a, b in zip(found, first.tolist(), last.tolist())]


def _lookup(wanted: Ints, keys: Ints, values: Ints) -> Ints:
    """The value of each wanted key, or -1."""
    if not len(keys):
        return np.full(len(wanted), -1)
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    return np.where(keys[order[at]] == wanted, values[order[at]], -1)


def runs(ids: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> Runs:
    """All chunks in tag ids (B, T); masked positions are no words."""
    ids = np.asarray(ids, dtype=np.int64)
    word = ids > 0 if mask is None else (ids > 0) & np.asarray(mask, dtype=bool)
    label = np.where(word, (ids - 1) // 2, -1)
    opens = np.zeros(ids.shape, dtype=bool)
    opens[:, :1] = True
    bounds = run_bounds(label.ravel(), (ids % 2 == 0).ravel(), opens.ravel())
    (row, first), (_, last) = (np.nonzero(x.reshape(ids.shape)) for x in bounds)
    last = last + 1
    return Runs(row, first, last, label[row, first], ids[row, first] % 2 == 0)


def decode(
    ids: npt.ArrayLike,
    document: Document,
    labels: Sequence[str],
    scores: npt.ArrayLike | None = None,
    orphans: Orphans = "keep",
) -> tuple[Mention, ...]:
    """Mentions said by one tag (an id or a name) for each word; `scores` (T,) are averaged over a mention's words."""
    row = ids if isinstance(ids, np.ndarray) else list(ids)  # type: ignore[arg-type]
    return decode_batch([row], [document], labels, None if scores is None else [scores], orphans)[0]


def decode_batch(
    ids: Any, documents: Sequence[Document], labels: Sequence[str], scores: Any = None, orphans: Orphans = "keep"
) -> list[tuple[Mention, ...]]:
    """Mentions of each document from tag ids (B, T) or lists of tag ids or names; what is past its words is not read.

    Mentions are named m0, m1, ... in reading order. A tag on an empty word names nothing.
    Errors: fewer tags than words, a tag or id that the label set does not have.
    """
    _check_orphans(orphans)
    names = tags(labels)
    lengths = np.array([len(d.words) for d in documents], dtype=np.int64)
    matrix = _matrix(ids, documents, names)
    mask = np.arange(matrix.shape[1])[None, :] < lengths[:, None]
    _check_ids(matrix, mask, documents, names)
    found = runs(matrix, mask)
    means = _means(scores, found, matrix.shape)
    out: list[list[Mention]] = [[] for _ in documents]
    for k, (row, first, last, label, orphan) in enumerate(zip(*(x.tolist() for x in found))):
        document = documents[row]
        start, end = document.words[first].start, document.words[last - 1].end
        if end <= start or (orphan and orphans == "drop"):
            continue
        out[row].append(
            Mention(
                id=f"m{len(out[row])}",
                start=start,
                end=end,
                label=labels[label],
                text=document.text[start:end],
                score=None if means is None else float(means[k]),
                status="orphan" if orphan and orphans == "keep" else "located",
            )
        )
    return [tuple(x) for x in out]


def _matrix(ids: Any, documents: Sequence[Document], names: Sequence[str]) -> Ints:
    """(B, T) ids from ids or names, at least as wide as the longest document."""
    if len(ids) != len(documents):
        raise DocumentError(
            f"{len(ids)} rows of tags for {len(documents)} documents",
            expected="a row each",
            remedy="pass the documents that the tags were predicted for",
        )
    for row, document in zip(ids, documents):
        if len(row) < len(document.words):
            raise DocumentError(
                f"{len(row)} tags for {len(document.words)} words",
                expected="a tag for every word",
                where=f"document {document.id}",
                remedy="window long texts; do not cut them off",
            )
    if hasattr(ids, "shape"):
        return np.asarray(ids, dtype=np.int64).reshape(len(documents), -1)
    index = {name: k for k, name in enumerate(names)}
    rows = [[index.get(x, -1) if isinstance(x, str) else int(x) for x in row] for row in ids]
    out = np.full((len(rows), max(map(len, rows), default=0)), PAD)
    for k, row in enumerate(rows):
        out[k, : len(row)] = row
    return out


def _check_ids(ids: Ints, mask: Bools, documents: Sequence[Document], names: Sequence[str]) -> None:
    wrong = mask & ((ids < 0) | (ids >= len(names)))
    if wrong.any():
        row, at = map(int, np.argwhere(wrong)[0])
        raise DocumentError(
            f"no such tag (id {int(ids[row, at])}) at word {at}",
            where=f"document {documents[row].id}",
            expected=f"a tag of {', '.join(names[:9])}{', ...' if len(names) > 9 else ''}",
            remedy="decode with the label set that the tags were made with",
        )


def _means(scores: Any, found: Runs, shape: tuple[int, ...]) -> npt.NDArray[np.float64] | None:
    """Mean score over the words of each chunk."""
    if scores is None:
        return None
    padded = np.zeros((shape[0], shape[1] + 1))
    for k, row in enumerate(scores):
        values = np.asarray(row, dtype=np.float64)[: shape[1]]
        padded[k, 1 : len(values) + 1] = np.nan_to_num(values)
    total = np.cumsum(padded, axis=1)
    return (total[found.row, found.last] - total[found.row, found.first]) / (found.last - found.first)


def _check_orphans(orphans: str) -> None:
    if orphans not in get_args(Orphans):
        raise DocumentError(f"orphans={orphans!r}", expected="keep, open or drop", remedy="keep is the inverse pair")
