"""Vectors of the gold mentions of documents under a trained model.

Legend: B documents of a batch, T words, M mentions, D width of the fused states.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from openmie.data.document import Document, Mention
from openmie.errors import ModelError
from openmie.model.codec.subwords import word_spans
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.pretrained import Model
from openmie.report.embeddings import EntityPoint
from openmie.text.words import split_words


@dataclass(frozen=True, kw_only=True)
class Entities:
    """Gold mentions in order, their vectors, and what was left out on the way."""

    entities: list[EntityPoint]
    vectors: np.ndarray  # (M, D) float32
    total: int  # located gold mentions of the documents, of which these were drawn
    unlocated: int  # gold mentions that touch no word of their text
    errors: list[str]  # images that could not be read and captions that were cut; their posts are in

    @property
    def labels(self) -> np.ndarray:
        return np.array([e.label for e in self.entities])


@torch.inference_mode()
def entities(
    model: Model, documents: Iterable[Document], *, most: int = 2000, seed: int = 0, batch_size: int = 32
) -> Entities:
    """The gold mentions of documents, in order, each with its vector (D,): the mean of the fused states of its words.

    The states are those that the heads read; gold is read only to know where the mentions are. Of more than `most`
    mentions so many are drawn at random (0: all are taken), while the documents are read, so that only the posts drawn
    are held and encoded. Errors: a model that finds no entities.
    """
    _refuse(model)
    if most < 0 or batch_size < 1:
        raise ModelError(
            f"most={most}, batch_size={batch_size}", expected="at least 0, and at least 1", remedy="0 takes all"
        )
    counts: Counter[str] = Counter()
    chosen = _drawn(documents, most, seed, counts)
    at = {i: n for n, i in enumerate(dict.fromkeys(i for i, *_ in chosen))}  # index of a document -> its row
    kept = list({i: document for i, document, *_ in chosen}.values())
    row = np.array([at[i] for i, *_ in chosen], dtype=np.int64)
    spans = np.array([span for *_, span in chosen], dtype=np.int64).reshape(-1, 2)
    examples = model.featurizer.featurize(kept)  # one a document: a recipe that finds entities marks no pairs
    vectors, predicted = _encode(model, examples, row, spans, batch_size)
    found = [{(m.start, m.end): m.label for m in p.mentions if m.status != "unlocated"} for p in predicted]
    return Entities(
        entities=[
            EntityPoint(
                document=d.id,
                text=d.text,
                start=m.start,
                end=m.end,
                label=m.label,
                predicted=found[r].get((m.start, m.end)),
            )
            for r, (_, d, m, _) in zip(row, chosen)
        ],
        vectors=vectors,
        total=counts["located"],
        unlocated=counts["unlocated"],
        errors=[str(r) for e in examples for r in e.errors.values()],
    )


def span_means(tokens: Tensor, row: Tensor, spans: Tensor) -> Tensor:
    """tokens (B, T, D), row (M,) the document of a span, spans (M, 2) its first and last word -> means (M, D)."""
    length = spans[:, 1] - spans[:, 0] + 1  # (M,)
    owner = torch.arange(len(spans), device=tokens.device).repeat_interleave(length)  # (sum of lengths,)
    begin = length.cumsum(0) - length
    word = torch.arange(len(owner), device=tokens.device) - begin[owner] + spans[owner, 0]
    total = tokens.new_zeros(len(spans), tokens.shape[-1]).index_add(0, owner, tokens[row[owner], word])
    return total / length[:, None]


def _drawn(
    documents: Iterable[Document], most: int, seed: int, counts: Counter[str]
) -> list[tuple[int, Document, Mention, tuple[int, int]]]:
    """(index, document, mention, its first and last word) of at most `most` mentions, each as likely, in order."""
    draw = np.random.default_rng(seed)
    every = ((draw.random(), item) for item in _located(documents, counts))
    sample = heapq.nsmallest(most, every, key=lambda x: x[0]) if most else every
    return sorted((item for _, item in sample), key=lambda x: (x[0], x[2].start, x[2].end, x[2].id))


def _located(
    documents: Iterable[Document], counts: Counter[str]
) -> Iterator[tuple[int, Document, Mention, tuple[int, int]]]:
    for i, document in enumerate(documents):
        document = document if document.words else document.replace(words=split_words(document.text))
        places = word_spans(document)
        counts["located"] += len(places)
        counts["unlocated"] += len(document.mentions) - len(places)
        named = {m.id: m for m in document.mentions}
        yield from ((i, document, named[id], span) for id, span in places.items())


def _encode(
    model: Model, examples: Sequence[EncodedDocument], row: np.ndarray, spans: np.ndarray, batch_size: int
) -> tuple[np.ndarray, list[Document]]:
    """Vectors (M, D) of the mentions, whose documents `row` (M,) ascend, and a prediction for each document.

    Batched by length, as predictions are; both come from one pass.
    """
    extractor, training = model.extractor, model.extractor.training
    extractor.eval()
    device = next(extractor.parameters()).device
    border = np.searchsorted(row, np.arange(len(examples) + 1))  # mentions of document i: border[i] to border[i + 1]
    order = sorted(range(len(examples)), key=lambda i: examples[i].length)
    vectors: dict[int, np.ndarray] = {}
    predicted: dict[int, Document] = {}
    for at in range(0, len(order), batch_size):
        chosen = order[at : at + batch_size]
        part = [examples[i] for i in chosen]
        batch = model.featurizer.collate(part).to(device)
        fused = extractor.streams(batch.inputs).fused
        predicted.update(zip(chosen, model.predict_streams(fused, part, batch)))
        which = np.concatenate([np.arange(border[i], border[i + 1]) for i in chosen])
        place = torch.from_numpy(np.repeat(np.arange(len(chosen)), border[np.array(chosen) + 1] - border[chosen]))
        found = span_means(fused["fused"].tokens, place.to(device), torch.from_numpy(spans[which]).to(device))
        vectors.update(zip(which.tolist(), found.float().cpu().numpy()))
    extractor.train(training)
    whole = [vectors[i] for i in range(len(row))]
    return np.stack(whole) if whole else np.zeros((0, 0), np.float32), [predicted[i] for i in range(len(examples))]


def _refuse(model: Model) -> None:
    if model.recipe.task not in ("ner", "joint"):
        marks = ", which reads a text with the two ends of a pair marked in it" if model.featurizer.markers else ""
        raise ModelError(
            f"{model.recipe.name}, a model that finds no entities{marks}",
            expected="a model of task ner or joint",
            remedy="train one: openmie train PAPER --task ner --corpus ...",
        )
