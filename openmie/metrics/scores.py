"""Scores: what every metric returns, in percent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scores:
    """Precision, recall and F1 in percent from counts; zero where undefined."""

    correct: float = 0  # a whole number, except in measures of chains, where a share can be right
    predicted: int = 0
    gold: int = 0
    by_label: Mapping[str, Scores] = field(default_factory=dict)
    interval: tuple[float, float] | None = None  # bootstrap confidence interval of F1 over documents, percent
    accuracy: float | None = None  # relations: over all given pairs, None included

    @property
    def precision(self) -> float:
        return 100.0 * self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return 100.0 * self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        total = self.predicted + self.gold
        return 200.0 * self.correct / total if total else 0.0

    @property
    def macro_f1(self) -> float:
        return sum(s.f1 for s in self.by_label.values()) / len(self.by_label) if self.by_label else 0.0
