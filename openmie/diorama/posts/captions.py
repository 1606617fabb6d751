"""Captions of an image: a noisy one, as a captioner would write it, and the true one; both depend on the image alone.

An abstract caption holds the informative part, the figures from left to right and the signs. Its distribution is
enumerated once per scene, and both the generator and the ceilings use it. Distractors are never mentioned.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import NamedTuple

from openmie.diorama.config import Config
from openmie.diorama.drawing.layout import KINDS, Layout
from openmie.diorama.posts.distributions import CLUTTER, SIGNED, TYPES, Figure, Scene
from openmie.diorama.rng import Distribution, RandomStream

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


class AbstractCaption(NamedTuple):
    """The content of a caption: figures from left to right, and signs in a fixed order."""

    figures: tuple[Figure, ...]
    signs: tuple[str, ...]
    added: int = -1  # index of a hallucinated figure; not observable from the caption

    def without_hidden(self) -> AbstractCaption:
        """The part that is observable from the caption."""
        return self._replace(added=-1)


@lru_cache(4096)
def captions(config: Config, scene: Scene) -> Distribution[AbstractCaption]:
    """Each object is omitted independently; then at most one is added: a figure, at any position, or a sign."""
    seen = [*scene.figures, *([scene.sign] if scene.sign else [])]
    added: list[Figure | str] = [*(Figure(t) for t in (*TYPES, CLUTTER)), *SIGNED]
    out: list[tuple[AbstractCaption, float]] = []
    for keep in product((True, False), repeat=len(seen)):
        p = 1.0
        for k in keep:
            p *= 1 - config.left_out if k else config.left_out
        figures = tuple(f for f, k in zip(seen, keep) if k and isinstance(f, Figure))
        signs = tuple(s for s, k in zip(seen, keep) if k and isinstance(s, str))
        out.append((AbstractCaption(figures, signs), p * (1 - config.hallucinated)))
        for item in added:
            q = p * config.hallucinated / len(added)
            if isinstance(item, str):
                out.append((AbstractCaption(figures, tuple(sorted({*signs, item}))), q))
                continue
            for i in range(len(figures) + 1):
                out.append((AbstractCaption((*figures[:i], item, *figures[i:]), signs, i), q / (len(figures) + 1)))
    return Distribution(out)


def noisy_caption(config: Config, scene: Scene, layout: Layout, rng: RandomStream) -> str:
    """A sentence for a sampled caption."""
    caption = rng.sample(captions(config, scene))
    nouns = [_noun(f.kind, f.figure) for f in layout.figures]
    left = list(scene.figures)
    words = []
    for i, figure in enumerate(caption.figures):
        spare = NOUNS[rng.choice(KINDS[figure.type])]
        words.append(spare if i == caption.added else nouns.pop(_take(left, figure)))
    return caption_sentence(words, caption.signs)


def true_caption(scene: Scene, layout: Layout) -> str:
    """All figures from left to right and the sign, nothing else."""
    return caption_sentence([_noun(f.kind, f.figure) for f in layout.figures], (scene.sign,) if scene.sign else ())


def caption_sentence(nouns: list[str], signs: tuple[str, ...]) -> str:
    phrases = " and ".join(nouns) if nouns else "some things"
    return f"a picture of {phrases}" + (f" , with {' and '.join(SIGNS[s] for s in signs)}" if signs else "")


def _noun(kind: str, figure: Figure | None) -> str:
    return YOUNG[figure.type] if figure and figure.young else NOUNS[kind]


def _take(left: list[Figure], figure: Figure) -> int:
    """Index of the next such figure, which is removed."""
    i = left.index(figure)
    left.pop(i)
    return i
