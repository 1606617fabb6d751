"""Datasets: published corpora and one's own splits by name, one reader a file.

`load("twitter:PATH")` gives a `Corpus`; options go in as keyword arguments, or in the text after a question mark:
`load("twitter:PATH?captions=captions_blip2.txt&images=DIR")`.
"""

from __future__ import annotations

from typing import Any

from openmie.data.corpus import Corpus
from openmie.datasets.registry import Spec

__all__ = ["load"]


def load(spec: str, **options: Any) -> Corpus:
    """The corpus that `FORMAT:PATH` names. Splits are lazy: folders are listed here, no file is opened.

    `diorama:` takes its options right after the colon: `diorama:train=2000,seed=1`. Errors are `CorpusError`s.
    """
    return Spec.parse(spec, **options).load()
