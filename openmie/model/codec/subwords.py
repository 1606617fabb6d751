"""Tokens (subwords) as integers: rows that fit a sequence, markers between the words, mentions as word positions.

Shapes: N tokens of a text, each with the index of its word (ascending); a row is (tokens, word index), -1 for a token
whose word is read in another row.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document

Ints = npt.NDArray[np.int64]
Row = tuple[Ints, Ints]
_SURROGATE = re.compile("[\ud800-\udfff]")


def readable(text: str) -> str:
    """What a tokenizer may be given: half of a UTF-16 pair, which is no character, stands as U+FFFD; offsets stay."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def sliding_windows(tokens: Ints, words: Ints, max_length: int) -> list[Row]:
    """Rows of at most `max_length` tokens, half a window apart; each word is read in the row where it lies deepest.

    A text that fits is one row. Nothing is left out: every word is read in exactly one row.
    """
    if len(tokens) <= max_length:
        return [(tokens, words)]
    step = max(max_length // 2, 1)
    starts = np.append(np.arange(0, len(tokens) - max_length, step), len(tokens) - max_length)
    first = np.searchsorted(words, words, side="left")  # (N,) first token of each token's word
    middle = (starts[:-1] + starts[1:] + max_length) / 2  # where the next row's centre becomes the nearer one
    best = np.searchsorted(middle, first, side="right")  # (N,) row in which the word is read
    return [
        (tokens[s : s + max_length], np.where(best[s : s + max_length] == r, words[s : s + max_length], -1))
        for r, s in enumerate(starts)
    ]


def with_markers(tokens: Ints, words: Ints, span: Ints, markers: Ints) -> tuple[Ints, Ints, Ints]:
    """Four markers among the words, each a word of its own: [head start] ... [head end], [tail start] ... [tail end].

    `span` is first and last word of head and tail (4,), `markers` their ids (4,). Returns tokens and words of N + 4,
    and the position of each marker (4,). A marker that ends stands before one that begins at the same word; nested and
    overlapping entities keep their words once.
    """
    at = np.array([span[0], span[1] + 1, span[2], span[3] + 1])  # the word before which each marker stands
    order = np.lexsort((np.array([1, 0, 1, 0]), at))
    where = np.searchsorted(words, at[order])
    position = np.empty(4, dtype=np.int64)
    position[order] = at[order] + np.arange(4)
    shifted = words + np.searchsorted(at[order], words, side="right")
    return np.insert(tokens, where, markers[order]), np.insert(shifted, where, position[order]), position


def word_spans(document: Document, whole: bool = False) -> dict[str, tuple[int, int]]:
    """Mention id -> first and last word that it touches, in text order; a mention that touches none is left out.

    With `whole` also one that does not begin and end where words do: what is learnt follows one rule, see
    `openmie.text.span_edges`.
    """
    if not document.mentions or not document.words:
        return {}
    starts, ends = np.array(document.words, dtype=np.int64).T
    out = {}
    for m in sorted(document.mentions, key=lambda m: (m.start, m.end)):
        first, last = int(np.searchsorted(ends, m.start, side="right")), int(np.searchsorted(starts, m.end)) - 1
        cut = whole and first <= last and (starts[first] != m.start or ends[last] != m.end)
        if m.status != "unlocated" and first <= last and not cut:
            out[m.id] = (first, last)
    return out
