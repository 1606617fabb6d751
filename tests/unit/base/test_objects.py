"""The built-in detector on photographs: boxes in their own pixels, batches, odd sizes, and a sample of COCO."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from openmie.base import objects
from openmie.base.objects import CLASSES, ObjectDetector, default_detector, fit, probability
from openmie.data.box_iou import box_iou
from openmie.data.document import Document, Region
from openmie.data.images import load_image
from openmie.errors import ModelError
from openmie.formats import yolo
from openmie.metrics import average_precision
from openmie.nn.detect.nanodet import Cells, NanoDetG

FIGURE = Path(__file__).parents[3] / "docs" / "post.png"  # a photograph of a woman, with frames drawn on it


class Known(torch.nn.Module):
    """Finds in each picture the pixels that are not black: one box of class 7, score 0.9."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))
        self.config, self.shapes = NanoDetG(), []

    def forward(self, pixels):
        self.shapes.append(tuple(pixels.shape))
        scores, boxes = torch.zeros(len(pixels), 2, 80), torch.zeros(len(pixels), 2, 4)
        for n, picture in enumerate(pixels):
            y, x = (picture.sum(0) > 300).nonzero(as_tuple=True)
            boxes[n, 1] = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1]).float()
            scores[n, 1, 7] = 0.9
        return Cells(scores, boxes)


def block(width, height, box):
    """A black picture with a white box."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    return Picture.fromarray(pixels)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (200, 100), (416, 416), (2000, 333), (3, 400), (5000, 7)])
def test_boxes_are_in_pixels_of_the_photograph(size):
    width, height = size
    box = (width // 4, height // 4, width - width // 3, height)
    ((found,),) = ObjectDetector(Known()).detect([block(width, height, box)])
    tolerance = 1.0 + max(size) / 416
    assert found.label == CLASSES[7] == "truck" and found.box == pytest.approx(box, abs=tolerance)
    assert found.score == pytest.approx(1 / (1 + math.exp(-13 * (0.9 - 0.445))))
    assert 0 <= found.box[0] <= found.box[2] <= width and 0 <= found.box[1] <= found.box[3] <= height


def test_photographs_are_batched_by_shape_and_stay_in_order():
    detector, boxes = ObjectDetector(Known()), [(8 * k, 0, 8 * k + 60, 40) for k in range(11)]
    pictures = [block(416, 416 if k % 3 else 208, box) for k, box in enumerate(boxes)]
    found = detector.detect(pictures)
    assert [f[0].box[0] for f in found] == [box[0] for box in boxes]
    assert sorted(detector.model.shapes) == [(4, 3, 224, 416), (7, 3, 416, 416)]
    assert detector.detect([]) == []


def test_a_photograph_keeps_its_proportions_and_is_centred_on_black():
    made = fit(Picture.new("RGB", (640, 427), (255, 255, 255)), 416)
    assert (
        made.pixels.shape == (3, 288, 416) and made.shift == (0, 5) and made.scale == pytest.approx((0.65, 278 / 427))
    )
    assert (
        (made.pixels[:, 5:283] == 255).all() and (made.pixels[:, :5] == 0).all() and (made.pixels[:, 283:] == 0).all()
    )


def test_probability_is_a_rising_function():
    x = torch.linspace(0, 1, 50)
    assert (probability(x).diff() > 0).all() and float(probability(torch.tensor(0.445))) == 0.5
    assert float(probability(x)[0]) < 0.01 and float(probability(x)[-1]) > 0.99


def test_the_person_in_a_photograph():
    picture = load_image(str(FIGURE))
    alone, beside = default_detector().detect([picture]), default_detector().detect([picture, picture.copy()])
    persons = [f for f in alone[0] if f.label == "person"]
    assert persons and persons[0].score > 0.5
    for one in beside:
        assert [f.label for f in one] == [f.label for f in alone[0]]
        assert one[0].box == pytest.approx(alone[0][0].box, abs=1e-2)


def test_turning_a_photograph_turns_the_answer():
    """Mirrored, the box is mirrored: nothing depends on a side that padding or scaling favours."""
    picture = load_image(str(FIGURE))
    plain, mirrored = default_detector().detect([picture, picture.transpose(Picture.Transpose.FLIP_LEFT_RIGHT)])
    x0, y0, x1, y1 = plain[0].box
    assert plain[0].label == mirrored[0].label
    assert box_iou(mirrored[0].box, (picture.width - x1, y0, picture.width - x0, y1)) > 0.8


def test_an_empty_photograph_has_no_objects():
    assert default_detector().detect([Picture.new("RGB", (300, 200), (90, 90, 90))]) == [[]]


def test_another_file_is_refused(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(objects.WEIGHTS.read_bytes()[:-1] + b"x")
    for name in ("weights.safetensors", "none"):
        with pytest.raises(ModelError, match=r"SHA-256"):
            ObjectDetector.load(tmp_path / name)


def test_the_weights_are_loaded_once(monkeypatch):
    default_detector()
    monkeypatch.setattr(objects, "read_pinned", SimpleNamespace())
    assert default_detector() is default_detector()


@pytest.mark.slow
@pytest.mark.real
def test_mean_average_precision_on_a_sample_of_coco(corpora):
    gold = [d for d in yolo.read(corpora / "coco64") if isinstance(d, Document)]
    found = default_detector().detect([load_image(d.images[0]) for d in gold], threshold=0.01)
    predicted = [
        d.replace(regions=[Region(image=d.images[0].id, box=f.box, label=f.label, score=f.score) for f in some])
        for d, some in zip(gold, found)
    ]
    made = average_precision(gold, predicted)
    assert len(gold) == 64 and made.mean > 33 and made.by_iou[0.5] > 47
