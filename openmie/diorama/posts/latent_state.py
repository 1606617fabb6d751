"""What is hidden behind a post: what its names are, what its image shows, and what its text says of that."""

from __future__ import annotations

from dataclasses import dataclass, replace

from openmie.diorama.config import Config
from openmie.diorama.posts import distributions as laws
from openmie.diorama.posts.distributions import Pair, Scene
from openmie.diorama.rng import Draws


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One draw from the laws. Names are counted in text order."""

    types: tuple[str, ...]  # of each name
    relation: str = ""  # of a two-name post, None included
    head: int = 0  # which name is the relation's head
    left: int = 0  # which name's figure stands left, in the scene that the post is about
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
    def pair(self) -> Pair:
        return Pair(self.relation, self.types[self.head], self.types[1 - self.head])


def draw_facts(config: Config, draws: Draws) -> Facts:
    """Each choice from its law, in a fixed order; all are drawn, whether used or not, so that dials do not interact."""
    n = draws.draw(laws.names(config))
    type_, pair = draws.draw(laws.TYPE), draws.draw(laws.PAIR)
    head, left = draws.draw(laws.COIN), draws.draw(laws.lefts(config))
    ambiguous, cue = draws.draw(laws.two(config.ambiguous)), draws.draw(laws.cues(config))
    colours, other_colours = draws.draw(laws.FLAGS), draws.draw(laws.FLAGS)
    image = draws.draw(laws.images(config))
    other, clutter = draws.draw(laws.other_scenes(config)), draws.draw(laws.clutter_scenes(config))
    has_text = not draws.draw(laws.two(config.missing_text))
    has_image = not draws.draw(laws.two(config.missing_image))
    own = laws.one_scene(type_) if n == 1 else laws.pair_scene(pair, head == left)
    scene = {"": own, "clutter": clutter, "other": other}[image]
    flags = (other_colours if image else colours) if len(scene.figures) == 2 else ()
    facts = Facts(
        types=(type_,),
        ambiguous=ambiguous,
        image=image,
        scene=scene,
        flags=flags,
        has_text=has_text,
        has_image=has_image,
    )
    if n == 1:
        return facts
    types = (pair.head, pair.tail) if head == 0 else (pair.tail, pair.head)
    return replace(facts, types=types, relation=pair.relation, head=head, left=left, cue=cue, colours=colours)


def imagined(config: Config, facts: Facts, draws: Draws) -> tuple[Scene, tuple[str, ...]]:
    """Scene and flags that the text alone would make one imagine, drawn from what it makes likely and not from gold.

    Where the text tells types and relation they are kept; where it does not, they are drawn anew. A cue is obeyed.
    """
    type_, pair = draws.draw(laws.TYPE), draws.draw(laws.PAIR)
    head, left, colours = draws.draw(laws.COIN), draws.draw(laws.lefts(config)), draws.draw(laws.FLAGS)
    if len(facts.types) == 1:
        return laws.one_scene(type_ if facts.ambiguous else facts.types[0]), ()
    if not facts.ambiguous:
        pair, head = facts.pair, facts.head
    if facts.cue == "position":
        left = facts.left
    if facts.cue == "colour":
        told = facts.first_flag
        other = next(c for c in colours if c != told)
        colours = (told, other) if left == 0 else (other, told)
    return laws.pair_scene(pair, head == left), colours
