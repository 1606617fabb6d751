"""Regions: boxes in the frames of a document, each with the chain that it shows.

Shapes: F frames, Q places for regions in a frame (the most that any frame has). A box is centre and size, cx cy w h, as
shares of the upright original frame (the YOLO form, eq. 4 of M3D); in a Document it is absolute xyxy pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from openmie.data.document import Document, Image, Region
from openmie.model.codec.dropped import Dropped
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.features.images import image_sizes
from openmie.model.tasks.task import Arrays, CandidateSource, DecodedDocument, Encoded, held, padded

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Size = tuple[int, int]  # width and height of the upright original


class RegionsTask:
    """`boxes` (F, Q, 4), `box_labels` (F, Q), -1 where there is none, `box_of` (F, Q), the chain that a box shows."""

    represents = "a box inside a frame that is read, with one of the recipe's labels"

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)

    def encode(self, documents: Sequence[EncodedDocument]) -> list[Encoded]:
        return [self._one(d) for d in documents]

    def _one(self, d: EncodedDocument) -> Encoded:
        chains = {} if d.candidates is None else d.candidates.numbers
        found = encode_regions(d.document, image_sizes(d.images), self.labels, chains)
        return Encoded({"boxes": found.boxes, "box_labels": found.labels, "box_of": found.of}, found.dropped)

    def collate(self, documents: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of the frames that were read; in a frame that was not there are no regions to find."""
        fills = {"boxes": 0.0, "box_labels": -1, "box_of": -1}
        if not held(documents, "boxes"):
            return {}
        found = {name: padded(held(documents, name), fill) for name, fill in fills.items()}
        read = torch.zeros(found["box_labels"].shape[:2], dtype=torch.bool)
        if "slot" in inputs:
            read[inputs["image"], inputs["slot"]] = True
        return {**found, "box_labels": found["box_labels"].masked_fill(~read[..., None], -1)}

    def visible(self, given: Mapping[str, Tensor], candidates: CandidateSource) -> dict[str, Tensor]:
        return dict(given)

    def decode(self, documents: Sequence[DecodedDocument], predictions: Arrays) -> None:
        boxes, labels, scores, of = (predictions[name] for name in ("boxes", "box_labels", "box_scores", "box_of"))
        for i, d in enumerate(documents):
            frames = enumerate(image_sizes(d.encoded.images))
            read = {n: frame for n, frame in frames if f"image {frame[0].id}" not in d.encoded.errors}
            found = boxes[i], labels[i], scores[i], of[i]
            d.layers["regions"] = decode_regions(read, found, self.labels, d.chain_ids)


class RegionTargets(NamedTuple):
    """Gold regions of one document."""

    boxes: Floats  # (F, Q, 4) cx cy w h, 0 where there is none
    labels: Ints  # (F, Q), -1 where there is none
    of: Ints  # (F, Q) number of the chain that a region shows, -1: none, or not known
    dropped: tuple[Dropped, ...]


def encode_regions(
    document: Document,
    frames: Sequence[tuple[Image, Size | None]],
    labels: Sequence[str],
    chains: Mapping[str, int],
) -> RegionTargets:
    """Regions by frame, in the order of `frames` and of the document; `chains`: id of a chain or mention -> number.

    A region without a label has that of what it shows. A box is clipped to its frame. Dropped are regions in
    frames that cannot be read, boxes outside of their frame, labels that the recipe does not have.
    """
    at = {image.id: i for i, (image, _) in enumerate(frames)}
    known = {label: i for i, label in enumerate(labels)}
    rows: list[list[tuple[list[float], int, int]]] = [[] for _ in frames]
    dropped = []
    for n, region in enumerate(document.regions):
        shown = document.find(region.of) if region.of and not region.label else None
        label = shown.label if shown else region.label
        size = frames[at[region.image]][1] if region.image in at else None
        share = shares(region.box, size) if size else None
        if share is None:
            why = f"box {region.box} outside of its frame of {size}" if size else "a frame that is not read"
            dropped.append(Dropped(f"region {n} in {region.image}", why))
        elif label not in known:
            dropped.append(Dropped(f"region {n} in {region.image}", f"label {label!r} is not one of {tuple(labels)}"))
        else:
            rows[at[region.image]].append((share, known[label], chains.get(region.of, -1)))
    q = max((len(r) for r in rows), default=0)
    boxes = np.zeros((len(rows), q, 4), dtype=np.float32)
    ids, of = np.full((len(rows), q), -1), np.full((len(rows), q), -1)
    for f, row in enumerate(rows):
        for k, (share, label_id, chain) in enumerate(row):
            boxes[f, k], ids[f, k], of[f, k] = share, label_id, chain
    return RegionTargets(boxes, ids, of, tuple(dropped))


def decode_regions(
    frames: Mapping[int, tuple[Image, Size | None]],
    found: tuple[Floats, Ints, Floats, Ints],
    labels: Sequence[str],
    ids: Mapping[int, str],
) -> tuple[Region, ...]:
    """Regions from boxes (F, Q, 4), labels (F, Q), -1 for none, scores (F, Q) and chain numbers (F, Q).

    `frames` says which frames were read, `ids` names the chains. What lies outside of its frame is clipped.
    """
    boxes, kinds, scores, of = found
    out = []
    for f, q in np.argwhere(kinds >= 0).tolist():
        image, size = frames.get(f, (None, None))
        box = pixels(boxes[f, q].tolist(), size) if image is not None and size else None
        if image is not None and box is not None:
            shows = ids.get(int(of[f, q]), "")
            score = float(scores[f, q])
            out.append(Region(image=image.id, box=box, label=labels[int(kinds[f, q])], of=shows, score=score))
    return tuple(out)


def shares(box: Sequence[float], size: Size) -> list[float] | None:
    """xyxy pixels -> cx cy w h as shares of the frame, clipped to it; None where nothing is left."""
    if not all(math.isfinite(x) for x in box):
        return None
    (x, y, x2, y2), (width, height) = box, size
    left, right = max(x, 0.0) / width, min(x2, width) / width
    top, bottom = max(y, 0.0) / height, min(y2, height) / height
    if right <= left or bottom <= top:
        return None
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def pixels(share: Sequence[float], size: Size) -> tuple[float, float, float, float] | None:
    """cx cy w h as shares -> xyxy pixels, clipped to the frame; None where nothing is left."""
    (cx, cy, w, h), (width, height) = share, size
    left, right = max(cx - w / 2, 0.0) * width, min(cx + w / 2, 1.0) * width
    top, bottom = max(cy - h / 2, 0.0) * height, min(cy + h / 2, 1.0) * height
    return (left, top, right, bottom) if right > left and bottom > top else None
