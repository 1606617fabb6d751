"""Documents of one image in a batch: no contrast takes one's text for a negative of the other's image."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from openmie.data.document import Document, Image
from openmie.model.features.images import image_identity
from openmie.nn.align.align import Align, sharing_images
from openmie.nn.align.infonce import InfoNCE
from openmie.nn.align.shapley import Shapley
from openmie.nn.align.topk import TopK
from openmie.nn.streams import Stream

LOSSES: list[Any] = [
    InfoNCE(),
    InfoNCE(symmetric=False),
    Shapley(),
    Shapley(negatives="sum", symmetric=False),
    Shapley(estimator="enumerate", tau=0.5),
    TopK(),
    TopK(k=1, anchor="image"),
    TopK(k="adaptive"),
    TopK(as_released=True),
]
IDENTITIES = ([5, 5, 7, 0, 0], [5, 7, 5, 5, 7], [1, 1, 1, 1, 1])


def views(rows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(rows, 8, generator=g, dtype=torch.float64) for _ in range(2))
    return a.requires_grad_(), b.requires_grad_()


def slow_row(loss: Any, s: list[Tensor], own: int) -> Tensor:
    """What one row adds: the cosines of its own pair (at `own`) and of its negatives, one by one."""
    if isinstance(loss, Shapley):
        k = len(s)
        if k == 1:
            return s[0] * 0.0

        def u(players: tuple[int, ...]) -> Any:
            weights = [torch.exp(s[i] / loss.tau) for i in players]
            return sum(w * s[i] for w, i in zip(weights, players)) / sum(weights) if players else 0.0

        others = {i: [c for c in range(k) if c != i] for i in range(k)}
        phi = [
            sum(
                (u((*coalition, i)) - u(coalition)) / (k * math.comb(k - 1, n))
                for n in range(k)
                for coalition in itertools.combinations(others[i], n)
            )
            for i in range(k)
        ]  # eq. 3
        negatives = sum(phi) - phi[own]
        return -(phi[own] - (negatives / (k - 1) if loss.negatives == "mean" else negatives))
    e = [torch.exp(x / loss.tau) for x in s]
    if isinstance(loss, InfoNCE):
        return -torch.log(e[own] / sum(e))
    if loss.k == "adaptive":
        k = sum(x >= s[own] - 1e-9 for x in s)
    else:
        k = loss.k
    k = max(1, min(int(k), len(s) - 1))
    top = sum(sorted(e, key=lambda x: -x.item())[:k])
    if loss.as_released:
        return -torch.log((top + e[own]) / sum(e))
    return -loss.topk_weight * torch.log(top / sum(e)) - loss.pair_weight * torch.log(e[own] / sum(e))


def slow(loss: Any, a: Tensor, b: Tensor, identity: list[int]) -> Tensor:
    """Row by row, over its own pair and the rows of other images."""
    sides = [(a, b), (b, a)] if getattr(loss, "symmetric", False) else [(a, b)]
    sides = [(b, a)] if getattr(loss, "anchor", "") == "image" else sides
    found = []
    for x, y in sides:
        for i in range(len(x)):
            others = [j for j in range(len(y)) if j == i or identity[j] == 0 or identity[j] != identity[i]]
            cosines = [torch.cosine_similarity(x[i], y[j], dim=0) for j in others]
            found.append(slow_row(loss, cosines, others.index(i)))
    return torch.stack(found).mean()


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_each_loss_is_the_slow_loop(loss: Any, identity: list[int]) -> None:
    a, b = views(5)
    same = sharing_images(torch.tensor(identity))
    got, want = loss(a, b, same_image=same), slow(loss, a, b, identity)
    tolerance = 1e-3 if isinstance(loss, Shapley) and loss.estimator == "exact" else 1e-9
    torch.testing.assert_close(got, want, atol=tolerance, rtol=tolerance)
    for x, y in zip(torch.autograd.grad(got, (a, b)), torch.autograd.grad(want, (a, b))):
        torch.testing.assert_close(x, y, atol=10 * tolerance, rtol=tolerance)


@pytest.mark.parametrize("loss", [InfoNCE(), TopK(topk_weight=0.0), TopK(topk_weight=0.0, anchor="image")], ids=str)
def test_two_posts_an_image_at_their_best(loss: Any) -> None:
    """Known answer: five images, two posts each, every text on its image: only other images' texts are against it.

    Without the mask the other text of an image counts against the own one, as near as it: the loss never leaves log 2.
    """
    image = torch.eye(5).repeat_interleave(2, 0)
    same = sharing_images(torch.arange(1, 6).repeat_interleave(2))
    others = 8 * torch.exp(torch.tensor(-1 / loss.tau))
    torch.testing.assert_close(loss(image, image, same_image=same), torch.log1p(others))
    torch.testing.assert_close(loss(image, image), torch.log(2 + others))


@pytest.mark.parametrize("loss", [*LOSSES, Shapley(estimator="cyclic")], ids=str)
def test_where_all_are_of_one_image_there_is_nothing_to_tell_apart(loss: Any) -> None:
    a, b = views(4)
    value = loss(a, b, same_image=sharing_images(torch.full((4,), 3)))
    twice = getattr(loss, "as_released", False)  # the release counts the own pair twice
    assert value.item() == pytest.approx(-math.log(2) if twice else 0, abs=1e-12)
    assert all(g.abs().max() < 1e-12 for g in torch.autograd.grad(value, (a, b)))
    assert all(x.isfinite() for x in loss.diagnostics(a, b, sharing_images(torch.full((4,), 3))).values())


def test_which_documents_share_an_image() -> None:
    assert sharing_images(torch.tensor([1, 2, 0, 0])) is None, "without an image there is none to share"
    same = sharing_images(torch.tensor([7, 2, 7, 0]))
    assert same is not None and same.nonzero().tolist() == [[0, 2], [2, 0]]


def test_an_alignment_leaves_them_out() -> None:
    """The rows that lack a modality are gone before, and the numbers for the log leave the same pairs out."""
    g = torch.Generator().manual_seed(0)
    present = torch.tensor([True, True, False, True])
    streams = {
        role: Stream(torch.randn(4, 2, 3, generator=g), present[:, None].expand(4, 2)) for role in ("text", "vision")
    }
    align = Align(width=0).build({"text": 3, "vision": 3})
    identity = torch.tensor([6, 8, 6, 6])
    a, b, same = align.pairs(streams, identity)
    assert same is not None and same.nonzero().tolist() == [[0, 2], [2, 0]]
    got = align(streams, identity)
    torch.testing.assert_close(got.losses[align.name][1], InfoNCE()(a, b, same_image=same))
    assert align(streams).losses[align.name][1] != got.losses[align.name][1]
    alone = align.diagnostics(torch.eye(3)[[0, 0, 1]], torch.eye(3)[[0, 0, 1]], same)
    assert align.diagnostics(torch.eye(3)[[0, 1, 0]], torch.eye(3)[[0, 1, 0]], same)["accuracy@1"] == 1
    assert alone["accuracy@1"] < 1


def test_identity_of_the_image(tmp_path: Any) -> None:
    """The same file by any path, the same pixels, or the same name and captions; never a name alone."""
    (tmp_path / "a.jpg").write_bytes(b"x")

    def of(**image: Any) -> int:
        captions = image.pop("captions", {})
        return image_identity(Document(id="d", text="t", images=(Image(**image),), captions=captions))

    path = str(tmp_path / "a.jpg")
    assert of(path=path) == of(path=str(tmp_path / "sub" / ".." / "a.jpg"), id="other") != of(path=path + "x")
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert of(pixels=pixels) == of(pixels=pixels.copy(), id="b") != of(pixels=pixels + 1)
    assert of(id="main") == 0 == image_identity(Document(id="d", text="t"))
    assert of(id="7", captions={"BLIP": "a dog"}) == of(id="7", captions={"BLIP": "a dog"})
    assert of(id="7", captions={"BLIP": "a dog"}) != of(id="7", captions={"BLIP": "a cat"})
    assert of(path="a\0b") != 0, "a path that no file system has"
    crop = Image(kind="object", path=path, id="crop", parent="gone")
    assert image_identity(Document(id="d", text="t", images=(crop,))) == of(path=path)


def test_the_batch_carries_it(tmp_path: Any) -> None:
    """Two posts of one file and one of another, through the features and the model, against the loss by hand."""
    from openmie.model.pretrained import Model
    from openmie.nn.decode.tags import Crf
    from openmie.nn.encode.dual import Dual, Vision
    from openmie.recipe import Recipe

    g = np.random.default_rng(0)
    pictures = [g.integers(0, 255, (32, 32, 3), dtype=np.uint8) for _ in range(2)]
    documents = [
        Document.from_words(f"d{i}", ["a", "b"]).replace(images=(Image(id="main", pixels=pictures[i // 2]),))
        for i in range(3)
    ]
    recipe = Recipe(name="r", encode=Dual(vision=Vision()), align=(Align(name="own"),), heads=(Crf(labels=("A",)),))
    model = Model.new(recipe)
    model.extractor.eval()
    batch = model.featurizer.collate(model.featurizer.featurize(documents, gold=True))
    identity = batch.inputs["image_identity"]
    assert identity[0] == identity[1] != identity[2]
    align = model.extractor.align[0]
    a, b, same = align.pairs(model.extractor.streams(batch.inputs).encoded, identity)
    assert same is not None
    torch.testing.assert_close(model.extractor(batch).losses["own"], InfoNCE()(a, b, same_image=same))
    plain = Model.new(Recipe(name="r", encode=Dual(vision=Vision()), heads=(Crf(labels=("A",)),)))
    assert "image_identity" not in plain.featurizer.collate(plain.featurizer.featurize(documents)).inputs
