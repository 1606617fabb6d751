"""The probability tables of Diorama: what a post is about, and what its image shows.

The generator samples from these distributions and the ceilings enumerate them; neither has numbers of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from openmie.diorama.config import Config
from openmie.diorama.rng import Distribution

TYPES = ("PER", "LOC", "ORG", "MISC")
CLUTTER = "CLUTTER"  # what fills an unrelated image
NONE = "None"
RELATIONS = ("couple", "locate_at", "member_of", "parent", "peer", "present_in")
SYMMETRIC = frozenset({"couple", "peer"})
SIGNED = tuple(r for r in RELATIONS if r != "parent")  # shown by a sign of their own; a parent by the size of the child
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


class TypedRelation(NamedTuple):
    """A relation (or None) between two names, with their types."""

    relation: str
    head: str  # type
    tail: str


class Figure(NamedTuple):
    """One main object of a scene."""

    type: str  # one of TYPES, or CLUTTER
    young: bool = False


class Scene(NamedTuple):
    """The informative content of an image: its figures from left to right, and the sign between them."""

    figures: tuple[Figure, ...] = ()
    sign: str = ""  # one of SIGNED


TYPE = Distribution.uniform(TYPES)
PAIR = Distribution(
    [(TypedRelation(*k), float(w)) for k, w in _PAIRS.items()]
    + [(TypedRelation(NONE, *ends), w / 2) for (a, b), w in _UNRELATED_PAIRS.items() for ends in ((a, b), (b, a))]
)
COIN = Distribution.uniform((0, 1))
FLAGS = Distribution.uniform((a, b) for a in COLOURS for b in COLOURS if a != b)


def bernoulli(p: float) -> Distribution[bool]:
    """True with probability p."""
    return Distribution([(True, p), (False, 1 - p)])


@lru_cache(64)
def name_counts(config: Config) -> Distribution[int]:
    """How many names a post has."""
    return Distribution([(2, config.two_names), (1, 1 - config.two_names)])


@lru_cache(64)
def cues(config: Config) -> Distribution[str]:
    """How the text of a two-name post binds names to figures."""
    return Distribution(
        [
            ("position", config.cue * (1 - config.colour_cue)),
            ("colour", config.cue * config.colour_cue),
            ("none", 1 - config.cue),
        ]
    )


@lru_cache(64)
def left_positions(config: Config) -> Distribution[int]:
    """Which of two names' figures is on the left: mostly the first."""
    return Distribution([(0, config.in_order), (1, 1 - config.in_order)])


@lru_cache(64)
def images(config: Config) -> Distribution[str]:
    """How the image relates to the post: "" is related, "clutter" and "other" (another post's scene) are not."""
    return Distribution(
        [
            ("", 1 - config.unrelated),
            ("clutter", config.unrelated * config.clutter),
            ("other", config.unrelated * (1 - config.clutter)),
        ]
    )


def one_scene(type: str) -> Scene:
    return Scene((Figure(type),))


def pair_scene(pair: TypedRelation, head_left: bool) -> Scene:
    """The scene of two names. The young of a parent is drawn small; every other relation has its sign."""
    ends = (Figure(pair.head), Figure(pair.tail, pair.relation == "parent"))
    return Scene(ends if head_left else ends[::-1], pair.relation if pair.relation in SIGNED else "")


@lru_cache(64)
def other_scenes(config: Config) -> Distribution[Scene]:
    """Another post's scene: the distribution of all posts' scenes, independent of this post."""
    one = [(one_scene(t), p * (1 - config.two_names)) for t, p in TYPE]
    both = [(pair_scene(x, bool(side)), p * q * config.two_names) for x, p in PAIR for side, q in COIN]
    return Distribution(one + both)


@lru_cache(64)
def clutter_scenes(config: Config) -> Distribution[Scene]:
    """As many main objects as a post's scene has, none of them an entity."""
    return Distribution([(Scene((Figure(CLUTTER),) * n), p) for n, p in name_counts(config)])
