"""`FORMAT:PATH?key=value&key=value` taken apart, and the function that it calls."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus
from openmie.errors import CorpusError

PUBLIC = ("twitter", "mnre", "gmner", "m3d", "jmere")  # a file of this folder each
PLAIN = ("conll", "jsonl", "parquet")  # one file a split, see splits.py
FORMATS = (*PUBLIC, *PLAIN, "diorama")


@dataclass(frozen=True)
class Spec:
    """A corpus as a user names it; `path` means nothing for diorama."""

    format: str
    path: Path
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, **options: Any) -> Spec:
        """The spec of a text; keyword options win over those in the text."""
        name, colon, rest = text.partition(":")
        if not colon or name not in FORMATS:
            raise CorpusError(
                f"corpus {text!r}",
                expected="FORMAT:PATH with one of the formats " + ", ".join(FORMATS),
                remedy="put the format before the path, for example twitter:" + (text or "PATH"),
            )
        if name == "diorama":
            return cls(name, Path(), {**_pairs(rest.lstrip("?"), ",", text), **options})
        path, given = _path(rest, text)
        if not path.exists():
            raise CorpusError(
                f"nothing at {path}",
                expected=f"a folder or file in the format {name}",
                where=text,
                remedy="check the path after the colon; it is relative to the working directory",
            )
        return cls(name, path, {**given, **options})

    def load(self) -> Corpus:
        """The corpus. Folders are listed, no file is opened."""
        if self.format == "diorama":
            return _diorama(self.options)
        if self.format in PLAIN:
            options = {key: _value(v) if key in ("tokens", "tags") else v for key, v in self.options.items()}
            return import_module("openmie.datasets.splits").corpus(self.format, self.path, **options)
        make = import_module(f"openmie.datasets.{self.format}").corpus
        _check(self.format, self.options, accepted(make))
        return make(self.path, **self.options)


def accepted(make: Callable[..., Corpus]) -> tuple[str, ...]:
    """The options of a reader."""
    return tuple(p.name for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY)


def _check(name: str, options: dict[str, Any], known: tuple[str, ...]) -> None:
    if wrong := sorted(set(options) - set(known)):
        raise CorpusError(
            f"option {wrong[0]!r} for {name}",
            expected="one of " + (", ".join(known) or "no options"),
            remedy="leave it out, or correct its name",
        )


def _path(rest: str, spec: str) -> tuple[Path, dict[str, str]]:
    """Path and options; a file whose own name has a question mark is taken as it stands."""
    if not rest:
        raise CorpusError(
            f"corpus {spec!r} without a path", expected="FORMAT:PATH", remedy=f"write {spec}. for the working directory"
        )
    if "?" not in rest or Path(rest).expanduser().exists():
        return Path(rest).expanduser(), {}
    path, _, query = rest.partition("?")
    return Path(path).expanduser(), _pairs(query, "&", spec)


def _pairs(text: str, mark: str, spec: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(mark) if part.strip()]
    if wrong := [key for key, equals, _ in pairs if not (equals and key.strip())]:
        raise CorpusError(
            f"option {wrong[0]!r}",
            expected=f"key=value, joined by {mark!r}",
            where=spec,
            remedy=f"write {wrong[0] or 'key'}=VALUE",
        )
    return {key.strip(): value.strip() for key, _, value in pairs}


def _diorama(options: dict[str, Any]) -> Corpus:
    """Sizes of the splits, and the fields of `diorama.Config`; values from a text are numbers where they look so."""
    diorama = import_module("openmie.diorama")
    sizes = ("train", "dev", "test")
    fields = tuple(f.name for f in dataclasses.fields(diorama.Config))
    values = {key: _value(value) for key, value in options.items()}
    config = values.pop("config", None) or diorama.Config()
    _check("diorama", values, (*sizes, "paired", *fields))
    for name in set(sizes) & set(values):
        if type(values[name]) is not int or values[name] < 0:
            raise CorpusError(
                f"{name}={options[name]!r}",
                expected="a number of posts",
                where="diorama",
                remedy=f"write {name}=500, or leave it out",
            )
    dials = {key: values.pop(key) for key in fields if key in values}
    return diorama.corpus(dataclasses.replace(config, **dials), **values)


def _value(text: Any) -> Any:
    """A number or truth value, where a text looks like one."""
    if not isinstance(text, str):
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
