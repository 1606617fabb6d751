"""The Shapley alignment of Shap-CA (Luo et al., 2024): eq. 3 to 7, algorithm 1, and exact values in its place.

In game j the k players i are the rows of the other side, s_i their similarity to row j. The utility of a coalition S is
u(S) = sum over i in S of p_i s_i, p = softmax of s / tau over S (eq. 4), u of nobody 0; phi_i is what i adds to u, the
mean over all coalitions without i (eq. 3). The k values of a game sum to u(K): only the own pair's need be computed.

Exact values. With w = exp(s / tau), 1/W = integral of exp(-t W) dt over t > 0, and the mean over coalitions is the
integral over q in (0, 1) of joining with probability q, independently. The expectation then factorises:

    phi_i = s_i / k + int dq int dt/t (1 - e^(-t w_i)) prod_(j != i) D_j  sum_j r_j (s_i - s_j),
    D_j = 1 - q + q e^(-t w_j),   r_j = q t w_j e^(-t w_j) / D_j.

By the trapezoid rule in log t and Gauss-Legendre in p, q = p or q = p^2: see `_rule`. w is never formed: t w = exp(y),
y = log t + (s - max s) / tau at most CLAMP, beyond which e^(-t w) is zero; so all is finite at any temperature.

Shapes: J games, k players, P passes, T nodes in log t, Q nodes in q. All in float32 at least, also under autocast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.autograd.function import once_differentiable

from openmie.errors import RecipeError
from openmie.nn.limits import Positive

Estimator = Literal["exact", "cyclic", "enumerate"]
ESTIMATORS: tuple[str, ...] = get_args(Estimator)
MOST_ENUMERATED = 16  # players: 2^16 coalitions a game
CLAMP = 4.6  # of y: e^(-e^4.6) = 1e-43
BLOCK = 2**20  # elements (J, T, Q, k) worked on at once, three such tensors; 32 times as many on a GPU


@dataclass(frozen=True, kw_only=True)
class Shapley:
    """The contrastive loss on Shapley values, a config as `InfoNCE` is; players are the rows of the second side.

    `sum` is eq. 5: -mean over j of [phi_j(u_j) - sum_(i != j) phi_i(u_j)]. It collapses: k - 1 negatives against one
    positive are least when every similarity is -1, own pairs too. `mean` divides the negatives by k - 1 and does not.
    """

    tau: Positive = 0.1  # temperature of eq. 4; the paper does not give its own
    estimator: Estimator = "exact"  # `cyclic`: algorithm 1; `enumerate`: up to 16 rows
    negatives: Literal["mean", "sum"] = "mean"  # or `sum`, as printed
    symmetric: bool = True  # both directions, averaged (eq. 6); else only from the first side to the second
    accuracy: Annotated[float, Field(ge=1e-12, le=0.1)] = 1e-4  # absolute error of the exact values

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """a, b (B, D), row i of a belongs to row i of b -> scalar; with fewer than two rows there is no negative: 0."""
        if len(a) < 2:
            return (a.sum() + b.sum()) * 0.0
        with torch.autocast(a.device.type, enabled=False):
            a, b = (F.normalize(_wide(x), dim=-1, eps=1e-6) for x in (a, b))
            similarity = a @ b.T  # (B, B), cosine
            loss = self.direction(similarity)
            return (loss + self.direction(similarity.T)) / 2 if self.symmetric else loss

    def direction(self, similarity: Tensor) -> Tensor:
        """Eq. 5 of one direction: (k, k), a game a row -> scalar."""
        own = own_values(similarity, self.tau, estimator=self.estimator, accuracy=self.accuracy)
        others = _utility(similarity / self.tau, similarity) - own  # sum_(i != j) phi_i(u_j), as all sum to u_j(K)
        return -(own - (others / (len(own) - 1) if self.negatives == "mean" else others)).mean()


def shapley_values(
    similarity: Tensor,
    temperature: float,
    *,
    estimator: str = "exact",
    generator: torch.Generator | None = None,
    accuracy: float = 1e-8,
) -> Tensor:
    """Similarity (J, k), a game a row -> phi (J, k), phi[j, i] = phi_i(u_j), differentiable once.

    `exact`: to `accuracy`, an absolute error for similarities in [-1, 1] (in general a share of half a row's spread;
    float32 gives no more than about 1e-6). Measured: see `_rule`. `cyclic`: algorithm 1, unbiased, one permutation a
    game drawn from `generator` (default: torch's own), stride k // 2 halved, the mean over passes. `enumerate`: all
    2^k coalitions, for at most 16 players.
    """
    similarity = _checked(similarity, temperature, estimator, accuracy)
    if similarity.numel() == 0:
        return similarity.clone()
    if estimator == "exact":
        return _Values.apply(similarity, temperature, accuracy)
    with torch.autocast(similarity.device.type, enabled=False):
        if estimator == "cyclic":
            return _cyclic(similarity, temperature, generator)
        return _enumerate(similarity, temperature)


def own_values(
    similarity: Tensor,
    temperature: float,
    *,
    estimator: str = "exact",
    generator: torch.Generator | None = None,
    accuracy: float = 1e-8,
) -> Tensor:
    """The diagonal of `shapley_values`, phi_j(u_j), at less cost: similarity (k, k) -> (k,)."""
    similarity = _checked(similarity, temperature, estimator, accuracy)
    games, players = similarity.shape
    if games != players:
        raise RecipeError(
            f"similarities of shape ({games}, {players})",
            expected="as many games as players",
            remedy="use shapley_values where games have no own player",
        )
    if games == 0:
        return similarity.sum(1)
    if estimator == "exact":
        return _OwnValues.apply(similarity, temperature, accuracy)
    if estimator == "cyclic":
        return _cyclic_own(similarity, temperature, generator)
    return shapley_values(similarity, temperature, estimator=estimator).diagonal()


class Rule(NamedTuple):
    """Nodes of the double integral; see `_rule`."""

    step: float  # in log t
    low: float  # the first log t; the last is `high` - z of the weakest player
    high: float
    gap: float  # neighbours in z further apart than this act alike at any distance
    q: tuple[float, ...]
    weight: tuple[float, ...]  # of the q


@lru_cache(maxsize=64)
def _rule(players: int, accuracy: float) -> Rule:
    """The cheapest nodes whose error stays below `accuracy`, for similarities in [-1, 1]; each part takes a share.

    Measured on uniform, narrow, evenly spaced, two-level, one-against-all and clustered rows, k from 2 to 256, tau from
    1 to 0.01 (0.1 at k = 256), in float64. Worst error of each part, and the bound used:
    step h: 0.5: 4e-8, 0.7: 1e-5, 0.8: 6e-5, 1.0: 6e-4; bound 20 e^(-pi^2 / h);
    first node x: k = 28, -5: 8e-5, -7: 1e-6; bound k e^(2x) / 12; last node x: k = 2, 1: 5e-2, 2: 2e-4; e^(-e^x);
    q: twice the worst error on (1 - q)^m, m < k, of which two-level rows are made. q = p is exact from ceil(k/2) nodes,
    q = p^2 puts more of them where many players need them: k = 28: 8 nodes 2e-5, 10 3e-8; k = 256: 12 3e-5, 16 2e-6.
    All together, where `accuracy` is     1e-2  1e-3  1e-4  1e-5  1e-6  1e-7:
    worst error of a value                4e-3  4e-4  4e-5  3e-6  4e-7  5e-8
    of tau times a gradient               8e-3  1e-3  1e-4  2e-5  2e-6  2e-7
    q nodes at k = 28 / 256               5/6   7/9   8/13  9/16  10/18 10/21
    """
    step = math.pi**2 / (math.log(20) - math.log(accuracy / 3))
    low = 0.5 * math.log(2 * accuracy / players)
    high, gap = math.log(-math.log(accuracy / 6)), math.log(8 * players / accuracy)
    power = np.arange(players)
    for count in range(1, (players + 1) // 2 + 1):
        node, weight = np.polynomial.legendre.leggauss(count)
        node, weight = (node + 1) / 2, weight / 2
        for q, w in ((node, weight), (node**2, 2 * node * weight)):
            error = np.abs(w @ (1 - q)[:, None] ** power - 1 / (power + 1)).max()
            if error <= accuracy / 5 or count == (players + 1) // 2:
                return Rule(step, low, high, gap, tuple(q.tolist()), tuple(w.tolist()))
    raise AssertionError("no players")


class Block(NamedTuple):
    """The integrand of J games at all nodes."""

    games: slice
    s: Tensor  # (J, 1, k), less the largest of the game: values depend on differences
    load: Tensor  # (J, T, k), t w
    fading: Tensor  # (J, T, k), t w e^(-t w)
    used: Tensor  # (J, T, k), 1 - e^(-t w)
    q: Tensor  # (Q,)
    inverse: Tensor  # (J T, Q, k), 1 / D
    mass: Tensor  # (J T, Q), product of all D, times the weights of the nodes


def _blocks(similarity: Tensor, tau: float, accuracy: float) -> Iterator[Block]:
    """The games in blocks, so that memory stays bounded."""
    players = similarity.shape[1]
    rule = _rule(players, max(accuracy, torch.finfo(similarity.dtype).eps))
    q, weight = (similarity.new_tensor(x) for x in (rule.q, rule.weight))
    s = similarity - similarity.amax(1, keepdim=True)
    z = _close_gaps(s / tau, rule.gap)
    weakest = z.nan_to_num(0.0, 0.0, 0.0).amin().item()  # a game with NaN gives NaN, the others do not suffer
    x = torch.arange(rule.low, rule.high - weakest + rule.step, rule.step, dtype=z.dtype, device=z.device)[:, None]
    size = max(1, (32 * BLOCK if z.is_cuda else BLOCK) // (len(x) * len(q) * players))
    for first in range(0, len(z), size):
        games = slice(first, first + size)
        load = (x + z[games, None]).clamp_(max=CLAMP).exp_()  # (J, T, k)
        less = load.neg()
        used, fading = less.expm1().neg_(), less.exp_().mul_(load)
        d = torch.mul(used.view(-1, 1, players), -q[:, None]).add_(1)  # (J T, Q, k)
        mass = d.prod(-1).mul_(weight * rule.step)
        yield Block(games, s[games, None], load, fading, used, q, d.reciprocal_(), mass)


def _close_gaps(z: Tensor, gap: float) -> Tensor:
    """Wide gaps between neighbours narrowed to `gap`, so that the nodes are few however far players are apart."""
    if not (z.nan_to_num(0.0) < -gap).any():
        return z
    ranked, order = z.sort(1, descending=True)
    excess = F.pad(-ranked.diff(dim=1) - gap, (1, 0)).clamp_(min=0).cumsum(1)
    return torch.empty_like(z).scatter_(1, order, ranked + excess)


def _exact(similarity: Tensor, tau: float, accuracy: float) -> Tensor:
    """All values (J, k): over the nodes, (1 - e^(-t w_i)) (s_i sum_q mass R / D_i - sum_q mass R^s / D_i)."""
    phi = similarity / similarity.shape[1]
    with torch.autocast(similarity.device.type, enabled=False):
        for b in _blocks(similarity, tau, accuracy):
            rates = torch.stack([b.fading, b.fading * b.s], -1).flatten(0, 1)  # (J T, k, 2)
            sums = torch.bmm(b.inverse, rates).mul_((b.mass * b.q)[..., None])  # (J T, Q, 2): sum r, sum r s
            of_one, of_all = torch.bmm(sums.mT, b.inverse).view(*b.used.shape[:2], 2, -1).unbind(2)
            phi[b.games] += b.used.mul(b.s * of_one - of_all).sum(1)
    return phi


def _weighted(similarity: Tensor, weights: Tensor, tau: float, accuracy: float) -> tuple[Tensor, Tensor]:
    """V_j = sum_i c_ji phi_i(u_j) (J,) for weights c (J, k), and beside it dV_j / ds_j (J, k).

    With R = sum_a r_a, H = sum_i c_i (1 - e^(-t w_i)) / D_i, and R^s, H^s the same sums times s, the integrand of V is
    mass X, X = H^s R - H R^s: the terms i = a cancel. As dr/dz = r (1 - t w + r), d mass/dz = -mass r and dH/dz_a =
    c_a t w_a e^(-t w_a) / D_a^2, its derivative is a sum of per-player factors times sums over q of 1/D and 1/D^2.
    """
    players = similarity.shape[1]
    value, gradient = (weights * similarity).sum(1) / players, weights / players
    with torch.autocast(similarity.device.type, enabled=False):
        for b in _blocks(similarity, tau, accuracy):
            c, s, q, shape = weights[b.games, None], b.s, b.q, (*b.used.shape[:2], 4, players)
            counted = c * b.used
            sums = torch.stack([b.fading, b.fading * s, counted, counted * s], -1).flatten(0, 1)  # (J T, k, 4)
            r, r_s, h, h_s = torch.bmm(b.inverse, sums).unbind(-1)  # each (J T, Q)
            r, r_s, once = r * q, r_s * q, b.mass * q
            twice, x = once * q, h_s * r - h * r_s
            value[b.games] += (b.mass * x).view(len(s), -1).sum(1)
            by_one = torch.stack([once * x, once * h_s, once * h, b.mass * r], 1)  # (J T, 4, Q)
            by_two = torch.stack([twice * h_s, twice * h, b.mass * r, b.mass * r_s], 1)
            o = torch.bmm(by_one, b.inverse).view(shape).unbind(2)  # each (J, T, k)
            t = torch.bmm(by_two, b.inverse.square_()).view(shape).unbind(2)
            by_z = (1 - b.load) * (o[1] - s * o[2]) - o[0] + b.fading * (t[0] - s * t[1]) + c * (s * t[2] - t[3])
            gradient[b.games] += (b.fading * (by_z / tau - o[2]) + counted * o[3]).sum(1)
    return value, gradient


class _Values(torch.autograd.Function):
    """Only the similarities are kept: the backward pass integrates anew."""

    @staticmethod
    def forward(ctx: Any, similarity: Tensor, tau: float, accuracy: float) -> Tensor:
        ctx.save_for_backward(similarity)
        ctx.rule = tau, accuracy
        return _exact(similarity, tau, accuracy)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _weighted(ctx.saved_tensors[0], grad, *ctx.rule)[1], None, None


class _OwnValues(torch.autograd.Function):
    """Value, and beside it its gradient: one value a game, so the derivative of all is one (k, k) matrix."""

    @staticmethod
    def forward(ctx: Any, similarity: Tensor, tau: float, accuracy: float) -> Tensor:
        own = torch.eye(len(similarity), dtype=similarity.dtype, device=similarity.device)
        value, gradient = _weighted(similarity, own, tau, accuracy)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad[:, None] * ctx.saved_tensors[0], None, None


def _positions(
    games: int, players: int, generator: torch.Generator | None, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Algorithm 1: where each player stands in the first pass (J, k), and how far the later passes are shifted (P,)."""
    offsets, stride = [0], players // 2
    while stride > 1:  # a shift by the last stride has no pass after it
        offsets.append(offsets[-1] + stride)
        stride //= 2
    first = torch.rand(games, players, generator=generator, device=device).argsort(1)
    return first, torch.tensor(offsets, device=device)


def _cyclic(similarity: Tensor, tau: float, generator: torch.Generator | None) -> Tensor:
    """All values: the utility of every prefix of every pass, by doubling, then differences."""
    games, players = similarity.shape
    first, offsets = _positions(games, players, generator, similarity.device)
    places = (torch.arange(players, device=first.device) - offsets[:, None]) % players  # (P, k)
    queue = first.argsort(1)[:, places]  # (J, P, k): who stands where
    u = similarity[:, None].expand(queue.shape).gather(2, queue)
    z, ahead = u / tau, 1
    while ahead < players:
        z_new, u_new = _join(z[..., :-ahead], u[..., :-ahead], z[..., ahead:], u[..., ahead:])
        z, u = torch.cat([z[..., :ahead], z_new], 2), torch.cat([u[..., :ahead], u_new], 2)
        ahead *= 2
    added = u - F.pad(u[..., :-1], (1, 0))  # (J, P, k)
    return added.gather(2, (first[:, None] + offsets[:, None]) % players).mean(1)


def _cyclic_own(similarity: Tensor, tau: float, generator: torch.Generator | None) -> Tensor:
    """The diagonal alone: two coalitions a pass, those before the own player, without and with it."""
    games, players = similarity.shape
    first, offsets = _positions(games, players, generator, similarity.device)
    position = (first[:, None] + offsets[:, None]) % players  # (J, P, k)
    own = position.diagonal(dim1=0, dim2=2).T[..., None]  # (J, P, 1)
    outside = torch.stack([position > own, position >= own])  # (2, J, P, k)
    z = (similarity / tau)[:, None].masked_fill(outside, torch.finfo(similarity.dtype).min)
    with_own, without = _utility(z, similarity[:, None])  # (J, P)
    return (with_own - without * (own[..., 0] > 0)).mean(1)


def _enumerate(similarity: Tensor, tau: float) -> Tensor:
    """Eq. 3: u of all coalitions, bit i of whose number says whether i is in, times the weight of each in phi_i."""
    games, players = similarity.shape
    z, u = similarity.new_full((games, 1), -torch.inf), similarity.new_zeros(games, 1)
    for i in range(players):
        s = similarity[:, i : i + 1]
        z_new, u_new = _join(z, u, s / tau, s)
        z, u = torch.cat([z, z_new], 1), torch.cat([u, u_new], 1)  # (J, 2^(i+1))
    member = torch.arange(2**players, device=u.device)[:, None] >> torch.arange(players, device=u.device) & 1
    others = member.sum(1, keepdim=True) - member  # (2^k, k)
    weight = u.new_tensor([1 / (players * math.comb(players - 1, n)) for n in range(players)] + [0.0])[others]
    return u @ (weight * (2 * member - 1))


def _join(z: Tensor, u: Tensor, z_new: Tensor, u_new: Tensor) -> tuple[Tensor, Tensor]:
    """Log-weight and utility of two disjoint coalitions taken together."""
    return torch.logaddexp(z, z_new), u + (u_new - u) * torch.sigmoid(z_new - z)


def _utility(z: Tensor, s: Tensor) -> Tensor:
    """Eq. 4 over the last dimension."""
    return (torch.softmax(z, -1) * s).sum(-1)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32)).contiguous()


def _checked(similarity: Tensor, tau: float, estimator: str, accuracy: float) -> Tensor:
    _check(tau, estimator, accuracy)
    if similarity.dim() != 2:
        raise RecipeError(
            f"similarities of shape {tuple(similarity.shape)}",
            expected="(games, players)",
            remedy="give one row of similarities a game",
        )
    if estimator == "enumerate" and similarity.shape[1] > MOST_ENUMERATED:
        raise RecipeError(
            f"{similarity.shape[1]} players",
            expected=f"at most {MOST_ENUMERATED} to enumerate",
            remedy="use the estimator `exact`",
        )
    return _wide(similarity)


def _check(tau: float, estimator: str, accuracy: float) -> None:
    if not 0 < tau < math.inf:
        raise RecipeError(f"temperature {tau}", expected="a number above 0", remedy="0.1 is the default")
    if estimator not in ESTIMATORS:
        raise RecipeError(f"estimator {estimator!r}", expected=", ".join(ESTIMATORS), remedy="`exact` is the default")
    if not 1e-12 <= accuracy <= 0.1:
        raise RecipeError(f"accuracy {accuracy}", expected="from 1e-12 to 0.1", remedy="1e-4 does for training")
