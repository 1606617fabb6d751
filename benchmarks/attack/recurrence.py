"""Diorama under attack, the parts that ask of the whole corpus: captions, splits and seeds, and boxes without a look.

Each attack yields lines: what was measured, its value, what it must not exceed, a standard error, and how to judge it
(see diorama_attack.py, which prints them).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from attack.probes import boxes
from sklearn.ensemble import HistGradientBoostingClassifier

from openmie import metrics
from openmie.data.document import Document, Region
from openmie.diorama import Config, box_prior, ceiling, generate

SPLITS = ("train", "dev", "test")
AFFIXES = {"Lake", "Valley", "Falls", "Ltd", "Bank", "United", "Junior", "Lucky"}  # of long names: no made-up words
Line = tuple[str, float, float, float, str]
Box = tuple[float, float, float, float]


# ---- captions --------------------------------------------------------------------------------------------------------


def entropy(*columns: np.ndarray) -> float:
    """Bits of the columns together."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for c in columns:
        code = code * (int(c.max()) + 1) + c
    p = np.unique(code, return_counts=True)[1] / len(code)
    return float(-(p * np.log2(p)).sum())


def shared(name: str, rows: Sequence[tuple[object, object, object]], seed: int, kind: str = "judge") -> Line:
    """I(second; third | first) in millibits, less what shuffling within each stratum gives; the error is its spread."""
    codes = [np.unique([repr(r[i]) for r in rows], return_inverse=True)[1] for i in range(3)]
    order = np.argsort(codes[0], kind="stable")
    stratum, a, b = (c[order] for c in codes)
    rng = np.random.default_rng(seed)
    fixed = entropy(stratum, a) - entropy(stratum)

    def information(other: np.ndarray) -> float:
        return 1000 * (fixed + entropy(stratum, other) - entropy(stratum, a, other))

    mixed = [information(b[np.lexsort((rng.random(len(b)), stratum))]) for _ in range(60)]
    return name, information(b) - float(np.mean(mixed)), 0.0, float(np.std(mixed)), kind


def captions(seed: int, n: int) -> Iterator[Line]:
    """The noisy caption given the scene, against everything hidden; unrelated posts; the true one against the scene."""
    config = Config(seed=seed, two_names=0.6, ambiguous=1.0, in_order=0.5, translation=False)
    posts = list(generate(config, "train", n, pixels=False))
    scenes = [
        ([(f["type"], f["young"]) for f in d.source["scene"]["figures"]], d.source["scene"]["sign"]) for d in posts
    ]
    said = [re.sub(r"\b(a|an|and|with|of|picture|big|the)\b", "", d.captions["noisy"]).split()[:3] for d in posts]
    hidden: dict[str, Callable[[Document], Hashable]] = {
        "types": lambda d: tuple(d.source["types"]),
        "relation": lambda d: d.source["relation"],
        "which name stands left": lambda d: (d.source["names"], d.source["left"]),
        "the head": lambda d: (d.source["names"], d.source["head"]),
        "unrelated": lambda d: d.source["unrelated"],
        "the cue": lambda d: (d.source["names"], d.source["cue"]),
        "the flags": lambda d: tuple(d.source["scene"]["flags"]),
    }
    for name, of in hidden.items():
        yield shared(
            f"caption, noisy, given the scene: {name}, millibits (n={n})",
            [(s, c, of(d)) for s, c, d in zip(scenes, said, posts)],
            seed,
        )
    lost = [(d.source["names"], c, tuple(d.source["types"])) for c, d in zip(said, posts) if d.source["unrelated"]]
    yield shared(f"caption, noisy, unrelated image: types, millibits (n={len(lost)})", lost, seed)
    told = [(0, c, tuple(d.source["types"])) for c, d in zip(said, posts)]
    yield shared("control: caption, noisy, scene not given: types, millibits", told, seed, "control")
    wrong = sum(not says(d) for d in posts)
    yield "caption, true: posts where it is not the image's things", wrong, 0, 0, "judge"


def says(document: Document) -> bool:
    """Whether the true caption has one noun for each figure, the young as young, and a sign where there is one."""
    things, _, signs = document.captions["true"].removeprefix("a picture of ").partition(" , with ")
    said, scene = things.split(" and "), document.source["scene"]
    words = {"worker": "helmet", "office": "office"}
    named = [
        x in ("a child", "a small copy") if f["young"] else words.get(f["kind"], f["kind"]) in x.split()
        for f, x in zip(scene["figures"], said)
    ]
    return all(named) and len(said) == len(scene["figures"]) and bool(signs) == bool(scene["sign"])


# ---- splits and seeds ------------------------------------------------------------------------------------------------


def splits(seed: int, n: int) -> Iterator[Line]:
    """What recurs between splits and seeds, and whether more posts begin with fewer."""
    config = Config(seed=seed, translation=False)
    other = replace(config, seed=seed + 1)
    made = {(c.seed, s): list(generate(c, s, n, pixels=False)) for c in (config, other) for s in SPLITS}
    names = {k: {w for d in posts for m in d.mentions for w in m.text.split()} - AFFIXES for k, posts in made.items()}
    texts = {k: {d.text for d in posts} for k, posts in made.items()}
    for a, b in combinations(made, 2):
        if a[1] != b[1]:
            where = f"{a[1]}/{a[0]} and {b[1]}/{b[0]}"
            sizes = f"{len(names[a])}, {len(names[b])}"
            yield f"splits, names in {where} ({sizes})", len(names[a] & names[b]), 0, 0, "judge"
            yield f"splits, texts in {where}", len(texts[a] & texts[b]), 0, 0, "judge"
    first, test = (seed, "train"), (seed, "test")
    yield "splits, test texts that are there twice, percent", 100 * (1 - len(texts[test]) / n), 0, 0, "fact"
    for key in ((seed + 1, "train"), test):
        yield shared(
            f"splits, same index, {first} and {key}: facts, millibits",
            [(0, facts(a), facts(b)) for a, b in zip(made[first], made[key])],
            seed,
        )
    yield "splits, posts that differ when more are made", prefix(config), 0, 0, "judge"
    pure = Config(seed=seed, noise=0, size=64)
    seen = Counter(
        i.pixels.tobytes()
        for s in SPLITS
        for c in (pure, replace(pure, seed=seed + 1))
        for d in generate(c, s, 120)
        for i in d.images
        if i.pixels is not None
    )
    yield f"splits, images there twice, no noise, of {seen.total()}", seen.total() - len(seen), 0, 0, "judge"


def facts(document: Document) -> Hashable:
    return document.mentions[0].label, document.source["ambiguous"][0], document.source["unrelated"]


def prefix(config: Config) -> int:
    """Posts of 40 that differ from the first of 80."""

    def same(a: Document, b: Document) -> bool:
        pixels = all(np.array_equal(x.pixels, y.pixels) for x, y in zip(a.images, b.images) if x.pixels is not None)
        return pixels and a.to_json() == b.to_json()

    return sum(not same(a, b) for a, b in zip(generate(config, "dev", 40), generate(config, "dev", 80)))


# ---- boxes without a look at pixels ----------------------------------------------------------------------------------


def describe(box: np.ndarray, size: int) -> np.ndarray:
    """(N, 9): place and size of each box, its ranks, and how it stands to the largest other."""
    wh, centre = (box[:, 2:] - box[:, :2]) / size, (box[:, 2:] + box[:, :2]) / 2 / size
    area = wh.prod(axis=1)
    rank = np.argsort(np.argsort(-area))
    far = np.abs(centre - 0.5).max(axis=1)
    return np.column_stack([centre, wh, area, rank, np.argsort(np.argsort(far)), np.full(len(box), len(box)), far])


def pickers(train: Sequence[Document]) -> dict[str, Callable[[Document], Box]]:
    """Ways to choose a patch by boxes alone, the last one learnt."""
    shown = [d for d in train if len(d.regions) == 1]
    x = np.concatenate([describe(boxes(d), 128) for d in shown])
    gold = [int(np.abs(boxes(d) - np.array(d.regions[0].box)).sum(axis=1).argmin()) for d in shown]
    y = np.concatenate([np.arange(len(boxes(d))) == g for d, g in zip(shown, gold)])
    model = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.1).fit(x, y)

    def by(score: Callable[[Document], np.ndarray]) -> Callable[[Document], Box]:
        return lambda d: tuple(boxes(d)[int(score(d).argmax())])

    return {
        "first patch": by(lambda d: -np.arange(len(boxes(d)))),
        "biggest patch": by(lambda d: describe(boxes(d), 128)[:, 4]),
        "most central patch": by(lambda d: -describe(boxes(d), 128)[:, 8]),
        "patch by boosted geometry": by(lambda d: model.predict_proba(describe(boxes(d), 128))[:, 1]),
        "centre box": lambda d: (32.0, 38.0, 96.0, 102.0),
    }


def hit(a: Box, b: Box) -> bool:
    """IoU above one half."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both > 0.5 * ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def grounding(seed: int, n: int) -> Iterator[Line]:
    """Baselines that look at no pixel, by hits on gold boxes of one-name posts, and by F1 beside the ceilings."""
    config = Config(seed=seed, translation=False)
    train, test = (list(generate(config, s, n, pixels=False)) for s in ("train", "test"))
    ways = pickers(train)
    shown = [d for d in test if len(d.regions) == 1]
    chance = [np.mean([hit(tuple(p), d.regions[0].box) for p in boxes(d)]) for d in shown]
    priors = {d.id: d for d in box_prior(train, test)}
    for name, way in {**ways, "box prior": lambda d: priors[d.id].regions[0].box}.items():
        hits = np.array([hit(way(d), d.regions[0].box) for d in shown], dtype=float)
        yield (
            f"boxes, {name}: hits beside a random patch's (n={len(hits)})",
            100 * hits.mean(),
            100 * np.mean(chance),
            100 * hits.std() / len(hits) ** 0.5,
            "fact",
        )
    open_ = replace(config, unrelated=0.0)
    open_train, open_test = (list(generate(open_, s, n, pixels=False)) for s in ("train", "test"))
    for name, c, a, b in (("default", config, train, test), ("unrelated=0", open_, open_train, open_test)):
        guessed = [blind(d) for d in box_prior(a, b)]
        typed = list(typed_prior(a, b))
        for what, predicted in (
            ("box prior", guessed),
            ("no box", [d.replace(regions=()) for d in guessed]),
            ("box prior of the type, told names only", typed),
        ):
            f1 = metrics.grounded(b, predicted).f1
            for sees in (("text",), ("text", "image")):
                limit = ceiling(c, task="grounded", modalities=sees, rule="optimal")
                beside = f"types by text, {what}, beside optimal({'+'.join(sees)})"
                yield f"grounded F1, {name}, {beside}", f1, limit, (f1 * (100 - f1) / n) ** 0.5, "fact"


def typed_prior(train: Sequence[Document], test: Sequence[Document]) -> Iterator[Document]:
    """As `blind`, with a box prior for each type, and no answer at all where the text tells no type."""
    guesses: dict[str, Document] = {}
    for type_ in sorted({m.label for d in train for m in d.mentions}):
        of = [d.replace(regions=tuple(r for r in d.regions if r.label == type_)) for d in train]
        for d in box_prior(of, test):
            kept = guesses.get(d.id, d.replace(regions=()))
            guesses[d.id] = kept.replace(regions=(*kept.regions, *(r for r in d.regions if r.label == type_)))
    for d in test:
        if d.source["ambiguous"][0]:
            yield d.replace(mentions=(), relations=(), regions=())
        else:
            yield guesses[d.id]


def blind(document: Document) -> Document:
    """As a text-only system would type: right where the text tells, a person elsewhere."""
    dark = document.source["ambiguous"][0]
    mentions = tuple(m.model_copy(update={"label": "PER"}) if dark else m for m in document.mentions)
    regions = tuple(
        Region(image=r.image, box=r.box, label=m.label, of=m.id)
        for m in mentions
        for r in document.regions
        if r.of == m.id
    )
    return document.replace(mentions=mentions, regions=regions)
