"""Words whose tag is not known: the likelihood sums over all that they may be (enumerated); no head reads `O`."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from openmie.nn.decode.crf import LinearChainCrf
from openmie.nn.decode.partial_tags import UNKNOWN_TAG, partial_log_likelihood
from openmie.nn.decode.tags import Crf, Softmax
from openmie.nn.streams import Stream

TAGS = torch.tensor([[1, -1, 2, 0], [0, 1, -1, 0], [-1, -1, -1, -1], [2, 2, 1, 0]])
REAL = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)


def chain() -> LinearChainCrf:
    torch.manual_seed(0)
    crf = LinearChainCrf(3).double()
    for parameter in crf.parameters():
        parameter.data.normal_()
    return crf


def enumerated(crf: LinearChainCrf, emissions: torch.Tensor) -> torch.Tensor:
    """log of the sum of the probabilities of all sequences that agree with what is known."""
    out = []
    for row, tags, real in zip(emissions, TAGS, REAL):
        n = int(real.sum())
        agreeing = [
            y
            for y in product(range(3), repeat=n)
            if all(known in (UNKNOWN_TAG, t) for t, known in zip(y, tags.tolist()))
        ]
        pad = torch.zeros(4 - n, dtype=torch.long)
        values = [crf.log_likelihood(row[None], torch.cat([torch.tensor(y), pad])[None], real[None]) for y in agreeing]
        out.append(torch.cat(values).logsumexp(0))
    return torch.stack(out)


def test_it_is_the_sum_over_what_is_not_known() -> None:
    crf = chain()
    emissions = torch.randn(4, 4, 3, dtype=torch.float64, requires_grad=True)
    found, wanted = partial_log_likelihood(crf, emissions, TAGS, REAL), enumerated(crf, emissions)
    assert torch.allclose(found, wanted, atol=1e-9) and found[2].abs() < 1e-9
    leaves = [emissions, *crf.parameters()]
    for a, b in zip(torch.autograd.grad(found.sum(), leaves), torch.autograd.grad(wanted.sum(), leaves)):
        assert torch.allclose(a, b, atol=1e-9)


@pytest.mark.parametrize("head", [Softmax, Crf])
def test_heads_learn_nothing_of_a_word_that_is_not_known(head: type[Softmax] | type[Crf]) -> None:
    """With every word unknown there is no gradient; with one, what it is would not change the loss."""
    torch.manual_seed(0)
    module = head(labels=("PER",), input_stream="text", dropout=0.0).build({"text": 5}).double()
    tokens = torch.randn(1, 3, 5, dtype=torch.float64, requires_grad=True)
    stream = Stream(tokens=tokens, mask=torch.ones(1, 3, dtype=torch.bool), present=torch.ones(1, dtype=torch.bool))
    nothing = module.loss({"text": stream}, {}, {"tags": torch.full((1, 3), UNKNOWN_TAG)})
    (grad,) = torch.autograd.grad(nothing, tokens)
    assert abs(nothing.item()) < 1e-9 and grad.abs().max() < 1e-9
    some = module.loss({"text": stream}, {}, {"tags": torch.tensor([[1, UNKNOWN_TAG, 0]])})
    (grad,) = torch.autograd.grad(some, tokens)
    assert grad[0, 1].abs().max() < 1e-9 < grad[0, 0].abs().max()
