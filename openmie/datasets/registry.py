"""Datasets by name: one table, and the specs that name one: `NAME:PATH?key=value&key=value`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus
from openmie.datasets.folds import missing_share
from openmie.datasets.splits import NAMES, is_readable, load_split_files, split_options
from openmie.errors import CorpusError
from openmie.formats.post_columns import option_names, with_columns


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One row of the table. Functions are named `module:function`, and imported when they are first used."""

    loader: str = ""  # path and keyword options -> Corpus; empty: a file format, see `openmie.datasets.splits`
    references: tuple[str, ...] = ()  # published statistics, names in `openmie.datasets.audit.reference_stats`
    audit: str = ""  # path, options and image ids -> findings that only this dataset can have
    takes_path: bool = True

    @property
    def is_published(self) -> bool:
        """Whether it is a published dataset, which `doctor` compares with its published statistics."""
        return bool(self.references)


DATASETS = {
    "twitter": Dataset(
        loader="openmie.datasets.twitter:load_twitter", references=("TWITTER_2015", "TWITTER_2017", "GMNER_TEXTS")
    ),
    "mnre": Dataset(loader="openmie.datasets.mnre:load_mnre", references=("MNRE",)),
    "gmner": Dataset(
        loader="openmie.datasets.gmner:load_gmner",
        references=("GMNER",),
        audit="openmie.datasets.gmner:unused_annotation_files",
    ),
    "m3d": Dataset(loader="openmie.datasets.m3d:load_m3d", references=("M3D",)),
    "jmere": Dataset(loader="openmie.datasets.jmere:load_jmere", references=("JMERE",)),
    "conll04": Dataset(loader="openmie.datasets.conll04:load_conll04"),
    "docred": Dataset(loader="openmie.datasets.docred:load_docred"),
    "fewrel": Dataset(loader="openmie.datasets.fewrel:load_fewrel"),
    **{name: Dataset() for name in NAMES},
    "files": Dataset(loader="openmie.datasets.splits:load_files"),
    "diorama": Dataset(loader="openmie.datasets.registry:load_diorama", takes_path=False),
}


def loader(name: str) -> Callable[..., Corpus]:
    """The function that loads a dataset."""
    return resolve_function(DATASETS[name].loader) if DATASETS[name].loader else partial(load_split_files, name)


def resolve_function(name: str) -> Callable[..., Any]:
    """The function of `module:function`."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def accepted_options(name: str) -> tuple[str, ...]:
    """The options of a dataset."""
    if not DATASETS[name].loader:
        return split_options(name)
    return option_names(loader(name))


@dataclass(frozen=True)
class Spec:
    """A corpus as a user names it.

    Args:
        format: a name of `DATASETS`.
        path: folder or file; without meaning for `diorama`.
        options: of the dataset.
    """

    format: str
    path: Path
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, **options: Any) -> Spec:
        """Parse `NAME:PATH?key=value&key=value`; without a name, files that are recognised are `files`.

        Args:
            text: the spec.
            **options: take precedence over those in the text.

        Raises:
            CorpusError: an unknown name, or nothing at the path.
        """
        name, colon, rest = text.partition(":")
        if not colon or name not in DATASETS:
            path, given = _path(text, text) if text else (Path(), {})
            if text and is_readable(str(path)):
                return cls("files", path, {**given, **options})
            raise CorpusError(
                f"no format in the corpus name {text!r}",
                expected="FORMAT:PATH with one of the formats " + ", ".join(DATASETS),
                remedy="put the format before the path, for example twitter:" + (text or "PATH"),
            )
        if not DATASETS[name].takes_path:
            return cls(name, Path(), {**_pairs(rest.lstrip("?"), ",", text), **options})
        path, given = _path(rest, text)
        if not path.exists() and name != "files":
            raise CorpusError(
                f"nothing at {path}",
                expected=f"a folder or file in the format {name}",
                where=text,
                remedy="check the path after the colon; it is relative to the working directory",
            )
        return cls(name, path, {**given, **options})

    def load(self) -> Corpus:
        """Load the corpus: folders are listed, files are opened when a split is iterated.

        Raises:
            CorpusError: an unknown option, or no files of the dataset.
        """
        if not DATASETS[self.format].takes_path:
            return loader(self.format)(**self.options)
        _check_options(self.format, self.options, accepted_options(self.format))
        own, typed = DATASETS[self.format].loader, ("tokens", "tags", "raw_text", "positions")
        options = self.options if own else {k: _value(v) if k in typed else v for k, v in self.options.items()}
        load = loader(self.format)
        return load(self.path, **with_columns(load, options))


def _check_options(name: str, options: dict[str, Any], known: tuple[str, ...]) -> None:
    if wrong := sorted(set(options) - set(known)):
        raise CorpusError.unknown("option", wrong[0], known, where=name)


def _path(rest: str, spec: str) -> tuple[Path, dict[str, str]]:
    """Path and options; a path that exists is taken as it is, even if its name contains a question mark."""
    if not rest:
        raise CorpusError(
            f"no path in the corpus name {spec!r}",
            expected="FORMAT:PATH",
            remedy=f"write {spec}. for the working directory",
        )
    if "?" not in rest or Path(rest).expanduser().exists():
        return Path(rest).expanduser(), {}
    path, _, query = rest.partition("?")
    return Path(path).expanduser(), _pairs(query, "&", spec)


def _pairs(text: str, separator: str, spec: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(separator) if part.strip()]
    if wrong := [key for key, equals, _ in pairs if not (equals and key.strip())]:
        raise CorpusError(
            f"option {wrong[0]!r}",
            expected=f"key=value, joined by {separator!r}",
            where=spec,
            remedy=f"write {wrong[0] or 'key'}=VALUE",
        )
    return {key.strip(): value.strip() for key, _, value in pairs}


def load_diorama(**options: Any) -> Corpus:
    """Generate the built-in corpus.

    Args:
        **options: `train`, `dev`, `test` (numbers of documents), `paired`, `config`, `protocol` (of documents: "paper",
            a third without text and a third without frames, as M3D is measured; drawn document by document), and the
            fields of `openmie.diorama.Config`; text that looks like a number or truth value is converted.

    Raises:
        CorpusError: an unknown option, or a size that is no whole number.
    """
    diorama = import_module("openmie.diorama")
    sizes = ("train", "dev", "test")
    fields = tuple(f.name for f in dataclasses.fields(diorama.Config))
    values = {key: _value(value) for key, value in options.items()}
    config = values.pop("config", None) or diorama.Config()
    _check_options("diorama", values, (*sizes, "paired", "protocol", *fields))
    if protocol := values.pop("protocol", ""):
        values["missing"] = missing_share(values.get("missing", config.missing), protocol)
    for name in set(sizes) & set(values):
        if type(values[name]) is not int or values[name] < 0:
            raise CorpusError(
                f"{name}={options[name]!r}",
                expected="a number of posts",
                where="diorama",
                remedy=f"write {name}=500, or leave it out",
            )
    changed = {key: values.pop(key) for key in fields if key in values}
    return diorama.corpus(dataclasses.replace(config, **changed), **values)


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
