"""Every world that a config allows, with its probability: the laws of `laws` multiplied out, nothing sampled."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from openmie.diorama.config import Config
from openmie.diorama.posts import distributions as laws
from openmie.diorama.posts.distributions import Pair, Scene

NO_IMAGE = Scene((), "no image")
UNFIT, UNSAID = -1, -2  # flags that fit the text neither way; flags that the text does not speak of


class Told(NamedTuple):
    """What a post is about, and what its text says of it."""

    types: tuple[str, ...]  # in text order
    relation: str
    head: int
    left: int  # name whose figure stands left in the post's own scene
    ambiguous: bool
    cue: str


class World(NamedTuple):
    """One thing that can be the case, as far as it matters."""

    told: Told
    related: bool  # the image shows the post's own scene
    scene: Scene  # what the image shows, or NO_IMAGE
    bound: int  # the name that the flags put on the left; or UNFIT, or UNSAID


@lru_cache(8)
def worlds(config: Config) -> tuple[tuple[World, float], ...]:
    """Every world of a post with text. The probabilities sum to one."""
    return tuple(
        (World(told, related, scene, bound), p * q * r)
        for told, p in _texts(config)
        for related, scene, q in _scenes(config, told)
        for bound, r in _bound(told, related, scene)
    )


def _texts(config: Config) -> Iterator[tuple[Told, float]]:
    for ambiguous, a in laws.two(config.ambiguous):
        for n, p in laws.names(config):
            if n == 1:
                yield from ((Told((type_,), "", 0, 0, ambiguous, ""), a * p * q) for type_, q in laws.TYPE)
                continue
            for pair, q in laws.PAIR:
                for head, r in laws.COIN:
                    types = (pair.head, pair.tail) if head == 0 else (pair.tail, pair.head)
                    for left, s in laws.lefts(config):
                        for cue, t in laws.cues(config):
                            yield Told(types, pair.relation, head, left, ambiguous, cue), a * p * q * r * s * t


def own_scene(told: Told) -> Scene:
    """The scene of what a post is about."""
    if len(told.types) == 1:
        return laws.one_scene(told.types[0])
    pair = Pair(told.relation, told.types[told.head], told.types[1 - told.head])
    return laws.pair_scene(pair, told.head == told.left)


def _scenes(config: Config, told: Told) -> Iterator[tuple[bool, Scene, float]]:
    for missing, m in laws.two(config.missing_image):
        if missing:
            yield False, NO_IMAGE, m
            continue
        for image, p in laws.images(config):
            if not image:
                yield True, own_scene(told), m * p
                continue
            for scene, q in laws.other_scenes(config) if image == "other" else laws.clutter_scenes(config):
                yield False, scene, m * p * q


def _bound(told: Told, related: bool, scene: Scene) -> Iterator[tuple[int, float]]:
    """How the flags of the image fit the colour that the text gives to the first name's."""
    if told.cue != "colour" or len(scene.figures) != 2:
        yield UNSAID, 1.0
    elif related:
        yield told.left, 1.0
    else:
        both = [(own, flags, p * q) for own, p in laws.FLAGS for flags, q in laws.FLAGS]
        same = sum(p for own, flags, p in both if flags[told.left] == own[told.left])
        swapped = sum(p for own, flags, p in both if flags[1 - told.left] == own[told.left])
        yield from ((told.left, same), (1 - told.left, swapped), (UNFIT, 1 - same - swapped))
