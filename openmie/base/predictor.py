"""openmie-base as a predictor: Documents in, predicted Documents out, with labels given at call time.

The text model finds entities, relations and chains in the text; the photograph part finds objects and words in the
photographs, and links them to entities. What a prediction holds:

* `mentions`: flat, without overlap, in text order, each with a calibrated score.
* `relations` between mentions, whose types fit where relation and types are built-in ones; `chains` of two or more.
* `regions`: objects with their class; the lines of words in a photograph, labelled `WORDS`, with their `text`; entities
  that those words name, with type and `text` (mentions are of the document's text only); and, with `of`, the box of an
  object for each entity that is linked to it, labelled with the entity's type.
* `source["openmie"]`: name and version of the model and a hash of what was asked, see `openmie.data.provenance`. It
  stands in `source` because `Document.without_gold` removes that with the rest of a prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import openmie
from openmie.base import long_texts
from openmie.base.extraction_query import ExtractionQuery
from openmie.base.facts import WEIGHTS, ModelFacts
from openmie.base.labels import LabelSet
from openmie.base.text_layers import chains_of, flat, mentions_of, relations_of
from openmie.base.thresholds import Threshold, by_value, checked_threshold, of_labels
from openmie.data.document import Chain, Document, Mention, Relation
from openmie.data.provenance import digest, provenance, source_with
from openmie.errors import DocumentError, ErrorRecord, ModelError, OpenMIEError

if TYPE_CHECKING:
    from openmie.base.text_model import Entity, Pair


class TextPart(Protocol):
    """What finds entities, relations and chains in texts: `openmie.base.text_model.TextModel`."""

    def entities(
        self, texts: Sequence[str], labels: Mapping[str, str], thresholds: Threshold = None
    ) -> list[list[Entity]]:
        """The entities of each text."""

    def relations(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[Entity]],
        relations: Mapping[str, str],
        threshold: float | None = None,
    ) -> list[list[Pair]]:
        """The relations between the entities of each text."""

    def chains(self, texts: Sequence[str], entities: Sequence[Sequence[Entity]]) -> list[list[list[int]]]:
        """Indices of the entities of each text that corefer."""


class ImagePart(Protocol):
    """What adds the layers of a document's photographs to those of its text."""

    def add(self, document: Document, entities: Callable[[str], list[Entity]], labels: Mapping[str, str]) -> Document:
        """The predicted document with regions, words and links of its photographs.

        Args:
            document: with the predicted layers of its text.
            entities: finds the entities of another text, such as the words of a photograph.
            labels: entity types, name -> description.
        """


class Base:
    """openmie-base: reads texts and photographs with labels given at call time.

    Args:
        text: the text part.
        images: the part that reads photographs; None: photographs are not read.
        facts: what the model is, see `ModelFacts`.
        query: what is found where a call names nothing else; None: the built-in labels and relations.
    """

    def __init__(
        self,
        text: TextPart,
        images: ImagePart | None = None,
        *,
        facts: ModelFacts,
        query: ExtractionQuery | None = None,
    ) -> None:
        self.text, self.images, self.facts = text, images, facts
        self.query = query or ExtractionQuery.of()
        self._digest: tuple[ExtractionQuery, str] | None = None  # of the query that was asked last

    @classmethod
    def load(cls, folder: str | Path | None = None) -> Base:
        """openmie-base with the weights of a folder; None: those that are installed with openmie."""
        from openmie.base.class_similarity import ClassSimilarity
        from openmie.base.photograph_part import PhotographPart
        from openmie.base.text_model import TextModel
        from openmie.model import packed_e5

        facts = ModelFacts.read(WEIGHTS if folder is None else Path(folder))
        query = ExtractionQuery.of(facts.labels or None, facts.relations or None)
        text = TextModel.load(folder)
        near = (
            ClassSimilarity(text.tower.encode_labels) if text.tower.name == packed_e5.NAME else None
        )  # measured on e5
        return cls(text, PhotographPart(similarity=near), facts=facts, query=query)

    def identity(self, query: ExtractionQuery | None = None) -> dict[str, str]:
        """Name and version of the model, and a hash of what is asked of it; None: what it is asked by default."""
        asked, known = query or self.query, self._digest
        if known is None or known[0] is not asked:
            known = self._digest = (asked, digest([asked.labels, asked.relations, asked.threshold]))
        return {**self.facts.identity(), "query": known[1]}

    def with_query(
        self, labels: LabelSet | None = None, relations: LabelSet | None = None, threshold: Threshold = None
    ) -> Base:
        """The same model, for which `predict` finds something else by default; see there."""
        query = self._query(labels, relations, threshold)
        return Base(self.text, self.images, facts=self.facts, query=query)

    def predict(
        self,
        documents: Iterable[Document],
        batch_size: int = 32,
        *,
        labels: LabelSet | None = None,
        relations: LabelSet | None = None,
        threshold: Threshold = None,
        images: bool = True,
    ) -> list[Document]:
        """Predict mentions, relations, chains and regions.

        No annotation of the documents is read. Texts are read to their end. An image that cannot be read is left out,
        and the prediction's `errors` say so.

        Args:
            documents: documents with a text, photographs, or both.
            batch_size: documents that are read together. Predictions do not depend on it.
            labels: entity types, name -> description, or names; None: the model's own, by default the built-in ones.
            relations: the same for relations; None: the model's own, or the built-in ones between the types of
                `labels`; an empty list: none.
            threshold: least score of entities and relations, from 0 to 1: a number, or name -> number; None: the
                calibrated defaults.
            images: whether photographs are read.

        Returns:
            One predicted Document per document, in order, with the same id, words and images.

        Raises:
            RecipeError: labels or thresholds that mean nothing.
            ModelError: a batch size below 1.
            DocumentError: something that is no Document.
        """
        if batch_size < 1:
            raise ModelError(f"batch_size={batch_size}", expected="at least 1", remedy="32 is usual")
        query = self._query(labels, relations, threshold)
        given = [_checked(document) for document in documents]
        found: list[Document] = []
        for batch in long_texts.batches(given, batch_size):
            found.extend(self._predict_batch(batch, query))
        if self.images is not None and images:
            entities = partial(self._entities, query)
            found = [self.images.add(d, entities, query.labels) if d.images else d for d in found]
        return found

    def predict_entities(
        self, text: str, labels: LabelSet | None = None, threshold: Threshold = 0.5
    ) -> list[dict[str, Any]]:
        """The entities of one text as dictionaries, as GLiNER's method of this name returns them.

        Args:
            text: the text.
            labels: entity types, name -> description, or names.
            threshold: least score: a number, or name -> number; None: the calibrated defaults.

        Returns:
            Dictionaries with `start` and `end` (half-open code points), `text`, `label` and `score`, in text order,
            without overlap.
        """
        query = self._query(labels, (), threshold)
        (document,) = self._predict_batch([Document(id="text", text=text)], query)
        if document.errors:
            raise OpenMIEError.of(document.errors[0])
        return [
            {"start": m.start, "end": m.end, "text": m.text, "label": m.label, "score": m.score}
            for m in document.mentions
        ]

    def _query(self, labels: LabelSet | None, relations: LabelSet | None, threshold: Threshold) -> ExtractionQuery:
        """The query of a call; what it does not name is the model's own."""
        if labels is None and relations is None:
            own = self.query
            if threshold is None:
                return own
            return replace(own, threshold=checked_threshold(threshold, own.labels, own.relations))
        if labels is None:
            labels = self.query.labels
        return ExtractionQuery.of(labels, relations, threshold)

    def _predict_batch(self, documents: Sequence[Document], query: ExtractionQuery) -> list[Document]:
        """Text layers; a batch that fails is read document by document, so that one failure harms no other."""
        if len(documents) == 1 and (parts := long_texts.segments_of(documents[0])):
            return [self._predict_long(documents[0], parts, query)]
        texts = [document.text for document in documents]
        try:
            entities, pairs, chains = self._read(texts, query)
        except OpenMIEError as error:
            if len(documents) > 1:
                return [found for document in documents for found in self._predict_batch([document], query)]
            record = error.record.model_copy(update={"where": f"document {documents[0].id}"})
            return [self._predicted(documents[0], (), (), (), (record,), query=query)]
        layers = zip(entities, pairs, chains)
        return [
            self._predicted(d, mentions_of(e), relations_of(p, query, e), chains_of(c, e), query=query)
            for d, (e, p, c) in zip(documents, layers)
        ]

    def _predict_long(self, document: Document, parts: long_texts.Parts, query: ExtractionQuery) -> Document:
        """Text layers of a text that is read in segments; its chains are found in the whole."""
        found = parts.joined([self._predict_batch([part], query)[0] for part in parts])
        entities = long_texts.entities_of(found)
        (chains,) = self.text.chains([document.text], [entities])
        layers = found.mentions, found.relations, chains_of(chains, entities), found.errors
        return self._predicted(document, *layers, query=query)

    def _read(
        self, texts: Sequence[str], query: ExtractionQuery
    ) -> tuple[list[list[Entity]], list[list[Pair]], list[list[list[int]]]]:
        found = self.text.entities(texts, query.labels, of_labels(query.threshold, query.labels))
        entities = [flat(e, text) for e, text in zip(found, texts, strict=True)]
        pairs: list[list[Pair]] = [[] for _ in texts]
        several = any(len(e) > 1 for e in entities)
        if several:
            for threshold, relations in by_value(query.threshold, query.relations).items():
                for kept, new in zip(pairs, self.text.relations(texts, entities, relations, threshold), strict=True):
                    kept.extend(new)
        chains = self.text.chains(texts, entities) if several else [[] for _ in texts]
        return entities, pairs, chains

    def _entities(self, query: ExtractionQuery, text: str) -> list[Entity]:
        """The entities of a text that is not a document's own."""
        return self._read([text], replace(query, relations={}))[0][0]

    def _predicted(
        self,
        document: Document,
        mentions: Sequence[Mention],
        relations: Sequence[Relation],
        chains: Sequence[Chain],
        errors: Sequence[ErrorRecord] = (),
        query: ExtractionQuery | None = None,
    ) -> Document:
        return document.replace(
            mentions=tuple(mentions),
            relations=tuple(relations),
            chains=tuple(chains),
            regions=(),
            records=(),
            summary="",
            source=source_with(document.source, provenance([self.identity(query)], openmie.__version__)),
            errors=tuple(dict.fromkeys((*document.errors, *errors))),
        )


def _checked(document: object) -> Document:
    if isinstance(document, Document):
        return document
    raise DocumentError(
        f"a {type(document).__name__}",
        expected="a Document",
        where="documents",
        remedy='make one, such as Document(id="mine", text="..."), or call openmie.extract(text)',
    )
