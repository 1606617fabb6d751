"""Corpora: one public format per file, and the built-in generated corpus.

`load("twitter:PATH")` gives a `Corpus`; options go in as keyword arguments, or in the text after a question mark:
`load("twitter:PATH?captions=captions_blip2.txt&images=DIR")`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from openmie.corpora.corpus import Corpus, Labels, Split
from openmie.corpora.spec import FORMATS, Spec

if TYPE_CHECKING:
    from openmie.corpora.files import read, write

__all__ = ["FORMATS", "Corpus", "Labels", "Spec", "Split", "load", "read", "write"]


def load(spec: str, **options: Any) -> Corpus:
    """The corpus that `FORMAT:PATH` names. Splits are lazy: folders are listed here, no file is opened.

    `diorama:` takes its options right after the colon: `diorama:train=2000,seed=1`. Errors are `CorpusError`s.
    """
    return Spec.parse(spec, **options).load()


def __getattr__(name: str) -> Any:
    if name in ("read", "write"):
        return getattr(import_module("openmie.corpora.files"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
