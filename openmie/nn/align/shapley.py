"""The Shapley alignment of Shap-CA (Luo et al., 2024): eq. 3 to 7, algorithm 1, and exact values in its place.

In game j the k players i are the rows of the other modality, s_i their similarity to row j. The utility of a coalition
S is u(S) = sum over i in S of p_i s_i, p = softmax of s / tau over S (eq. 4), u of nobody 0; phi_i is what i adds to u,
the mean over all coalitions without i (eq. 3). The k values of a game sum to u(K), so only
the own pair's is computed.

Shapes: J games, k players. All in float32 at least, also under autocast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from openmie.errors import RecipeError
from openmie.nn.align.shapley_coalitions import cyclic_own_values, cyclic_values, enumerated_values, utility
from openmie.nn.align.shapley_integral import ExactOwnValues, ExactValues
from openmie.nn.limits import Positive

Estimator = Literal["exact", "cyclic", "enumerate"]
ESTIMATORS: tuple[str, ...] = get_args(Estimator)
MOST_ENUMERATED = 16  # players: 2^16 coalitions a game


@dataclass(frozen=True, kw_only=True)
class Shapley:
    """The contrastive loss on Shapley values, a config as `InfoNCE` is; players are the rows of the second modality.

    `sum` is eq. 5: -mean over j of [phi_j(u_j) - sum_(i != j) phi_i(u_j)]. It collapses: k - 1 negatives against one
    positive are least when every similarity is -1, own pairs too. `mean` divides the negatives by k - 1 and does not.

    Args:
        tau: temperature of eq. 4; the paper does not print it.
        estimator: `exact`; `cyclic`, algorithm 1 of the paper; or `enumerate`, all coalitions of at most 16 rows.
        negatives: `mean` (ours) or `sum`, as printed.
        symmetric: average both directions (eq. 6); False: only from the first modality to the second.
        accuracy: absolute error of the exact values, 1e-12 to 0.1.
    """

    tau: Positive = 0.1
    estimator: Estimator = "exact"
    negatives: Literal["mean", "sum"] = "mean"
    symmetric: bool = True
    accuracy: Annotated[float, Field(ge=1e-12, le=0.1)] = 1e-4

    def __call__(
        self, a: Tensor, b: Tensor, progress: float | Tensor = 1.0, same_image: Tensor | None = None
    ) -> Tensor:
        """a, b (B, D), row i of a belongs to row i of b -> scalar; with fewer than two rows there is no negative: 0.

        `same_image` (B, B), symmetric and False on the diagonal: players left out of a row's game.
        """
        if len(a) < 2:
            return (a.sum() + b.sum()) * 0.0
        with torch.autocast(a.device.type, enabled=False):
            a, b = (F.normalize(_wide(x), dim=-1, eps=1e-6) for x in (a, b))
            similarity = a @ b.T  # (B, B), cosine
            loss = self.direction(similarity, same_image)
            return (loss + self.direction(similarity.T, same_image)) / 2 if self.symmetric else loss

    def direction(self, similarity: Tensor, same_image: Tensor | None = None) -> Tensor:
        """Eq. 5 of one direction: (k, k), a game a row -> scalar."""
        if same_image is not None:
            games = played_games(~same_image)
            return -torch.cat([self.smaller_games(similarity, *game) for game in games]).sum() / len(similarity)
        own = own_values(similarity, self.tau, estimator=self.estimator, accuracy=self.accuracy)
        others = utility(similarity / self.tau, similarity) - own  # sum_(i != j) phi_i(u_j), as all sum to u_j(K)
        return -(own - (others / (len(own) - 1) if self.negatives == "mean" else others)).mean()

    def smaller_games(self, similarity: Tensor, rows: Tensor, players: Tensor) -> Tensor:
        """The bracket of eq. 5 of games without some players: rows (J,), players (J, n) -> (J,); 0 if n is 1."""
        s = similarity[rows].gather(1, players)  # (J, n)
        if s.shape[1] < 2:
            return s.sum(1) * 0.0
        values = shapley_values(s, self.tau, estimator=self.estimator, accuracy=self.accuracy)
        own = values[players == rows[:, None]]
        others = utility(s / self.tau, s) - own
        return own - (others / (s.shape[1] - 1) if self.negatives == "mean" else others)

    @property
    def warmup_steps(self) -> int:
        """0: the whole loss counts from the first step."""
        return 0

    def diagnostics(self, a: Tensor, b: Tensor, same_image: Tensor | None = None) -> dict[str, Tensor]:
        """None of its own."""
        return {}


def played_games(plays: Tensor) -> list[tuple[Tensor, Tensor]]:
    """plays (k, k) bool, a game a row -> games of one number of players n each: which rows (J,), who plays (J, n)."""
    counts = plays.sum(1)
    found = [(counts == n).nonzero()[:, 0] for n in counts.unique().tolist()]
    return [(rows, plays[rows].nonzero()[:, 1].view(len(rows), -1)) for rows in found]


def shapley_values(
    similarity: Tensor,
    temperature: float,
    *,
    estimator: str = "exact",
    generator: torch.Generator | None = None,
    accuracy: float = 1e-8,
) -> Tensor:
    """Shapley values of the players of each game, eq. 3 and 4 of Shap-CA (Luo et al., 2024); differentiable once.

    Args:
        similarity: (J, k), a game a row: the similarity of each player to the game's row.
        temperature: tau of eq. 4, above 0.
        estimator: "exact", to `accuracy`, by the integral of `shapley_integral`; "cyclic", algorithm 1 of the paper:
            unbiased, one permutation a game, stride k // 2 halved, the mean over passes; "enumerate", all 2^k
            coalitions, for at most 16 players.
        generator: Of the permutations of "cyclic"; default: torch's own.
        accuracy: Of "exact", an absolute error for similarities in [-1, 1] (in general a share of half a row's spread);
            float32 gives no more than about 1e-6.

    Returns:
        phi (J, k), phi[j, i] = phi_i(u_j), in float32 at least; a row sums to the utility of all its players.

    Raises:
        RecipeError: A temperature, estimator or accuracy out of range, a similarity that is not (J, k), or more than 16
            players to enumerate.
    """
    similarity = _checked(similarity, temperature, estimator, accuracy)
    if similarity.numel() == 0:
        return similarity.clone()
    if estimator == "exact":
        return ExactValues.apply(similarity, temperature, accuracy)
    with torch.autocast(similarity.device.type, enabled=False):
        if estimator == "cyclic":
            return cyclic_values(similarity, temperature, generator)
        return enumerated_values(similarity, temperature)


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
        return ExactOwnValues.apply(similarity, temperature, accuracy)
    if estimator == "cyclic":
        return cyclic_own_values(similarity, temperature, generator)
    return shapley_values(similarity, temperature, estimator=estimator).diagonal()


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
        raise RecipeError.unknown("estimator", estimator, ESTIMATORS)
    if not 1e-12 <= accuracy <= 0.1:
        raise RecipeError(f"accuracy {accuracy}", expected="from 1e-12 to 0.1", remedy="1e-4 does for training")
