"""NanoDet-g: the published graph run node by node, golden numbers of the shipped weights, boxes and suppression."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openmie.base.convert_nanodet import convert
from openmie.base.objects import WEIGHTS, ObjectDetector
from openmie.data.box_iou import box_iou as slow_iou
from openmie.errors import ModelError
from openmie.nn.detect.nanodet import STRIDES, NanoDetG, box_of
from openmie.nn.detect.suppression import box_iou, class_wise_nms, objects_of
from tests.fixtures.tfjs_graph import Graph


@pytest.fixture(scope="module")
def published():
    named = os.environ.get("OPENMIE_NANODET")
    if not named:
        pytest.skip("name the folder of nanodet.json and nanodet.bin with OPENMIE_NANODET (see convert_nanodet.py)")
    return Path(named)


@pytest.fixture(scope="module")
def network():
    return ObjectDetector.load().model


def drawn(height=416, width=416, seed=0):
    """A picture (1, 3, H, W) of blocks of even colours."""
    random = np.random.default_rng(seed).integers(0, 256, (1, 3, 13, 13)).repeat(32, 2).repeat(32, 3)
    return torch.from_numpy(random[..., :height, :width]).float()


@pytest.mark.parametrize("seed", range(3))
def test_class_maps_and_distances_are_those_of_the_published_graph(published, network, seed):
    pixels = (drawn(seed=seed) - 120) / 58
    names = ["Identity", "Identity_1", "Identity_2", "Identity_3", "Identity_4", "Identity_5"]
    expected = Graph(published).run({"input_1": pixels}, names)
    with torch.inference_mode():
        maps = network.maps(pixels)
    for (scores, bins, _), wanted_scores, wanted_bins in zip(maps, expected[:3], expected[3:]):
        assert (scores - wanted_scores).abs().max() < 1e-4 and (bins - wanted_bins).abs().max() < 1e-4


def test_converting_the_published_files_gives_the_shipped_ones(published, tmp_path):
    convert(published, tmp_path / "made.safetensors")
    assert (tmp_path / "made.safetensors").read_bytes() == WEIGHTS.read_bytes()


def test_another_graph_is_refused(published, tmp_path):
    (tmp_path / "nanodet.bin").write_bytes((published / "nanodet.bin").read_bytes())
    text = (published / "nanodet.json").read_text()
    (tmp_path / "nanodet.json").write_text(text.replace("[1,1,128,124]", "[1,1,124,128]"))
    with pytest.raises(ModelError, match="kernel"):
        convert(tmp_path, tmp_path / "made.safetensors")


def test_golden_numbers_of_the_shipped_weights(network):
    with torch.inference_mode():
        cells = network(drawn())
    assert cells.scores[0].max(0).values[:5].tolist() == pytest.approx(
        [0.0700, 0.0116, 0.0160, 0.0135, 0.0165], abs=1e-4
    )
    assert float(cells.scores.sum()) == pytest.approx(1358.585, abs=0.1)
    assert cells.boxes[0].mean(0).tolist() == pytest.approx([177.568, 175.162, 239.485, 241.938], abs=1e-2)
    assert cells.boxes[0, 3000].tolist() == pytest.approx([107.116, 112.330, 231.949, 257.425], abs=1e-2)


def test_size_and_shapes(network):
    assert sum(p.numel() for p in network.parameters()) == 3_786_068
    with torch.inference_mode():
        cells = network(drawn(320, 416).repeat(2, 1, 1, 1))
    n = sum(320 // s * (416 // s) for s in STRIDES)
    assert cells.scores.shape == (2, n, 80) and cells.boxes.shape == (2, n, 4)
    assert (cells.scores[0] - cells.scores[1]).abs().max() < 1e-6


@pytest.mark.parametrize("stride", STRIDES)
def test_a_box_is_the_mean_distance_to_its_sides(stride):
    bins = torch.randn(2, 3 * 5, 44, generator=torch.manual_seed(stride))
    boxes = box_of(bins, stride, 3, 5)
    for b in range(2):
        for k in range(15):
            logits = bins[b, k].double().view(4, 11).exp()
            left, top, right, bottom = (
                float(sum(r * w for r, w in enumerate(row)) / row.sum() * stride) for row in logits
            )
            x, y = (k % 5 + 0.5) * stride, (k // 5 + 0.5) * stride
            assert boxes[b, k].tolist() == pytest.approx([x - left, y - top, x + right, y + bottom], abs=1e-3)


def test_a_sharp_distribution_is_its_bin():
    bins = torch.full((1, 1, 4, 11), -50.0)
    for side, r in enumerate((0, 1, 2, 10)):
        bins[0, 0, side, r] = 50.0
    assert box_of(bins.flatten(2), 8, 1, 1)[0, 0].tolist() == pytest.approx([4.0, 4.0 - 8, 4.0 + 16, 4.0 + 80])


def test_a_network_of_other_sizes_learns():
    torch.manual_seed(0)
    model = NanoDetG(classes=3, bins=4, width=16).build()
    cells = model(torch.rand(2, 3, 64, 32) * 255)
    assert cells.scores.shape[2] == 3
    (cells.scores.sum() + cells.boxes.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


# -- suppression


def greedy(boxes, labels, iou):
    """From the best down; each taken box drops the later ones of its class that overlap it more."""
    kept, dropped = [], set()
    for i in range(len(boxes)):
        if i in dropped:
            continue
        kept.append(i)
        dropped |= {
            j for j in range(i + 1, len(boxes)) if labels[i] == labels[j] and slow_iou(boxes[i], boxes[j]) > iou
        }
    return kept


BOXES = st.lists(
    st.tuples(*(st.integers(0, 6),) * 2, *(st.integers(0, 5),) * 2, st.integers(0, 2)), min_size=0, max_size=24
)


@given(BOXES, st.sampled_from([0.0, 0.3, 0.6, 0.9]))
def test_suppression_is_the_greedy_loop(rows, iou):
    boxes = torch.tensor([[x, y, x + w, y + h] for x, y, w, h, _ in rows], dtype=torch.float64).view(-1, 4)
    labels = torch.tensor([r[4] for r in rows], dtype=torch.long)
    assert class_wise_nms(boxes, labels, iou).tolist() == greedy(boxes.tolist(), labels.tolist(), iou)


def test_a_chain_of_boxes_each_of_which_would_drop_the_next():
    boxes = torch.tensor([[float(k), 0, k + 10, 10] for k in range(40)])
    kept = class_wise_nms(boxes, torch.zeros(40, dtype=torch.long), 0.6)
    assert kept.tolist() == greedy(boxes.tolist(), [0] * 40, 0.6) and len(kept) > 5


def test_iou_of_all_pairs():
    boxes = torch.tensor([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 5, 5], [0, 0, 2, 1]], dtype=torch.float64)
    table = box_iou(boxes, boxes)
    assert table.tolist() == [[pytest.approx(slow_iou(a, b)) for b in boxes.tolist()] for a in boxes.tolist()]


def test_objects_are_ordered_and_counted():
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4.1], [9, 9, 12, 12]])
    scores = torch.tensor([[0.5, 0.2], [0.9, 0.0], [0.3, 0.31]])
    found = objects_of(boxes, scores, 0.3)
    assert found.scores.tolist() == pytest.approx([0.9, 0.31, 0.3]) and found.labels.tolist() == [0, 1, 0]
    assert found.boxes.tolist() == [boxes[1].tolist(), boxes[2].tolist(), boxes[2].tolist()]
    assert len(objects_of(boxes, scores, 0.3, most=1).scores) == 1 and not len(objects_of(boxes, scores, 0.95).scores)
