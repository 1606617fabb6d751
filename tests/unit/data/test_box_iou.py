"""The intersection over union of boxes: two numbers, arrays and tensors give the same."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openmie.data.box_iou import box_iou
from openmie.data.box_iou_matrix import box_intersections, box_iou_matrix
from openmie.nn.decode.boxes import box_iou_giou

SIDE = st.integers(0, 12)
BOX = st.tuples(SIDE, SIDE, SIDE, SIDE).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


def cells(box):
    """A box as the unit cells that it covers."""
    return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}


@given(st.lists(BOX, min_size=1, max_size=4), st.lists(BOX, min_size=1, max_size=4))
def test_all_three_count_the_cells(left, right):
    a, b = np.array(left, dtype=np.float64), np.array(right, dtype=np.float64)
    common, union = box_intersections(a, b)
    matrix = box_iou_matrix(a, b)
    centres = [torch.tensor(np.concatenate([(x[:, :2] + x[:, 2:]) / 2, x[:, 2:] - x[:, :2]], 1)) for x in (a, b)]
    tensor = box_iou_giou(centres[0][:, None], centres[1][None])[0]
    for i, p in enumerate(left):
        for j, q in enumerate(right):
            both, either = len(cells(p) & cells(q)), len(cells(p) | cells(q))
            want = both / either if either else 0.0
            assert (common[i, j], union[i, j]) == (both, either)
            assert box_iou(p, q) == pytest.approx(want) and matrix[i, j] == pytest.approx(want)
            assert tensor[i, j].item() == pytest.approx(want)


def test_an_infinite_box_overlaps_with_nothing():
    everything = np.array([[-np.inf, -np.inf, np.inf, np.inf]])
    assert not box_iou_matrix(everything, np.array([[0.0, 0.0, 1.0, 1.0]])) > 0.5
