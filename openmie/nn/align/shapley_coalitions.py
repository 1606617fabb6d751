"""Shapley values by permutations (algorithm 1 of Shap-CA) and by enumeration of all coalitions.

The utility of a coalition S is u(S) = sum over i in S of p_i s_i, p = softmax of s / tau over S (eq. 4), u of nobody 0.
Shapes: J games, k players, P passes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def permutations(
    games: int, players: int, generator: torch.Generator | None, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Algorithm 1: where each player stands in the first pass (J, k), and how far the later passes are shifted (P,)."""
    offsets, stride = [0], players // 2
    while stride > 1:  # a shift by the last stride has no pass after it
        offsets.append(offsets[-1] + stride)
        stride //= 2
    first = torch.rand(games, players, generator=generator, device=device).argsort(1)
    return first, torch.tensor(offsets, device=device)


def cyclic_values(similarity: Tensor, tau: float, generator: torch.Generator | None) -> Tensor:
    """All values: the utility of every prefix of every pass, by doubling, then differences."""
    games, players = similarity.shape
    first, offsets = permutations(games, players, generator, similarity.device)
    places = (torch.arange(players, device=first.device) - offsets[:, None]) % players  # (P, k)
    queue = first.argsort(1)[:, places]  # (J, P, k): who stands where
    u = similarity[:, None].expand(queue.shape).gather(2, queue)
    z, ahead = u / tau, 1
    while ahead < players:
        z_new, u_new = join(z[..., :-ahead], u[..., :-ahead], z[..., ahead:], u[..., ahead:])
        z, u = torch.cat([z[..., :ahead], z_new], 2), torch.cat([u[..., :ahead], u_new], 2)
        ahead *= 2
    added = u - F.pad(u[..., :-1], (1, 0))  # (J, P, k)
    return added.gather(2, (first[:, None] + offsets[:, None]) % players).mean(1)


def cyclic_own_values(similarity: Tensor, tau: float, generator: torch.Generator | None) -> Tensor:
    """The diagonal alone: two coalitions a pass, those before the own player, without and with it."""
    games, players = similarity.shape
    first, offsets = permutations(games, players, generator, similarity.device)
    position = (first[:, None] + offsets[:, None]) % players  # (J, P, k)
    own = position.diagonal(dim1=0, dim2=2).T[..., None]  # (J, P, 1)
    outside = torch.stack([position > own, position >= own])  # (2, J, P, k)
    z = (similarity / tau)[:, None].masked_fill(outside, torch.finfo(similarity.dtype).min)
    with_own, without = utility(z, similarity[:, None])  # (J, P)
    return (with_own - without * (own[..., 0] > 0)).mean(1)


def enumerated_values(similarity: Tensor, tau: float) -> Tensor:
    """Eq. 3: u of all coalitions, bit i of whose number says whether i is in, times the weight of each in phi_i."""
    games, players = similarity.shape
    z, u = similarity.new_full((games, 1), -torch.inf), similarity.new_zeros(games, 1)
    for i in range(players):
        s = similarity[:, i : i + 1]
        z_new, u_new = join(z, u, s / tau, s)
        z, u = torch.cat([z, z_new], 1), torch.cat([u, u_new], 1)  # (J, 2^(i+1))
    member = torch.arange(2**players, device=u.device)[:, None] >> torch.arange(players, device=u.device) & 1
    others = member.sum(1, keepdim=True) - member  # (2^k, k)
    weight = u.new_tensor([1 / (players * math.comb(players - 1, n)) for n in range(players)] + [0.0])[others]
    return u @ (weight * (2 * member - 1))


def join(z: Tensor, u: Tensor, z_new: Tensor, u_new: Tensor) -> tuple[Tensor, Tensor]:
    """Log-weight and utility of two disjoint coalitions taken together."""
    return torch.logaddexp(z, z_new), u + (u_new - u) * torch.sigmoid(z_new - z)


def utility(z: Tensor, s: Tensor) -> Tensor:
    """Eq. 4 over the last dimension."""
    return (torch.softmax(z, -1) * s).sum(-1)
