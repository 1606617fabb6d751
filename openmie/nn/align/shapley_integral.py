"""Exact Shapley values of the utility of Shap-CA by a double integral, with their gradient.

In game j the k players i are the rows of the other modality, s_i their similarity to row j. With w = exp(s / tau),
1/W = integral of exp(-t W) dt over t > 0, and the mean over coalitions is the integral over q in (0, 1) of joining with
probability q, independently. The expectation then factorises:

    phi_i = s_i / k + int dq int dt/t (1 - e^(-t w_i)) prod_(j != i) D_j  sum_j r_j (s_i - s_j),
    D_j = 1 - q + q e^(-t w_j),   r_j = q t w_j e^(-t w_j) / D_j.

By the trapezoid rule in log t and Gauss-Legendre in p, q = p or q = p^2: see `quadrature`. w is never formed:
t w = exp(y), y = log t + (s - max s) / tau at most CLAMP, beyond which e^(-t w) is zero; so all is finite at any
temperature.

Shapes: J games, k players, T nodes in log t, Q nodes in q.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

CLAMP = 4.6  # of y: e^(-e^4.6) = 1e-43
BLOCK = 2**20  # elements (J, T, Q, k) worked on at once, three such tensors; 32 times as many on a GPU


class Quadrature(NamedTuple):
    """Nodes of the double integral; see `quadrature`."""

    step: float  # in log t
    low: float  # the first log t; the last is `high` - z of the weakest player
    high: float
    gap: float  # neighbours in z further apart than this act alike at any distance
    q: tuple[float, ...]
    weight: tuple[float, ...]  # of the q


@lru_cache(maxsize=64)
def quadrature(players: int, accuracy: float) -> Quadrature:
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
                return Quadrature(step, low, high, gap, tuple(q.tolist()), tuple(w.tolist()))
    raise AssertionError("no players")


class IntegrandBlock(NamedTuple):
    """The integrand of J games at all nodes."""

    games: slice
    s: Tensor  # (J, 1, k), less the largest of the game: values depend on differences
    load: Tensor  # (J, T, k), t w
    fading: Tensor  # (J, T, k), t w e^(-t w)
    used: Tensor  # (J, T, k), 1 - e^(-t w)
    q: Tensor  # (Q,)
    inverse: Tensor  # (J T, Q, k), 1 / D
    mass: Tensor  # (J T, Q), product of all D, times the weights of the nodes


def _blocks(similarity: Tensor, tau: float, accuracy: float) -> Iterator[IntegrandBlock]:
    """The games in blocks, so that memory stays bounded."""
    players = similarity.shape[1]
    rule = quadrature(players, max(accuracy, torch.finfo(similarity.dtype).eps))
    q, weight = (similarity.new_tensor(x) for x in (rule.q, rule.weight))
    s = similarity - similarity.amax(1, keepdim=True)
    z = close_gaps(s / tau, rule.gap)
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
        yield IntegrandBlock(games, s[games, None], load, fading, used, q, d.reciprocal_(), mass)


def close_gaps(z: Tensor, gap: float) -> Tensor:
    """Wide gaps between neighbours narrowed to `gap`, so that the nodes are few however far apart players lie."""
    if not (z.nan_to_num(0.0) < -gap).any():
        return z
    ranked, order = z.sort(1, descending=True)
    excess = F.pad(-ranked.diff(dim=1) - gap, (1, 0)).clamp_(min=0).cumsum(1)
    return torch.empty_like(z).scatter_(1, order, ranked + excess)


def exact_values(similarity: Tensor, tau: float, accuracy: float) -> Tensor:
    """All values (J, k): over the nodes, (1 - e^(-t w_i)) (s_i sum_q mass R / D_i - sum_q mass R^s / D_i)."""
    phi = similarity / similarity.shape[1]
    with torch.autocast(similarity.device.type, enabled=False):
        for b in _blocks(similarity, tau, accuracy):
            rates = torch.stack([b.fading, b.fading * b.s], -1).flatten(0, 1)  # (J T, k, 2)
            sums = torch.bmm(b.inverse, rates).mul_((b.mass * b.q)[..., None])  # (J T, Q, 2): sum r, sum r s
            of_one, of_all = torch.bmm(sums.mT, b.inverse).view(*b.used.shape[:2], 2, -1).unbind(2)
            phi[b.games] += b.used.mul(b.s * of_one - of_all).sum(1)
    return phi


def weighted_values(similarity: Tensor, weights: Tensor, tau: float, accuracy: float) -> tuple[Tensor, Tensor]:
    """V_j = sum_i c_ji phi_i(u_j) (J,) for weights c (J, k), and with it dV_j / ds_j (J, k).

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


class ExactValues(torch.autograd.Function):
    """Only the similarities are kept: the backward pass integrates anew."""

    @staticmethod
    def forward(ctx: Any, similarity: Tensor, tau: float, accuracy: float) -> Tensor:
        ctx.save_for_backward(similarity)
        ctx.rule = tau, accuracy
        return exact_values(similarity, tau, accuracy)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return weighted_values(ctx.saved_tensors[0], grad, *ctx.rule)[1], None, None


class ExactOwnValues(torch.autograd.Function):
    """Value together with its gradient: one value a game, so the derivative of all is one (k, k) matrix."""

    @staticmethod
    def forward(ctx: Any, similarity: Tensor, tau: float, accuracy: float) -> Tensor:
        own = torch.eye(len(similarity), dtype=similarity.dtype, device=similarity.device)
        value, gradient = weighted_values(similarity, own, tau, accuracy)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad[:, None] * ctx.saved_tensors[0], None, None
