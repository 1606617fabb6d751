"""Pieces of a word by a unigram tokenizer, in plain Python: nothing is built before the first word but one dictionary.

Kudo, ACL 2018, arXiv 1804.10959: the pieces of a word are the likeliest way to cut it. The tokenizers library gives the
same ones, but builds a trie of all 250,037 pieces first, which takes longer than a post. A word is seen alone: it
begins with the piece's mark of a blank, wherever it stands in a text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

BLANK = "▁"  # what a piece that begins a word begins with
UNKNOWN_PENALTY = 10.0  # log-probability of an unknown character, below the least likely piece


class UnigramTokenizer:
    """Word -> ids of its pieces.

    Args:
        ids: piece -> id, for every id from 0.
        scores: log-probabilities of the pieces, by id.
        special: bos, eos, pad and unk -> id. No text makes them: `<s>` in a text is three characters.
        normalized: character -> what is read in its place before the word is normalized to NFKC; those that it leaves
            as they are need not be given.
    """

    def __init__(
        self, ids: Mapping[str, int], scores: Sequence[float], special: Mapping[str, int], normalized: Mapping[str, str]
    ) -> None:
        self.scores, self.unknown = scores, special["unk"]
        reserved = {*special.values()}
        self.ids = dict(ids)
        for piece in [piece for piece, id in ids.items() if id in reserved]:
            del self.ids[piece]
        self.longest = max(map(len, ids), default=1)
        self.unknown_score = min(scores, default=0.0) - UNKNOWN_PENALTY
        self.table = {ord(c): text for c, text in normalized.items()}
        kept = [re.escape(c) for c, text in normalized.items() if c == text]
        self.kept = re.compile(f"([{''.join(kept)}])") if kept else None

    def __call__(self, word: str, marked: bool = True) -> tuple[int, ...]:
        """The pieces; none where nothing of the word is read, such as for a zero-width blank.

        Args:
            word: one or several, with blanks between.
            marked: whether the first one begins with the mark of a blank, as the others do.
        """
        ids: list[int] = []
        for number, part in enumerate(self.normalize(word).split()):
            ids += self._cut(BLANK + part if marked or number else part)
        return tuple(ids)

    def normalize(self, word: str) -> str:
        """What is read of a word."""
        if word.isascii() and word.isprintable():
            return word
        word = word.translate(self.table)
        if self.kept is None:
            return unicodedata.normalize("NFKC", word)
        parts = self.kept.split(word)
        return "".join(p if i % 2 else unicodedata.normalize("NFKC", p) for i, p in enumerate(parts))

    def _cut(self, text: str) -> list[int]:
        """The likeliest pieces of a text: Viterbi's algorithm, left to right; unknown characters in a row are one."""
        size, ids, scores = len(text), self.ids, self.scores
        best, origin, piece = [0.0] + [-float("inf")] * size, [0] * (size + 1), [self.unknown] * (size + 1)
        for start in range(size):
            here, alone = best[start], False
            for end in range(start + 1, min(start + self.longest, size) + 1):
                id = ids.get(text[start:end])
                if id is None:
                    continue
                alone = alone or end == start + 1
                if here + scores[id] > best[end]:
                    best[end], origin[end], piece[end] = here + scores[id], start, id
            if not alone and here + self.unknown_score > best[start + 1]:
                best[start + 1], origin[start + 1], piece[start + 1] = here + self.unknown_score, start, self.unknown
        found, at = list[int](), size
        while at > 0:
            if not (piece[at] == self.unknown and found and found[-1] == self.unknown):
                found.append(piece[at])
            at = origin[at]
        return found[::-1]
