"""Datasets: published corpora and a user's own splits by name, one reader per file.

`load("twitter:PATH")` gives a `Corpus`; options are keyword arguments, or follow a question mark in the spec:
`load("twitter:PATH?captions=captions_blip2.txt&images=DIR")`.
"""

from __future__ import annotations

from typing import Any

from openmie.data.corpus import Corpus
from openmie.datasets.registry import Spec

__all__ = ["load"]


def load(spec: str, **options: Any) -> Corpus:
    """Load a corpus by name.

    Args:
        spec: `NAME:PATH`, with NAME one of `openmie.datasets.registry.DATASETS`; options may follow as
            `?key=value&key=value`. `diorama:` takes them directly after the colon: `diorama:train=2000,seed=1`.
        **options: of the dataset; they take precedence over those in the spec.

    Returns:
        The corpus. Its splits are lazy: folders are listed here, no file is opened.

    Raises:
        CorpusError: an unknown name or option, or no such files.
    """
    return Spec.parse(spec, **options).load()
