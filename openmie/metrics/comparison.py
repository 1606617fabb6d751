"""Other people's files, as they are compared: paired, at whole words, with a note of all that scores would not show."""

from __future__ import annotations

from collections.abc import Sequence

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.metrics.empty_boxes import empty_boxes
from openmie.metrics.places import paired_by_place
from openmie.metrics.shared_spans import shared_spans
from openmie.metrics.span_edges import at_whole_words
from openmie.text.span_edges import SpanEdges

_BOXES = ("boxes", "grounded", "document")


def comparable(
    gold: Sequence[Document], predicted: Sequence[Document], task: str, span_edges: SpanEdges = "expand"
) -> tuple[Sequence[Document], Sequence[Document], tuple[ErrorRecord, ...]]:
    """Gold and predictions of two files as `score` compares them.

    Args:
        gold: in file order.
        predicted: in file order.
        task: of `openmie.metrics.score`.
        span_edges: where gold spans that cut words are compared.

    Returns:
        Both sides and notes: sentences paired by place, spans in several chains, boxes without area, cut words.

    Raises:
        MetricError: sentences that do not fit, an unknown rule.
    """
    answers, notes = paired_by_place(gold, predicted)
    sides = (("gold", gold), ("predicted", answers))
    if task == "document":
        notes += tuple(record for name, side in sides for record in shared_spans(side, name))
    if task in _BOXES:
        notes += tuple(record for name, side in sides for record in empty_boxes(side, name))
    left, right, cut = at_whole_words(gold, answers, span_edges)
    return left, right, notes + cut
