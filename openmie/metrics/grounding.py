"""Grounding scores: boxes, and entity-type-region triples.

Two boxes agree when their intersection over union is greater than the threshold (the M3D paper, Evaluation Metrics:
"greater than 0.5"; GMNER's release keeps candidates with IoU > 0.5). Boxes are absolute xyxy and an area is
(x2 - x1)(y2 - y1), no pixel added, as in torchvision. A box without area agrees with nothing, nor do boxes in different
images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from openmie.data.box_iou_matrix import box_intersections
from openmie.data.document import Chain, Document, Region
from openmie.errors import MetricError
from openmie.metrics.counting import Row, micro_scores, paired_by_id
from openmie.metrics.mentions import Mode, check_mode
from openmie.metrics.scores import Scores

Bools = npt.NDArray[np.bool_]
Class = tuple[str, str]  # image, label
Key = tuple[int, int, str, str]  # start, end, label, ""; or -1, -1, label and the name of what is not located


def boxes(
    gold: Iterable[Document], predicted: Iterable[Document], iou: float = 0.5, *, bootstrap: int = 0, seed: int = 0
) -> Scores:
    """Micro scores over regions: a box is correct when a gold box of its image and label has an IoU above `iou`.

    Each gold box is matched once, by a largest one-to-one matching, so the order of boxes and their scores are ignored.
    (M3D's release matches greedily in file order, which can only find as many or fewer.) A region without a label has
    the label of its mention or chain. Which entity a region belongs to is not compared: see `grounded`.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        iou: Threshold of the intersection over union, in [0, 1); a match is above it. Boxes are absolute xyxy pixels.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        Scores, by label too.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, and a threshold outside [0, 1).

    Reference: M3D, Evaluation Metrics (IoU greater than 0.5).
    """
    return micro_scores(box_rows(gold, predicted, iou), bootstrap, seed)


def box_rows(gold: Iterable[Document], predicted: Iterable[Document], iou: float = 0.5) -> Iterator[Row]:
    """Labels right, predicted and gold of each document."""
    check_iou(iou)
    for document, prediction in paired_by_id(gold, predicted):
        want, got = _classes(document), _classes(prediction) if prediction else {}
        right = [
            label
            for (image, label), found in got.items()
            if (image, label) in want
            for _ in range(matching_size(iou_above(found, want[image, label], iou)))
        ]
        yield right, _spread(got), _spread(want)


def _spread(classes: dict[Class, list[Region]]) -> list[str]:
    return [label for (_, label), regions in classes.items() for _ in regions]


def _classes(document: Document) -> dict[Class, list[Region]]:
    out: dict[Class, list[Region]] = defaultdict(list)
    for region in document.regions:
        out[region.image, label_of(document, region)].append(region)
    return dict(out)


def label_of(document: Document, region: Region) -> str:
    """The label of a region, or else that of its mention or chain."""
    regions_of = document.find(region.of) if region.of and not region.label else None
    return regions_of.label if regions_of else region.label


def iou_above(left: Sequence[Region], right: Sequence[Region], iou: float) -> Bools:
    """Whether regions are in one image with an IoU above the threshold: (len(left), len(right))."""
    common, union = _common(left, right)
    return common > iou * union  # not divided: no area, no agreement


def iou_matrix(left: Sequence[Region], right: Sequence[Region]) -> npt.NDArray[np.float64]:
    """IoU of all pairs: (len(left), len(right)); 0 in different images and without area."""
    common, union = _common(left, right)
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _common(left: Sequence[Region], right: Sequence[Region]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Areas of intersection (0 in different images) and of union: (len(left), len(right)) each."""
    boxes = (np.array([r.box for r in side], dtype=np.float64).reshape(-1, 4) for side in (left, right))
    common, union = box_intersections(*boxes)
    images = np.array([[x.image == y.image for y in right] for x in left], dtype=bool).reshape(common.shape)
    return np.where(images, common, 0.0), union


def matching_size(hits: Bools) -> int:
    """Size of the largest one-to-one matching in a table of allowed pairs (n, m)."""
    return len(matching(hits))


def matching(hits: Bools) -> dict[int, int]:
    """Row of each column in a largest one-to-one matching in a table (n, m), by shortest augmenting paths."""
    if not hits.any() or (hits.sum(axis=0).max() == 1 and hits.sum(axis=1).max() == 1):
        return {int(column): int(row) for row, column in np.argwhere(hits)}
    options = [np.flatnonzero(row).tolist() for row in hits]
    owner: dict[int, int] = {}  # column -> row
    for row in range(len(options)):
        _augment(row, options, owner)
    return owner


def _augment(row: int, options: Sequence[Sequence[int]], owner: dict[int, int]) -> None:
    """Give `row` a column, moving other rows where that frees one; nothing where it cannot."""
    came: dict[int, int] = {}  # column -> the row that it was reached from
    queue = [row]
    for asking in queue:
        for column in options[asking]:
            if column in came:
                continue
            came[column] = asking
            if column in owner:
                queue.append(owner[column])
                continue
            held = {r: c for c, r in owner.items()}
            free: int | None = column
            while free is not None:
                taker = came[free]
                owner[free] = taker
                free = held.get(taker)
            return


def grounded(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    iou: float = 0.5,
    *,
    mode: Mode = "strict",
    types: bool = True,
    bootstrap: int = 0,
    seed: int = 0,
) -> Scores:
    """GMNER scores: triples of entity, type and region, correct when span, label and region all are.

    A region is correct when gold and prediction both have none, or when the predicted box has an IoU above the
    threshold with any gold box of that entity; of several predicted boxes, all of them must. The release differs: it
    counts orphans as entities (here mode="lenient"), and where its candidate boxes cover no gold box, nothing can be
    correct (here a box can).

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        iou: Threshold of the intersection over union, in [0, 1).
        mode: Orphan `I-` runs as in `spans`.
        types: Whether the label counts; without it this is EEG, entity extraction and grounding.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        Scores, by label too.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, an unknown mode, and a threshold outside
            [0, 1).

    Reference: Yu et al. (2023), grounded multimodal named entity recognition.
    """
    check_mode(mode)
    check_iou(iou)

    def rows() -> Iterator[Row]:
        for document, prediction in paired_by_id(gold, predicted):
            want = _entities(document, mode == "lenient", types)
            got = _entities(prediction, mode == "lenient", types) if prediction else {}
            right = [k[2] for k in want.keys() & got.keys() if k[0] >= 0 and _same_region(want[k], got[k], iou)]
            yield right, [k[2] for k in got], [k[2] for k in want]

    return micro_scores(rows(), bootstrap, seed)


def _same_region(want: list[Region], got: list[Region], iou: float) -> bool:
    if not want or not got:
        return not want and not got
    return bool(iou_above(got, want, iou).any(axis=1).all())


def _entities(document: Document, orphans: bool, types: bool) -> dict[Key, list[Region]]:
    """The boxes of each entity: of its mention, or of a chain that the mention is in."""
    regions_of: dict[str, list[Region]] = defaultdict(list)
    for region in document.regions:
        found = document.find(region.of) if region.of else None
        for id in found.mentions if isinstance(found, Chain) else (region.of,):
            regions_of[id].append(region)
    out: dict[Key, list[Region]] = {}
    for m in document.mentions:
        if m.status == "orphan" and not orphans:
            continue
        label = m.label if types else ""
        key = (-1, -1, label, m.text) if m.status == "unlocated" else (m.start, m.end, label, "")
        out.setdefault(key, []).extend(regions_of.get(m.id, ()))
    return out


def check_iou(iou: float) -> None:
    if not 0 <= iou < 1:
        raise MetricError(f"iou={iou}", expected="a number from 0 to below 1", remedy="0.5 is the usual threshold")
