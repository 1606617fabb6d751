"""Mean average precision of detected boxes, as COCO's evaluation has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document, Region
from openmie.errors import MetricError
from openmie.metrics.counting import paired_by_id
from openmie.metrics.grounding import check_iou, iou_matrix, label_of

Floats = npt.NDArray[np.float64]
COCO_IOUS = tuple(0.5 + 0.05 * k for k in range(10))
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class AveragePrecision:
    """Mean average precision in percent, over the labels that gold has; 0 where gold has no box."""

    mean: float = 0.0  # over IoUs too: mAP@[.5:.95] with COCO's IoUs
    by_iou: Mapping[float, float] = field(default_factory=dict)  # such as mAP50 at 0.5
    by_label: Mapping[str, float] = field(default_factory=dict)  # over IoUs


def average_precision(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    ious: Sequence[float] = COCO_IOUS,
    *,
    most: int = 100,
) -> AveragePrecision:
    """Mean average precision over regions with scores, for each label and IoU the area under precision by recall.

    Predicted boxes of a label are taken from the best score down, over all images; each is given to the gold box of its
    image and label that it overlaps most and that no better box has, if their IoU reaches the threshold (it may equal
    it, where the project's other metrics ask for more). Precision at a recall is the best at that or a higher recall,
    and is averaged at 0, 0.01, ..., 1. Crowds and areas that COCO treats apart are not known to a Document.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty. A region
            without a label has that of its mention or chain; labels that gold does not have are ignored.
        ious: Thresholds of the intersection over union.
        most: Number of boxes of a label and image that count, the best.

    Returns:
        The mean over labels and IoUs, by IoU, and by label, in percent.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, a predicted region without a score, and a
            threshold outside [0, 1).

    Reference: Lin et al. (2014), COCO; the evaluation of its toolkit.
    """
    for iou in ious:
        check_iou(iou)
    golds: dict[str, int] = defaultdict(int)
    scores: dict[str, list[Floats]] = defaultdict(list)
    right: dict[str, list[npt.NDArray[np.bool_]]] = defaultdict(list)
    for document, prediction in paired_by_id(gold, predicted):
        want, got = _classes(document), _classes(prediction) if prediction else {}
        for (_, label), regions in want.items():
            golds[label] += len(regions)
        for (image, label), regions in got.items():
            values = _scores(prediction, regions)
            order = np.argsort(-values, kind="stable")[:most]
            overlap = iou_matrix([regions[i] for i in order], want.get((image, label), []))
            scores[label].append(values[order])
            right[label].append(np.stack([_matched(overlap, iou) for iou in ious]))
    table = {label: _areas(scores[label], right[label], count, len(ious)) for label, count in sorted(golds.items())}
    if not table:
        return AveragePrecision(by_iou=dict.fromkeys(ious, 0.0))
    areas = 100.0 * np.stack(list(table.values()))  # (labels, IoUs)
    by_iou = {iou: float(x) for iou, x in zip(ious, areas.mean(axis=0))}
    return AveragePrecision(float(areas.mean()), by_iou, {x: float(row.mean()) for x, row in zip(table, areas)})


def _classes(document: Document) -> dict[tuple[str, str], list[Region]]:
    """Regions by image and label."""
    out: dict[tuple[str, str], list[Region]] = defaultdict(list)
    for region in document.regions:
        out[region.image, label_of(document, region)].append(region)
    return out


def _scores(document: Document | None, regions: Sequence[Region]) -> Floats:
    if document is not None and any(r.score is None for r in regions):
        raise MetricError(
            "a predicted region without a score",
            expected="a score for each, by which they are ordered",
            where=f"document {document.id}",
            remedy="use `boxes` for regions without scores",
        )
    return np.array([r.score for r in regions], dtype=np.float64)


def _matched(overlap: Floats, iou: float) -> npt.NDArray[np.bool_]:
    """Whether each predicted box, best first, has a gold box of its own: overlap (N, M) -> (N,)."""
    free, right = np.ones(overlap.shape[1], dtype=bool), np.zeros(len(overlap), dtype=bool)
    for n, row in enumerate(overlap):
        open_to = np.where(free & (row >= iou - 1e-10), row, -1.0)
        if open_to.size and open_to.max() >= 0:
            free[open_to.argmax()], right[n] = False, True
    return right


def _areas(scores: list[Floats], right: list[npt.NDArray[np.bool_]], golds: int, count: int) -> Floats:
    """Average precision of a label at each IoU (count,)."""
    if not scores:
        return np.zeros(count)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.concatenate(right, axis=1)[:, order].cumsum(axis=1)  # (IoUs, N)
    recall, precision = hits / golds, hits / np.arange(1, len(order) + 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]  # at this recall or a higher one
    at = np.stack([np.searchsorted(row, RECALLS, side="left") for row in recall])  # (IoUs, 101)
    padded = np.concatenate([best, np.zeros((count, 1))], axis=1)
    return np.take_along_axis(padded, at, axis=1).mean(axis=1)
