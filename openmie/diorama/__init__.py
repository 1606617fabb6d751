"""Diorama: the built-in generated corpus, whose best possible scores are known.

`generate` makes posts, or with `Config(documents=True)` biography transcripts with timed frames; `corpus` wraps them as
train, dev and test; `save` writes them to disk as PNGs and JSON lines. `verdict` says whether a caption is right,
`told_by` whether the text or a frame tells a relation of a document, `told_by_frames` keeps the latter only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice

from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document
from openmie.diorama.ceilings.box_prior import box_prior
from openmie.diorama.ceilings.posts import ceiling
from openmie.diorama.config import Config
from openmie.diorama.documents import distributions as biography
from openmie.diorama.documents.documents import document, told_by, told_by_frames
from openmie.diorama.posts.caption_check import Verdict, verdict
from openmie.diorama.posts.distributions import NONE, RELATIONS, SYMMETRIC, TYPES
from openmie.diorama.posts.names import SPLITS
from openmie.diorama.posts.posts import post
from openmie.diorama.save import save
from openmie.errors import CorpusError

__all__ = [
    "DOCUMENT_LABELS",
    "LABELS",
    "Config",
    "Verdict",
    "box_prior",
    "ceiling",
    "corpus",
    "generate",
    "generate_pairs",
    "save",
    "told_by",
    "told_by_frames",
    "verdict",
]

LABELS = Labels(
    mentions=tuple(sorted(TYPES)),
    relations=tuple(sorted((NONE, *RELATIONS))),
    regions=tuple(sorted(TYPES)),
    symmetric=SYMMETRIC,
)
_ALL = (*biography.TYPES, "TIME")
DOCUMENT_LABELS = Labels(
    mentions=_ALL,
    chains=_ALL,
    regions=biography.TYPES,
    relations=tuple(sorted(biography.RELATIONS)),
    symmetric=biography.SYMMETRIC,
)


def generate(config: Config, split: str, n: int, *, pixels: bool = True) -> Iterator[Document]:
    """The first n posts or documents of a split, made one by one; those of a larger n begin with the same ones.

    `pixels=False` leaves the pixels out of the images and is much faster; all else is equal. Raises `CorpusError` for
    a split other than train, dev or test, and for an n that is not a whole number of at least 0.
    """
    if split not in SPLITS:
        raise CorpusError(
            f"split {split!r}",
            expected=f"one of {list(SPLITS)}",
            where="diorama.generate",
            remedy="ask for train, dev or test",
        )
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise CorpusError(
            f"n={n!r}",
            expected="a whole number of at least 0",
            where="diorama.generate",
            remedy="say how many posts to make",
        )
    make = document if config.documents else post
    return (make(config, split, i, pixels) for i in range(n))


def generate_pairs(config: Config, split: str, n: int) -> Iterator[Document]:
    """The first n posts of a split that name two things, and so have a relation (or None) between them.

    Only they count for the scores of relations and pairs, so they are what a relation model learns from most quickly.
    `two_names=1` would be another corpus: there the image of another post shows two figures too.
    """
    generate(config, split, n)  # for its errors
    if config.documents:
        raise CorpusError(
            "documents=True",
            expected="posts",
            where="diorama.generate_pairs",
            remedy="leave `paired` out; the dial `pairs` says how many sentences name a pair",
        )
    if n and (config.two_names == 0 or config.missing_text == 1):
        raise CorpusError(
            f"two_names={config.two_names}, missing_text={config.missing_text}",
            expected="posts that name two things",
            where="diorama.generate_pairs",
            remedy="without them there are no pairs: leave `paired` out",
        )
    posts = (i for i in count() if post(config, split, i, False).relations)
    return (post(config, split, i, True) for i in islice(posts, n))


def corpus(
    config: Config | None = None, train: int = 2000, dev: int = 500, test: int = 1000, paired: bool = False
) -> Corpus:
    """So many posts or documents of each split, made anew at each iteration; `paired`: posts of two names only."""
    config, make = config or Config(), generate_pairs if paired else generate
    sources: dict[str, Callable[[], Iterator[Document]]] = {
        split: partial(make, config, split, n) for split, n in zip(SPLITS, (train, dev, test))
    }
    return Corpus(
        name="diorama",
        sources=sources,
        declared=DOCUMENT_LABELS if config.documents else LABELS,
        language=config.language,
    )
