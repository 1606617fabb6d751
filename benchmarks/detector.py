"""The built-in detector on labelled photographs: mean average precision, ways to scale, calibration, time.

    python benchmarks/detector.py COCO64 [--gmner FOLDER]

COCO64 is a folder in YOLO's format with classes.txt, such as a sample of COCO; GMNER's folder has txt, xml and images.
One thread. Ways to scale a photograph take turns in one run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image as Picture
from PIL.Image import Resampling

from openmie import metrics
from openmie.base import objects
from openmie.base.objects import CELL, CLASSES, Fitted, ObjectDetector, fit
from openmie.data.box_iou import box_iou
from openmie.data.document import Document, Region
from openmie.data.images import load_image
from openmie.datasets.gmner import load_gmner
from openmie.formats import yolo
from openmie.metrics.average_precision import average_precision
from openmie.metrics.grounding import iou_matrix, matching
from openmie.nn.detect.suppression import objects_of


def as_tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()


def squared(picture: Picture, size: int) -> Fitted:
    """As `fit`, on a square."""
    made = fit(picture, size)
    right, below = (size - made.pixels.shape[k] for k in (2, 1))
    left, top = right // 2, below // 2
    pixels = torch.nn.functional.pad(made.pixels, (left, right - left, top, below - top))
    return Fitted(pixels, made.scale, (made.shift[0] + left, made.shift[1] + top))


def stretched(picture: Picture, size: int) -> Fitted:
    """A square, whatever the photograph's sides."""
    pixels = as_tensor(picture.resize((size, size), Resampling.BILINEAR))
    return Fitted(pixels, (size / picture.width, size / picture.height), (0, 0))


WAYS: dict[str, Callable[[Picture, int], Fitted]] = {
    f"in proportion, sides that {CELL} divides": fit,
    "in proportion, on a square": squared,
    "stretched to a square": stretched,
}


@torch.inference_mode()
def predicted(document: Document, picture: Picture, way: Callable[..., Fitted], detector: ObjectDetector) -> Document:
    """Everything from a score of the network's own of 0.01 up."""
    made = way(picture, detector.model.config.size)
    cells = detector.model(made.pixels[None])
    best = objects_of(cells.boxes[0], cells.scores[0], 0.01)
    shift, scale = (np.array([*pair, *pair]) for pair in (made.shift, made.scale))
    boxes = ((best.boxes.numpy() - shift) / scale).clip(0, [*picture.size, *picture.size])
    regions = [
        Region(image=document.images[0].id, box=tuple(box), label=CLASSES[label], score=score)
        for box, score, label in zip(boxes.tolist(), best.scores.tolist(), best.labels.tolist())
    ]
    return document.replace(regions=regions)


def compare_ways(gold: Sequence[Document], detector: ObjectDetector) -> list[Document]:
    """A line for each way to scale; the predictions of the first."""
    found: dict[str, list[Document]] = {name: [] for name in WAYS}
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for document in gold:
        picture = load_image(document.images[0])
        for name, way in WAYS.items():
            begun = time.process_time()
            found[name].append(predicted(document, picture, way, detector))
            times[name].append(1e3 * (time.process_time() - begun))
    for name, documents in found.items():
        made = average_precision(gold, documents)
        print(f"  {name:40s} mAP50 {made.by_iou[0.5]:.1f}   mAP@[.5:.95] {made.mean:.1f}   "
              f"median {statistics.median(times[name]):.0f} ms")  # fmt: skip
    return next(iter(found.values()))


def show_thresholds(gold: Sequence[Document], found: Sequence[Document]) -> None:
    print("Thresholds of the probability, IoU 0.5")
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9):
        kept = [d.replace(regions=[r for r in d.regions if calibrated(r) >= threshold]) for d in found]
        every = metrics.boxes(gold, kept)
        rows = (("all", every), ("person", every.by_label["person"]))
        texts = (f"{n} P {s.precision:.1f} R {s.recall:.1f} F1 {s.f1:.1f}" for n, s in rows)
        print(f"  {threshold}  " + "   ".join(texts))


def calibrated(region: Region) -> float:
    return float(objects.probability(torch.tensor(region.score)))


def show_calibration(gold: Sequence[Document], found: Sequence[Document], lowest: float = 0.2) -> None:
    """The sigmoid's slope and centre, fitted on every other photograph, and the error on the others."""
    halves: list[list[tuple[float, bool]]] = [[], []]
    for k, (document, prediction) in enumerate(zip(gold, found)):
        for label in {r.label for r in prediction.regions}:
            got = sorted((r for r in prediction.regions if r.label == label), key=lambda r: -(r.score or 0))
            overlap = iou_matrix(got, [r for r in document.regions if r.label == label])
            right = set(matching(overlap >= 0.5).values())
            halves[k % 2] += [(float(r.score or 0), n in right) for n, r in enumerate(got) if (r.score or 0) >= lowest]
    print(f"Calibration, scores from {lowest} up")
    for learnt, other in ((halves[0], halves[1]), (halves[1], halves[0]), (halves[0] + halves[1], [])):
        scores, right = (np.array(x, dtype=float) for x in zip(*learnt))
        slope, shift = logistic(scores, right)
        text = f"  slope {slope:.1f}, centre {-shift / slope:.3f}"
        if other:
            scores, right = (np.array(x, dtype=float) for x in zip(*other))
            made = 1 / (1 + np.exp(-(slope * scores + shift)))
            before, after = calibration_error(scores, right), calibration_error(made, right)
            text += f"; calibration error elsewhere {before:.3f}, then {after:.3f}"
        print(text)


def logistic(x: Any, y: Any) -> tuple[float, float]:
    """Newton's method for the logistic regression of y on x."""
    rows, weights = np.stack([x, np.ones_like(x)], 1), np.array([10.0, -4.0])
    for _ in range(30):
        p = 1 / (1 + np.exp(-rows @ weights))
        weights = weights + np.linalg.solve(rows.T @ (rows * (p * (1 - p))[:, None]), rows.T @ (y - p))
    return float(weights[0]), float(weights[1])


def calibration_error(p: Any, y: Any, bins: int = 10) -> float:
    at = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(p[at == b].mean() - y[at == b].mean()) * (at == b).mean() for b in range(bins) if (at == b).any())


def show_persons(folder: Path, detector: ObjectDetector) -> None:
    """The boxes of GMNER's persons in the photographs that are there, and the best box of a person that was found."""
    corpus = load_gmner(folder, images=folder / "images")
    print("Persons of GMNER")
    for document in (d for name in ("train", "dev", "test") for d in corpus.split(name)):
        persons = [r.box for r in document.regions if r.label == "PER"]
        if not persons or not Path(document.images[0].path).is_file():
            continue
        found = [f for f in detector.detect([load_image(document.images[0])])[0] if f.label == "person"]
        for box in persons:
            iou, score = max(((box_iou(f.box, box), f.score) for f in found), default=(0.0, 0.0))
            print(f"  {document.images[0].id}: IoU {iou:.2f}, probability {score:.2f}, {len(found)} persons found")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path)
    parser.add_argument("--gmner", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    detector = objects.default_detector()
    gold = [d for d in yolo.read(args.coco) if isinstance(d, Document)]
    print(f"{len(gold)} photographs, {sum(len(d.regions) for d in gold)} boxes")
    found = compare_ways(gold, detector)
    show_thresholds(gold, found)
    show_calibration(gold, found)
    if args.gmner:
        show_persons(args.gmner, detector)


if __name__ == "__main__":
    main()
