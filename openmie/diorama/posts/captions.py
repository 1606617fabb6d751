"""What a captioner would say of an image: the noisy caption and the true one, drawn from the image alone.

An abstract caption holds what may tell anything, the figures from left to right and the signs; its law is enumerated
once per scene, and both the generator and the ceilings read it. Distractors are never named.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import NamedTuple

from openmie.diorama.config import Config
from openmie.diorama.drawing.layout import KINDS, Layout
from openmie.diorama.posts.distributions import CLUTTER, SIGNED, TYPES, Figure, Scene
from openmie.diorama.rng import Draws, Law

NOUNS = {
    "man": "a man",
    "woman": "a woman",
    "worker": "a man with a helmet",
    "runner": "a runner",
    "dog": "a dog",
    "cat": "a cat",
    "bird": "a bird",
    "car": "a car",
    "van": "a van",
    "boat": "a boat",
    "mountain": "a mountain",
    "bridge": "a bridge",
    "lighthouse": "a lighthouse",
    "skyline": "a skyline",
    "office": "an office building",
    "shop": "a shop",
    "factory": "a factory",
    "umbrella": "an umbrella",
    "table": "a table",
    "chair": "a chair",
    "lamp": "a lamp",
    "ball": "a ball",
    "gift": "a gift",
    "plant": "a plant",
    "trophy": "a trophy",
    "cup": "a cup",
}
YOUNG = {"PER": "a child", "MISC": "a small copy"}
SIGNS = {
    "couple": "a big heart or rings",
    "peer": "matching striped bibs",
    "member_of": "a bib with an emblem",
    "present_in": "a stage",
    "locate_at": "a map pin",
}


class Caption(NamedTuple):
    """What a caption says: figures from left to right, and signs in a fixed order."""

    figures: tuple[Figure, ...]
    signs: tuple[str, ...]
    added: int = -1  # place of a hallucinated figure among them: hidden from whoever reads the caption

    def said(self) -> Caption:
        """As a reader sees it."""
        return self._replace(added=-1)


@lru_cache(4096)
def captions(config: Config, scene: Scene) -> Law[Caption]:
    """Each thing is left out on its own; then, at most one thing is added: a figure, at any place, or a sign."""
    seen = [*scene.figures, *([scene.sign] if scene.sign else [])]
    added: list[Figure | str] = [*(Figure(t) for t in (*TYPES, CLUTTER)), *SIGNED]
    out: list[tuple[Caption, float]] = []
    for kept in product((True, False), repeat=len(seen)):
        p = 1.0
        for k in kept:
            p *= 1 - config.left_out if k else config.left_out
        figures = tuple(f for f, k in zip(seen, kept) if k and isinstance(f, Figure))
        signs = tuple(s for s, k in zip(seen, kept) if k and isinstance(s, str))
        out.append((Caption(figures, signs), p * (1 - config.hallucinated)))
        for thing in added:
            q = p * config.hallucinated / len(added)
            if isinstance(thing, str):
                out.append((Caption(figures, tuple(sorted({*signs, thing}))), q))
                continue
            for i in range(len(figures) + 1):
                out.append((Caption((*figures[:i], thing, *figures[i:]), signs, i), q / (len(figures) + 1)))
    return Law(out)


def noisy(config: Config, scene: Scene, layout: Layout, draws: Draws) -> str:
    """A sentence for a drawn caption."""
    caption = draws.draw(captions(config, scene))
    nouns = [_noun(f.kind, f.figure) for f in layout.figures]
    left = list(scene.figures)
    words = []
    for i, figure in enumerate(caption.figures):
        spare = NOUNS[draws.pick(KINDS[figure.type])]
        words.append(spare if i == caption.added else nouns.pop(_take(left, figure)))
    return sentence(words, caption.signs)


def true(scene: Scene, layout: Layout) -> str:
    """All figures from left to right and the sign, nothing else."""
    return sentence([_noun(f.kind, f.figure) for f in layout.figures], (scene.sign,) if scene.sign else ())


def sentence(nouns: list[str], signs: tuple[str, ...]) -> str:
    things = " and ".join(nouns) if nouns else "some things"
    return f"a picture of {things}" + (f" , with {' and '.join(SIGNS[s] for s in signs)}" if signs else "")


def _noun(kind: str, figure: Figure | None) -> str:
    return YOUNG[figure.type] if figure and figure.young else NOUNS[kind]


def _take(left: list[Figure], figure: Figure) -> int:
    """Index of the next such figure, which is used up."""
    i = left.index(figure)
    left.pop(i)
    return i
