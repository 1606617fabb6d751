"""Documents to tensors: each document is encoded once, and batches of encoded documents become tensors.

Legend: B encoded documents (a document, or one pair of a recipe with markers), P pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from openmie.data.document import Document
from openmie.errors import DocumentError, RecipeError
from openmie.model.backbones import TextBackbone, VisionBackbone
from openmie.model.features.encoded_document import Batch, EncodedDocument
from openmie.model.features.images import collate_images, image_identity, select_images, skipped_frames
from openmie.model.features.pairs import encode_pairs
from openmie.model.features.text import TextFeatures
from openmie.model.tasks.task import CandidateSource
from openmie.model.tasks.tasks import Tasks
from openmie.nn.ops import stack
from openmie.recipe import Recipe
from openmie.text import pos
from openmie.text.words import split_words

MAX_TOKENS_PER_BATCH, MAX_FRAMES_PER_BATCH = 1 << 15, 256  # at inference, padding included


class Featurizer:
    """Documents to encoded documents, once, and these to batches, at each step."""

    def __init__(self, recipe: Recipe, text: TextBackbone, vision: VisionBackbone | None) -> None:
        self.inputs, self.vision = recipe.encode.inputs, vision
        self.text, self.tasks = TextFeatures(text, self.inputs), Tasks(recipe)
        self.aligns = bool(recipe.align)
        self.cached_states: Mapping[str, Tensor] = {}  # of frozen backbones, filled by the trainer
        self.channels = next((c for h in recipe.heads if (c := getattr(h, "channels", None))), None)
        marked = any(getattr(h, "markers", False) for h in recipe.heads if "relations" in h.makes())
        if self.inputs.text_tokens and set(self.tasks.by_output) != {"tags"}:
            raise RecipeError(
                f"text_tokens={self.inputs.text_tokens} with heads that find {', '.join(self.tasks.by_output)}",
                expected="a recipe that only finds names, as the paper's",
                where="encode.text_tokens",
                remedy="set it to 0: texts are read whole",
            )
        self.markers: tuple[int, ...] = text.markers if marked else ()

    def featurize(
        self, documents: Iterable[Document], gold: bool = False, candidates: CandidateSource = "predicted"
    ) -> list[EncodedDocument]:
        """Encode documents.

        Args:
            documents: in any number; a document without words is split into words.
            gold: encode targets too, and leave documents out that have nothing to learn from.
            candidates: the richest candidate source that predictions will be made with.

        Returns:
            Encoded documents in order: one per document, or per pair where the recipe marks pairs in the text.
        """
        relations, out = self.tasks.relations, list[EncodedDocument]()
        for base in self.encode(with_words(documents)):
            out += encode_pairs(base, relations, gold, self.markers) if relations else [base]
        self.tasks.encode(out, candidates, gold)
        return self.into_rows(out)

    def encode(self, documents: Sequence[Document]) -> Iterator[EncodedDocument]:
        """Documents with words, one by one, with all tokens of a text in one row, without pairs or candidates."""
        tokens, words = self.text.tokenize([d.word_texts() for d in documents])
        texts = zip(tokens, words, self.text.contexts(documents), self.text.phrases(documents))
        for i, (document, (t, w, (context, cut), (phrases, rest))) in enumerate(zip(documents, texts)):
            records = {"context": cut, "phrases": rest, "frames": skipped_frames(document, self.inputs)}
            base = EncodedDocument(i, document, [(t, w)], context, phrases, len(document.words))
            base.images = tuple(select_images(document, self.inputs))
            base.image_identity = image_identity(document) if self.aligns else 0
            base.errors = {what: record for what, record in records.items() if record}
            self.text.cut_text(base)
            yield base

    def into_rows(self, encoded: list[EncodedDocument]) -> list[EncodedDocument]:
        """The same with their texts in the rows that the encoder reads, and with the parts of speech that heads do."""
        self.parts_of_speech([d for d in encoded if d.pos is None])
        for d in encoded:
            self.text.into_rows(d)
        return encoded

    def parts_of_speech(self, documents: Sequence[EncodedDocument]) -> None:
        """Tags of the words, by language: the tagger that the recipe names knows one, and other texts get X."""
        if not self.channels:
            return
        for lang in {d.document.lang for d in documents}:
            chosen = [d for d in documents if d.document.lang == lang]
            found = pos.tag([d.document.word_texts() for d in chosen], lang, self.channels.tagger)
            for d, tags in zip(chosen, found):
                d.pos = np.array(pos.ids(tags), dtype=np.int64)[: d.words]

    def batches(self, documents: Sequence[EncodedDocument], batch_size: int) -> list[list[int]]:
        """Indices of documents of like lengths, at most `batch_size` together.

        A batch has fewer where padded it would hold much more text or many more frames than a batch of posts.
        """
        order = sorted(range(len(documents)), key=lambda i: documents[i].length)
        frames = [len(d.images) if self.inputs.max_frames else 0 for d in documents]
        found, widest = list[list[int]](), 0
        for i in order:
            n = len(found[-1]) + 1 if found else 1
            widest = max(widest, frames[i])
            large = n * documents[i].length > MAX_TOKENS_PER_BATCH or n * widest > MAX_FRAMES_PER_BATCH
            if not found or n > batch_size or (n > 1 and large):
                found.append([])
                widest = frames[i]
            found[-1].append(i)
        return found

    def collate(self, documents: Sequence[EncodedDocument]) -> Batch:
        """Tensors of a batch: what encoders read, what heads may read, and, where documents have them, targets."""
        inputs = self.text.collate(documents, self.cached_states)
        if self.vision is not None:
            inputs |= collate_images(documents, self.inputs, self.vision.process, self.cached_states)
        if self.aligns:
            inputs["image_identity"] = torch.tensor([d.image_identity for d in documents])
        given = self.tasks.given(documents)
        if any(d.pairs is not None for d in documents):
            pairs = [np.zeros((0, 4), np.int64) if d.pairs is None else d.pairs for d in documents]
            given["pairs"] = stack(pairs, 0)
            given["pairs_mask"] = stack([np.ones(len(p), bool) for p in pairs], False)
        if self.channels:
            given["pos"] = stack([d.pos for d in documents], 0, inputs["words"].shape[1])
        return Batch(inputs, given, self.tasks.collate(documents, inputs))


def with_words(documents: Iterable[Document]) -> list[Document]:
    """The documents, those without words split into words."""
    documents = list(documents)
    if odd := [type(d).__name__ for d in documents if not isinstance(d, Document)]:
        raise DocumentError(f"a {odd[0]}", expected="Documents", remedy='pass [Document(id="a", text="...")]')
    return [d if d.words else d.replace(words=split_words(d.text)) for d in documents]
