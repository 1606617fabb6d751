"""The box prior: a grounding baseline that does not read the image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from openmie.data.box_iou_matrix import box_intersections
from openmie.data.document import Document, Region

Position = tuple[int, int]  # number of mentions in the document, index of the mention


def box_prior(train: Iterable[Document], documents: Iterable[Document], iou: float = 0.5) -> Iterator[Document]:
    """Predict for each mention the training box that overlaps the most training boxes, without reading the image.

    There is one box for each number of mentions in a document and each position among them.

    Args:
        train: Documents with gold regions.
        documents: Documents to predict regions for, labelled as their mentions.
        iou: Two boxes count as overlapping above this intersection over union, 0 to 1.

    Returns:
        The documents with predicted regions; those without a main image get none.
    """
    seen: dict[Position, list[tuple[float, float, float, float]]] = defaultdict(list)
    for document in train:
        order = {m.id: i for i, m in enumerate(document.mentions)}
        for region in document.regions:
            if region.of in order:
                seen[len(order), order[region.of]].append(region.box)
    guess = {place: _centre(np.array(boxes), iou) for place, boxes in seen.items()}
    for document in documents:
        main, n = document.main_image, len(document.mentions)
        yield document.replace(
            regions=tuple(
                Region(image=main.id, box=guess[n, i], label=m.label, of=m.id)
                for i, m in enumerate(document.mentions)
                if main and (n, i) in guess
            )
        )


def _centre(boxes: np.ndarray, iou: float) -> tuple[float, float, float, float]:
    """Of boxes (N, 4) the one that most of the first 2,000 overlap."""
    boxes = boxes[:2000]
    common, union = box_intersections(boxes, boxes)  # (N, N)
    hits = common > iou * union
    x0, y0, x1, y1 = boxes[hits.sum(axis=1).argmax()].tolist()
    return x0, y0, x1, y1
