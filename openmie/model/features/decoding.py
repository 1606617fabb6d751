"""Answers of the heads, as tensors, back to Documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from openmie.data.document import Document, Mention, Relation
from openmie.model.codec import bio, word_pairs
from openmie.model.codec.subwords import word_spans
from openmie.model.features.decoding_documents import Chained
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.features.images import select_images
from openmie.model.features.targets import CandidateSource, Gold
from openmie.recipe import Recipe

Found = tuple[tuple[Mention, ...], tuple[Relation, ...]]


class Answers:
    """What a recipe's heads found in each example, written as layers of its document; gold layers are never read."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, gold = recipe, Gold(recipe)
        self.tagger, self.relater, self.grid = (gold.made[name] for name in ("tags", "relations", "cells"))
        self.chained = Chained(recipe, gold.made) if gold.document else None

    def documents(
        self,
        examples: Sequence[EncodedDocument],
        answers: Mapping[str, Tensor],
        candidates: CandidateSource = "predicted",
    ) -> list[Document]:
        """One predicted Document per example, in order; `join` brings the pairs of one document together again.

        `candidates`: what of a document's mentions and chains the heads were given.
        """
        if self.chained is not None:
            layers = self.chained.layers(examples, answers, candidates)
        else:
            found = self._cells(examples, answers) if self.grid else self._spans(examples, answers)
            layers = [{"mentions": mentions, "relations": relations} for mentions, relations in found]
        none: dict[str, Any] = dict.fromkeys(("chains", "relations", "regions"), ())
        return [
            e.document.replace(
                source=self._source(e),
                summary="",
                errors=tuple(dict.fromkeys((*e.document.errors, *e.errors.values()))),
                **(none | made),
            )
            for e, made in zip(examples, layers)
        ]

    def _cells(self, examples: Sequence[EncodedDocument], answers: Mapping[str, Tensor]) -> list[Found]:
        """Of a word-pair grid: entities and relations at once."""
        cells, scores = answers["cells"].cpu().numpy(), answers["cell_scores"].float().cpu().numpy()
        sizes = [e.words for e in examples]
        return word_pairs.decode_batch(
            [c[:n, :n] for c, n in zip(cells, sizes)],
            [e.document for e in examples],
            self.grid.mentions,
            self.grid.labels,
            scores=[s[:n, :n] for s, n in zip(scores, sizes)],
            scheme=self.grid.scheme,
            symmetric=self.grid.symmetric,
        )

    def _spans(self, examples: Sequence[EncodedDocument], answers: Mapping[str, Tensor]) -> list[Found]:
        """Entities by tags, or those given, then relations between them."""
        found: list[tuple[Mention, ...]] = [e.document.mentions for e in examples]
        if self.tagger:
            tags, scores = answers["tags"].cpu().numpy(), answers["tag_scores"].float().cpu().numpy()
            found = bio.decode_batch(tags, [e.document for e in examples], self.tagger.labels, scores, orphans="open")
        return [
            (mentions, self._relations(e, i, mentions, answers) if self.relater else ())
            for i, (e, mentions) in enumerate(zip(examples, found))
        ]

    def _source(self, e: EncodedDocument) -> dict[str, Any]:
        """The document's, and under `masked` the sides that the encoder reads but did not have."""
        inputs, main = self.recipe.encode.inputs, e.document.main_image
        images = [main] if main else []
        if inputs.max_frames:
            images = [image for _, image in select_images(e.document, inputs)]
        elif "objects" not in self.recipe.encode.makes():  # crops and main image are tokens of one stream, `vision`
            images += [i for i in e.document.images if i.kind == "object"][: inputs.objects]
        read = [i for i in images if f"image {i.id}" not in e.errors]
        missing = ["vision"] if inputs.reads_images and not read else []
        missing += ["text"] if inputs.max_frames and not e.document.words else []
        missing += ["context"] if inputs.context and not len(e.context) else []
        return e.document.source | ({"masked": missing} if missing else {})

    def _relations(
        self, e: EncodedDocument, i: int, mentions: Sequence[Mention], answers: Mapping[str, Tensor]
    ) -> tuple[Relation, ...]:
        if "relations" not in answers:
            return ()
        labels, scores = answers["relations"][i].tolist(), answers["relation_scores"][i].tolist()
        names = self.relater.labels  # type: ignore[union-attr]
        if not self.tagger:
            return tuple(
                Relation(head=r.head, tail=r.tail, label=names[k], score=s) for r, k, s in zip(e.asked, labels, scores)
            )
        place = {
            v: k
            for k, v in word_spans(e.document.replace(mentions=mentions, chains=(), relations=(), regions=())).items()
        }
        real, pairs = answers["pairs_mask"][i].tolist(), answers["pairs"][i].tolist()
        out: dict[Any, Relation] = {}
        for ok, (a, b, c, d), k, s in zip(real, pairs, labels, scores):
            if ok and names[k] != "None" and (a, b) in place and (c, d) in place:
                r = Relation(head=place[a, b], tail=place[c, d], label=names[k], score=s)
                ends = frozenset((r.head, r.tail)) if r.label in self.relater.symmetric else (r.head, r.tail)
                if (r.label, ends) not in out or s > (out[r.label, ends].score or 0.0):
                    out[r.label, ends] = r
        return tuple(out.values())

    @staticmethod
    def join(examples: Sequence[EncodedDocument], predicted: Sequence[Document]) -> list[Document]:
        """One Document per document again, where a marker recipe made an example of each of its pairs."""
        out: list[Document] = []
        last = -1
        for example, document in zip(examples, predicted):
            if example.index == last:
                errors = dict.fromkeys((*out[-1].errors, *document.errors))
                out[-1] = out[-1].replace(relations=(*out[-1].relations, *document.relations), errors=tuple(errors))
            else:
                out.append(document)
            last = example.index
        return out
