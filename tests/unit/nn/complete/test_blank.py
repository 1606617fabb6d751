"""A learned token in the place of a missing side: what documents have stays as it was, levels and seconds too."""

import torch

from openmie.nn.complete.blank import Blank
from openmie.nn.streams import Stream


def test_only_a_missing_side_is_filled_and_nothing_else_is_lost():
    mask = torch.tensor([[True, True, False], [False, False, False]])
    vision = Stream(
        torch.randn(2, 3, 4),
        mask,
        torch.tensor([[0, 0, 1]] * 2),
        levels=torch.randn(3, 2, 3, 4),
        seconds=torch.tensor([[1.0, 1.0, float("nan")]] * 2),
        relevance=torch.tensor([0.5, 0.7]),
    )
    module = Blank(learned=True).build({"text": 5, "vision": 4})
    made, token = module({"vision": vision})["vision"], module.tokens["vision"]
    assert torch.equal(made.tokens[0, :2], vision.tokens[0, :2]) and torch.equal(made.tokens[1, 0], token)
    assert torch.equal(made.levels[:, 0], vision.levels[:, 0]) and torch.equal(made.levels[:, 1, 0], token.expand(3, 4))
    assert made.mask.tolist() == [[True, True, False], [True, False, False]]
    assert made.present.tolist() == [True, False]  # it still is missing
    assert made.groups is vision.groups and made.seconds is vision.seconds and made.relevance is vision.relevance
