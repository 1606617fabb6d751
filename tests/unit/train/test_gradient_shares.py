"""Shares of the gradient: against gradients of each loss by itself, and where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from openmie import corpora
from openmie.model.pretrained import Model
from openmie.papers import shap_ca
from openmie.train.gradient_shares import gradient_shares


def test_the_share_is_the_ratio_of_the_norms() -> None:
    """By two backward passes; twice the weight is twice the share, weight 0 none, and no gradient is left behind."""
    corpus = corpora.load("diorama:train=6,dev=2,test=2,translation=false")
    full = shap_ca.recipe(corpus)
    full = replace(full, encode=replace(full.encode, drop_context=0.0))
    torch.manual_seed(0)
    extractor = Model.new(full).extractor.eval()
    featurizer = Model.new(full).featurizer
    batch = featurizer.collate(featurizer.featurize(corpus.split("train"), gold=True))
    text = [p for n, p in extractor.named_parameters() if n.startswith("encode.text")]

    def norm(names: tuple[str, ...]) -> float:
        torch.manual_seed(1)
        output = extractor(batch)
        total = sum(output.weights[k] * output.losses[k] for k in names)
        found = torch.autograd.grad(total, text, allow_unused=True)
        return sum(g.square().sum().item() for g in found if g is not None) ** 0.5

    torch.manual_seed(1)
    got = gradient_shares(extractor, batch)
    assert got.keys() == {"semantic", "modality"}
    head = extractor.heads[0].name
    for name, share in got.items():
        torch.testing.assert_close(share, norm((name,)) / norm((head,)), rtol=1e-4, atol=1e-7)
    assert all(p.grad is None for p in extractor.parameters())
    extractor.align[0].weight, extractor.align[1].weight = 2 * extractor.align[0].weight, 0.0
    torch.manual_seed(1)
    again = gradient_shares(extractor, batch)
    assert again["semantic"] == pytest.approx(2 * got["semantic"], rel=1e-4) and again["modality"] == 0
