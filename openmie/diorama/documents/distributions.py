"""The laws of Diorama's documents: what each sentence is about, what its frame shows, and how likely each is.

A document opens with the main person's birth, closes with a look back, and has sentences of these kinds between:

* `life`: something of the main person; `recall`: something named before; both told by the text alone.
* a name of CLEAR: a new person, place or organisation (or two), with types and relations told by the text.
* `one`, `two`: one or two new names of which the text tells neither type nor relation; they always have a frame.

A sentence has at most one frame. What it is about, and what its frame shows, are drawn on their own for each sentence,
so that ceilings are sums over sentences: the generator draws from these laws and `document_ceilings` enumerates them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from openmie.diorama.config import Config
from openmie.diorama.documents import transcripts
from openmie.diorama.posts.distributions import CLUTTER, COIN, Figure, Scene, images, lefts, two
from openmie.diorama.rng import Law

TYPES = ("LOC", "ORG", "PER")  # of what frames can show; TIME is told by text alone
LEAST_SENTENCES, LEAST_FRAMES = 6, 4
COUPLE, PEER, PARENT = "PER-PER_couple", "PER-PER_peer", "PER-PER_parents"  # the head is a parent of the tail
MEMBER, LOCATED, SEAT = "PER-ORG_member", "PER-LOC_located", "ORG-LOC_located"
BIRTH, BIRTH_TIME, FOUNDED = "PER-LOC_birth", "PER-TIME_birth_time", "ORG-TIME_establish"
RELATIONS = (COUPLE, PEER, PARENT, MEMBER, LOCATED, SEAT, BIRTH, BIRTH_TIME, FOUNDED)
SYMMETRIC = frozenset({COUPLE, PEER})
SIGNS = {COUPLE: "couple", PEER: "peer", MEMBER: "member_of", LOCATED: "present_in", SEAT: "locate_at"}


class Pair(NamedTuple):
    """What the two names of an ambiguous sentence are to each other; no label: nothing."""

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
PAIR = Law(
    [(Pair(*k), float(w)) for k, w in _RELATED.items()]
    + [(Pair("", *ends), w / 2) for (a, b), w in _UNRELATED.items() for ends in ((a, b), (b, a))]
)
TYPE = Law.uniform(TYPES)


class Clear(NamedTuple):
    """A sentence that tells all: slots are P, the main person, and x and y, which are new; T is a time."""

    new: tuple[str, ...]  # types of x and y
    relations: tuple[tuple[str, str, str], ...]  # label, head, tail
    shown: tuple[str, str, str]  # the relation that the frame shows

    def type(self, slot: str) -> str:
        return "PER" if slot == "P" else self.new["xy".index(slot)]


CLEAR = {
    "couple": Clear(("PER",), ((COUPLE, "P", "x"),), (COUPLE, "P", "x")),
    "couple and peer": Clear(("PER",), ((COUPLE, "P", "x"), (PEER, "P", "x")), (COUPLE, "P", "x")),
    "peer": Clear(("PER",), ((PEER, "P", "x"),), (PEER, "P", "x")),
    "child": Clear(("PER",), ((PARENT, "P", "x"),), (PARENT, "P", "x")),
    "parent": Clear(("PER",), ((PARENT, "x", "P"),), (PARENT, "x", "P")),
    "member": Clear(("ORG",), ((MEMBER, "P", "x"),), (MEMBER, "P", "x")),
    "founded": Clear(("ORG",), ((MEMBER, "P", "x"), (FOUNDED, "x", "T")), (MEMBER, "P", "x")),
    "located": Clear(("LOC",), ((LOCATED, "P", "x"),), (LOCATED, "P", "x")),
    "seat": Clear(("ORG", "LOC"), ((MEMBER, "P", "x"), (SEAT, "x", "y")), (SEAT, "x", "y")),
}
UNFRAMED = Law([("life", 0.25), ("recall", 0.25), *((name, 0.5 / len(CLEAR)) for name in CLEAR)])


class Told(NamedTuple):
    """What a sentence with a frame is about: the things that its own scene shows, in text order."""

    kind: str
    types: tuple[str, ...]
    label: str = ""  # that the scene shows
    head: int = 0  # which of two is the relation's head
    left: int = 0  # which of two stands left in the sentence's own scene
    cue: bool = False  # whether the text says who stands left


@lru_cache(64)
def framed(config: Config) -> Law[str]:
    """The kind of a sentence with a frame."""
    a, b = config.ambiguous, 1 - config.ambiguous
    return Law(
        [
            ("one", a * (1 - config.pairs)),
            ("two", a * config.pairs),
            ("life", b / 3),
            *((name, b * 2 / 3 / len(CLEAR)) for name in CLEAR),
        ]
    )


@lru_cache(64)
def told(config: Config) -> Law[Told]:
    """What a sentence with a frame is about."""
    return Law((t, p * q) for kind, p in framed(config) for t, q in _told(config, kind))


def _told(config: Config, kind: str) -> Iterator[tuple[Told, float]]:
    if kind in ("one", "life"):
        yield from ((Told(kind, (type_,)), p) for type_, p in (TYPE if kind == "one" else [("PER", 1.0)]))
        return
    for pair, head, p in _pairs(config, kind):
        types = (pair.head, pair.tail) if head == 0 else (pair.tail, pair.head)
        for left, q in lefts(config):
            yield from ((Told(kind, types, pair.label, head, left, cue), p * q * r) for cue, r in two(config.cue))


def _pairs(config: Config, kind: str) -> Iterator[tuple[Pair, int, float]]:
    """Pair, which of the two in text order is its head, and the chance of both."""
    if kind == "two":
        yield from ((pair, head, p * q) for pair, p in PAIR for head, q in COIN)
        return
    clear = CLEAR[kind]
    label, head_slot, tail_slot = clear.shown
    pair = Pair(label, clear.type(head_slot), clear.type(tail_slot))
    for head in (0, 1):
        share = len(clear_templates(config.language, kind, head)) / len(transcripts.OF[config.language].CLEAR[kind])
        if share:
            yield pair, head, share


@lru_cache(128)
def clear_templates(language: str, kind: str, head: int) -> tuple[str, ...]:
    """The templates of a clear sentence that name the head of what the frame shows first (0) or second (1)."""
    _, h, t = CLEAR[kind].shown
    return tuple(
        x
        for x in transcripts.OF[language].CLEAR[kind]
        if (x.index("{" + h + "}") < x.index("{" + t + "}")) == (head == 0)
    )


def own_scene(told: Told) -> Scene:
    """What the frame of a sentence shows if it has to do with it: the young of a parent is small, others have signs."""
    figures = [Figure(type_, told.label == PARENT and i != told.head) for i, type_ in enumerate(told.types)]
    return Scene(tuple(reversed(figures) if told.left == 1 else figures), SIGNS.get(told.label, ""))


@lru_cache(64)
def other_scenes(config: Config) -> Law[Scene]:
    """What another document's sentence would have shown, whatever this one is about."""
    return Law((own_scene(t), p) for t, p in told(config))


@lru_cache(64)
def clutter_scenes(config: Config) -> Law[Scene]:
    """As many main things as any frame has, none of them nameable."""
    return Law((Scene((Figure(CLUTTER),) * len(t.types)), p) for t, p in told(config))


def shows(config: Config, told: Told) -> Iterator[tuple[bool, Scene, float]]:
    """Whether the frame has to do with its sentence, what it shows, and the chance of both."""
    for image, p in images(config):
        if not image:
            yield True, own_scene(told), p
        else:
            law = other_scenes(config) if image == "other" else clutter_scenes(config)
            yield from ((False, scene, p * q) for scene, q in law)


@lru_cache(64)
def sides(config: Config) -> Law[str]:
    """Which sides a document has: both, or only the text, or only the frames."""
    both = max(0.0, 1 - config.no_text - config.no_frames)
    return Law([("both", both), ("frames", config.no_text), ("text", config.no_frames)])


@lru_cache(64)
def sizes(config: Config) -> Law[tuple[int, int]]:
    """How many sentences and frames a document has; the first and last sentence never have one."""
    lengths = range(LEAST_SENTENCES, config.sentences + 1)
    return Law(
        ((n, f), 1 / len(lengths) / len(range(LEAST_FRAMES, most + 1)))
        for n in lengths
        for most in (min(config.frames, n - 2),)
        for f in range(LEAST_FRAMES, most + 1)
    )
