"""The dials of Diorama, each with its default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openmie.errors import CorpusError

LANGUAGES = ("en",)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every dial. Shares are probabilities; a value out of range raises `CorpusError` with field, value and range."""

    seed: int = 0  # another seed is another corpus of the same kind
    lang: str = "en"  # language of the posts
    size: int = 128  # side of the square images, pixels, 48 .. 1024
    two_names: float = 0.25  # share of posts with two names and a relation (or None) between them; the rest have one
    ambiguous: float = 0.5  # share of posts whose text says nothing of types and relation: hence of ambiguous names too
    cue: float = 0.75  # share of two-name posts whose text says which figure is whose; the rest leave it to the order
    in_order: float = 0.9  # share of two-name posts that name things from left to right, as captions mostly do
    colour_cue: float = 0.25  # of those, the share bound by the colour of a flag instead of by left and right
    long_names: float = 0.5  # share of names of two words; in unambiguous posts only
    unrelated: float = 1 / 3  # share of images that do not show what the post is about
    clutter: float = 0.5  # of those, the share that shows clutter; the rest show another post's scene
    distractors: int = 2  # at most so many small things lie about, 0 .. 4, each number as likely
    patches: int = 6  # at most so many candidate patches of an image, 4 .. 12; their number is uniform in 4 .. patches
    left_out: float = 0.15  # chance that the noisy caption leaves out a thing that is there, each
    hallucinated: float = 0.15  # chance that the noisy caption adds one thing that is not there
    noise: int = 8  # amplitude of the pixel noise, grey levels, 0 .. 32
    missing_text: float = 0.0  # share of posts without text
    missing_image: float = 0.0  # share of posts without image
    translation: bool = True  # draw the image that a text-to-image model would make of the text

    def __post_init__(self) -> None:
        for name in ("two_names", "ambiguous", "cue", "in_order", "colour_cue", "long_names", "unrelated", "clutter",
                     "left_out", "hallucinated", "missing_text", "missing_image"):
            self._number(name, 0, 1, (int, float))
        for name, low, high in (("size", 48, 1024), ("distractors", 0, 4), ("patches", 4, 12), ("noise", 0, 32),
                                ("seed", 0, 2**63 - 1)):
            self._number(name, low, high, (int,))
        if not isinstance(self.translation, bool):
            self._refuse("translation", self.translation, "True or False")
        if self.lang not in LANGUAGES:
            self._refuse("lang", self.lang, f"one of {list(LANGUAGES)}")

    def _number(self, name: str, low: int, high: int, kinds: tuple[type, ...]) -> None:
        value: Any = getattr(self, name)
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits or not low <= value <= high:
            self._refuse(name, value, f"{'a whole number' if kinds == (int,) else 'a number'} in {low} .. {high}")

    def _refuse(self, name: str, value: Any, expected: str) -> None:
        raise CorpusError(f"{name}={value!r}", expected=expected, where=f"diorama.Config.{name}",
                          remedy=f"set {name} to {expected}")
