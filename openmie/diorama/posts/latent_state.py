"""The latent state of a post: the types and relation of its names, its scene, and how its text describes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from openmie.diorama.config import Config
from openmie.diorama.posts import distributions
from openmie.diorama.posts.distributions import Scene, TypedRelation
from openmie.diorama.rng import RandomStream


@dataclass(frozen=True, kw_only=True)
class LatentState:
    """One sample from the distributions. Names are numbered in text order."""

    types: tuple[str, ...]  # of each name
    relation: str = ""  # of a two-name post, None included
    head: int = 0  # which name is the relation's head
    left: int = 0  # which name's figure is on the left in the post's own scene
    ambiguous: bool
    cue: str = ""  # of a two-name post: none, position or colour
    colours: tuple[str, ...] = ()  # of the flags by the left and the right figure of the post's own scene
    image: str = ""  # "" related, clutter, or other: another post's scene
    scene: Scene  # what the image shows
    flags: tuple[str, ...] = ()  # left and right, in the image
    has_text: bool = True
    has_image: bool = True

    @property
    def first_flag(self) -> str:
        """Colour of the flag by the first name's figure, in the scene that the post is about."""
        return self.colours[self.left]

    @property
    def pair(self) -> TypedRelation:
        return TypedRelation(self.relation, self.types[self.head], self.types[1 - self.head])


def sample_latent_state(config: Config, rng: RandomStream) -> LatentState:
    """Sample each variable in a fixed order; all are sampled, used or not, so that options do not interact."""
    n = rng.sample(distributions.name_counts(config))
    type_, pair = rng.sample(distributions.TYPE), rng.sample(distributions.PAIR)
    head, left = rng.sample(distributions.COIN), rng.sample(distributions.left_positions(config))
    ambiguous, cue = rng.sample(distributions.bernoulli(config.ambiguous)), rng.sample(distributions.cues(config))
    colours, other_colours = rng.sample(distributions.FLAGS), rng.sample(distributions.FLAGS)
    image = rng.sample(distributions.images(config))
    other, clutter = rng.sample(distributions.other_scenes(config)), rng.sample(distributions.clutter_scenes(config))
    has_text = not rng.sample(distributions.bernoulli(config.missing_text))
    has_image = not rng.sample(distributions.bernoulli(config.missing_image))
    own = distributions.one_scene(type_) if n == 1 else distributions.pair_scene(pair, head == left)
    scene = {"": own, "clutter": clutter, "other": other}[image]
    flags = (other_colours if image else colours) if len(scene.figures) == 2 else ()
    latent = LatentState(
        types=(type_,),
        ambiguous=ambiguous,
        image=image,
        scene=scene,
        flags=flags,
        has_text=has_text,
        has_image=has_image,
    )
    if n == 1:
        return latent
    types = (pair.head, pair.tail) if head == 0 else (pair.tail, pair.head)
    return replace(latent, types=types, relation=pair.relation, head=head, left=left, cue=cue, colours=colours)


def sample_imagined_scene(config: Config, latent: LatentState, rng: RandomStream) -> tuple[Scene, tuple[str, ...]]:
    """Scene and flags sampled from the posterior given the text alone, not from gold.

    Where the text determines types and relation they are kept; where it does not, they are sampled anew. A cue is kept.
    """
    type_, pair = rng.sample(distributions.TYPE), rng.sample(distributions.PAIR)
    head, left, colours = (
        rng.sample(distributions.COIN),
        rng.sample(distributions.left_positions(config)),
        rng.sample(distributions.FLAGS),
    )
    if len(latent.types) == 1:
        return distributions.one_scene(type_ if latent.ambiguous else latent.types[0]), ()
    if not latent.ambiguous:
        pair, head = latent.pair, latent.head
    if latent.cue == "position":
        left = latent.left
    if latent.cue == "colour":
        first = latent.first_flag
        other = next(c for c in colours if c != first)
        colours = (first, other) if left == 0 else (other, first)
    return distributions.pair_scene(pair, head == left), colours
