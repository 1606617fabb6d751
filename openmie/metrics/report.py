"""Scores by task, as a table, and as normalised gain: what the command line and reports print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict, get_args

from openmie.data.document import Document
from openmie.errors import MetricError
from openmie.metrics.chain_relations import chain_relations
from openmie.metrics.chains import chains
from openmie.metrics.counting import listed
from openmie.metrics.documents import documents
from openmie.metrics.fields import attributes, records
from openmie.metrics.grounding import boxes, grounded
from openmie.metrics.links import pairs, relations
from openmie.metrics.mentions import spans_by_mode
from openmie.metrics.mre import mre
from openmie.metrics.region_links import region_links
from openmie.metrics.scores import Scores
from openmie.metrics.span_edges import at_whole_words
from openmie.metrics.text import text
from openmie.text.span_edges import SpanEdges

Task = Literal["ner", "re", "joint", "boxes", "grounded", "document", "summary", "mre", "records", "attributes"]


class ScoreLine(TypedDict):
    """One line of a table: numbers in percent, counts as they are; label "" is the micro average."""

    metric: str
    label: str
    precision: float
    recall: float
    f1: float
    correct: float
    predicted: int
    gold: int
    interval: tuple[float, float] | None
    accuracy: float | None


def score(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    task: Task = "ner",
    *,
    symmetric: Iterable[str] = (),
    iou: float = 0.5,
    ordered: Iterable[str] = (),
    bootstrap: int = 1000,
    seed: int = 0,
    span_edges: SpanEdges | None = "expand",
) -> dict[str, Scores]:
    """All usual scores of a task, by name; the first is the one to report.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        task: "ner", "re", "joint", "boxes", "grounded", "document", "summary", "mre", "records" or "attributes".
        symmetric: Relation labels without direction (re, joint, document).
        iou: Threshold of the intersection over union of boxes (boxes, grounded, document).
        ordered: Names of lists in records whose order counts, such as "Event/route" (records).
        bootstrap: Number of bootstrap samples of documents for 95% intervals; 0: none.
        seed: Seed of the bootstrap.
        span_edges: Where gold spans that cut words are compared: "expand", "shrink" or "drop", see
            `openmie.metrics.span_edges`; None: as they are.

    Raises:
        MetricError: For an unknown task or rule, and those of the metrics.
    """
    if task not in get_args(Task):
        raise MetricError.unknown("task", task, get_args(Task))
    sides = listed(gold), listed(predicted, "predicted")
    if span_edges is not None:
        sides = at_whole_words(*sides, span_edges)[:2]
    gold, predicted, symmetric = *sides, frozenset(symmetric)
    draws: dict[str, Any] = {"bootstrap": bootstrap, "seed": seed}
    if task == "document":
        return _document(gold, predicted, symmetric, iou, draws)
    if task == "summary":
        return dict(text(gold, predicted, **draws).measures)
    if task == "mre":
        found = mre(gold, predicted, **draws)
        return {"entities": found.ner, "image-entity": found.pairs, **(found.text.measures if found.text else {})}
    if task == "records":
        return {"records": records(gold, predicted, ordered=ordered, **draws)}
    entities = spans_by_mode(gold, predicted, **draws) if task != "re" else {}
    if task == "ner":
        return entities  # type: ignore[return-value]
    if task == "re":
        released = relations(gold, predicted, as_released=True, **draws)
        return {"relations": relations(gold, predicted, symmetric=symmetric, **draws), "as_released": released}
    if task == "joint":
        return {"pairs": pairs(gold, predicted, symmetric, **draws), "entities": entities["strict"]}
    if task == "attributes":
        return {"attributes": attributes(gold, predicted, **draws), "entities": entities["strict"]}
    if task == "boxes":
        return {"boxes": boxes(gold, predicted, iou, **draws)}
    return {
        "grounded": grounded(gold, predicted, iou, **draws),
        "entities": entities["strict"],
        "regions": grounded(gold, predicted, iou, types=False, **draws),
    }


def _document(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    symmetric: frozenset[str],
    iou: float,
    draws: dict[str, Any],
) -> dict[str, Scores]:
    """The mean of the four tasks, each of them, which region shows which chain, and the release's own accounting."""
    whole = documents(gold, predicted, symmetric=symmetric, iou=iou, **draws)
    return {
        whole.name(): whole,
        **whole.by_label,
        **{f"{mode} relations": chain_relations(gold, predicted, mode, **draws) for mode in ("directed", "undirected")},
        "region links": region_links(gold, predicted, iou, **draws),
        "chains as_released": chains(gold, predicted, "as_released", **draws),
        "relations as_released": chain_relations(gold, predicted, "as_released", **draws),
    }


def table(scores: Mapping[str, Scores]) -> list[ScoreLine]:
    """Plain rows: for each metric its micro average first (label ""), then each label."""
    return [
        _line(metric, label, s)
        for metric, whole in scores.items()
        for label, s in (("", whole), *((x or "(none)", y) for x, y in whole.by_label.items()))
    ]


def _line(metric: str, label: str, s: Scores) -> ScoreLine:
    return ScoreLine(
        metric=metric,
        label=label,
        precision=s.precision,
        recall=s.recall,
        f1=s.f1,
        correct=s.correct,
        predicted=s.predicted,
        gold=s.gold,
        interval=s.interval,
        accuracy=s.accuracy,
    )


def normalised_gain(f1: float | Scores, low: float, high: float) -> float:
    """Normalised gain (f1 - low) / (high - low): the share of the gap between two ceilings that a system closes.

    0 is the ceiling of text alone, 1 that of text and image; also called gap closure. The map is monotone, so the
    values at both ends of an interval of F1 are the interval of the gain.

    Args:
        f1: F1 in percent, or scores.
        low: Ceiling of the text alone, in percent.
        high: Ceiling of text and image, in percent.

    Returns:
        A share; it may be negative or above 1.

    Raises:
        MetricError: If `high` is not above `low`.
    """
    if not high > low:
        raise MetricError(
            f"ceilings {low} and {high}",
            expected="the second above the first",
            remedy="pass the text ceiling, then that of text and image",
        )
    return ((f1.f1 if isinstance(f1, Scores) else f1) - low) / (high - low)
