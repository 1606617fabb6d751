"""Known answers for the small modules of floor 2."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.model.codec import bio
from openmie.nn import ops
from openmie.nn.align.align import Align
from openmie.nn.align.infonce import InfoNCE
from openmie.nn.decode.spans import ordered_pairs, spans_of
from openmie.nn.decode.tags import bio_tags
from openmie.nn.encode.tiny import TinyVision
from openmie.nn.streams import Stream


def test_masked_mean_and_softmax_by_hand():
    x = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [6.0], [7.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert ops.masked_mean(x, mask).flatten().tolist() == [2.0, 0.0]
    w = ops.masked_softmax(torch.tensor([[0.0, math.log(3.0), 9.0], [1.0, 2.0, 3.0]]), mask)
    torch.testing.assert_close(w, torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]]))


def test_masked_mean_ignores_nan_in_padding():
    x = torch.tensor([[[1.0], [float("nan")]]])
    assert ops.masked_mean(x, torch.tensor([[True, False]])).item() == 1.0


def test_attend_is_softmax_of_scaled_products_and_zero_without_keys():
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 2, 3, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4)
    mask = torch.tensor([[True, True, False, True, False], [False] * 5])
    out = ops.attend(q, k, v, mask)
    scores = (q[0] @ k[0].transpose(1, 2) / 2.0).masked_fill(~mask[0], -torch.inf)
    torch.testing.assert_close(out[0], scores.softmax(-1) @ v[0])
    assert (out[1] == 0).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 5), min_size=1, max_size=9), min_size=1, max_size=4), st.booleans())
def test_pool_words_equals_a_loop(rows, mean):
    """Against a plain loop over documents and words, value and gradient."""
    rows = [[w if w < 0 else min(w, i) for i, w in enumerate(sorted(r))] for r in rows]
    width = max(map(len, rows))
    word = torch.tensor([r + [-1] * (width - len(r)) for r in rows])
    states = torch.randn(len(rows), width, 3, dtype=torch.float64, requires_grad=True)
    owner = torch.arange(len(rows))
    got = ops.pool_words(states, owner, word, (len(rows), 6), mean)
    expected = torch.zeros(len(rows), 6, 3, dtype=torch.float64)
    for i in range(len(rows)):
        for w in range(6):
            pieces = [states[i, j] for j in range(width) if word[i, j] == w]
            if pieces:
                expected[i, w] = torch.stack(pieces).mean(0) if mean else pieces[0]
    torch.testing.assert_close(got, expected)
    torch.autograd.gradcheck(lambda s: ops.pool_words(s, owner, word, (len(rows), 6), mean), states)


def test_pool_words_merges_windows_of_one_document():
    states = torch.arange(8.0).view(2, 4, 1)
    word = torch.tensor([[0, 1, 1, -1], [-1, 2, 3, -1]])
    got = ops.pool_words(states, torch.tensor([0, 0]), word, (1, 5), mean=True)
    assert got.flatten().tolist() == [0.0, 1.5, 5.0, 6.0, 0.0]


def test_infonce_known_answers():
    """Orthogonal pairs: log(1 + (n-1) e^(-1/tau)). One row: 0. The loss of shuffled pairs is larger."""
    eye = torch.eye(4, dtype=torch.float64)
    for tau in (1.0, 0.1):
        expected = math.log(1 + 3 * math.exp(-1 / tau))
        assert InfoNCE(tau=tau)(eye, eye).item() == pytest.approx(expected, rel=1e-5)
    assert InfoNCE()(eye[:1], eye[:1]).item() == 0.0
    assert InfoNCE()(eye, eye.roll(1, 0)) > InfoNCE()(eye, eye)


def test_infonce_aligns_a_toy():
    """Two views of 16 things: after training every row is nearest to its own."""
    torch.manual_seed(0)
    a, b = torch.randn(16, 8), torch.randn(16, 8)
    left, right = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
    step = torch.optim.Adam([*left.parameters(), *right.parameters()], lr=0.03)
    for _ in range(300):
        loss = InfoNCE()(left(a), right(b))
        step.zero_grad()
        loss.backward()
        step.step()
    close = torch.nn.functional.cosine_similarity(left(a)[:, None], right(b)[None], dim=-1)
    assert (close.argmax(1) == torch.arange(16)).all()


def test_alignment_leaves_absent_rows_out():
    torch.manual_seed(0)
    align = Align(width=4).build({"text": 4, "vision": 4})
    text = Stream(torch.randn(5, 2, 4), torch.ones(5, 2, dtype=torch.bool))
    mask = torch.ones(5, 2, dtype=torch.bool)
    mask[[1, 4]] = False
    vision = Stream(torch.randn(5, 2, 4), mask)
    out = align({"text": text, "vision": vision})
    keep = [0, 2, 3]
    fewer = {"text": Stream(text.tokens[keep], text.mask[keep]), "vision": Stream(vision.tokens[keep], mask[keep])}
    assert out.num_pairs == 3
    torch.testing.assert_close(out.losses, align(fewer).losses)


def test_tags_are_counted_as_in_the_codec():
    assert bio_tags(("LOC", "PER")) == bio.tags(("LOC", "PER"))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=0, max_size=8), min_size=1, max_size=4))
def test_spans_of_equals_the_codec(rows):
    t = max(1, max(map(len, rows)))
    tags = torch.tensor([r + [3] * (t - len(r)) for r in rows])
    mask = torch.arange(t) < torch.tensor([len(r) for r in rows])[:, None]
    spans, real = spans_of(tags, mask)
    runs = bio.runs(tags.numpy(), mask.numpy())
    expected = [(int(r), int(a), int(b) - 1) for r, a, b in zip(runs.row, runs.first, runs.last)]
    got = [(i, *spans[i, j].tolist()) for i, j in real.nonzero().tolist()]
    assert got == expected


def test_ordered_pairs_are_all_pairs_of_two_different_spans():
    spans = torch.tensor([[[0, 0], [2, 3], [5, 5]], [[1, 1], [0, 0], [0, 0]]])
    pairs, real = ordered_pairs(spans, torch.tensor([[True, True, True], [True, False, False]]))
    assert len(pairs[0][real[0]].unique(dim=0)) == 6 and not real[1].any()


def test_tiny_vision_takes_any_size_and_tells_places_apart():
    tower = TinyVision(width=32, stem=(8, 16, 32), heads=2).build().eval()
    assert tower(torch.zeros(1, 3, 64, 64)).shape == (1, 64, 32)
    assert tower(torch.zeros(2, 3, 32, 48)).shape == (2, 24, 32)
    flat = tower(torch.zeros(1, 3, 32, 32))[0]
    assert (flat[:, None] - flat[None]).norm(dim=-1).fill_diagonal_(1).min() > 1e-3  # positions are told apart


def test_infonce_is_the_mean_of_both_directions_in_loops():
    """Each row against all of the other modality, from either; the two directions differ, so that neither may go."""
    torch.manual_seed(0)
    a, b = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)

    def direction(x, y):
        losses = []
        for i, row in enumerate(x):
            scores = [torch.cosine_similarity(row, other, 0).item() / 0.2 for other in y]
            losses.append(math.log(sum(math.exp(s) for s in scores)) - scores[i])
        return sum(losses) / len(losses)

    there, back = direction(a, b), direction(b, a)
    assert abs(there - back) > 0.01
    assert InfoNCE(tau=0.2)(a, b).item() == pytest.approx((there + back) / 2)
    assert InfoNCE(tau=0.2, symmetric=False)(a, b).item() == pytest.approx(there)
