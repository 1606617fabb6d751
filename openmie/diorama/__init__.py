"""Diorama: the built-in synthetic corpus, whose ceilings are known.

Because the generator's distributions are known, the maximum expected F1 of any system (the *ceiling*) can be computed
exactly: `ceiling`. `generate` makes posts, or with `Config(documents=True)` biography transcripts with timed frames;
`corpus` wraps them as train, dev and test; `save` writes them to disk as PNGs and JSON lines. `check_caption` compares
a caption with what was drawn, `observable_from` says whether the text or only a frame determines a relation, and
`keep_frame_relations` keeps the latter.
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
from openmie.diorama.documents import distributions as document_distributions
from openmie.diorama.documents.documents import document, keep_frame_relations, observable_from
from openmie.diorama.posts.caption_check import CaptionCheck, check_caption
from openmie.diorama.posts.distributions import NONE, RELATIONS, SYMMETRIC, TYPES
from openmie.diorama.posts.names import SPLITS
from openmie.diorama.posts.posts import post
from openmie.diorama.save import save
from openmie.errors import CorpusError

__all__ = [
    "DOCUMENT_LABELS",
    "LABELS",
    "CaptionCheck",
    "Config",
    "box_prior",
    "ceiling",
    "check_caption",
    "corpus",
    "generate",
    "generate_pairs",
    "keep_frame_relations",
    "observable_from",
    "save",
]

LABELS = Labels(
    mentions=tuple(sorted(TYPES)),
    relations=tuple(sorted((NONE, *RELATIONS))),
    regions=tuple(sorted(TYPES)),
    symmetric=SYMMETRIC,
)
_ALL = (*document_distributions.TYPES, "TIME")
DOCUMENT_LABELS = Labels(
    mentions=_ALL,
    chains=_ALL,
    regions=document_distributions.TYPES,
    relations=tuple(sorted(document_distributions.RELATIONS)),
    symmetric=document_distributions.SYMMETRIC,
)


def generate(config: Config, split: str, n: int, *, pixels: bool = True) -> Iterator[Document]:
    """Generate the first n posts (or documents, with `config.documents`) of a split, lazily.

    The document of an index depends on `config.seed`, the split and the index only, so the documents of a smaller n
    are a prefix of those of a larger one.

    Args:
        config: Options of the generator.
        split: "train", "dev" or "test". No made-up name occurs in two splits.
        n: Number of documents, at least 0.
        pixels: Whether images carry pixels, (size, size, 3) uint8. Without them all else is equal, and much faster.

    Returns:
        An iterator over n documents with gold annotations; `source` holds the latent state, for analyses only.

    Raises:
        CorpusError: For another split, and for an n that is not a whole number of at least 0.
    """
    if split not in SPLITS:
        raise CorpusError.unknown("split", split, SPLITS, where="diorama.generate")
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise CorpusError(
            f"n={n!r}",
            expected="a whole number of at least 0",
            where="diorama.generate",
            remedy="set n to the number of posts",
        )
    make = document if config.documents else post
    return (make(config, split, i, pixels) for i in range(n))


def generate_pairs(config: Config, split: str, n: int) -> Iterator[Document]:
    """Generate the first n posts of a split that name two entities, and so have a relation (or None) between them.

    Only such posts count for the scores of relations and pairs, so a relation model learns from them most quickly.
    `two_names=1` would be another corpus: there the image of another post shows two figures too.

    Args:
        config: Options of the generator, for posts.
        split: "train", "dev" or "test".
        n: Number of posts, at least 0.

    Returns:
        An iterator over n posts, with pixels.

    Raises:
        CorpusError: As `generate`; for `config.documents`; and for a config under which no post names two entities.
    """
    generate(config, split, n)  # for its errors
    if config.documents:
        raise CorpusError(
            "documents=True",
            expected="posts",
            where="diorama.generate_pairs",
            remedy="leave `paired` out; the option `pairs` sets how many sentences name a pair",
        )
    if n and (config.two_names == 0 or config.missing_text == 1):
        raise CorpusError(
            f"two_names={config.two_names}, missing_text={config.missing_text}",
            expected="posts that name two entities",
            where="diorama.generate_pairs",
            remedy="without them there are no pairs: leave `paired` out",
        )
    posts = (i for i in count() if post(config, split, i, False).relations)
    return (post(config, split, i, True) for i in islice(posts, n))


def corpus(
    config: Config | None = None, train: int = 2000, dev: int = 500, test: int = 1000, paired: bool = False
) -> Corpus:
    """A corpus of generated posts or documents, generated anew at each iteration.

    Args:
        config: Options of the generator; None: the defaults.
        train: Number of training documents.
        dev: Number of development documents.
        test: Number of test documents.
        paired: Whether to keep posts that name two entities only (`generate_pairs`).

    Returns:
        The corpus "diorama" with its splits and label sets.

    Raises:
        CorpusError: When a split is iterated, as `generate` and `generate_pairs`.
    """
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
