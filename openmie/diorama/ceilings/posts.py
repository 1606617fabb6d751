"""The maximum expected micro F1 on Diorama's posts, by enumeration of the generator's distributions.

Legend: A candidate labels, S states of the image, O observations. For every distinguishable text, the joint weights
P(label, state) are a matrix (A, S); what is observed of the image is a channel (S, O): the state itself, the caption
distribution, or nothing. Their product is P(label, observation), which gives every posterior and with it E[TP],
E[predicted] and E[gold] of a decision rule. Nothing is sampled.

Assumptions: mention spans are given; figures, boxes and signs in the image are read without error; for `re` the pair
and its direction are given; a box cannot be predicted without the image (what a blind guess hits is measured by
`box_prior`). Without the text, the number of names and, for `re`, the given pair are known, but no word is read. A
caption depends on the image alone, so it adds nothing to the image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from functools import lru_cache

import numpy as np

from openmie.diorama.ceilings import documents as document_ceilings
from openmie.diorama.ceilings.decision_rules import RULES, TIE, ItemWeights, score
from openmie.diorama.ceilings.enumeration import NO_IMAGE, UNMENTIONED, Outcome, outcomes
from openmie.diorama.config import Config
from openmie.diorama.posts.captions import captions
from openmie.diorama.posts.distributions import NONE, SYMMETRIC
from openmie.errors import CorpusError

TASKS = ("ner", "re", "joint", "grounded", "regions")
MODALITIES = ("text", "image", "caption")

State = tuple[Hashable, ...]  # scene, and how its flags fit the text
JointTable = dict[tuple[Hashable, State], float]  # (label, state) -> weight


def ceiling(
    config: Config,
    *,
    task: str,
    modalities: str | Iterable[str] | None = None,
    rule: str = "argmax",
    sees: str | Iterable[str] | None = None,
) -> float:
    """The maximum expected micro F1 of any system on a generated corpus, in percent.

        F1 = 100 * 2 E[TP] / (E[predicted] + E[gold])

    Tasks of posts: `ner`, the type of each name; `re`, the label of the given pair; `joint`, both types, the label and,
    unless the relation is symmetric, the direction; `grounded`, type and box (or no box) of each name; `regions`, boxes
    and types of the named entities in the image. Those of documents are described in `ceilings/documents.py`.

    Args:
        config: Options of the generator.
        task: For posts "ner", "re", "joint", "grounded" or "regions"; for documents "ner", "chains", "relations",
            "frame_relations", "regions" or "links".
        modalities: The inputs that the system reads, a non-empty subset of "text", "image" and "caption" (of documents
            "text", "image" and "types"); by default the text alone.
        rule: "argmax" always predicts the most probable label, or nothing where the task has that as a label and it is
            more probable; "optimal" maximises the expected F1, so no system can expect more.
        sees: Another name of `modalities`, kept for callers that use it.

    Returns:
        The expected F1 in percent, 0 to 100.

    Raises:
        CorpusError: For an unknown task, modality or rule, for both `modalities` and `sees`, and for a config under
            which there is nothing to find.

    Reference: Dinkelbach (1967) for the "optimal" rule; see `decision_rules.py`.
    """
    if modalities is not None and sees is not None:
        raise CorpusError(
            "both modalities and sees",
            expected="one of them",
            where="diorama.ceiling",
            remedy="leave out sees, the older name",
        )
    inputs = modalities if modalities is not None else sees if sees is not None else ("text",)
    tasks, known = (document_ceilings.TASKS, document_ceilings.MODALITIES) if config.documents else (TASKS, MODALITIES)
    observed = _check(task, (inputs,) if isinstance(inputs, str) else tuple(inputs), rule, tasks, known)
    weights = (document_ceilings.weights if config.documents else _item_weights)(config, task, observed)
    if weights.gold <= TIE or (not config.documents and config.missing_text == 1):
        raise CorpusError(
            f"nothing to find for task {task!r} under this config",
            where="diorama.ceiling",
            expected="texts; pairs for relations; related images for regions",
            remedy="lower missing_text, missing_image, missing or unrelated, or raise two_names, ambiguous or pairs",
        )
    return score(weights, rule)


def _check(
    task: str, modalities: tuple[str, ...], rule: str, tasks: tuple[str, ...], known: tuple[str, ...]
) -> frozenset[str]:
    for name, values, allowed in (
        ("task", (task,), tasks),
        ("modalities", modalities, known),
        ("rule", (rule,), RULES),
    ):
        if unknown := [x for x in values if x not in allowed]:
            raise CorpusError(
                f"{name}={unknown[0]!r}",
                expected=f"of {list(allowed)}",
                where="diorama.ceiling",
                remedy=f"choose {name} from {list(allowed)}",
            )
    if not modalities:
        raise CorpusError(
            "modalities is empty",
            expected=f"a non-empty subset of {list(known)}",
            where="diorama.ceiling",
            remedy="name the inputs that the system reads",
        )
    return frozenset(modalities)


def text_key(outcome: Outcome, task: str, reads: bool) -> Hashable:
    """What can be read from the text; or, where the system does not read it, what the task gives anyway."""
    content = outcome.content
    given = (len(content.types), content.head if task == "re" else -1)
    if not reads:
        return given
    plain = None if content.ambiguous else (content.types, content.relation, content.head)
    return given, content.cue, content.left if content.cue == "position" else -1, plain


def _gold_answers(outcome: Outcome, task: str) -> list[Hashable]:
    """The gold label of each item of a post; None: nothing to find."""
    content, scene = outcome.content, outcome.scene
    if task == "ner":
        return list(content.types)
    if task == "grounded":
        last = len(content.types) - 1
        return [
            (t, (0 if content.left == i or not last else 1) if outcome.related else None)
            for i, t in enumerate(content.types)
        ]
    if task == "regions":
        return [(f.type, i) if outcome.related else None for i, f in enumerate(scene.figures)]
    if len(content.types) == 1:
        return []
    if content.relation == NONE:
        return [None]
    if task == "re":
        return [content.relation]
    return [(content.types, content.relation, 0 if content.relation in SYMMETRIC else content.head)]


def _can_predict(label: Hashable, task: str, modalities: frozenset[str]) -> bool:
    """Whether a label can be predicted: a box cannot without the image, and None is no prediction."""
    if task in ("grounded", "regions") and isinstance(label, tuple) and label[1] is not None:
        return "image" in modalities
    return label is not None


@lru_cache(64)
def _item_weights(config: Config, task: str, modalities: frozenset[str]) -> ItemWeights:
    """The weights that a decision rule needs, of every item and every distinguishable observation of it."""
    tables: dict[Hashable, JointTable] = defaultdict(lambda: defaultdict(float))
    for outcome, p in outcomes(config):
        key = text_key(outcome, task, "text" in modalities)
        state = (outcome.scene, outcome.bound if "text" in modalities else UNMENTIONED)
        for i, label in enumerate(_gold_answers(outcome, task)):
            tables[key, i][label, state] += p
    states = sorted({state for table in tables.values() for _, state in table}, key=repr)
    channel = _channel(config, states, modalities)
    rows = {state: i for i, state in enumerate(states)}
    parts = [_weights(table, rows, channel, task, modalities) for table in tables.values()]
    return ItemWeights(*(np.concatenate([part[i] for part in parts]) if parts else np.zeros(0) for i in range(5)))


def _weights(
    table: JointTable, rows: dict[State, int], channel: np.ndarray, task: str, modalities: frozenset[str]
) -> ItemWeights:
    """Of one item: P(label, observation), and its sums over labels."""
    candidates = sorted({label for label, _ in table}, key=repr)
    joint = np.zeros((len(candidates), len(rows)))  # A, S
    for (label, state), p in table.items():
        joint[candidates.index(label), rows[state]] += p
    used = joint.any(axis=0)
    posterior = joint[:, used] @ channel[used]  # A, O
    posterior = posterior[:, posterior.any(axis=0)]
    predictable = posterior[[_can_predict(a, task, modalities) for a in candidates]]
    total = posterior.sum(axis=0)
    best = predictable.max(axis=0) if len(predictable) else np.zeros_like(total)
    none = posterior[[a is None for a in candidates]].sum(axis=0)
    return ItemWeights(best, none, total, predictable.ravel(), np.broadcast_to(total, predictable.shape).ravel())


def _channel(config: Config, states: list[State], modalities: frozenset[str]) -> np.ndarray:
    """(S, O): P(observation | state of the image)."""
    if "image" in modalities:
        return np.eye(len(states))
    if "caption" not in modalities:
        return np.ones((len(states), 1))
    caption_index: dict[Hashable, int] = {None: 0}  # None: there is no caption, as there is no image
    captions_per_state = [
        [(None, 1.0)] if scene == NO_IMAGE else [(c.without_hidden(), p) for c, p in captions(config, scene)]  # type: ignore[arg-type]
        for scene, _ in states
    ]
    for distribution in captions_per_state:
        for caption, _ in distribution:
            caption_index.setdefault(caption, len(caption_index))
    channel = np.zeros((len(states), len(caption_index)))
    for i, distribution in enumerate(captions_per_state):
        for caption, p in distribution:
            channel[i, caption_index[caption]] += p
    return channel
