"""Texts as rows of pieces for an encoder: long ones in windows that overlap, each word read where it is most central.

M rows, T pieces of the longest of them, K words, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

OVERLAP = 128  # pieces that two windows share at least: a word has 64 of its text on either side


class Batch(NamedTuple):
    """Rows as tensors, and where their words are."""

    ids: Tensor  # (M, T) pieces, padded behind
    mask: Tensor  # (M, T) bool, True where a piece is real
    words: Tensor  # (K,) numbers of the words whose states are taken from these rows, ascending within a row
    row: Tensor  # (K,) their rows
    first: Tensor  # (K,) places of their first pieces in the row
    end: Tensor  # (K,) and behind their last ones
    head: Tensor  # (K,) and of the first piece that is more than the mark of a blank

    def pool(self, states: Tensor, mean: bool = False) -> Tensor:
        """States of the words: (M, T, D) -> (K, D).

        Args:
            states: of the pieces.
            mean: average a word's pieces; else its first piece stands for it, the mark of a blank left out.
        """
        if not mean:
            return states[self.row, self.head]
        count = self.end - self.first
        word = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
        behind = count.cumsum(0) - count
        place = torch.arange(len(word), device=count.device) - behind[word] + self.first[word]
        total = states.new_zeros(len(count), states.shape[-1]).index_add(0, word, states[self.row[word], place])
        return total / count[:, None].to(states.dtype)

    def to(self, device: torch.device) -> Batch:
        """The same tensors on a device."""
        return Batch(*(tensor.to(device) for tensor in self))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Texts cut into rows. Words are numbered through all texts; those of a row follow each other."""

    pieces: list[np.ndarray]  # of each row, with the special tokens
    texts: np.ndarray  # (texts + 1,) number of the first word of each text, and of all words
    row: np.ndarray  # (words,) ascending
    first: np.ndarray  # (words,) places in the row
    end: np.ndarray
    head: np.ndarray

    def batch(self, rows: Sequence[int], pad: int) -> Batch:
        """Some rows, or all, as tensors."""
        longest = max((len(self.pieces[r]) for r in rows), default=0)
        ids = np.full((len(rows), longest), pad, np.int64)
        mask = np.zeros((len(rows), longest), bool)
        for i, r in enumerate(rows):
            ids[i, : len(self.pieces[r])] = self.pieces[r]
            mask[i, : len(self.pieces[r])] = True
        cuts = np.searchsorted(self.row, np.asarray([[r, r + 1] for r in rows], np.int64).reshape(-1, 2))
        words = np.concatenate([np.arange(a, b) for a, b in cuts.tolist()] or [np.zeros(0, np.int64)])
        owner = np.repeat(np.arange(len(rows)), cuts[:, 1] - cuts[:, 0])
        parts = (ids, mask, words, owner, self.first[words], self.end[words], self.head[words])
        return Batch(*map(torch.from_numpy, parts))

    def batches(self, most: int) -> Iterator[list[int]]:
        """All rows, those of like length together, at most so many pieces in a batch with its padding."""
        found: list[int] = []
        for r in sorted(range(len(self.pieces)), key=lambda r: len(self.pieces[r])):
            if found and (len(found) + 1) * len(self.pieces[r]) > most:
                yield found
                found = []
            found.append(r)
        if found:
            yield found


def cut_rows(
    texts: Sequence[Sequence[tuple[int, ...]]],
    ends: tuple[int, int],
    blank: int,
    max_tokens: int,
    overlap: int = OVERLAP,
) -> Rows:
    """Cut texts into rows.

    A text that fits is one row; a longer one has windows of equal length, two of which share `overlap` pieces at least.
    A word is read in the window in which its first piece is furthest from an end that has been cut off. A word of more
    than half of `overlap` pieces may lose its last ones where states are averaged.

    Args:
        texts: pieces of each word of each text; no word is without.
        ends: special tokens before and behind each row.
        blank: the piece that is the mark of a blank alone; -1 for none.
        max_tokens: the longest row, special tokens included.
        overlap: pieces.
    """
    counts = np.fromiter(map(len, texts), np.int64, len(texts))
    bounds = np.concatenate([[0], np.cumsum(counts)])
    flat = list(chain.from_iterable(texts))
    sizes = np.fromiter(map(len, flat), np.int64, len(flat))
    ids = np.fromiter(chain.from_iterable(flat), np.int64, int(sizes.sum()))
    starts = np.concatenate([[0], np.cumsum(sizes)])  # first piece of each word
    head = starts[:-1] + ((sizes > 1) & (ids[starts[:-1]] == blank) if len(sizes) else 0)
    pieces: list[np.ndarray] = []
    row, origin, cut = (np.zeros(len(flat), np.int64) for _ in range(3))
    for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist()):
        begins, length = _windows(int(starts[b] - starts[a]), max_tokens - 2, min(overlap, (max_tokens - 2) // 2))
        begins += starts[a]
        for begin in begins.tolist():
            pieces.append(np.concatenate([ends[:1], ids[begin : begin + length], ends[1:]]))
        middles = (begins[1:] + begins[:-1] + length + 1) // 2
        window = np.searchsorted(middles, head[a:b], "right")
        row[a:b] = len(pieces) - len(begins) + window
        origin[a:b], cut[a:b] = begins[window], begins[window] + length
    shift = 1 - origin
    return Rows(
        pieces=pieces,
        texts=bounds,
        row=row,
        first=np.maximum(starts[:-1], origin) + shift,
        end=np.minimum(starts[1:], cut) + shift,
        head=head + shift,
    )


def _windows(size: int, most: int, overlap: int) -> tuple[np.ndarray, int]:
    """Begins of the windows over so many pieces, and their length."""
    if size <= most:
        return np.zeros(1, np.int64), size
    count = -(-(size - overlap) // (most - overlap))
    length = -(-(size + (count - 1) * overlap) // count)
    return np.arange(count) * (size - length) // (count - 1), length
