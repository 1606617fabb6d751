"""Diorama: the built-in generated corpus, whose best possible scores are known.

`generate` makes posts; `corpus` wraps them as train, dev and test; `save` writes them to disk as PNGs and JSON lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from openmie.corpora.corpus import Corpus, Labels
from openmie.corpora.diorama.ceilings import ceiling
from openmie.corpora.diorama.config import Config
from openmie.corpora.diorama.laws import NONE, RELATIONS, SYMMETRIC, TYPES
from openmie.corpora.diorama.names import SPLITS
from openmie.corpora.diorama.posts import post
from openmie.corpora.diorama.prior import box_prior
from openmie.corpora.diorama.save import save
from openmie.document import Document
from openmie.errors import CorpusError

__all__ = ["LABELS", "Config", "box_prior", "ceiling", "corpus", "generate", "save"]

LABELS = Labels(mentions=tuple(sorted(TYPES)), relations=tuple(sorted((NONE, *RELATIONS))),
                regions=tuple(sorted(TYPES)), symmetric=SYMMETRIC)


def generate(config: Config, split: str, n: int, *, pixels: bool = True) -> Iterator[Document]:
    """The first n posts of a split, made one by one; those of a larger n begin with the same posts.

    `pixels=False` leaves the pixels out of the images and is much faster; all else is equal. Raises `CorpusError` for
    a split other than train, dev or test, and for an n that is not a whole number of at least 0.
    """
    if split not in SPLITS:
        raise CorpusError(f"split {split!r}", expected=f"one of {list(SPLITS)}", where="diorama.generate",
                          remedy="ask for train, dev or test")
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise CorpusError(f"n={n!r}", expected="a whole number of at least 0", where="diorama.generate",
                          remedy="say how many posts to make")
    return (post(config, split, i, pixels) for i in range(n))


def corpus(config: Config | None = None, train: int = 2000, dev: int = 500, test: int = 1000) -> Corpus:
    """So many posts of each split, made anew at each iteration."""
    config = config or Config()
    sources: dict[str, Callable[[], Iterator[Document]]] = {
        split: partial(generate, config, split, n) for split, n in zip(SPLITS, (train, dev, test))}
    return Corpus(name="diorama", sources=sources, declared=LABELS)
