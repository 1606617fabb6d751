"""The options of the Diorama generator, each with its default."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from openmie.errors import CorpusError

LANGUAGES = ("en", "zh")  # of documents; posts are in English
POST_OPTIONS = ("two_names", "colour_cue", "long_names", "patches", "left_out", "hallucinated")  # not of documents
DOCUMENT_OPTIONS = ("language", "sentences", "frames", "pairs", "flag_cue", "missing")  # not of posts


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of the generator. Shares are probabilities between 0 and 1; the fields are commented below.

    Raises:
        CorpusError: For a value outside its range, and for an option of posts with `documents=True` or the other way
            round; the error gives field, value and range.
    """

    seed: int = 0  # another seed is another corpus of the same kind
    documents: bool = False  # biography transcripts with chains and timed frames, in place of posts
    language: str = "en"  # en or zh; posts are in English
    size: int = 128  # side of the square images, pixels, 48 .. 1024
    two_names: float = 0.25  # share of posts with two names and a relation (or None) between them; the rest have one
    ambiguous: float = (
        0.5  # share of posts whose text determines neither types nor relation: hence of ambiguous names too
    )
    cue: float = (
        0.75  # share of two-name posts whose text binds names to figures; in the rest only the order suggests it
    )
    in_order: float = 0.9  # share of two-name posts that name the figures from left to right, as captions mostly do
    colour_cue: float = 0.25  # of those, the share bound by the colour of a flag instead of by left and right
    long_names: float = 0.5  # share of names of two words; in unambiguous posts only
    unrelated: float = 1 / 3  # share of images that do not show what the post is about
    clutter: float = 0.5  # of those, the share that shows clutter; the rest show another post's scene
    distractors: int = 2  # maximum number of small distractor objects, 0 .. 4, uniform in 0 .. distractors
    patches: int = 6  # maximum number of candidate patches of an image, 4 .. 12; uniform in 4 .. patches
    left_out: float = 0.15  # probability that the noisy caption omits a visible object, for each object
    hallucinated: float = 0.15  # probability that the noisy caption adds one object that is not in the image
    noise: int = 8  # amplitude of the pixel noise, grey levels, 0 .. 32
    missing_text: float = 0.0  # share of posts without text
    missing_image: float = 0.0  # share of posts without image
    translation: bool = True  # add the image that a text-to-image model would generate from the text; posts
    # Of documents. `ambiguous`, `cue`, `in_order`, `unrelated` and `clutter` hold for their sentences with a frame: the
    # share of relations observable from frames only follows from `ambiguous` and `pairs`.
    sentences: int = 12  # maximum number of sentences, 6 .. 12; uniform in 6 .. sentences
    frames: int = 8  # maximum number of frames, 4 .. 8; uniform in 4 .. min(frames, sentences - 2)
    pairs: float = 0.6  # of ambiguous sentences, the share that names two entities, whose relation only the frame shows
    flag_cue: float = (
        1.0  # share of sentences with a frame that name the colour of its flag; the rest are aligned by time only
    )
    missing: float = 0.0  # share of documents that lack a modality: half the text, half the frames; on top of
    # `missing_text` and `missing_image`, and no document lacks both

    def __post_init__(self) -> None:
        for name in (
            "two_names",
            "ambiguous",
            "cue",
            "in_order",
            "colour_cue",
            "long_names",
            "unrelated",
            "clutter",
            "left_out",
            "hallucinated",
            "missing_text",
            "missing_image",
            "pairs",
            "flag_cue",
            "missing",
        ):
            self._number(name, 0, 1, (int, float))
        for name, low, high in (
            ("size", 48, 1024),
            ("distractors", 0, 4),
            ("patches", 4, 12),
            ("noise", 0, 32),
            ("seed", 0, 2**63 - 1),
            ("sentences", 6, 12),
            ("frames", 4, 8),
        ):
            self._number(name, low, high, (int,))
        for name in ("translation", "documents"):
            if not isinstance(getattr(self, name), bool):
                self._refuse(name, getattr(self, name), "True or False")
        if self.language not in LANGUAGES:
            self._refuse("language", self.language, f"one of {list(LANGUAGES)}")
        self._check_mode()
        if self.documents and self.no_text + self.no_frames > 1:
            self._refuse("missing", self.missing, "at most 1 together with missing_text and missing_image")

    @property
    def no_text(self) -> float:
        """Share of documents without text."""
        return self.missing_text + self.missing / 2

    @property
    def no_frames(self) -> float:
        """Share of documents without frames."""
        return self.missing_image + self.missing / 2

    def _check_mode(self) -> None:
        """Refuse an option of posts for documents, and the other way round."""
        default = {f.name: f.default for f in fields(self)}
        for name in POST_OPTIONS if self.documents else DOCUMENT_OPTIONS:
            if getattr(self, name) != default[name]:
                self._refuse(name, getattr(self, name), f"{default[name]!r} with documents={self.documents}")

    def _number(self, name: str, low: int, high: int, kinds: tuple[type, ...]) -> None:
        value: Any = getattr(self, name)
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits or not low <= value <= high:
            self._refuse(name, value, f"{'a whole number' if kinds == (int,) else 'a number'} in {low} .. {high}")

    def _refuse(self, name: str, value: Any, expected: str) -> None:
        raise CorpusError(
            f"{name}={value!r}", expected=expected, where=f"diorama.Config.{name}", remedy=f"set {name} to {expected}"
        )
