"""Implicit positives on toys whose answer is known: does a text gain by images that it chose itself?

    python benchmarks/implicit_positives.py [--seeds 3] [--steps 400]

Text and image are noisy views of a hidden vector, each through a fixed random layer; two small encoders learn from
batches of 28. Four problems: `pairs`, each thing its own; `mismatched`, a third of the training images are of other
things; `classes`, the hidden vector is one of 10 with a little of its own, so that several images of a batch fit a
text, and noisier; `both`, classes of which a third is mismatched, the paper's premise. Printed, on 500 fresh pairs that
belong together: the share of texts whose nearest image is their own, in `classes` and `both` of their class, mean and
standard deviation over seeds in percent; the difference from `own only` seed by seed, likewise; the mean K at the end.
"""

from __future__ import annotations

import argparse
import statistics

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.align.topk import TopK

LOSSES = {
    "own only": TopK(topk_weight=0.0),
    **{f"K = {k}": TopK(k=k) for k in range(1, 7)},
    "K = 3, warm-up": TopK(warmup_steps=200),
    "adaptive": TopK(k="adaptive"),
    "K = 3 alone": TopK(pair_weight=0.0),
    "adaptive alone": TopK(k="adaptive", pair_weight=0.0),
    "as released": TopK(as_released=True, anchor="image", tau=0.5),
    "as released, tau 0.1": TopK(as_released=True, anchor="image"),
}
PROBLEMS = {  # classes or not; share of odd images; noise of a view
    "pairs": (False, 0.0, 0.6),
    "mismatched": (False, 1 / 3, 0.6),
    "classes": (True, 0.0, 2.0),
    "both": (True, 1 / 3, 2.0),
}
ROWS, HIDDEN, SEEN, CLASSES = 28, 16, 64, 10  # batch; widths of the hidden vector and of a view; classes


class Pairs:
    """Views of a text and of its image; a share `odd` of the images are of another thing."""

    def __init__(self, seed: int, classes: bool, noise: float) -> None:
        self.draw = torch.Generator().manual_seed(seed)
        self.maps = [self._normal(HIDDEN, SEEN) / 4 for _ in range(2)]
        self.centres, self.noise = self._normal(CLASSES, HIDDEN) if classes else None, noise

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.draw)

    def _things(self, n: int) -> tuple[Tensor, Tensor]:
        """(n, HIDDEN) vectors, and what they are: a class, or only themselves."""
        if self.centres is None:
            return self._normal(n, HIDDEN), torch.arange(n)
        kind = torch.randint(0, CLASSES, (n,), generator=self.draw)
        return self.centres[kind] + 0.3 * self._normal(n, HIDDEN), kind

    def __call__(self, n: int, odd: float = 0.0) -> tuple[list[Tensor], Tensor]:
        hidden, kind = self._things(n)
        swap = torch.rand(n, 1, generator=self.draw) < odd
        shown = torch.where(swap, self._things(n)[0], hidden)
        views = [torch.tanh(h @ m) for h, m in zip((hidden, shown), self.maps)]
        return [v + self.noise * self._normal(n, SEEN) for v in views], kind


def measure(loss: TopK, problem: str, seed: int, steps: int) -> tuple[float, float]:
    """Percent of fresh texts that find their own (their class), and the mean K of a last batch."""
    torch.manual_seed(seed)
    classes, odd, noise = PROBLEMS[problem]
    pairs = Pairs(seed, classes, noise)
    towers = nn.ModuleList(nn.Sequential(nn.Linear(SEEN, 128), nn.ReLU(), nn.Linear(128, 32)) for _ in range(2))
    optimizer = torch.optim.Adam(towers.parameters(), 1e-3)
    for step in range(steps):
        optimizer.zero_grad()
        a, b = (t(x) for t, x in zip(towers, pairs(ROWS, odd)[0]))
        loss(a, b, min(1.0, step / loss.warmup_steps) if loss.warmup_steps else 1.0).backward()
        optimizer.step()
    with torch.no_grad():
        views, kind = pairs(500)
        a, b = (F.normalize(t(x), dim=1) for t, x in zip(towers, views))
        found = (kind[(a @ b.T).argmax(1)] == kind).float().mean().item()
        last = loss.diagnostics(*(t(x) for t, x in zip(towers, pairs(ROWS, odd)[0])))["k"].item()
    return 100 * found, last


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    asked = parser.parse_args()
    print(f"{'':22}", *(f"{p:>28}" for p in PROBLEMS), f"  n={asked.seeds}")
    alone: dict[str, tuple[float, ...]] = {}
    for name, loss in LOSSES.items():
        cells = []
        for problem in PROBLEMS:
            found, k = zip(*(measure(loss, problem, seed, asked.steps) for seed in range(asked.seeds)))
            more = [x - y for x, y in zip(found, alone.setdefault(problem, found))]
            cells.append(
                f"{statistics.mean(found):.1f} ({statistics.pstdev(found):.1f})"
                f" {statistics.mean(more):+.1f} ({statistics.pstdev(more):.1f}) K {statistics.mean(k):4.1f}"
            )
        print(f"{name:22}", *(f"{c:>28}" for c in cells), flush=True)
