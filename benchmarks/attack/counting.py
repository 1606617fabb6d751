"""Diorama's ceilings against a decoder that knows nothing of its tables: it counts, over generated posts.

What can be told apart about a post (words, scene, caption) is a key; for each key the answers are counted, and the most
frequent one (`argmax`) or all above half the score (`optimal`) are said. Counted on one half of the posts and scored on
the other, it can but fall short of the truth; counted and scored on the same posts it flatters itself. A ceiling must
lie between the two. Used by diorama_attack.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from openmie.data.document import Document
from openmie.diorama import Config, ceiling, generate

COLOURS = ("red", "blue", "green", "yellow")
SYMMETRIC = ("couple", "peer")
TASKS = ("ner", "re", "joint", "grounded", "regions")
SEES = (("text",), ("image",), ("caption",), ("text", "image"), ("text", "caption"), ("text", "image", "caption"))
RULES = ("argmax", "optimal")
NOTHING = None
Table = dict[Hashable, Counter[Hashable]]


class Item(NamedTuple):
    """One thing to answer: the post it belongs to, what is seen, a part of that to fall back on, the right answer."""

    post: int
    key: Hashable
    part: Hashable
    gold: Hashable


class Bracket(NamedTuple):
    """F1 in percent of the decoder and its standard error, counted elsewhere and counted here; and the ceiling."""

    low: float
    low_error: float
    high: float
    high_error: float
    computed: float


def nouns(posts: Sequence[Document]) -> dict[str, tuple[str, bool]]:
    """What each noun of a caption stands for, learnt from true captions and the scenes behind them."""
    out = {}
    for d in posts:
        if d.captions:
            said = d.captions["true"].removeprefix("a picture of ").split(" , with ")[0].split(" and ")
            for noun, figure in zip(said, d.source["scene"]["figures"]):
                out[noun] = (figure["type"], figure["young"])
    return out


def views(document: Document, meanings: dict[str, tuple[str, bool]]) -> dict[str, Any]:
    """All that the text, the image and the caption say."""
    s, words = document.source, document.word_texts()
    told = None if s["ambiguous"][0] else (tuple(s["types"]), s["relation"], s["head"])
    colour = next((w for w in words if w in COLOURS and "flag" in words), None)
    seen: Any = None
    fit = None
    if s["scene"]:
        seen = (tuple((f["type"], f["young"]) for f in s["scene"]["figures"]), s["scene"]["sign"])
        flags = s["scene"]["flags"]
        fit = (flags.index(colour) if colour in flags else -1) if colour and flags else None
    said: Any = None
    if document.captions:
        things, _, signs = document.captions["noisy"].removeprefix("a picture of ").partition(" , with ")
        said = (
            () if things == "some things" else tuple(meanings.get(t, t) for t in things.split(" and ")),
            frozenset(signs.split(" and ")),
        )
    return {
        "text": (told, s["cue"], s["left"] if s["cue"] == "position" else None),
        "image": seen,
        "caption": said,
        "fit": fit,
        "given": (s["names"], s["head"]),
    }


def items(posts: Sequence[Document], shown: Sequence[dict[str, Any]], task: str, sees: Sequence[str]) -> Iterator[Item]:
    """What there is to answer for a task."""
    for n, (document, view) in enumerate(zip(posts, shown)):
        if not document.mentions:
            continue
        names, head = view["given"]
        key = (
            names,
            head if task == "re" else None,
            *(view[s] for s in sees),
            view["fit"] if {"text", "image"} <= set(sees) else None,
        )
        part = (*key[:2], view["text"] if "text" in sees else None)
        for place, gold in enumerate(right(document, task)):
            yield Item(n, (place, key), (place, part), gold)


def right(document: Document, task: str) -> list[Hashable]:
    """The right answers of a post."""
    s = document.source
    types = [m.label for m in document.mentions]
    place = {r.of: i for i, r in enumerate(sorted(document.regions, key=lambda r: r.box[0]))}
    if task == "ner":
        return list(types)
    if task == "grounded":
        return [(m.label, place.get(m.id)) for m in document.mentions]
    if task == "regions":
        return [(f["type"], i) if document.regions else NOTHING for i, f in enumerate(s["scene"].get("figures", ()))]
    if not document.relations:
        return []
    label = document.relations[0].label
    if label == "None":
        return [NOTHING]
    return [label if task == "re" else (tuple(types), label, -1 if label in SYMMETRIC else s["head"])]


def sayable(answer: Hashable, task: str, sees: Sequence[str]) -> bool:
    if task in ("grounded", "regions") and isinstance(answer, tuple) and answer[1] is not None:
        return "image" in sees
    return answer is not NOTHING


def tables(found: Sequence[Item], asked: Sequence[Item] = (), weight: float = 2.0) -> Table:
    """Counts of answers for each key of `found`; or for each of `asked`, with those of its part to fall back on."""
    whole: Table = defaultdict(Counter)
    parts: Table = defaultdict(Counter)
    for item in found:
        whole[item.key][item.gold] += 1
        parts[item.part][item.gold] += 1
    if not asked:
        return whole
    out: Table = {}
    for item in asked:
        if item.key not in out:
            total = sum(parts[item.part].values())
            out[item.key] = Counter({a: weight * n / total for a, n in parts[item.part].items()})
            out[item.key].update(whole.get(item.key, {}))
    return out


def decisions(counts: Table, task: str, sees: Sequence[str], rule: str) -> dict[Any, set]:
    """What is said for each key."""
    can = {k: {a: n for a, n in c.items() if sayable(a, task, sees)} for k, c in counts.items()}
    if rule == "argmax":
        return {
            k: {max(c, key=c.__getitem__)} if c and max(c.values()) > counts[k][NOTHING] else set()
            for k, c in can.items()
        }
    total = {k: sum(c.values()) for k, c in counts.items()}
    gold = sum(total[k] - c[NOTHING] for k, c in counts.items())
    score, said = 0.0, {}
    for _ in range(50):
        said = {k: {a for a, n in c.items() if n > total[k] * score / 2} for k, c in can.items()}
        hits = sum(can[k][a] for k, answers in said.items() for a in answers)
        spoken = sum(total[k] * len(answers) for k, answers in said.items())
        risen = 2 * hits / (spoken + gold)
        if risen <= score:
            break
        score = risen
    return said


def score(found: Sequence[Item], said: dict[Any, set], posts: int) -> tuple[float, float]:
    """Micro F1 in percent, and its standard error over posts (delta method)."""
    hits, sizes = np.zeros(posts), np.zeros(posts)
    for post, key, _, gold in found:
        answers = said.get(key, ())
        hits[post] += gold in answers
        sizes[post] += len(answers) + (gold is not NOTHING)
    value = 2 * hits.sum() / max(sizes.sum(), 1)
    return 100 * value, 100 * float(np.sqrt(np.square(2 * hits - value * sizes).sum()) / max(sizes.sum(), 1))


def bracket(
    config: Config,
    posts: Sequence[Document],
    shown: Sequence[dict[str, Any]],
    task: str,
    sees: Sequence[str],
    rule: str,
) -> Bracket:
    """The decoder's two scores beside the ceiling. Each half is decoded by the counts of the other."""
    found = list(items(posts, shown, task, sees))
    halves = [[x for x in found if x.post % 2 == side] for side in (0, 1)]
    crossed = [
        score(half, decisions(tables(halves[1 - i], half), task, sees, rule), len(posts))
        for i, half in enumerate(halves)
    ]
    low, low_error = np.mean([c[0] for c in crossed]), np.hypot(crossed[0][1], crossed[1][1]) / 2
    high, high_error = score(found, decisions(tables(found), task, sees, rule), len(posts))
    return Bracket(
        float(low), float(low_error), high, high_error, ceiling(config, task=task, modalities=sees, rule=rule)
    )


def brackets(
    config: Config, n: int, sees: Sequence[Sequence[str]] = SEES, tasks: Sequence[str] = TASKS
) -> Iterator[tuple[str, Bracket]]:
    """Every task, view and rule that the config has anything for."""
    posts = list(generate(config, "test", n, pixels=False))
    meanings = nouns(posts)
    shown = [views(d, meanings) for d in posts]
    for task in tasks:
        if (task in ("re", "joint") and not config.two_names) or (task == "regions" and config.unrelated == 1):
            continue
        for seen in sees:
            for rule in RULES:
                yield f"{task}, {'+'.join(seen)}, {rule}", bracket(config, posts, shown, task, seen, rule)
