"""Texts as rows of tokens for an encoder: long ones in windows that overlap, each word read where it is most central.

M rows, T tokens of the longest of them, K words, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

OVERLAP = 128  # tokens that two windows share at least: a word has 64 of its text on either side


class TokenBatch(NamedTuple):
    """TokenRows as tensors, and where their words are."""

    ids: Tensor  # (M, T) tokens, padded behind
    mask: Tensor  # (M, T) bool, True where a token is real
    words: Tensor  # (K,) numbers of the words whose states are taken from these rows, ascending within a row
    row: Tensor  # (K,) their rows
    first: Tensor  # (K,) places of their first tokens in the row
    end: Tensor  # (K,) and behind their last ones
    head: Tensor  # (K,) and of the first token that is more than the mark of a blank

    def pool(self, states: Tensor, mean: bool = False) -> Tensor:
        """States of the words: (M, T, D) -> (K, D).

        Args:
            states: of the tokens.
            mean: average a word's tokens; else its first token stands for it, the mark of a blank left out.
        """
        if not mean:
            return states[self.row, self.head]
        count = self.end - self.first
        word = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
        behind = count.cumsum(0) - count
        place = torch.arange(len(word), device=count.device) - behind[word] + self.first[word]
        total = states.new_zeros(len(count), states.shape[-1]).index_add(0, word, states[self.row[word], place])
        return total / count[:, None].to(states.dtype)

    def to(self, device: torch.device) -> TokenBatch:
        """The same tensors on a device."""
        return TokenBatch(*(tensor.to(device) for tensor in self))


@dataclass(frozen=True, kw_only=True)
class TokenRows:
    """Texts cut into rows. Words are numbered through all texts; those of a row follow each other."""

    tokens: list[np.ndarray]  # of each row, with the special tokens
    texts: np.ndarray  # (texts + 1,) number of the first word of each text, and of all words
    row: np.ndarray  # (words,) ascending
    first: np.ndarray  # (words,) places in the row
    end: np.ndarray
    head: np.ndarray

    def batch(self, rows: Sequence[int], pad: int) -> TokenBatch:
        """Some rows, or all, as tensors."""
        longest = max((len(self.tokens[r]) for r in rows), default=0)
        ids = np.full((len(rows), longest), pad, np.int64)
        mask = np.zeros((len(rows), longest), bool)
        for i, r in enumerate(rows):
            ids[i, : len(self.tokens[r])] = self.tokens[r]
            mask[i, : len(self.tokens[r])] = True
        cuts = np.searchsorted(self.row, np.asarray([[r, r + 1] for r in rows], np.int64).reshape(-1, 2))
        words = np.concatenate([np.arange(a, b) for a, b in cuts.tolist()] or [np.zeros(0, np.int64)])
        owner = np.repeat(np.arange(len(rows)), cuts[:, 1] - cuts[:, 0])
        parts = (ids, mask, words, owner, self.first[words], self.end[words], self.head[words])
        return TokenBatch(*map(torch.from_numpy, parts))

    def batches(self, most: int) -> Iterator[list[int]]:
        """All rows, those of like length together, at most so many tokens in a batch with its padding."""
        found: list[int] = []
        for r in sorted(range(len(self.tokens)), key=lambda r: len(self.tokens[r])):
            if found and (len(found) + 1) * len(self.tokens[r]) > most:
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
) -> TokenRows:
    """Cut texts into rows.

    A text that fits is one row; a longer one has windows of equal length, two of which share `overlap` tokens at least.
    A word is read in the window in which its first token is furthest from an end that has been cut off. A word of more
    than half of `overlap` tokens may lose its last ones where states are averaged.

    Args:
        texts: tokens of each word of each text; no word is without.
        ends: special tokens before and behind each row.
        blank: the token that is the mark of a blank alone; -1 for none.
        max_tokens: the longest row, special tokens included.
        overlap: tokens.
    """
    counts = np.fromiter(map(len, texts), np.int64, len(texts))
    bounds = np.concatenate([[0], np.cumsum(counts)])
    flat = list(chain.from_iterable(texts))
    sizes = np.fromiter(map(len, flat), np.int64, len(flat))
    ids = np.fromiter(chain.from_iterable(flat), np.int64, int(sizes.sum()))
    starts = np.concatenate([[0], np.cumsum(sizes)])  # first token of each word
    head = starts[:-1] + ((sizes > 1) & (ids[starts[:-1]] == blank) if len(sizes) else 0)
    tokens: list[np.ndarray] = []
    row, origin, cut = (np.zeros(len(flat), np.int64) for _ in range(3))
    for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist()):
        begins, length = _windows(int(starts[b] - starts[a]), max_tokens - 2, min(overlap, (max_tokens - 2) // 2))
        begins += starts[a]
        for begin in begins.tolist():
            tokens.append(np.concatenate([ends[:1], ids[begin : begin + length], ends[1:]]))
        middles = (begins[1:] + begins[:-1] + length + 1) // 2
        window = np.searchsorted(middles, head[a:b], "right")
        row[a:b] = len(tokens) - len(begins) + window
        origin[a:b], cut[a:b] = begins[window], begins[window] + length
    shift = 1 - origin
    return TokenRows(
        tokens=tokens,
        texts=bounds,
        row=row,
        first=np.maximum(starts[:-1], origin) + shift,
        end=np.minimum(starts[1:], cut) + shift,
        head=head + shift,
    )


def _windows(size: int, most: int, overlap: int) -> tuple[np.ndarray, int]:
    """Begins of the windows over so many tokens, and their length."""
    if size <= most:
        return np.zeros(1, np.int64), size
    count = -(-(size - overlap) // (most - overlap))
    length = -(-(size + (count - 1) * overlap) // count)
    return np.arange(count) * (size - length) // (count - 1), length
