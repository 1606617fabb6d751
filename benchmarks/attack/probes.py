"""What every attack on Diorama uses: models, held-out accuracy beside chance, independence, and the printed line."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from openmie.data.document import Document
from openmie.diorama import Config, generate

BAR = 3.5  # standard errors
Values = Sequence[Any]
FOUND: list[str] = []


def say(name: str, value: float, bar: float, error: float, kind: str = "judge") -> None:
    """One line. `value` must not exceed `bar` by more than BAR standard errors; a control must."""
    z = (value - bar) / error if error > 0 else 0.0 if value <= bar else np.inf
    verdict = {"judge": "LEAK" if z > BAR else "ok", "control": "shows" if z > BAR else "BLIND"}.get(kind, "fact")
    if verdict in ("LEAK", "BLIND"):
        FOUND.append(name)
    print(f"{name:<74}{value:8.2f} +-{1.96 * error:5.2f}{bar:8.2f}{z:8.1f}  {verdict}", flush=True)


def accuracy(name: str, model: Any, x: Any, y: Values, chance: float | None = None, kind: str = "judge") -> None:
    """Held-out accuracy in percent beside that of always saying what the training half says most; a paired error."""
    gold = np.array([str(v) for v in y])
    half = len(gold) // 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = (model.fit(x[:half], gold[:half]).predict(x[half:]) == gold[half:]).astype(float)
    usual = np.equal(gold[half:], Counter(gold[:half].tolist()).most_common(1)[0][0]).astype(float)
    bar, difference = (usual.mean(), right - usual) if chance is None else (chance, right)
    say(name, 100 * right.mean(), 100 * bar, 100 * difference.std() / np.sqrt(len(right)), kind)


def independent(name: str, pairs: Sequence[tuple[Any, Any]]) -> None:
    """Chi-squared of two columns in units that are about normal (Wilson and Hilferty); the bar is 0."""
    (rows, a), (columns, b) = (np.unique([str(p[i]) for p in pairs], return_inverse=True) for i in (0, 1))
    table = np.zeros((len(rows), len(columns)))
    np.add.at(table, (a, b), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    free = (len(rows) - 1) * (len(columns) - 1)
    statistic = (np.square(table - expected) / expected).sum()
    say(
        f"{name} (chi2 {statistic:.0f}, df {free})",
        (np.cbrt(statistic / free) - (1 - 2 / (9 * free))) / np.sqrt(2 / (9 * free)),
        0.0,
        1.0,
    )


def linear(c: float = 0.05) -> Any:
    return LogisticRegression(max_iter=150, C=c)


def boosted(leaves: int = 15) -> Any:
    return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=leaves, learning_rate=0.08, l2_regularization=5)


@lru_cache(4)
def posts(config: Config, n: int, split: str = "train") -> list[Document]:
    return list(generate(config, split, n, pixels=False))


def boxes(document: Document) -> np.ndarray:
    """(N, 4) of the candidate patches, in their order."""
    return np.array([i.box for i in document.images if i.kind == "patch"])
