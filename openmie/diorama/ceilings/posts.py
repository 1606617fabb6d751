"""The best score that any system can expect on Diorama, by enumeration of the generator's own laws.

Legend: A answers, S states of the image, O observations. For every text that can be told apart, the joint weights
P(answer, state) are a matrix (A, S); what is seen of the image is a channel (S, O): the state itself, the caption's
law, or nothing. Their product is P(answer, observation), hence every posterior, jointly per post, and with it E[TP],
E[predicted] and E[gold] of a rule. Nothing is sampled.

What is taken for granted: names are recognised as such, so spans cost nothing; a figure in view, its box and its sign
are read without error; for `re` the pair and its direction are given; a box cannot be given where the image is not
seen (what a blind guess hits is the box prior's). Without "text" among what is seen, it is known how many names there
are and, for `re`, which pair is given, but no word is read. A caption is drawn from the image alone: where the image
is seen it adds nothing, and the ceiling with both is that of the image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from functools import lru_cache

import numpy as np

from openmie.diorama.ceilings import documents as document_ceilings
from openmie.diorama.ceilings.decision_rules import RULES, TIE, Weights, score
from openmie.diorama.ceilings.enumeration import NO_IMAGE, UNSAID, World, worlds
from openmie.diorama.config import Config
from openmie.diorama.posts.captions import captions
from openmie.diorama.posts.distributions import NONE, SYMMETRIC
from openmie.errors import CorpusError

TASKS = ("ner", "re", "joint", "grounded", "regions")
SEES = ("text", "image", "caption")

State = tuple[Hashable, ...]  # scene, and how its flags fit the text
Table = dict[tuple[Hashable, State], float]  # (answer, state) -> weight


def ceiling(config: Config, *, task: str, sees: Iterable[str] = ("text",), rule: str = "argmax") -> float:
    """Best expected micro F1 in percent: 100 * 2 E[TP] / (E[predicted] + E[gold]).

    Of the rules (`rules.py`), `argmax` always gives the likeliest answer, nothing among them where the task has it
    (None of `re` and `joint`, "not in view" of `regions`; "no region" of `grounded` is an answer like any other), and
    `optimal` also knows when to leave an answer out, or to give two. No system can expect more.

    Tasks: `ner` the type of each name; `re` the label of the given pair; `joint` both types, label and, unless the
    relation is symmetric, direction; `grounded` type and box, or type and no box, of each name; `regions` the boxes of
    the named things in view, with their types. `sees`: a non-empty subset of text, image, caption. The tasks of
    documents, which have no captions, are those of `document_ceilings`. Anything else raises `CorpusError`, as does a
    config under which there is nothing to find.
    """
    tasks, sides = (document_ceilings.TASKS, document_ceilings.SEES) if config.documents else (TASKS, SEES)
    seen = _check(
        (
            ("task", (task,), tasks),
            ("sees", (sees,) if isinstance(sees, str) else tuple(sees), sides),
            ("rule", (rule,), RULES),
        )
    )
    weights = document_ceilings.weights(config, task, seen) if config.documents else _answers(config, task, seen)
    if weights.gold <= TIE or (not config.documents and config.missing_text == 1):
        raise CorpusError(
            f"nothing to find for task {task!r} in what this config makes",
            where="diorama.ceiling",
            expected="texts; pairs for relations; related images for regions",
            remedy="lower missing_text, missing_image, missing or unrelated, or raise two_names, ambiguous or pairs",
        )
    return score(weights, rule)


def _check(asked: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]) -> frozenset[str]:
    sees = asked[1][1]
    for name, found, allowed in asked:
        if bad := [x for x in found if x not in allowed]:
            raise CorpusError(
                f"{name}={bad[0]!r}",
                expected=f"of {list(allowed)}",
                where="diorama.ceiling",
                remedy=f"choose {name} from {list(allowed)}",
            )
    if not sees:
        raise CorpusError(
            "sees is empty",
            expected=f"a non-empty subset of {list(asked[1][2])}",
            where="diorama.ceiling",
            remedy="say what the system sees",
        )
    return frozenset(sees)


def _text_key(world: World, task: str, reads: bool) -> Hashable:
    """What the text tells; or, where it is not read, what is given anyway."""
    told = world.told
    given = (len(told.types), told.head if task == "re" else -1)
    if not reads:
        return given
    plain = None if told.ambiguous else (told.types, told.relation, told.head)
    return given, told.cue, told.left if told.cue == "position" else -1, plain


def _gold(world: World, task: str) -> list[Hashable]:
    """The right answer of each item of a post; None: nothing to find."""
    told, scene = world.told, world.scene
    if task == "ner":
        return list(told.types)
    if task == "grounded":
        last = len(told.types) - 1
        return [
            (t, (0 if told.left == i or not last else 1) if world.related else None) for i, t in enumerate(told.types)
        ]
    if task == "regions":
        return [(f.type, i) if world.related else None for i, f in enumerate(scene.figures)]
    if len(told.types) == 1:
        return []
    if told.relation == NONE:
        return [None]
    if task == "re":
        return [told.relation]
    return [(told.types, told.relation, 0 if told.relation in SYMMETRIC else told.head)]


def _can_say(answer: Hashable, task: str, seen: frozenset[str]) -> bool:
    """Whether an answer can be given at all: a box cannot without the image, and nothing is no answer."""
    if task in ("grounded", "regions") and isinstance(answer, tuple) and answer[1] is not None:
        return "image" in seen
    return answer is not None


@lru_cache(64)
def _answers(config: Config, task: str, seen: frozenset[str]) -> Weights:
    """For every item and all that can be told apart about it: the weights that a rule needs."""
    tables: dict[Hashable, Table] = defaultdict(lambda: defaultdict(float))
    for world, p in worlds(config):
        key = _text_key(world, task, "text" in seen)
        state = (world.scene, world.bound if "text" in seen else UNSAID)
        for i, answer in enumerate(_gold(world, task)):
            tables[key, i][answer, state] += p
    states = sorted({state for table in tables.values() for _, state in table}, key=repr)
    channel = _channel(config, states, seen)
    rows = {state: i for i, state in enumerate(states)}
    parts = [_weights(table, rows, channel, task, seen) for table in tables.values()]
    return Weights(*(np.concatenate([part[i] for part in parts]) if parts else np.zeros(0) for i in range(5)))


def _weights(table: Table, rows: dict[State, int], channel: np.ndarray, task: str, seen: frozenset[str]) -> Weights:
    """One item: P(answer, observation), and its sums over answers."""
    answers = sorted({answer for answer, _ in table}, key=repr)
    joint = np.zeros((len(answers), len(rows)))  # A, S
    for (answer, state), p in table.items():
        joint[answers.index(answer), rows[state]] += p
    used = joint.any(axis=0)
    posterior = joint[:, used] @ channel[used]  # A, O
    posterior = posterior[:, posterior.any(axis=0)]
    say = posterior[[_can_say(a, task, seen) for a in answers]]
    all_ = posterior.sum(axis=0)
    best = say.max(axis=0) if len(say) else np.zeros_like(all_)
    nothing = posterior[[a is None for a in answers]].sum(axis=0)
    return Weights(best, nothing, all_, say.ravel(), np.broadcast_to(all_, say.shape).ravel())


def _channel(config: Config, states: list[State], seen: frozenset[str]) -> np.ndarray:
    """(S, O): P(what is seen | state of the image)."""
    if "image" in seen:
        return np.eye(len(states))
    if "caption" not in seen:
        return np.ones((len(states), 1))
    said: dict[Hashable, int] = {None: 0}  # None: there is no caption, as there is no image
    laws_ = [
        [(None, 1.0)] if scene == NO_IMAGE else [(c.said(), p) for c, p in captions(config, scene)]  # type: ignore[arg-type]
        for scene, _ in states
    ]
    for law in laws_:
        for caption, _ in law:
            said.setdefault(caption, len(said))
    channel = np.zeros((len(states), len(said)))
    for i, law in enumerate(laws_):
        for caption, p in law:
            channel[i, said[caption]] += p
    return channel
