"""Vectors in space: t-SNE for the eye, and numbers of how well types part, by scikit-learn. M points of width D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from openmie.errors import CorpusError, ModelError, OpenMIEError

LEAST = 4  # points that three dimensions of t-SNE need
NEIGHBOURS = 5
PERPLEXITY = 30.0
PACKAGES = {"plotly": "plotly", "sklearn": "scikit-learn"}  # module -> its package


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How well types part among vectors; None where there is only one type."""

    silhouette: float | None  # mean of (b - a) / max(a, b), Euclidean, from -1 to 1 (Rousseeuw 1987)
    accuracy: float | None  # percent of the points whose type the vote of their nearest neighbours names
    commonest: float  # percent of the commonest type: what answering it always would reach
    right: np.ndarray  # (M,) bool: whether the vote names the type


def separation(vectors: np.ndarray, labels: Sequence[str] | np.ndarray, neighbours: int = NEIGHBOURS) -> Separation:
    """Silhouette and leave-one-out vote of the nearest neighbours, on vectors (M, D) of at least two points.

    Of types with as many votes the one with the nearest voter wins. The vote of a type all of whose points lie alone
    is wrong; a model without any idea of types reaches about the share of the commonest.
    """
    needed()
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    names, ids, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    n, k = len(ids), min(neighbours, len(ids) - 1)
    near = NearestNeighbors(n_neighbors=k).fit(vectors).kneighbors(return_distance=False)  # (M, k), without itself
    weight = 1 + 2.0 ** -np.arange(10, 10 + k)  # votes count alike; the rest only breaks ties, and has none itself
    votes = np.zeros((n, len(names)))
    np.add.at(votes, (np.arange(n)[:, None], ids[near]), weight)
    right = votes.argmax(1) == ids
    several = len(names) > 1
    return Separation(
        silhouette=float(silhouette_score(vectors, ids)) if several and len(names) < n else None,
        accuracy=100 * float(right.mean()) if several else None,
        commonest=100 * float(counts.max()) / n,
        right=right,
    )


def perplexity(n: int) -> float:
    """30, or for few points a third of a point's neighbours."""
    return min(PERPLEXITY, (n - 1) / 3)


def project(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE (M, D) -> (M, 3), from the principal components; equal input and seed give the same bits on one machine.

    On one thread: sums over threads differ from run to run. Errors: fewer than 4 points, vectors that are not finite,
    or all the same.
    """
    needed()
    n = len(vectors)
    if n < LEAST:
        raise CorpusError(
            f"{n} located gold {'mention' if n == 1 else 'mentions'}",
            expected=f"at least {LEAST} to draw",
            remedy="name a split with more gold mentions, with --corpus and --split, or raise --max-entities",
        )
    if not np.isfinite(vectors).all() or (vectors == vectors[0]).all():
        raise ModelError(
            "vectors that are not finite" if not np.isfinite(vectors).all() else f"{n} vectors that are all the same",
            expected="vectors that differ",
            remedy="the training has diverged or collapsed: train the model anew",
        )
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        tsne = TSNE(n_components=3, perplexity=perplexity(n), init="pca", random_state=seed)
        return tsne.fit_transform(np.ascontiguousarray(vectors, dtype=np.float32))


def needed() -> None:
    """Error: a package of the extra `plots` is missing."""
    if missing := [package for module, package in PACKAGES.items() if find_spec(module) is None]:
        raise OpenMIEError(
            f"no package {' and no '.join(missing)}",
            expected="what draws the picture",
            remedy="pip install 'openmie[plots]'",
        )
