"""Diorama's images without its words: with the figures erased, unrelated, and whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from attack.probes import accuracy, boosted, linear
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from openmie.diorama import Config, ceiling
from openmie.diorama.drawing.render import render
from openmie.diorama.posts.posts import sample_post
from openmie.diorama.rng import RandomStream


def small(pixels: np.ndarray, side: int = 16) -> np.ndarray:
    """Pooled colours, and the mean, spread and finest grain of each channel."""
    size, step = len(pixels), len(pixels) // side
    x = pixels.astype(np.float32)
    grain = np.abs(np.diff(x, axis=1)).mean((0, 1)), np.abs(np.diff(x, axis=0)).mean((0, 1))
    pooled = x.reshape(side, step, side, step, 3).mean((1, 3)).ravel() / 64
    return np.concatenate([pooled, x.mean((0, 1)) / 64, x.reshape(size * size, 3).std(0) / 64, *grain])


def pictures(config: Config, n: int, bare: bool) -> tuple[np.ndarray, list[Any], np.ndarray]:
    """(n, D) pixel features, facts, and (n, E) numbers of the surroundings; `bare` leaves figures and sign out."""
    rows, facts_, around = [], [], []
    for i in range(n):
        facts, layout, _ = sample_post(config, "train", i)
        drawn = replace(layout, figures=(), flags=(), sign="") if bare else layout
        rows.append(small(render(drawn, 64, config.noise, RandomStream(config.seed, 77, i))))
        small_things = sorted(layout.distractors, key=lambda p: p.box)
        spots = [*(v for p in small_things for v in p.box), *[0] * 16][:16]
        poles = [v for p in layout.figures for v in p.cell]
        around.append(
            [
                layout.horizon,
                *layout.sky,
                *layout.ground,
                len(small_things),
                *layout.sign_at,
                *spots,
                *(poles + [0] * 4)[:4],
            ]
        )
        facts_.append(facts)
    return np.array(rows), facts_, np.array(around, dtype=float)


def seeing() -> Any:
    return make_pipeline(StandardScaler(), PCA(60, random_state=0), linear(0.01))


def attack_image(seed: int, scale: float) -> None:
    """From scenes whose figures and signs are not drawn; then from whole ones, beside the image ceiling."""
    n = int(3600 * scale)
    one = Config(seed=seed, two_names=0.0, unrelated=0.0, translation=False)
    two = replace(one, two_names=1.0)
    mixed = replace(one, unrelated=0.5)
    for name, config, of in (
        ("type, one name", one, lambda f: f.types[0]),
        ("type of the left of two", two, lambda f: f.types[f.left]),
        ("None or a relation", two, lambda f: f.relation == "None"),
        ("head stands left", two, lambda f: f.head == f.left),
        ("unrelated", mixed, lambda f: bool(f.image)),
    ):
        x, facts, around = pictures(config, n, bare=True)
        y = [of(f) for f in facts]
        accuracy(f"image, figures erased, linear: {name} (n={n})", seeing(), x, y)
        accuracy(f"image, figures erased, boosted on surroundings: {name}", boosted(), around, y)
    x, facts, _ = pictures(one, n, bare=False)
    accuracy("control, whole image, linear: type", seeing(), x, [f.types[0] for f in facts], kind="control")
    strangers = replace(one, unrelated=1.0)
    x, facts, _ = pictures(strangers, n, bare=False)
    accuracy("image, whole but unrelated: type of the name", seeing(), x, [f.types[0] for f in facts])
    default = replace(one, unrelated=1 / 3)
    x, facts, _ = pictures(default, 2 * n, bare=False)
    limit = ceiling(default, task="ner", modalities=("image",)) / 100
    accuracy(
        "image, whole, without text, boosted: type, beside ceiling(image)",
        make_pipeline(PCA(60, random_state=0), boosted(31)),
        x,
        [f.types[0] for f in facts],
        limit,
    )
