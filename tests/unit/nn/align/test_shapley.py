"""Shapley values against enumeration and against all orders of joining, the laws they obey, and the loss on them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.errors import RecipeError
from openmie.nn.align import shapley_coalitions, shapley_integral
from openmie.nn.align.shapley import Shapley, own_values, shapley_values
from openmie.recipe import check_part

TAUS = [1.0, 0.1, 0.05, 0.01]


def uniform(games: int, players: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(games, players, generator=generator, dtype=torch.float64) * 2 - 1).to(dtype)


def extremes(players: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Rows all 0.3, 1 and -1; one player against all, either way; two clusters; evenly spaced; three nearly equal."""
    low, first = -torch.ones(players, dtype=dtype), torch.arange(players) == 0
    onehot, spaced = torch.where(first, 1.0, low), torch.linspace(-1, 1, players, dtype=dtype)
    clusters, near = torch.where(torch.arange(players) % 2 == 0, 0.9, low), low + 1e-3 * (torch.arange(players) % 3)
    return torch.stack([0.3 + 0 * low, -low, low, onehot, -onehot, clusters, spaced, near])


def every_order(row: list[float], tau: float) -> list[float]:
    """Oracle: the mean of what each player adds over all k! orders of joining, with eq. 4 as written; plain Python."""

    def utility(coalition: tuple[int, ...]) -> float:
        top = max((row[a] for a in coalition), default=0.0)
        total = sum(math.exp((row[a] - top) / tau) for a in coalition)
        return sum(math.exp((row[a] - top) / tau) / total * row[a] for a in coalition)

    values = [0.0] * len(row)
    for order in itertools.permutations(range(len(row))):
        for i, player in enumerate(order):
            values[player] += utility(order[: i + 1]) - utility(order[:i])
    return [v / math.factorial(len(row)) for v in values]


def everybody(similarity: Tensor, tau: float) -> Tensor:
    """u_j(K), (J,)."""
    return (torch.softmax(similarity / tau, 1) * similarity).sum(1)


def gradient(similarity: Tensor, tau: float, weights: Tensor, **options: object) -> Tensor:
    leaf = similarity.clone().requires_grad_()
    values = shapley_values(leaf, tau, **options)  # type: ignore[arg-type]
    return torch.autograd.grad((values * weights).sum(), leaf)[0]


def own_gradient(similarity: Tensor, tau: float, weights: Tensor, **options: object) -> Tensor:
    leaf = similarity.clone().requires_grad_()
    return torch.autograd.grad((own_values(leaf, tau, **options) * weights).sum(), leaf)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("players", range(1, 7))
def test_every_order(players: int, tau: float) -> None:
    similarity = torch.cat([uniform(2, players), extremes(players)[[0, 3, 5]]])
    wanted = torch.tensor([every_order(row, tau) for row in similarity.tolist()], dtype=torch.float64)
    enumerated = shapley_values(similarity, tau, estimator="enumerate")
    torch.testing.assert_close(enumerated, wanted, rtol=0, atol=1e-12)
    torch.testing.assert_close(shapley_values(similarity, tau), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("players", range(2, 13))
def test_exact_is_enumeration(players: int, tau: float) -> None:
    """Values to 1e-6 and gradients to 1e-5 of the largest, in float64; own pairs alike."""
    similarity = torch.cat([uniform(3, players, players), extremes(players)])
    weights = uniform(*similarity.shape, seed=1)
    wanted = shapley_values(similarity, tau, estimator="enumerate")
    torch.testing.assert_close(shapley_values(similarity, tau), wanted, rtol=0, atol=1e-6)
    ours = gradient(similarity, tau, weights)
    theirs = gradient(similarity, tau, weights, estimator="enumerate")
    assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()

    square, each = uniform(players, players), uniform(1, players)[0]
    own = own_values(square, tau)
    wanted = shapley_values(square, tau, estimator="enumerate").diagonal()
    torch.testing.assert_close(own, wanted, rtol=0, atol=1e-6)
    theirs = gradient(square, tau, torch.diag(each), estimator="enumerate")
    assert (own_gradient(square, tau, each) - theirs).abs().max() < 1e-5 * theirs.abs().max()


@pytest.mark.parametrize("tau", TAUS)
def test_float32(tau: float) -> None:
    similarity = torch.cat([uniform(6, 12), extremes(12)]).float()
    weights = uniform(*similarity.shape, seed=1).float()
    wanted = shapley_values(similarity.double(), tau, estimator="enumerate")
    for estimator in ("exact", "enumerate"):
        values = shapley_values(similarity, tau, estimator=estimator)
        assert values.dtype == torch.float32
        torch.testing.assert_close(values.double(), wanted, rtol=0, atol=1e-4 if tau >= 0.05 else 1e-3)
        ours = gradient(similarity, tau, weights, estimator=estimator)
        theirs = gradient(similarity.double(), tau, weights.double(), estimator="enumerate")
        assert ours.isfinite().all()
        assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()


@pytest.mark.parametrize("accuracy", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
@pytest.mark.parametrize("players", [2, 7, 28, 60])
def test_accuracy_is_kept(players: int, accuracy: float) -> None:
    """Whatever the number of players and the temperature, for values; tau times a gradient is four times less sure."""
    similarity = torch.cat([uniform(2, players), 0.2 + 0.15 * uniform(2, players, 1), extremes(players)])
    weights = uniform(*similarity.shape, seed=2)
    for tau in (1.0, 0.1, 0.03):
        wanted = shapley_values(similarity, tau, accuracy=1e-10)
        assert (shapley_values(similarity, tau, accuracy=accuracy) - wanted).abs().max() < accuracy
        theirs = gradient(similarity, tau, weights, accuracy=1e-10)
        assert (gradient(similarity, tau, weights, accuracy=accuracy) - theirs).abs().max() * tau < 4 * accuracy


@pytest.mark.parametrize("players", [13, 28])
def test_rule_takes_no_more_than_it_needs(players: int) -> None:
    loose, tight, least = (shapley_integral.quadrature(players, a) for a in (1e-3, 1e-6, 1e-12))
    assert loose.step > tight.step > least.step
    assert len(loose.q) <= len(tight.q) <= len(least.q) <= (players + 1) // 2


@pytest.mark.parametrize("estimator", ["exact", "cyclic", "enumerate"])
@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("players", [1, 2, 3, 9, 16])
def test_efficiency(estimator: str, tau: float, players: int) -> None:
    """The values of a game sum to u(K): for algorithm 1, every pass telescopes."""
    similarity = torch.cat([uniform(4, players), extremes(players)])
    values = shapley_values(similarity, tau, estimator=estimator)
    torch.testing.assert_close(values.sum(1), everybody(similarity, tau), rtol=0, atol=1e-6)


@pytest.mark.parametrize("tau", [1.0, 0.05])
def test_relabelling_equals_and_shift(tau: float) -> None:
    similarity = uniform(5, 11)
    similarity[:, 7] = similarity[:, 2]
    values, order = shapley_values(similarity, tau), torch.randperm(11)
    torch.testing.assert_close(shapley_values(similarity[:, order], tau), values[:, order], rtol=0, atol=1e-9)
    torch.testing.assert_close(values[:, 7], values[:, 2], rtol=0, atol=1e-12)
    shifted = shapley_values(similarity + 0.4, tau)  # u of all but nobody rises by 0.4
    torch.testing.assert_close(shifted, values + 0.4 / 11, rtol=0, atol=1e-9)
    same = shapley_values(torch.full((1, 11), 0.3), tau)
    torch.testing.assert_close(same, torch.full((1, 11), 0.3 / 11))


@pytest.mark.parametrize("tau", [0.5, 0.05])
def test_cyclic_tends_to_exact(tau: float) -> None:
    """Algorithm 1 is unbiased: the mean of many is exact within five standard errors."""
    row, many = uniform(1, 9), 20000
    generator = torch.Generator().manual_seed(0)
    values = shapley_values(row.expand(many, 9), tau, estimator="cyclic", generator=generator)
    error = values.std(0) / many**0.5
    assert ((values.mean(0) - shapley_values(row, tau)[0]).abs() < 5 * error).all()
    assert values.std(0).min() > 0.01  # and one is not


def literal_pass(row: list[float], order: list[int], tau: float) -> list[float]:
    """Algorithm 1 as printed, one game, a loop over players; the mean over passes."""

    def utility(coalition: list[int]) -> float:
        if not coalition:
            return 0.0
        s = torch.tensor([row[a] for a in coalition], dtype=torch.float64)
        return float((torch.softmax(s / tau, 0) * s).sum())

    total, passes, stride = [0.0] * len(row), 0, len(row) // 2
    while stride > 0 or passes == 0:
        for i, player in enumerate(order):
            total[player] += utility(order[: i + 1]) - utility(order[:i])
        order, passes = order[-stride:] + order[:-stride], passes + 1
        stride //= 2
    return [v / passes for v in total]


@pytest.mark.parametrize("players", [1, 2, 3, 5, 8, 28])
def test_cyclic_as_printed(players: int) -> None:
    """Of the permutation that was drawn; a permutation a game; and own values are the same diagonal."""
    similarity, tau, device = uniform(players, players), 0.1, torch.device("cpu")

    def seed() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    first, _ = shapley_coalitions.permutations(players, players, seed(), device)
    wanted = [literal_pass(row, first[j].argsort().tolist(), tau) for j, row in enumerate(similarity.tolist())]
    values = shapley_values(similarity, tau, estimator="cyclic", generator=seed())
    torch.testing.assert_close(values, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-12)
    own = own_values(similarity, tau, estimator="cyclic", generator=seed())
    torch.testing.assert_close(own, values.diagonal(), rtol=0, atol=1e-12)
    if players == 28:
        assert len({tuple(order) for order in first.tolist()}) == 28
    weights = uniform(1, players)[0]
    ours = own_gradient(similarity, tau, weights, estimator="cyclic", generator=seed())
    theirs = gradient(similarity, tau, torch.diag(weights), estimator="cyclic", generator=seed())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_passes() -> None:
    offsets = {
        k: shapley_coalitions.permutations(1, k, None, torch.device("cpu"))[1].tolist() for k in (1, 2, 3, 8, 28)
    }
    assert offsets == {1: [0], 2: [0], 3: [0], 8: [0, 4, 6], 28: [0, 14, 21, 24]}


@pytest.mark.parametrize("function", [shapley_values, own_values])
def test_cyclic_is_reproducible(function: object) -> None:
    assert callable(function)
    similarity = uniform(6, 6)
    torch.manual_seed(7)
    first = function(similarity, 0.1, estimator="cyclic")
    other = function(similarity, 0.1, estimator="cyclic")
    torch.manual_seed(7)
    assert torch.equal(first, function(similarity, 0.1, estimator="cyclic"))
    assert not torch.equal(first, other)


@pytest.mark.parametrize("estimator", ["exact", "cyclic", "enumerate"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite(estimator: str, dtype: torch.dtype) -> None:
    """Values and gradients, down to temperatures where e^(s / tau) leaves any type, and far outside cosines."""
    players = 12 if estimator == "enumerate" else 28
    similarity = torch.cat([uniform(8, players), extremes(players)]).to(dtype)
    for scale, tau in ((1, 0.01), (1, 1e-4), (1e3, 0.01), (1e-6, 10.0)):
        leaf = (scale * similarity).requires_grad_()
        values = shapley_values(leaf, tau, estimator=estimator)
        (values**2).sum().backward()
        assert values.isfinite().all() and leaf.grad is not None and leaf.grad.isfinite().all()
        total = everybody(leaf.detach().double(), tau)
        assert (values.sum(1) - total).abs().max() < 1e-4 * scale
        square = (scale * similarity[:12, :12]).requires_grad_()
        own_values(square, tau, estimator=estimator).sum().backward()
        assert square.grad is not None and square.grad.isfinite().all()


@pytest.mark.parametrize("tau", [1e-3, 1e-5])
def test_wide_gaps(tau: float) -> None:
    """Players so far apart that the best of a coalition takes all: nodes stay few, values are those of enumeration."""
    similarity = uniform(6, 10)
    z = shapley_integral.close_gaps((similarity - similarity.amax(1, keepdim=True)) / tau, 20.0)
    assert z.min() >= -9 * 20.001
    torch.testing.assert_close(z.argsort(1), similarity.argsort(1))
    wanted = shapley_values(similarity, tau, estimator="enumerate")
    torch.testing.assert_close(shapley_values(similarity, tau), wanted, rtol=0, atol=1e-6)


def test_shapes() -> None:
    for estimator in ("exact", "cyclic", "enumerate"):
        for games, players in ((0, 4), (3, 0), (0, 0), (2, 5), (5, 2)):
            assert shapley_values(uniform(games, players), 0.1, estimator=estimator).shape == (games, players)
        assert own_values(uniform(0, 0), 0.1, estimator=estimator).shape == (0,)
        one = uniform(1, 1)
        torch.testing.assert_close(shapley_values(one, 0.1, estimator=estimator), one)
        torch.testing.assert_close(own_values(one, 0.1, estimator=estimator), one[0])


def test_own_values_enumerated() -> None:
    similarity = uniform(6, 6)
    full = shapley_values(similarity, 0.1, estimator="enumerate").diagonal()
    torch.testing.assert_close(own_values(similarity, 0.1, estimator="enumerate"), full)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    similarity, weights = uniform(9, 9), uniform(9, 9, 1)
    whole = shapley_values(similarity, 0.1), gradient(similarity, 0.1, weights), own_values(similarity, 0.1)
    for block in (1, 9000):
        monkeypatch.setattr(shapley_integral, "BLOCK", block)
        parts = shapley_values(similarity, 0.1), gradient(similarity, 0.1, weights), own_values(similarity, 0.1)
        for one, other in zip(whole, parts):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_nan_stays_in_its_game() -> None:
    similarity = uniform(4, 6)
    clean = shapley_values(similarity, 0.1)
    similarity[1, 2] = torch.nan
    values = shapley_values(similarity, 0.1)
    assert values[1].isnan().all()
    torch.testing.assert_close(values[[0, 2, 3]], clean[[0, 2, 3]], rtol=0, atol=1e-7)


def test_gradcheck() -> None:
    leaf = uniform(4, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: shapley_values(s, 0.3, accuracy=1e-11), leaf)
    assert torch.autograd.gradcheck(lambda s: own_values(s, 0.3, accuracy=1e-11), leaf)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    """Under autocast and from halves alike, the sums are in float32."""
    similarity = uniform(8, 8).to(dtype)
    for estimator in ("exact", "enumerate"):
        wanted = shapley_values(similarity.double(), 0.05, estimator="enumerate")
        assert (shapley_values(similarity, 0.05, estimator=estimator) - wanted).abs().max() < 1e-5
        with torch.autocast("cpu", dtype=torch.bfloat16):
            values = shapley_values(similarity.float(), 0.05, estimator=estimator)
        assert values.dtype == torch.float32 and (values - wanted).abs().max() < 1e-5
    a, b = (uniform(6, 5, seed).float().requires_grad_() for seed in (0, 1))
    wanted = Shapley()(a, b)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = Shapley()(a, b)
    torch.testing.assert_close(loss, wanted)
    assert torch.autograd.grad(Shapley()(a.to(dtype), b.to(dtype)), a)[0].isfinite().all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: shapley_values(uniform(3, 3), 0.1, estimator="guess"),
        lambda: shapley_values(uniform(3, 3), 0.0),
        lambda: shapley_values(uniform(3, 3), math.nan),
        lambda: shapley_values(uniform(3, 3), 0.1, accuracy=0.0),
        lambda: shapley_values(uniform(3, 3)[0], 0.1),
        lambda: shapley_values(uniform(2, 17), 0.1, estimator="enumerate"),
        lambda: own_values(uniform(2, 3), 0.1),
        lambda: own_values(uniform(3, 3), -1.0),
        lambda: check_part(Shapley(negatives="most")),
        lambda: check_part(Shapley(estimator="guess")),
        lambda: check_part(Shapley(tau=0.0)),
        lambda: check_part(Shapley(accuracy=1.0)),
    ],
)
def test_errors(call: object) -> None:
    assert callable(call)
    with pytest.raises(RecipeError, match=r"Expected|Choose one of"):
        call()


def literal_loss(a: Tensor, b: Tensor, config: Shapley) -> Tensor:
    """Oracle: eq. 5 and 6 from all values, with loops."""

    def direction(similarity: Tensor) -> Tensor:
        phi, k, total = shapley_values(similarity, config.tau, estimator="enumerate"), len(similarity), torch.zeros(())
        for j in range(k):
            negatives = [phi[j, i] for i in range(k) if i != j]
            total = total + phi[j, j] - sum(negatives) / (len(negatives) if config.negatives == "mean" else 1)
        return -total / k

    similarity = torch.stack([torch.stack([F.cosine_similarity(x, y, dim=0) for y in b]) for x in a])
    forth, back = direction(similarity), direction(similarity.T)
    return (forth + back) / 2 if config.symmetric else forth


@pytest.mark.parametrize("negatives", ["mean", "sum"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("estimator", ["exact", "enumerate"])
def test_loss_is_the_literal_one(negatives: str, symmetric: bool, estimator: str) -> None:
    config = Shapley(negatives=negatives, symmetric=symmetric, estimator=estimator, accuracy=1e-8)
    a, b = (uniform(7, 5, seed).requires_grad_() for seed in (0, 1))
    ours, theirs = config(a, b), literal_loss(a, b, config)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    for one, other in zip(torch.autograd.grad(ours, (a, b)), torch.autograd.grad(theirs, (a, b))):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimator", ["exact", "cyclic"])
def test_loss_on_few_rows_and_zeros(estimator: str) -> None:
    for rows in (0, 1):
        a, b = (uniform(rows, 4, seed).requires_grad_() for seed in (0, 1))
        loss = Shapley(estimator=estimator)(a, b)
        assert loss.item() == 0
        assert not torch.cat(torch.autograd.grad(loss, (a, b))).any()
    a, b = (uniform(5, 4, seed).float() for seed in (0, 1))
    a[2] = 0
    loss = Shapley(estimator=estimator)(a.requires_grad_(), b.requires_grad_())
    assert all(g.isfinite().all() for g in (loss, *torch.autograd.grad(loss, (a, b))))


def test_loss_of_equals() -> None:
    """All rows alike: every value is 1 / k, so the negatives' mean is the own value, and their sum k - 1 times it."""
    rows = torch.ones(5, 4)
    assert Shapley()(rows, rows).item() == pytest.approx(0, abs=1e-4)
    assert Shapley(negatives="sum")(rows, rows).item() == pytest.approx(0.6, abs=1e-4)


def train(config: Shapley, rows: int = 12, steps: int = 250) -> tuple[Tensor, float]:
    """Two noisy views of one hidden vector, a small encoder each; similarities of a batch and retrieval@1 of 200."""
    torch.manual_seed(0)
    views = torch.randn(2, 8, 24) / 3
    encoders = [nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 16)) for _ in range(2)]
    optimizer = torch.optim.Adam([p for e in encoders for p in e.parameters()], lr=4e-3)

    def encode(size: int) -> list[Tensor]:
        hidden = torch.randn(size, 8)
        return [e(torch.tanh(hidden @ v) + 0.05 * torch.randn(size, 24)) for e, v in zip(encoders, views)]

    for _ in range(steps):
        loss = config(*encode(rows))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        a, b = (F.normalize(x, dim=1) for x in encode(200))
        similarity = a @ b.T
    return similarity, (similarity.argmax(1) == torch.arange(200)).float().mean().item()


@pytest.mark.parametrize("estimator", ["exact", "cyclic"])
def test_sum_collapses_and_mean_aligns(estimator: str) -> None:
    """With negatives summed, as printed, all similarities go to -1, own pairs too; averaged, own pairs are found."""
    own = torch.eye(200, dtype=torch.bool)
    similarity, found = train(Shapley(negatives="sum", estimator=estimator, accuracy=1e-2))
    assert similarity[own].mean() < -0.9 and similarity[~own].mean() < -0.9 and found < 0.1
    similarity, found = train(Shapley(estimator=estimator, accuracy=1e-2))
    assert similarity[own].mean() > similarity[~own].mean() + 0.5 and found > 0.9
