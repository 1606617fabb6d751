"""The probability tables of Diorama: what a post is about, and what its image shows.

The generator draws from these laws and the ceilings enumerate them; neither holds a number of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from openmie.diorama.config import Config
from openmie.diorama.rng import Law

TYPES = ("PER", "LOC", "ORG", "MISC")
CLUTTER = "CLUTTER"  # what fills an unrelated image
NONE = "None"
RELATIONS = ("couple", "locate_at", "member_of", "parent", "peer", "present_in")
SYMMETRIC = frozenset({"couple", "peer"})
SIGNED = tuple(r for r in RELATIONS if r != "parent")  # told by a sign of their own; a parent by the size of the young
COLOURS = ("red", "blue", "green", "yellow")  # of the flags

# (relation, type of head, type of tail) -> weight. Summed over both ends every type weighs 60 of 240, so that a name
# in a two-name post is, as any name, of each type with probability 1/4. Of 120, 60 are None and each relation has 10.
_PAIRS = {
    ("couple", "PER", "PER"): 5,
    ("couple", "MISC", "MISC"): 5,
    ("parent", "PER", "PER"): 5,
    ("parent", "MISC", "MISC"): 5,
    ("peer", "PER", "PER"): 5,
    ("peer", "MISC", "MISC"): 5,
    ("member_of", "PER", "ORG"): 7,
    ("member_of", "MISC", "ORG"): 3,
    ("present_in", "PER", "LOC"): 5,
    ("present_in", "MISC", "LOC"): 5,
    ("locate_at", "ORG", "LOC"): 10,
}
_UNRELATED_PAIRS = {  # both directions together
    ("PER", "PER"): 2,
    ("PER", "MISC"): 4,
    ("PER", "ORG"): 6,
    ("PER", "LOC"): 4,
    ("MISC", "MISC"): 3,
    ("MISC", "ORG"): 6,
    ("MISC", "LOC"): 6,
    ("ORG", "ORG"): 8,
    ("ORG", "LOC"): 12,
    ("LOC", "LOC"): 9,
}


class Pair(NamedTuple):
    """What two names are to each other."""

    relation: str
    head: str  # type
    tail: str


class Figure(NamedTuple):
    """One thing that a scene is about."""

    type: str  # one of TYPES, or CLUTTER
    young: bool = False


class Scene(NamedTuple):
    """What an image shows, as far as it tells anything: its figures from left to right, and the sign between them."""

    figures: tuple[Figure, ...] = ()
    sign: str = ""  # one of SIGNED


TYPE = Law.uniform(TYPES)
PAIR = Law(
    [(Pair(*k), float(w)) for k, w in _PAIRS.items()]
    + [(Pair(NONE, *ends), w / 2) for (a, b), w in _UNRELATED_PAIRS.items() for ends in ((a, b), (b, a))]
)
COIN = Law.uniform((0, 1))
FLAGS = Law.uniform((a, b) for a in COLOURS for b in COLOURS if a != b)


def two(p: float) -> Law[bool]:
    """True with probability p."""
    return Law([(True, p), (False, 1 - p)])


@lru_cache(64)
def names(config: Config) -> Law[int]:
    """How many names a post has."""
    return Law([(2, config.two_names), (1, 1 - config.two_names)])


@lru_cache(64)
def cues(config: Config) -> Law[str]:
    """How the text of a two-name post binds names to figures."""
    return Law(
        [
            ("position", config.cue * (1 - config.colour_cue)),
            ("colour", config.cue * config.colour_cue),
            ("none", 1 - config.cue),
        ]
    )


@lru_cache(64)
def lefts(config: Config) -> Law[int]:
    """Which of two names' figures stands left: the first one mostly."""
    return Law([(0, config.in_order), (1, 1 - config.in_order)])


@lru_cache(64)
def images(config: Config) -> Law[str]:
    """What the image has to do with the post: "" is all."""
    return Law(
        [
            ("", 1 - config.unrelated),
            ("clutter", config.unrelated * config.clutter),
            ("other", config.unrelated * (1 - config.clutter)),
        ]
    )


def one_scene(type: str) -> Scene:
    return Scene((Figure(type),))


def pair_scene(pair: Pair, head_left: bool) -> Scene:
    """The scene of two names. The young of a parent is drawn small; every other relation has its sign."""
    ends = (Figure(pair.head), Figure(pair.tail, pair.relation == "parent"))
    return Scene(ends if head_left else ends[::-1], pair.relation if pair.relation in SIGNED else "")


@lru_cache(64)
def other_scenes(config: Config) -> Law[Scene]:
    """Another post's scene: the law of all posts' scenes, whatever this post is about."""
    one = [(one_scene(t), p * (1 - config.two_names)) for t, p in TYPE]
    both = [(pair_scene(x, bool(side)), p * q * config.two_names) for x, p in PAIR for side, q in COIN]
    return Law(one + both)


@lru_cache(64)
def clutter_scenes(config: Config) -> Law[Scene]:
    """As many main things as any post's scene has, none of them nameable."""
    return Law([(Scene((Figure(CLUTTER),) * n), p) for n, p in names(config)])
