"""Contrastive losses on a two-view problem whose answer is known: what each aligns, and how noisy it is.

    python benchmarks/alignment.py [--seeds 3] [--steps 400]

Two views of a hidden vector, each through a fixed random layer and noise; two small encoders learn to find the partner
among 500. Printed: retrieval on fresh pairs, similarity of own and other pairs, and the loss's standard deviation over
repeated draws on one batch (only the cyclic values draw) and over batches.
"""

from __future__ import annotations

import argparse
import statistics

import torch
import torch.nn.functional as F
from torch import nn

from openmie.nn.align.infonce import InfoNCE
from openmie.nn.align.shapley import Shapley

LOSSES = {
    "exact": Shapley(),
    "cyclic": Shapley(estimator="cyclic"),
    "exact, printed sum": Shapley(negatives="sum"),
    "cyclic, printed sum": Shapley(estimator="cyclic", negatives="sum"),
    "InfoNCE": InfoNCE(),
}
ROWS, HIDDEN, SEEN = 28, 16, 64  # the paper's batch; width of the hidden vector and of a view


class Views:
    """Pairs of noisy views of the same hidden vectors."""

    def __init__(self, seed: int, noise: float = 0.6) -> None:
        self.draw = torch.Generator().manual_seed(seed)
        self.maps = [self._normal(HIDDEN, SEEN) / 4 for _ in range(2)]
        self.noise = noise

    def _normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.draw)

    def __call__(self, n: int) -> list[torch.Tensor]:
        hidden = self._normal(n, HIDDEN)
        return [torch.tanh(hidden @ m) + self.noise * self._normal(n, SEEN) for m in self.maps]


def measure(name: str, seed: int, steps: int) -> dict[str, float]:
    torch.manual_seed(seed)
    views, loss = Views(seed), LOSSES[name]
    towers = nn.ModuleList(nn.Sequential(nn.Linear(SEEN, 128), nn.ReLU(), nn.Linear(128, 32)) for _ in range(2))
    optimizer = torch.optim.Adam(towers.parameters(), 1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(*(t(x) for t, x in zip(towers, views(ROWS)))).backward()
        optimizer.step()
    with torch.no_grad():
        a, b = (F.normalize(t(x), dim=1) for t, x in zip(towers, views(500)))
        similarity, own = a @ b.T, torch.eye(500, dtype=torch.bool)
        batch = [t(x) for t, x in zip(towers, views(ROWS))]
        draws = [loss(*batch).item() for _ in range(100)]
        batches = [loss(*(t(x) for t, x in zip(towers, views(ROWS)))).item() for _ in range(100)]
    return {
        "retrieval %": 100 * (similarity.argmax(1) == torch.arange(500)).float().mean().item(),
        "own": similarity[own].mean().item(),
        "other": similarity[~own].mean().item(),
        "sd over draws": statistics.pstdev(draws),
        "sd over batches": statistics.pstdev(batches),
        "|mean loss|": abs(statistics.mean(batches)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    asked = parser.parse_args()
    for name in LOSSES:
        found = [measure(name, seed, asked.steps) for seed in range(asked.seeds)]
        means = {k: round(statistics.mean(f[k] for f in found), 4) for k in found[0]}
        print(f"{name:20}", means, f"n={len(found)}", flush=True)
