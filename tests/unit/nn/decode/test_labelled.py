"""The head over labels that are given at call time: its sums against loops, and a problem with a known answer."""

from __future__ import annotations

import math

import pytest
import torch

from openmie.nn.decode.labelled import LabelledSpans, span_logits
from openmie.nn.decode.labelled_pairs import DISTANCES, LabelledPairs, bucket, mean_of


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def test_span_logits_against_a_loop() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 7, 3, 3)
    found = span_logits(logits, 4)
    assert found.shape == (2, 7, 4, 3)
    for b in range(2):
        for start in range(7):
            for wide in range(4):
                for label in range(3):
                    end = start + wide
                    if end >= 7:
                        assert found[b, start, wide, label] == -math.inf
                        continue
                    inside = sum(log_sigmoid(float(logits[b, t, label, 1])) for t in range(start, end + 1))
                    wanted = float(logits[b, start, label, 0]) + float(logits[b, end, label, 2]) + inside
                    assert float(found[b, start, wide, label]) == pytest.approx(wanted, abs=1e-5)


def test_span_logits_of_a_text_shorter_than_the_widest_span() -> None:
    assert span_logits(torch.zeros(1, 2, 1, 3), 12).shape == (1, 2, 2, 1)


def test_labels_are_scored_alone() -> None:
    """A label's logits do not depend on the labels beside it, nor on their order."""
    torch.manual_seed(0)
    head = LabelledSpans(width=8, label_width=6, hidden=16, common=4).build().eval()
    states, labels = torch.randn(2, 5, 8), torch.randn(4, 6)
    whole = head(states, labels)
    torch.testing.assert_close(head(states, labels[[2]]), whole[:, :, [2]])
    torch.testing.assert_close(head(states, labels.flip(0)), whole.flip(2))


def test_the_first_guideline_is_the_default() -> None:
    torch.manual_seed(0)
    head = LabelledSpans(width=8, label_width=6, hidden=16, common=4, guidelines=3).build().eval()
    torch.nn.init.normal_(head.guideline.weight)
    states, labels = torch.randn(2, 5, 8), torch.randn(4, 6)
    torch.testing.assert_close(head(states, labels), head(states, labels, torch.tensor([0, 0])))
    assert not torch.allclose(head(states, labels), head(states, labels, torch.tensor([1, 2])))


def test_the_head_learns_labels_and_carries_them_to_a_new_one() -> None:
    """Words are sums of a type's direction and noise; a label that was never trained on is found by its vector."""
    torch.manual_seed(0)
    directions = torch.eye(6, 16)
    head = LabelledSpans(width=16, label_width=16, hidden=64, common=32, dropout=0.0).build()
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)

    def batch(types: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        kind = torch.tensor(types)[torch.randint(len(types), (8, 10))]
        return directions[kind] * 3 + 0.1 * torch.randn(8, 10, 16), kind

    for _ in range(150):
        mixed = torch.randn(6, 6) @ directions  # labels are any mixtures: the head learns the product, not six classes
        states, kind = batch([0, 1, 2, 3, 4, 5])
        vectors = torch.nn.functional.normalize(mixed, dim=-1)
        wanted = ((directions[kind] @ vectors.T) > 0.3).float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(head(states, vectors)[..., 1], wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    states, kind = batch([0, 1, 2, 3, 4, 5])
    found = head.eval()(states, directions[[3]])[..., 0, 1] > 0
    assert ((kind == 3) == found).float().mean() > 0.97


def test_means_between_spans_against_a_loop() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 6, 3)
    row, start, end = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 4]), torch.tensor([4, 6, 4])
    found = mean_of(x, row, start, end)
    torch.testing.assert_close(found[0], x[0, 1:4].mean(0))
    torch.testing.assert_close(found[1], x[1].mean(0))
    assert (found[2] == 0).all()


def test_buckets_of_distances() -> None:
    assert bucket(torch.tensor([-3, 0, 1, 2, 3, 4, 63, 64, 9999])).tolist() == [0, 0, 1, 2, 2, 3, 6, 7, 7]
    assert len(DISTANCES) == 8


def test_a_pair_and_its_reverse_are_told_apart() -> None:
    torch.manual_seed(0)
    head = LabelledPairs(width=8, label_width=6, hidden=16, common=4).build().eval()
    states, labels = torch.randn(1, 9, 8), torch.randn(3, 6)
    both = torch.tensor([[0, 0, 2, 5, 6], [0, 5, 6, 0, 2]])
    there, back = head(states, both, labels)
    assert there.shape == (3,) and not torch.allclose(there, back)


def test_overlapping_and_adjacent_spans_have_finite_logits() -> None:
    head = LabelledPairs(width=8, label_width=6, hidden=16, common=4).build().eval()
    rows = torch.tensor([[0, 0, 3, 1, 2], [0, 0, 1, 1, 2], [0, 0, 1, 0, 1]])
    assert head(torch.randn(1, 4, 8), rows, torch.randn(2, 6)).isfinite().all()
