"""The best score that any system can expect on Diorama's documents, by enumeration of `biography`'s laws.

What a sentence and its frame are is drawn on its own, so expected counts are sums over sentences, and the posterior of
what a sentence leaves open depends on that sentence and its frame alone. Nothing is sampled. Tasks:

* `ner`: type of each mention. The text tells all but the types of the names of ambiguous sentences, which count as
  often as they are mentioned: in their sentence, in its words on left and right, in the look back at the end.
* `chains`: mean of MUC, B3 and CEAF over spans, chains of one included: told by the text alone, so 100.
* `relations`: label and, unless the relation is symmetric, direction between chains, over all relations of a document;
  `frame_relations`: over those of ambiguous pairs alone (`told_by`), whose relation, or that there is none, only the
  frame tells.
* `regions`: box and label of each figure that belongs to a chain, also in documents without text, whose regions
  remain; `links`: box, label and chain, in documents with both sides.

`types`, beside the text: those of all chains are given, as they are where relations are asked for between gold chains;
two types rule most relations out, and a person beside a company can only be a member.

What is taken for granted: names are recognised as such, so spans cost nothing; a figure, its box and its sign are read
without error; the frame of a sentence is known (by its time, and by the colour of its flag where the text says that).
Without "text" among what is seen nothing of the text can be found, without "image" no box.
`argmax` is no upper bound where nothing is an answer (relations, regions, links): only `optimal` is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from functools import lru_cache

import numpy as np

from openmie.diorama.ceilings.decision_rules import TIE, Weights
from openmie.diorama.config import Config
from openmie.diorama.documents import distributions as biography
from openmie.diorama.documents import transcripts
from openmie.diorama.documents.distributions import CLEAR, Told
from openmie.diorama.posts.distributions import Scene

TASKS = ("ner", "chains", "relations", "frame_relations", "regions", "links")
SEES = ("text", "image", "types")
Tables = dict[Hashable, dict[Hashable, float]]  # what is seen of an item -> answer, None for nothing -> weight
Counts = dict[tuple[int, int, int], float]  # (things that can be looked back at, names of `one`, of `two`) -> chance


def weights(config: Config, task: str, seen: frozenset[str]) -> Weights:
    """Expected per document: of what a task asks for, and of what the text tells for certain."""
    sides = dict(biography.sides(config))
    text = sides.get("both", 0.0) + sides.get("text", 0.0)
    sure = {"ner": sure_mentions, "chains": lambda _: 1.0, "relations": sure_relations}.get(task, lambda _: 0.0)(config)
    tables: Tables = defaultdict(lambda: defaultdict(float))
    if task != "chains":
        for told, p in biography.told(config):
            for side, share in sides.items():
                for related, scene, q in _shown(config, told, side):
                    _add(tables, config, task, seen, (told, side, related, scene), p * q * share * frames(config))
    answerable = "text" in seen if task not in ("regions", "links") else "image" in seen
    if task == "links":
        answerable = {"text", "image"} <= seen
    return _weights(tables, sure * text, answerable)


def _shown(config: Config, told: Told, side: str) -> Iterator[tuple[bool, Scene | None, float]]:
    return iter([(False, None, 1.0)]) if side == "text" else biography.shows(config, told)


def _add(
    tables: Tables,
    config: Config,
    task: str,
    seen: frozenset[str],
    world: tuple[Told, str, bool, Scene | None],
    p: float,
) -> None:
    """Put each item of a sentence and its frame where it is seen."""
    told, side, related, scene = world
    key = (_read(told), told.types if "types" in seen else ()) if "text" in seen and side != "frames" else None
    view = (key, scene if "image" in seen else None)
    for i, answer, n in _items(config, task, told, side, related, scene):
        tables[i, view][answer] += p * n


def _read(told: Told) -> Hashable:
    """What the text tells of its frame."""
    if told.kind in ("one", "life"):
        return told.kind
    return told.kind, told.left if told.cue else -1, told.head if told.kind in CLEAR else -1


def _items(
    config: Config, task: str, told: Told, side: str, related: bool, scene: Scene | None
) -> Iterator[tuple[int, Hashable, float]]:
    """Which item of the sentence, its right answer, None for nothing, and how often it counts."""
    if task in ("regions", "links"):
        for i, figure in enumerate(scene.figures if scene and (task == "regions" or side == "both") else ()):
            which = i if told.left == 0 else len(told.types) - 1 - i
            yield i, (figure.type, which if task == "links" else 0) if related else None, 1.0
    elif side != "frames" and task == "ner" and told.kind in ("one", "two"):
        for i, type_ in enumerate(told.types):
            yield i, type_, 1 + told.cue / 2 + looked_back(config)[told.kind]
    elif side != "frames" and task != "ner" and told.kind == "two":
        yield 0, (told.label, 0 if told.label in biography.SYMMETRIC else told.head) if told.label else None, 1.0


def _weights(tables: Tables, sure: float, answerable: bool) -> Weights:
    """Tables as arrays; what is sure is an item with one answer."""
    rows = [(row, [w for answer, w in row.items() if answer is not None and answerable]) for row in tables.values()]
    if sure > TIE:
        rows.append(({"sure": sure}, [sure] if answerable else []))
    best = [max(say, default=0.0) for _, say in rows]
    nothing = [row.get(None, 0.0) for row, _ in rows]
    all_ = [sum(row.values()) for row, _ in rows]
    answers = [w for _, say in rows for w in say]
    there = [of for of, (_, say) in zip(all_, rows) for _ in say]
    return Weights(*(np.array(x, dtype=float) for x in (best, nothing, all_, answers, there)))


@lru_cache(64)
def frames(config: Config) -> float:
    """E[sentences with a frame]"""
    return sum(f * p for (_, f), p in biography.sizes(config))


@lru_cache(64)
def unframed(config: Config) -> float:
    """E[sentences without one, but for the first and last]"""
    return sum((n - 2 - f) * p for (n, f), p in biography.sizes(config))


def sure_relations(config: Config) -> float:
    """E[relations that the text tells]"""

    def of(kind: str) -> int:
        return len(CLEAR[kind].relations) if kind in CLEAR else 0

    return (
        2
        + unframed(config) * sum(p * of(kind) for kind, p in biography.UNFRAMED)
        + frames(config) * sum(p * of(kind) for kind, p in biography.framed(config))
    )


def sure_mentions(config: Config) -> float:
    """E[mentions whose type the text tells]"""
    words = transcripts.OF[config.language]
    plain = {"life": words.LIFE, "recall": words.RECALL, "one": words.ONE, "two": words.TWO, **words.CLEAR}

    def of(kind: str) -> float:
        return mean(plain[kind]) - ("one", "two").index(kind) - 1 if kind in ("one", "two") else mean(plain[kind])

    with_frame = sum(p * of(kind) for kind, p in biography.framed(config))
    clauses = sum(p for told, p in biography.told(config) if told.cue and told.kind in CLEAR)
    back, per = looked_back(config), names(config)
    return (
        mean(words.OPEN)
        + unframed(config) * sum(p * of(kind) for kind, p in biography.UNFRAMED)
        + frames(config) * (with_frame + clauses)
        + mean(words.CLOSE)
        - sum(back[kind] * per[kind] for kind in back)
    )


def mean(templates: tuple[str, ...]) -> float:
    """Mentions of a template, on average."""
    return sum(map(transcripts.mentions, templates)) / len(templates)


def names(config: Config) -> dict[str, float]:
    """E[names of ambiguous sentences of each kind]"""
    share = dict(biography.framed(config))
    return {"one": frames(config) * share.get("one", 0.0), "two": 2 * frames(config) * share.get("two", 0.0)}


@lru_cache(64)
def looked_back(config: Config) -> dict[str, float]:
    """How often the last sentence mentions one name of an ambiguous sentence of each kind, on average.

    It looks back at one of all that were named, but for the main person and times, the birthplace among them.
    """
    hits = {"one": 0.0, "two": 0.0}
    for (n, f), p in biography.sizes(config):
        counts = _sum(_after(_steps(biography.framed(config)), f), _after(_steps(biography.UNFRAMED), n - 2 - f))
        for (all_, one, two), q in counts.items():
            hits["one"] += p * q * one / (1 + all_)
            hits["two"] += p * q * two / (1 + all_)
    return {kind: hits[kind] / n if n > TIE else 0.0 for kind, n in names(config).items()}


def _steps(kinds: biography.Law[str]) -> Counts:
    """What one sentence adds."""
    out: Counts = defaultdict(float)
    for kind, p in kinds:
        one, two = int(kind == "one"), 2 * int(kind == "two")
        clear = len([t for t in CLEAR[kind].new if t != "TIME"]) if kind in CLEAR else 0
        out[one + two + clear, one, two] += p
    return out


def _after(step: Counts, n: int) -> Counts:
    """What n such sentences add."""
    out: Counts = {(0, 0, 0): 1.0}
    for _ in range(n):
        out = _sum(out, step)
    return out


def _sum(left: Counts, right: Counts) -> Counts:
    out: Counts = defaultdict(float)
    for (a, b, c), p in left.items():
        for (x, y, z), q in right.items():
            out[a + x, b + y, c + z] += p * q
    return out
