"""The box prior: what grounding scores are worth without a look at the image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from openmie.data.document import Document, Region

Place = tuple[int, int]  # mentions in the document, and which of them


def box_prior(train: Iterable[Document], documents: Iterable[Document], iou: float = 0.5) -> Iterator[Document]:
    """The documents with one guessed box for each mention: the training box that hits the most training boxes.

    A box hits another at an IoU above `iou`. There is one guess for each number of mentions and place among them; the
    box is given the mention's label. Documents without a main image get none.
    """
    seen: dict[Place, list[tuple[float, float, float, float]]] = defaultdict(list)
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
    """Of boxes (N, 4), the one that the most of the first 2,000 overlap enough."""
    boxes = boxes[:2000]
    low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)  # N, N
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1)
    hits = common > iou * (area[:, None] + area[None, :] - common)
    x0, y0, x1, y1 = boxes[hits.sum(axis=1).argmax()].tolist()
    return x0, y0, x1, y1
