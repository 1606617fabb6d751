"""Texts of documents as tokens: words, the context, phrases, and the rows that an encoder reads.

Legend: M encoded rows, W tokens of a row, B documents, T words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.model.backbones import TextBackbone
from openmie.model.codec.subwords import readable, sliding_windows
from openmie.model.features.context import context_generator
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.features.images import word_timestamps
from openmie.nn.encode.inputs import EncoderInputs
from openmie.nn.ops import stack

Cut = tuple[np.ndarray, ErrorRecord | None]  # tokens, and a record where a text was longer


class TextFeatures:
    """Tokens of documents, and the text inputs of a batch."""

    def __init__(self, text: TextBackbone, inputs: EncoderInputs) -> None:
        self.tokenizer, self.max_length, self.inputs = text.tokenizer, text.max_length, inputs
        self.special_tokens = (text.tokenizer.cls_token_id, text.tokenizer.sep_token_id)

    # -- documents to tokens

    def tokenize(self, texts: Sequence[Sequence[str]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Tokens and word index of each text, special tokens left out; a word without tokens becomes unknown."""
        if not texts:
            return [], []
        texts = [[readable(w) for w in t] for t in texts]
        options = {"add_special_tokens": False, "truncation": False, "verbose": False}
        encoded = self.tokenizer(texts, is_split_into_words=True, **options)
        tokens = [np.asarray(ids, dtype=np.int64) for ids in encoded["input_ids"]]
        words = [np.asarray(encoded.word_ids(i), dtype=np.int64) for i in range(len(texts))]
        for i, text in enumerate(texts):
            missing = np.setdiff1d(np.arange(len(text)), words[i])
            if len(missing):
                at = np.searchsorted(words[i], missing)
                tokens[i] = np.insert(tokens[i], at, self.tokenizer.unk_token_id)
                words[i] = np.insert(words[i], at, missing)
        return tokens, words

    def contexts(self, documents: Sequence[Document]) -> list[Cut]:
        """Tokens of each document's caption, and a record where it is cut."""
        name, most = self.inputs.context, self.inputs.context_tokens
        if not name:
            return [(np.empty(0, np.int64), None)] * len(documents)
        most = min(most, self.max_length - 2) if self.inputs.separate_context_pass else most
        name = context_generator(name, documents)
        texts = [readable(d.caption(name)) for d in documents]
        ids = self.tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        remedy = "its end was not read: raise encode.context_tokens"
        return [_cut(x, most, f"document {d.id}, caption {name}", remedy) for d, x in zip(documents, ids)]

    def phrases(self, documents: Sequence[Document]) -> list[Cut]:
        """Tokens of each document's phrases, tokenized as words are, and a record where they are cut."""
        if not self.inputs.phrases:
            return [(np.empty(0, np.int64), None)] * len(documents)
        tokens, _ = self.tokenize([[w for p in d.phrases for w in p.text.split()] for d in documents])
        most, remedy = self.max_length - 2, "the rest was not read: give fewer phrases"
        return [_cut(x, most, f"document {d.id}, phrases", remedy) for d, x in zip(documents, tokens)]

    def cut_text(self, document: EncodedDocument) -> None:
        """Leave out what is beyond `text_tokens`, with a record: words that begin there are not read or labelled."""
        tokens, words = document.rows[0]
        most = self.inputs.text_tokens - 2
        if most < 0 or len(tokens) <= most:
            return
        document.rows = [(tokens[:most], words[:most])]
        document.words = int(words[most - 1]) + 1
        document.errors["text"] = ErrorRecord(
            where=f"document {document.document.id}, text",
            found=f"{len(tokens) + 2} tokens",
            expected=f"at most {most + 2}",
            remedy="its end was not read: raise encode.text_tokens, or set it to 0",
        )

    def into_rows(self, document: EncodedDocument) -> None:
        """Split a text that is longer than the encoder's sequence into overlapping rows."""
        context = self._inline_context(document)
        extra = 2 + (len(context) + 1 if len(context) else 0)
        first, *rest = sliding_windows(*document.rows[0], self.max_length - extra)
        document.rows = [
            first,
            *(row for row in rest if (row[1] >= 0).any()),
        ]  # of a word of many rows only one is read

    def _inline_context(self, document: EncodedDocument) -> np.ndarray:
        """Tokens of the context that are encoded in one pass with the text: none where it has a pass of its own."""
        return document.context[:0] if self.inputs.separate_context_pass else document.context

    # -- tokens to tensors

    def collate(self, documents: Sequence[EncodedDocument], states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Text inputs of a batch; `states`: cached states of a frozen text encoder, by the keys that documents hold."""
        cls, sep = self.special_tokens
        rows: list[tuple[np.ndarray, ...]] = []  # tokens, types, word, context slot
        for d in documents:
            context = self._inline_context(d)
            for r, (tokens, words) in enumerate(d.rows):
                tail = [*context, sep] if len(context) else []
                ids = np.concatenate([[cls], tokens, [sep], np.array(tail, dtype=np.int64)])
                types = np.repeat([0, 1], [len(tokens) + 2, len(tail)])
                word = np.full(len(ids), -1)
                word[1 : len(tokens) + 1] = words
                slot = np.full(len(ids), -1)
                if len(context) and r == 0:
                    slot[len(tokens) + 2 : -1] = np.arange(len(context))
                rows.append((ids, types, word, slot))
        names = (("input_ids", self.tokenizer.pad_token_id), ("token_type_ids", 0), ("word_ids", -1), ("context", -1))
        out = {name: stack([row[i] for row in rows], fill) for i, (name, fill) in enumerate(names)}
        out["attention_mask"] = stack([np.ones(len(row[0]), np.int64) for row in rows], 0)
        out["owner"] = torch.from_numpy(np.repeat(np.arange(len(documents)), [len(d.rows) for d in documents]))
        longest = max(1, max(d.words for d in documents))
        out["words"] = torch.arange(longest) < torch.tensor([d.words for d in documents])[:, None]
        if self.inputs.max_frames:
            out["word_seconds"] = stack([word_timestamps(d.document) for d in documents], torch.nan, longest)
        if all("text" in d.cached for d in documents):
            found = [states[key] for d in documents for key in d.cached["text"]]
            out["text_states"] = stack(found, 0.0, out["input_ids"].shape[1])
        return out | self._separately_encoded(documents)

    def _separately_encoded(self, documents: Sequence[EncodedDocument]) -> dict[str, Tensor]:
        """What has a pass of its own: phrases, and a context that is not joined to the text."""
        out: dict[str, Tensor] = {}
        cls, sep = self.special_tokens
        for role in ("context", "phrases") if self.inputs.separate_context_pass else ("phrases",):
            rows = {i: tokens for i, d in enumerate(documents) if len(tokens := getattr(d, role))}
            if rows:
                ids = [np.concatenate([[cls], tokens, [sep]]) for tokens in rows.values()]
                out[f"{role}_input_ids"] = stack(ids, self.tokenizer.pad_token_id)
                out[f"{role}_attention_mask"] = stack([np.ones(len(x), np.int64) for x in ids], 0)
                out[f"{role}_owner"] = torch.tensor(list(rows))
        return out


def _cut(tokens: Sequence[int] | np.ndarray, most: int, where: str, remedy: str) -> Cut:
    """At most so many tokens, and a record where that is not all."""
    kept = np.asarray(tokens[:most], dtype=np.int64)
    if len(tokens) <= most:
        return kept, None
    found, expected = f"{len(tokens)} tokens", f"at most {most}"
    return kept, ErrorRecord(where=where, found=found, expected=expected, remedy=remedy)
