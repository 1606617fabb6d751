"""Links from regions to chains: correct boxes that are linked to the correct entity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from openmie.data.document import Chain, Document, Mention, Region
from openmie.errors import MetricError
from openmie.metrics.chain_relations import overlap_matrix
from openmie.metrics.counting import Row, micro_scores, paired_by_id
from openmie.metrics.grounding import check_iou, iou_above, label_of, matching
from openmie.metrics.links import SpanKey
from openmie.metrics.scores import Scores


def region_links(
    gold: Iterable[Document], predicted: Iterable[Document], iou: float = 0.5, *, bootstrap: int = 0, seed: int = 0
) -> Scores:
    """Micro scores over links from a region to its chain (or mention), by the region's label.

    A link is correct when image and label of the boxes are the same, their IoU is above the threshold, and the chains
    share a mention span, as in `chain_relations`; each is matched once. Regions without an entity (`of` is "") are
    ignored: see `boxes` for them, and `grounded` for the boxes of each entity. A link to an entity that is not located
    in the text is never correct, but counts.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        iou: Threshold of the intersection over union, in [0, 1).
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        Scores, by label too.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, a region whose `of` is no mention or
            chain, and a threshold outside [0, 1).
    """
    check_iou(iou)

    def rows() -> Iterator[Row]:
        for document, prediction in paired_by_id(gold, predicted):
            want, gold_labels = _linked_regions(document, "gold")
            got, predicted_labels = _linked_regions(prediction, "predicted") if prediction else ([], [])
            same = np.array([[x == y for y in gold_labels] for x in predicted_labels], dtype=bool).reshape(
                len(predicted_labels), len(gold_labels)
            )
            shown_spans = overlap_matrix([p for _, p in got], [p for _, p in want])
            hits = same & shown_spans & iou_above([r for r, _ in got], [r for r, _ in want], iou)
            yield [gold_labels[g] for g in matching(hits)], predicted_labels, gold_labels

    return micro_scores(rows(), bootstrap, seed)


def _linked_regions(document: Document, side: str) -> tuple[list[tuple[Region, frozenset[SpanKey]]], list[str]]:
    """Regions of an entity, with the spans of its mentions; and their labels."""
    regions = [r for r in document.regions if r.of]
    return [(r, shown_spans(document, r, side)) for r in regions], [label_of(document, r) for r in regions]


def shown_spans(document: Document, region: Region, side: str) -> frozenset[SpanKey]:
    """The spans of the mentions of a region's entity."""
    found = document.find(region.of)
    mentions = [document.find(m) for m in found.mentions] if isinstance(found, Chain) else [found]
    if not all(isinstance(m, Mention) for m in mentions):
        raise MetricError(
            f"a {side} region in {region.image!r} of {region.of!r}, which leads to no mention",
            expected="the id of a mention, or of a chain of mentions",
            where=f"document {document.id}",
            remedy="Document.dangling() lists such references; mend or drop them before scoring",
        )
    return frozenset(
        (-1, -1, m.text) if m.status == "unlocated" else (m.start, m.end, "")
        for m in mentions
        if isinstance(m, Mention)
    )
