"""Corpora: one public format per file, and the built-in generated corpus.

`load("twitter:PATH")` gives a `Corpus`; options go in as keyword arguments, or in the text after a question mark:
`load("twitter:PATH?captions=captions_blip2.txt&images=DIR")`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.corpora.corpus import Corpus, Labels, Split
from openmie.errors import CorpusError

if TYPE_CHECKING:
    from openmie.corpora.files import read, write

__all__ = ["FORMATS", "Corpus", "Labels", "Split", "load", "read", "write"]

_PUBLIC = ("twitter", "mnre", "gmner", "m3d", "jmere")  # a file of this folder each
_PLAIN = ("conll", "jsonl", "parquet")  # one file a split, see splits.py
FORMATS = (*_PUBLIC, *_PLAIN, "diorama")


def load(spec: str, **options: Any) -> Corpus:
    """The corpus that `FORMAT:PATH` names. Splits are lazy: nothing but folder listings is read here.

    `diorama:` takes its options after the colon: `diorama:train=2000,seed=1`. Errors are `CorpusError`s.
    """
    name, colon, rest = spec.partition(":")
    if not colon or name not in FORMATS:
        raise CorpusError(f"corpus {spec!r}", expected="FORMAT:PATH with one of the formats " + ", ".join(FORMATS),
                          remedy="put the format before the path, for example twitter:" + (spec or "PATH"))
    if name == "diorama":
        given = {**_pairs(rest, ",", spec), **options}
        return _called(import_module("openmie.corpora.diorama").corpus, name, (), given)
    path, given = _path(rest, spec)
    if not path.exists():
        raise CorpusError(f"nothing at {path}", expected=f"a folder or file in the format {name}",
                          remedy="check the path after the colon; it is relative to the working directory", where=spec)
    if name in _PLAIN:
        from openmie.corpora.splits import corpus

        return _called(corpus, name, (name, path), {**given, **options})
    return _called(import_module(f"openmie.corpora.{name}").corpus, name, (path,), {**given, **options})


def _path(rest: str, spec: str) -> tuple[Path, dict[str, str]]:
    """Path and options; a file whose own name has a question mark is taken as it stands."""
    if "?" not in rest or Path(rest).expanduser().exists():
        return Path(rest or ".").expanduser(), {}
    path, _, query = rest.partition("?")
    return Path(path or ".").expanduser(), _pairs(query, "&", spec)


def _pairs(text: str, mark: str, spec: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(mark) if part.strip()]
    if wrong := [key for key, equals, _ in pairs if not (equals and key.strip())]:
        raise CorpusError(f"option {wrong[0]!r}", expected=f"key=value, joined by {mark!r}", where=spec,
                          remedy=f"write {wrong[0] or 'key'}=VALUE")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _called(make: Callable[..., Corpus], name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Corpus:
    """`make(*args, **options)`, with a readable error for an option that it does not have."""
    known = list(inspect.signature(make).parameters.values())[len(args):]
    if any(p.kind is p.VAR_KEYWORD for p in known):
        return make(*args, **options)
    names = [p.name for p in known]
    if wrong := sorted(set(options) - set(names)):
        raise CorpusError(f"option {wrong[0]!r} for {name}", expected="one of " + (", ".join(names) or "no options"),
                          remedy="leave it out, or correct its name")
    return make(*args, **options)


def __getattr__(name: str) -> Any:
    if name in ("read", "write"):
        return getattr(import_module("openmie.corpora.files"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
