"""Enumerate every outcome of the post generator with its probability: the product of its distributions, no sampling."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from openmie.diorama.config import Config
from openmie.diorama.posts import distributions
from openmie.diorama.posts.distributions import Scene, TypedRelation

NO_IMAGE = Scene((), "no image")
MISMATCHED, UNMENTIONED = -1, -2  # flags that match the text neither way; flags that the text does not mention


class PostContent(NamedTuple):
    """What a post is about, and what its text says about it."""

    types: tuple[str, ...]  # in text order
    relation: str
    head: int
    left: int  # name whose figure stands left in the post's own scene
    ambiguous: bool
    cue: str


class Outcome(NamedTuple):
    """One outcome of the generator, as far as any metric depends on it."""

    content: PostContent
    related: bool  # the image shows the post's own scene
    scene: Scene  # what the image shows, or NO_IMAGE
    bound: int  # the name that the flags place on the left; or MISMATCHED, or UNMENTIONED


@lru_cache(8)
def outcomes(config: Config) -> tuple[tuple[Outcome, float], ...]:
    """Every outcome of a post with text. The probabilities sum to one."""
    return tuple(
        (Outcome(content, related, scene, bound), p * q * r)
        for content, p in _contents(config)
        for related, scene, q in _scenes(config, content)
        for bound, r in _bound(content, related, scene)
    )


def _contents(config: Config) -> Iterator[tuple[PostContent, float]]:
    for ambiguous, a in distributions.bernoulli(config.ambiguous):
        for n, p in distributions.name_counts(config):
            if n == 1:
                yield from (
                    (PostContent((type_,), "", 0, 0, ambiguous, ""), a * p * q) for type_, q in distributions.TYPE
                )
                continue
            for pair, q in distributions.PAIR:
                for head, r in distributions.COIN:
                    types = (pair.head, pair.tail) if head == 0 else (pair.tail, pair.head)
                    for left, s in distributions.left_positions(config):
                        for cue, t in distributions.cues(config):
                            yield PostContent(types, pair.relation, head, left, ambiguous, cue), a * p * q * r * s * t


def own_scene(content: PostContent) -> Scene:
    """The scene of what a post is about."""
    if len(content.types) == 1:
        return distributions.one_scene(content.types[0])
    pair = TypedRelation(content.relation, content.types[content.head], content.types[1 - content.head])
    return distributions.pair_scene(pair, content.head == content.left)


def _scenes(config: Config, content: PostContent) -> Iterator[tuple[bool, Scene, float]]:
    for missing, m in distributions.bernoulli(config.missing_image):
        if missing:
            yield False, NO_IMAGE, m
            continue
        for image, p in distributions.images(config):
            if not image:
                yield True, own_scene(content), m * p
                continue
            for scene, q in (
                distributions.other_scenes(config) if image == "other" else distributions.clutter_scenes(config)
            ):
                yield False, scene, m * p * q


def _bound(content: PostContent, related: bool, scene: Scene) -> Iterator[tuple[int, float]]:
    """How the flags of the image match the colour that the text gives to the flag of the first name's figure."""
    if content.cue != "colour" or len(scene.figures) != 2:
        yield UNMENTIONED, 1.0
    elif related:
        yield content.left, 1.0
    else:
        both = [(own, flags, p * q) for own, p in distributions.FLAGS for flags, q in distributions.FLAGS]
        same = sum(p for own, flags, p in both if flags[content.left] == own[content.left])
        swapped = sum(p for own, flags, p in both if flags[1 - content.left] == own[content.left])
        yield from ((content.left, same), (1 - content.left, swapped), (MISMATCHED, 1 - same - swapped))
