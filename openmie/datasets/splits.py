"""A user's own corpus: a file or shards per split, in a format that can be a corpus (`openmie.formats.registry`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus, Item
from openmie.datasets.reading.shards import shards_per_split
from openmie.datasets.reading.split_files import SPLIT_NAMES, split_of
from openmie.errors import CorpusError
from openmie.formats.post_columns import USUAL, PostColumns
from openmie.formats.registry import FORMATS, accepted_options, guess, read_items
from openmie.formats.sources import expand, read_sources

ROWS = (
    ".jsonl",
    ".ndjson",
    ".json",
    ".parquet",
    ".pq",
    ".csv",
)  # files that may be splits of a folder without a format
NAMES = tuple(dict.fromkeys(row.dataset for row in FORMATS.values() if row.can_be_corpus))


def load_split_files(format: str, path: Path, *, symmetric: str | tuple[str, ...] = (), **options: Any) -> Corpus:
    """Load a folder with `train`, `dev` (`valid`, `val`) and `test` files, or shards of them, or a single file.

    Args:
        format: the format's name in `load("NAME:PATH")`, one of `NAMES`.
        path: the folder (`openmie.datasets.reading.shards`) or file; a file whose name contains no split is `test`.
        symmetric: relation labels without direction (separated by commas in a spec).
        **options: of the format's reader.

    Returns:
        The corpus; files are opened when its splits are iterated, and their documents come one at a time.

    Raises:
        CorpusError: no file, or several for one split that are no shards of it.
    """
    formats = {suffix: name for name, row in FORMATS.items() if row.dataset == format for suffix in row.suffixes}
    files = shards_per_split(path, tuple(formats), within=(format,))
    names = symmetric.split(",") if isinstance(symmetric, str) else symmetric
    return Corpus(
        f"{format}:{path}",
        {s: partial(_documents, f, formats, format, options) for s, f in files.items()},
        symmetric=frozenset(n for n in names if n),
    )


def load_files(
    path: Path,
    *,
    paths: Sequence[str] = (),
    symmetric: str | tuple[str, ...] = (),
    images: str = "",
    columns: PostColumns = USUAL,
) -> Corpus:
    """Load files, folders and patterns, each in the format that it is recognised by, as `openmie extract` reads them.

    Args:
        path: file, folder or pattern. Files are of the split that their name tells, else `test`; a folder has such
            files, or is one split itself, of images say.
        paths: several in its place.
        symmetric: relation labels without direction (separated by commas in a spec).
        images: further folder that image paths may lie in.
        columns: of a row's text, image and id.

    Raises:
        CorpusError: nothing there, or files of no format.
    """
    splits: dict[str, list[str]] = {}
    for name in expand(paths or [str(path)]):
        found = _row_files(Path(name)) or {split_of(Path(name)) or "test": [Path(name)]}
        for split, files in found.items():
            splits.setdefault(split, []).extend(map(str, files))
    for name in (n for files in splits.values() for n in files):
        guess(name, reading=True, columns=columns)
    options = columns.options() | ({"images": images} if images else {})
    names = symmetric.split(",") if isinstance(symmetric, str) else symmetric
    return Corpus(
        " ".join(paths) or str(path),
        {s: partial(read_sources, splits[s], None, **options) for s in SPLIT_NAMES if s in splits},
        symmetric=frozenset(n for n in names if n),
    )


def _row_files(folder: Path) -> dict[str, list[Path]]:
    """Split -> its files of rows in a folder; nothing of a file, or of a folder without."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.suffix.lower() in ROWS and file.is_file() and (split := split_of(file)):
            found.setdefault(split, []).append(file)
    return found


def is_readable(path: str) -> bool:
    """Whether there are files, or folders, at a path or pattern, in a format that is recognised."""
    try:
        return bool(load_files(Path(path)).sources)
    except (CorpusError, OSError):
        return False


def split_options(format: str) -> tuple[str, ...]:
    """The options of `load_split_files` for a format."""
    names = [name for name, row in FORMATS.items() if row.dataset == format]
    return ("symmetric", *dict.fromkeys(option for name in names for option in accepted_options(name)))


def _documents(
    files: Sequence[Path], formats: Mapping[str, str], format: str, options: dict[str, Any]
) -> Iterator[Item]:
    kinds = {formats.get(f.suffix.lower(), format) for f in files}
    if len(files) == 1:
        yield from read_items(files[0], kinds.pop(), **options)
    else:
        yield from read_sources(list(map(str, files)), kinds.pop() if len(kinds) == 1 else None, **options)
