"""The distributions of Diorama's documents: what each sentence is about and what its frame shows.

A document opens with the main person's birth, closes with a look back, and has sentences of these kinds between:

* `life`: something about the main person; `recall`: an entity named before; both determined by the text alone.
* a name of CLEAR: a new person, place or organisation (or two), with types and relations determined by the text.
* `one`, `two`: one or two new names whose types and relation the text does not determine; they always have a frame.

A sentence has at most one frame. Its content and its frame are independent of other sentences, so ceilings are sums
over sentences: the generator samples from these distributions and `ceilings/documents.py` enumerates them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from openmie.diorama.config import Config
from openmie.diorama.documents import transcripts
from openmie.diorama.posts.distributions import CLUTTER, COIN, Figure, Scene, bernoulli, images, left_positions
from openmie.diorama.rng import Distribution

TYPES = ("LOC", "ORG", "PER")  # types that frames can show; TIME occurs in the text only
LEAST_SENTENCES, LEAST_FRAMES = 6, 4
COUPLE, PEER, PARENT = "PER-PER_couple", "PER-PER_peer", "PER-PER_parents"  # the head is a parent of the tail
MEMBER, LOCATED, SEAT = "PER-ORG_member", "PER-LOC_located", "ORG-LOC_located"
BIRTH, BIRTH_TIME, FOUNDED = "PER-LOC_birth", "PER-TIME_birth_time", "ORG-TIME_establish"
RELATIONS = (COUPLE, PEER, PARENT, MEMBER, LOCATED, SEAT, BIRTH, BIRTH_TIME, FOUNDED)
SYMMETRIC = frozenset({COUPLE, PEER})
SIGNS = {COUPLE: "couple", PEER: "peer", MEMBER: "member_of", LOCATED: "present_in", SEAT: "locate_at"}


class TypedChainRelation(NamedTuple):
    """The relation between the two names of an ambiguous sentence, with their types; label "": none."""

    label: str
    head: str  # type
    tail: str


# Summed over both ends every type weighs 24 of 72. Of 36 pairs 16 have no relation.
_RELATED = {
    (COUPLE, "PER", "PER"): 2,
    (PEER, "PER", "PER"): 2,
    (PARENT, "PER", "PER"): 2,
    (MEMBER, "PER", "ORG"): 4,
    (LOCATED, "PER", "LOC"): 4,
    (SEAT, "ORG", "LOC"): 6,
}
_UNRELATED = {
    ("PER", "PER"): 1,
    ("PER", "ORG"): 1,
    ("PER", "LOC"): 1,
    ("ORG", "ORG"): 4,
    ("ORG", "LOC"): 5,
    ("LOC", "LOC"): 4,
}  # both directions together
PAIR = Distribution(
    [(TypedChainRelation(*k), float(w)) for k, w in _RELATED.items()]
    + [(TypedChainRelation("", *ends), w / 2) for (a, b), w in _UNRELATED.items() for ends in ((a, b), (b, a))]
)
TYPE = Distribution.uniform(TYPES)


class ClearSentence(NamedTuple):
    """A sentence that determines all types and relations. Slots: P is the main person, x and y are new, T is a time."""

    new: tuple[str, ...]  # types of x and y
    relations: tuple[tuple[str, str, str], ...]  # label, head, tail
    shown: tuple[str, str, str]  # the relation that the frame shows

    def type(self, slot: str) -> str:
        return "PER" if slot == "P" else self.new["xy".index(slot)]


CLEAR = {
    "couple": ClearSentence(("PER",), ((COUPLE, "P", "x"),), (COUPLE, "P", "x")),
    "couple and peer": ClearSentence(("PER",), ((COUPLE, "P", "x"), (PEER, "P", "x")), (COUPLE, "P", "x")),
    "peer": ClearSentence(("PER",), ((PEER, "P", "x"),), (PEER, "P", "x")),
    "child": ClearSentence(("PER",), ((PARENT, "P", "x"),), (PARENT, "P", "x")),
    "parent": ClearSentence(("PER",), ((PARENT, "x", "P"),), (PARENT, "x", "P")),
    "member": ClearSentence(("ORG",), ((MEMBER, "P", "x"),), (MEMBER, "P", "x")),
    "founded": ClearSentence(("ORG",), ((MEMBER, "P", "x"), (FOUNDED, "x", "T")), (MEMBER, "P", "x")),
    "located": ClearSentence(("LOC",), ((LOCATED, "P", "x"),), (LOCATED, "P", "x")),
    "seat": ClearSentence(("ORG", "LOC"), ((MEMBER, "P", "x"), (SEAT, "x", "y")), (SEAT, "x", "y")),
}
UNFRAMED = Distribution([("life", 0.25), ("recall", 0.25), *((name, 0.5 / len(CLEAR)) for name in CLEAR)])


class SentenceContent(NamedTuple):
    """What a sentence with a frame is about: the entities of its own scene, in text order."""

    kind: str
    types: tuple[str, ...]
    label: str = ""  # relation that the scene shows
    head: int = 0  # which of two is the relation's head
    left: int = 0  # which of two is on the left in the sentence's own scene
    cue: bool = False  # whether the text gives the position


@lru_cache(64)
def frame_kinds(config: Config) -> Distribution[str]:
    """The kind of a sentence with a frame."""
    a, b = config.ambiguous, 1 - config.ambiguous
    return Distribution(
        [
            ("one", a * (1 - config.pairs)),
            ("two", a * config.pairs),
            ("life", b / 3),
            *((name, b * 2 / 3 / len(CLEAR)) for name in CLEAR),
        ]
    )


@lru_cache(64)
def sentence_contents(config: Config) -> Distribution[SentenceContent]:
    """The content of a sentence with a frame."""
    return Distribution((t, p * q) for kind, p in frame_kinds(config) for t, q in _sentence_contents(config, kind))


def _sentence_contents(config: Config, kind: str) -> Iterator[tuple[SentenceContent, float]]:
    if kind in ("one", "life"):
        yield from ((SentenceContent(kind, (type_,)), p) for type_, p in (TYPE if kind == "one" else [("PER", 1.0)]))
        return
    for pair, head, p in _pairs(config, kind):
        types = (pair.head, pair.tail) if head == 0 else (pair.tail, pair.head)
        for left, q in left_positions(config):
            yield from (
                (SentenceContent(kind, types, pair.label, head, left, cue), p * q * r)
                for cue, r in bernoulli(config.cue)
            )


def _pairs(config: Config, kind: str) -> Iterator[tuple[TypedChainRelation, int, float]]:
    """Relation, which of the two names in text order is its head, and the probability of both."""
    if kind == "two":
        yield from ((pair, head, p * q) for pair, p in PAIR for head, q in COIN)
        return
    clear = CLEAR[kind]
    label, head_slot, tail_slot = clear.shown
    pair = TypedChainRelation(label, clear.type(head_slot), clear.type(tail_slot))
    for head in (0, 1):
        share = len(clear_templates(config.language, kind, head)) / len(
            transcripts.LANGUAGES[config.language].CLEAR[kind]
        )
        if share:
            yield pair, head, share


@lru_cache(128)
def clear_templates(language: str, kind: str, head: int) -> tuple[str, ...]:
    """The templates of a clear sentence that name the head of what the frame shows first (0) or second (1)."""
    _, h, t = CLEAR[kind].shown
    return tuple(
        x
        for x in transcripts.LANGUAGES[language].CLEAR[kind]
        if (x.index("{" + h + "}") < x.index("{" + t + "}")) == (head == 0)
    )


def own_scene(content: SentenceContent) -> Scene:
    """The scene of a sentence's related frame: the child of a parent is drawn small, other relations have signs."""
    figures = [Figure(type_, content.label == PARENT and i != content.head) for i, type_ in enumerate(content.types)]
    return Scene(tuple(reversed(figures) if content.left == 1 else figures), SIGNS.get(content.label, ""))


@lru_cache(64)
def other_scenes(config: Config) -> Distribution[Scene]:
    """The scene of another document's sentence, independent of this one."""
    return Distribution((own_scene(t), p) for t, p in sentence_contents(config))


@lru_cache(64)
def clutter_scenes(config: Config) -> Distribution[Scene]:
    """As many main objects as any frame has, none of them an entity."""
    return Distribution((Scene((Figure(CLUTTER),) * len(t.types)), p) for t, p in sentence_contents(config))


def shows(config: Config, content: SentenceContent) -> Iterator[tuple[bool, Scene, float]]:
    """Whether the frame is related to its sentence, its scene, and the probability of both."""
    for image, p in images(config):
        if not image:
            yield True, own_scene(content), p
        else:
            distribution = other_scenes(config) if image == "other" else clutter_scenes(config)
            yield from ((False, scene, p * q) for scene, q in distribution)


@lru_cache(64)
def modality_distribution(config: Config) -> Distribution[str]:
    """Which modalities a document has: both, only the text, or only the frames."""
    both = max(0.0, 1 - config.no_text - config.no_frames)
    return Distribution([("both", both), ("frames", config.no_text), ("text", config.no_frames)])


@lru_cache(64)
def sizes(config: Config) -> Distribution[tuple[int, int]]:
    """How many sentences and frames a document has; the first and last sentence never have one."""
    lengths = range(LEAST_SENTENCES, config.sentences + 1)
    return Distribution(
        ((n, f), 1 / len(lengths) / len(range(LEAST_FRAMES, most + 1)))
        for n in lengths
        for most in (min(config.frames, n - 2),)
        for f in range(LEAST_FRAMES, most + 1)
    )
