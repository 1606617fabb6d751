"""The CRF against enumeration of every tag sequence, a plain logsumexp recursion under autograd, and pytorch-crf."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchcrf import CRF

from openmie.errors import OpenMIEError
from openmie.nn.decode import linear_chain as chain
from openmie.nn.decode.crf import LinearChainCrf, legal

BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def make(tags: int | tuple[str, ...], seed: int = 0, scale: float = 1.0, constrained: bool = False) -> LinearChainCrf:
    generator = torch.Generator().manual_seed(seed)
    crf = LinearChainCrf(tags, constrained=constrained).double()
    with torch.no_grad():
        for p in crf.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return crf


def data(lengths: list[int], width: int, seed: int = 1, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Emissions (float64), tags and mask of rows this long; one step longer than the longest."""
    generator = torch.Generator().manual_seed(seed)
    size, length = len(lengths), max([*lengths, 0]) + 1
    emissions = scale * torch.randn(size, length, width, generator=generator, dtype=torch.float64)
    mask = torch.arange(length) < torch.tensor(lengths).reshape(-1, 1)
    return emissions, torch.randint(width, (size, length), generator=generator), mask


def score(crf: LinearChainCrf, emissions: Tensor, path: tuple[int, ...]) -> Tensor:
    total = crf.start[path[0]] + crf.end[path[-1]] + sum(emissions[t, y] for t, y in enumerate(path))
    return (total + sum(crf.transitions[a, b] for a, b in itertools.pairwise(path))).detach()


def every_path(crf: LinearChainCrf, emissions: Tensor, length: int) -> dict[tuple[int, ...], Tensor]:
    """Oracle: each tag sequence and its score."""
    return {path: score(crf, emissions, path) for path in itertools.product(range(len(crf.start)), repeat=length)}


def plain(emissions: Tensor, tags: Tensor, mask: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Oracle: the log-likelihood row by row, in logarithms, for autograd to differentiate."""
    rows = []
    for x, y, n in zip(emissions, tags, mask.sum(1).tolist()):
        if n == 0:
            rows.append((x.sum() + start.sum() + transitions.sum() + end.sum()) * 0)
            continue
        alpha = start + x[0]
        gold = start[y[0]] + end[y[n - 1]] + x[torch.arange(n), y[:n]].sum() + transitions[y[: n - 1], y[1:n]].sum()
        for t in range(1, n):
            alpha = torch.logsumexp(alpha[:, None] + transitions, 0) + x[t]
        rows.append(gold - torch.logsumexp(alpha + end, 0))
    return torch.stack(rows)


def gradients(value: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value.sum(), inputs)


def test_every_path() -> None:
    crf, (emissions, tags, mask) = make(3), data([4, 1, 3, 0], 3)
    value, marginals = crf.log_likelihood(emissions, tags, mask), crf.marginals(emissions, mask)
    path, best = crf.best(emissions, mask)
    for row, n in enumerate(mask.sum(1).tolist()):
        if n == 0:
            assert value[row] == 0 and best[row] == 0
            continue
        paths = every_path(crf, emissions[row], n)
        scores = torch.stack(list(paths.values()))
        probability = dict(zip(paths, torch.softmax(scores, 0).tolist()))
        assert value[row].exp().item() == pytest.approx(probability[tuple(tags[row, :n].tolist())], rel=1e-9)
        top = max(paths, key=lambda p: paths[p])
        assert path[row].tolist() == [*top, *[-1] * (mask.shape[1] - n)]
        assert best[row].item() == pytest.approx(paths[top].item(), rel=1e-12)
        for t, y in itertools.product(range(n), range(3)):
            expected = sum(p for each, p in probability.items() if each[t] == y)
            assert marginals[row, t, y].item() == pytest.approx(expected, rel=1e-9)
    assert not marginals[~mask].any()


@pytest.mark.parametrize("scale", [1.0, 400.0], ids=["fast", "logarithms"])
def test_gradcheck(scale: float) -> None:
    crf, (emissions, tags, mask) = make(4, scale=scale), data([5, 2, 0, 1], 4)
    emissions.requires_grad_()
    inputs = emissions, *crf.parameters()
    assert torch.autograd.gradcheck(lambda *_: crf.log_likelihood(emissions, tags, mask), inputs)


@pytest.mark.parametrize("scale", [1.0, 5.0, 60.0, 200.0, 900.0, 1e5])
@pytest.mark.parametrize("constraint", [0.0, -1e4])
def test_plain(scale: float, constraint: float) -> None:
    """Value and gradient at any spread of emissions, with and without hard constraints; long enough to be rescaled."""
    crf, (emissions, tags, mask) = make(BIO), data([50, 17, 1, 0, 33], 5, scale=scale)
    first, follow = legal(BIO)
    with torch.no_grad():
        crf.start[~first] += constraint
        crf.transitions[~follow] += constraint
    emissions.requires_grad_()
    inputs = emissions, crf.start, crf.transitions, crf.end
    ours = crf.log_likelihood(emissions, tags, mask)
    theirs = plain(emissions, tags, mask, *inputs[1:])
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-8)
    for mine, other in zip(gradients(ours, *inputs), gradients(theirs, *inputs)):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-8)


def test_which_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ordinary scores, hard constraints among them, never need logarithms; those too wide always do, and agree."""
    taken, slow = [], chain._log_sums

    def watched(*inputs: Any) -> chain.Sums:
        taken.append(True)
        return slow(*inputs)

    monkeypatch.setattr(chain, "_log_sums", watched)
    crf, (emissions, tags, mask) = make(BIO, constrained=True), data([60, 25, 3, 0], 5, scale=8)
    fast = crf.log_likelihood(emissions, tags, mask), crf.marginals(emissions, mask)
    assert not taken
    crf.log_likelihood(emissions * 100, tags, mask)
    assert taken
    monkeypatch.setattr(chain, "_scaled_sums", lambda *_: None)
    for mine, other in zip(fast, (crf.log_likelihood(emissions, tags, mask), crf.marginals(emissions, mask))):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)


def test_pytorch_crf() -> None:
    crf, (emissions, tags, mask) = make(9), data([40, 128, 7, 1, 90], 9)
    theirs = CRF(9, batch_first=True).double()
    with torch.no_grad():
        theirs.start_transitions.copy_(crf.start)
        theirs.transitions.copy_(crf.transitions)
        theirs.end_transitions.copy_(crf.end)
    emissions.requires_grad_()
    mine = crf.log_likelihood(emissions, tags, mask)
    other = theirs(emissions, tags, mask, reduction="none")
    torch.testing.assert_close(mine, other)
    pairs = zip(
        gradients(mine, emissions, crf.start, crf.transitions, crf.end),
        gradients(other, emissions, theirs.start_transitions, theirs.transitions, theirs.end_transitions),
    )
    for ours, reference in pairs:
        torch.testing.assert_close(ours, reference)
    paths = [row[row >= 0].tolist() for row in crf.decode(emissions, mask)]
    assert paths == theirs.decode(emissions, mask)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), max_size=5),
    width=st.integers(1, 5),
    seed=st.integers(0, 999),
    scale=st.sampled_from([0.0, 1.0, 30.0, 2000.0]),
)
def test_any_shape(lengths: list[int], width: int, seed: int, scale: float) -> None:
    """Any shape and mask: equal to the oracle, finite, and every path a path of real tags."""
    crf, (emissions, tags, mask) = make(width, seed), data(lengths, width, seed, scale)
    inputs = emissions.requires_grad_(), crf.start, crf.transitions, crf.end
    value = crf.log_likelihood(emissions, tags, mask)
    assert value.shape == (len(lengths),)
    path = crf.decode(emissions, mask)
    assert ((path >= 0) == mask).all() and (path < width).all()
    grads = gradients(value, *inputs)
    assert all(g.isfinite().all() for g in grads)
    if not lengths:
        return
    expected = plain(emissions, tags, mask, *inputs[1:])
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-8)
    for mine, other in zip(grads, gradients(expected, *inputs)):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-8)
    real = path.clamp_min(0)
    log_p = crf.log_likelihood(emissions, real, mask)
    assert (log_p >= value - 1e-6 * scale - 1e-9).all()  # no sequence is likelier than the best one
    marginals = crf.marginals(emissions, mask)
    torch.testing.assert_close(marginals.sum(2), mask.double())


def test_padding_and_order() -> None:
    """Neither what stands on the padding, nor how much there is, nor the other rows change a row."""
    crf, (emissions, tags, mask) = make(5), data([6, 3, 0, 9], 5)

    def run(x: Tensor, y: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        x = x.clone().requires_grad_()
        value = crf.log_likelihood(x, y, m)
        return value, gradients(value, x)[0], crf.marginals(x, m), crf.decode(x, m)

    base = run(emissions, tags, mask)
    dirty = emissions.masked_fill(~mask[..., None], float("nan"))
    for mine, other in zip(run(dirty, tags.masked_fill(~mask, -100), mask), base):
        assert torch.equal(mine, other)
    wide = [torch.cat([t, t[:, :4]], 1) for t in (emissions, tags)]
    longer = torch.cat([mask, torch.zeros(4, 4, dtype=torch.bool)], 1)
    for mine, other in zip(run(wide[0], wide[1], longer), base):
        torch.testing.assert_close(mine[:, :10] if mine.dim() > 1 else mine, other)
    turn = torch.tensor([2, 0, 3, 1])
    for mine, other in zip(run(emissions[turn], tags[turn], mask[turn]), base):
        torch.testing.assert_close(mine, other[turn])
    alone = torch.cat([crf.log_likelihood(emissions[i : i + 1], tags[i : i + 1], mask[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(alone, base[0])


def test_all_padding() -> None:
    crf, (emissions, tags, mask) = make(3), data([0, 0, 0], 3)
    emissions = torch.full_like(emissions, float("inf")).requires_grad_()
    value = crf.log_likelihood(emissions, tags, mask)
    assert not value.any()
    for grad in gradients(value, emissions, *crf.parameters()):
        assert not grad.any()
    assert (crf.decode(emissions, mask) == -1).all()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32])
def test_narrow_types(kind: torch.dtype) -> None:
    """Narrow emissions lose only what they were given with; the result is float32, the gradient theirs."""
    crf, (emissions, tags, mask) = make(5).float(), data([30, 11], 5)
    emissions = emissions.to(kind).requires_grad_()
    value = crf.log_likelihood(emissions, tags, mask)
    exact = emissions.detach().double().requires_grad_()
    expected = plain(exact, tags, mask, *(p.double() for p in (crf.start, crf.transitions, crf.end)))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-5)
    grad = gradients(value, emissions)[0]
    assert grad.dtype == kind
    torch.testing.assert_close(grad, gradients(expected, exact)[0].to(kind), rtol=1e-2, atol=1e-6)
    assert crf.marginals(emissions, mask).dtype == torch.float32


def test_autocast() -> None:
    """Autocast to bfloat16 leaves the sums alone."""
    crf, (emissions, tags, mask) = make(5).float(), data([30, 11], 5)
    plainly = crf.log_likelihood(emissions.float(), tags, mask)
    with torch.autocast("cpu", torch.bfloat16):
        value = crf.log_likelihood(emissions.float(), tags, mask)
        gradients(value, *crf.parameters())
    assert torch.equal(value, plainly)


def test_constrained() -> None:
    """Decoding stays legal however loud the illegal is; it is the best of the legal; the loss does not change."""
    free, bound = make(BIO), make(BIO, constrained=True)
    emissions, tags, mask = data([4, 5, 1, 0], 5, scale=3)
    first, follow = legal(BIO)
    path, best = bound.best(emissions, mask)
    marginals = bound.marginals(emissions, mask)
    for row, n in enumerate(mask.sum(1).tolist()):
        if n == 0:
            continue
        paths = {
            p: s
            for p, s in every_path(bound, emissions[row], n).items()
            if first[p[0]] and all(follow[a, b] for a, b in itertools.pairwise(p))
        }
        top = max(paths, key=lambda p: paths[p])
        assert tuple(path[row, :n].tolist()) == top
        assert best[row].item() == pytest.approx(paths[top].item())
        shares = torch.softmax(torch.stack(list(paths.values())), 0)
        expected = sum(share for p, share in zip(paths, shares) if p[0] == 1)
        assert marginals[row, 0, 1].item() == pytest.approx(float(expected), rel=1e-9)
    assert torch.equal(free.log_likelihood(emissions, tags, mask), bound.log_likelihood(emissions, tags, mask))
    loud = emissions.clone()
    loud[..., 2] += 1e5
    path = bound.decode(loud, mask)
    assert first[path[mask[:, 0], 0]].all()
    for row in path:
        real = row[row >= 0].tolist()
        assert all(follow[a, b] for a, b in itertools.pairwise(real))
    orphan = torch.full_like(tags, 2)
    assert bound.log_likelihood(emissions, orphan, mask).min() > -200  # gold with an orphan I- can be learnt from


def test_legal() -> None:
    first, follow = legal(BIO)
    assert first.tolist() == [True, True, False, True, False]
    assert follow[:, 2].tolist() == [False, True, True, False, False]
    assert follow[:, [0, 1, 3]].all()
    assert all(part.all() for part in legal(("O", "I-PER", "I-LOC")))  # IO scheme
    assert all(part.all() for part in legal(("NOUN", "VERB")))


def test_once_differentiable() -> None:
    crf, (emissions, tags, mask) = make(3), data([4], 3)
    value = crf.log_likelihood(emissions.requires_grad_(), tags, mask).sum()
    grad = torch.autograd.grad(value**2, emissions, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_learns() -> None:
    """A chain whose tag depends on the one before only: the transitions learn it."""
    crf = LinearChainCrf(2)
    tags = torch.arange(20).remainder(2).expand(4, 20)
    emissions, mask = torch.zeros(4, 20, 2), torch.ones(4, 20, dtype=torch.bool)
    assert crf.log_likelihood(emissions, tags, mask)[0].item() == pytest.approx(-20 * 0.6931472)
    optimiser = torch.optim.SGD(crf.parameters(), lr=0.1)
    for _ in range(30):
        optimiser.zero_grad()
        (-crf.log_likelihood(emissions, tags, mask).mean()).backward()
        optimiser.step()
    assert torch.equal(crf.decode(emissions, mask), tags)


def test_mask_may_be_left_out() -> None:
    crf, (emissions, tags, mask) = make(3), data([4, 4], 3)
    full = torch.ones_like(mask)
    assert torch.equal(crf.log_likelihood(emissions, tags), crf.log_likelihood(emissions, tags, full))
    assert torch.equal(crf.decode(emissions), crf.decode(emissions, full))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": torch.tensor([[True, False, True], [True, True, True]])}, "padding before a real word"),
        ({"mask": torch.tensor([[False, True, True], [True, True, True]])}, "padding before a real word"),
        ({"mask": torch.ones(2, 3)}, "mask .2, 3. of torch.float32"),
        ({"mask": torch.ones(2, 4, dtype=torch.bool)}, "mask .2, 4."),
        ({"tags": torch.full((2, 3), 4)}, "a tag outside 0 .. 3"),
        ({"tags": torch.full((2, 3), -100)}, "a tag outside 0 .. 3"),
        ({"tags": torch.zeros(2, 3)}, "tags .2, 3. of torch.float32"),
        ({"emissions": torch.zeros(2, 3, 5)}, "floating-point .B, T, 4."),
        ({"emissions": torch.zeros(2, 3, 4, dtype=torch.long)}, "floating-point .B, T, 4."),
    ],
)
def test_misfits(change: dict[str, Tensor], message: str) -> None:
    inputs = {
        "emissions": torch.zeros(2, 3, 4),
        "tags": torch.zeros(2, 3, dtype=torch.long),
        "mask": torch.ones(2, 3, dtype=torch.bool),
    }
    with pytest.raises(OpenMIEError, match=message):
        LinearChainCrf(4).log_likelihood(**{**inputs, **change})


def test_misbuilt() -> None:
    for tags in (0, (), ("O", "O")):
        with pytest.raises(OpenMIEError, match="at least one tag"):
            LinearChainCrf(tags)
    with pytest.raises(OpenMIEError, match="BIO names"):
        LinearChainCrf(5, constrained=True)


def test_saved_state() -> None:
    """Only the three parameters are state: names and constraints come from the recipe."""
    assert sorted(LinearChainCrf(BIO, constrained=True).state_dict()) == ["end", "start", "transitions"]


def test_no_uninitialised_memory_is_read() -> None:
    """Fresh memory filled with NaN: whatever is read before it is written would show. Rows of unequal length."""
    mask = torch.arange(9) < torch.tensor([9, 4, 1, 0])[:, None]
    emissions = torch.randn(4, 9, 5, requires_grad=True)
    crf = LinearChainCrf(5)
    torch.use_deterministic_algorithms(True)  # with it, torch.empty gives NaN
    try:
        crf.log_likelihood(emissions, torch.zeros(4, 9, dtype=torch.long), mask).sum().backward()
        marginals, paths = crf.marginals(emissions, mask), crf.decode(emissions, mask)
    finally:
        torch.use_deterministic_algorithms(False)
    grads = [p.grad for p in (emissions, *crf.parameters())]
    assert all(g is not None and g.isfinite().all() for g in grads)
    assert marginals.isfinite().all() and (paths[mask] >= 0).all()
