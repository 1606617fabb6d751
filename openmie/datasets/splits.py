"""A user's own corpus: one file per split, in a file format that can be a corpus (`openmie.formats.registry`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus, Item
from openmie.datasets.reading.split_files import one_file_per_split, split_files
from openmie.formats.registry import FORMATS, accepted_options, read_items

NAMES = tuple(dict.fromkeys(row.dataset for row in FORMATS.values() if row.can_be_corpus))


def load_split_files(format: str, path: Path, *, symmetric: str | tuple[str, ...] = (), **options: Any) -> Corpus:
    """Load a folder with `train`, `dev` (`valid`, `val`) and `test` files, or a single file.

    Args:
        format: the format's name in `load("NAME:PATH")`, one of `NAMES`.
        path: the folder or file; a file whose name contains no split is `test`.
        symmetric: relation labels without direction (separated by commas in a spec).
        **options: of the format's reader.

    Returns:
        The corpus; files are opened when its splits are iterated.

    Raises:
        CorpusError: no file, or several for one split.
    """
    formats = {suffix: name for name, row in FORMATS.items() if row.dataset == format for suffix in row.suffixes}
    files = one_file_per_split(split_files(path, tuple(formats), within=(format,)))
    names = symmetric.split(",") if isinstance(symmetric, str) else symmetric
    return Corpus(
        f"{format}:{path}",
        {s: partial(_documents, f, formats.get(f.suffix.lower(), format), options) for s, f in files.items()},
        symmetric=frozenset(n for n in names if n),
    )


def split_options(format: str) -> tuple[str, ...]:
    """The options of `load_split_files` for a format."""
    names = [name for name, row in FORMATS.items() if row.dataset == format]
    return ("symmetric", *dict.fromkeys(option for name in names for option in accepted_options(name)))


def _documents(path: Path, format: str, options: dict[str, Any]) -> Iterator[Item]:
    yield from read_items(path, format, **options)
