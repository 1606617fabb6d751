"""What openmie-base adds to a document for its photographs: objects, words, entities of the words, and links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from openmie.base import links
from openmie.base.fitting_classes import Similarity
from openmie.base.photograph import PhotographReader, with_photographs
from openmie.base.photograph_words import FoundEntity, with_entities_of_words
from openmie.data.document import Document


class PhotographPart:
    """The image part of `openmie.base.predictor.Base`; its models are loaded with the first photograph.

    Args:
        reader: of photographs; None: the models that are installed with openmie.
        similarity: for labels that name no class of objects, see `fitting_classes`.
        threshold: lowest score of a link.
    """

    def __init__(
        self,
        reader: PhotographReader | None = None,
        similarity: Similarity | None = None,
        threshold: float = links.THRESHOLD,
    ) -> None:
        self.reader, self.similarity, self.threshold = reader or PhotographReader(), similarity, threshold

    def add(
        self, document: Document, entities: Callable[[str], Sequence[FoundEntity]], labels: Mapping[str, str]
    ) -> Document:
        """The document with the regions of its photographs.

        Args:
            document: with the predicted layers of its text.
            entities: finds the entities of another text, here the words of a photograph.
            labels: entity types, name -> description.

        Returns:
            The document, its regions in this order: objects and lines, entities of the lines, links. An image that
            cannot be read has a record in its `errors`.
        """
        (seen,) = with_photographs([document], self.reader)
        return links.with_links(with_entities_of_words(seen, entities), labels, self.similarity, self.threshold)
