"""`conll:`, `jsonl:` and `parquet:`: one file a split, in the format that `openmie.corpora.read` reads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus, Item
from openmie.datasets.reading.split_files import single, split_files

SUFFIXES = {
    "conll": (".conll", ".txt", ".bio", ".iob", ".iob2", ".tsv"),
    "jsonl": (".jsonl", ".json", ".ndjson"),
    "parquet": (".parquet", ".pq"),
}


def corpus(format: str, path: Path, *, symmetric: str | tuple[str, ...] = (), **options: Any) -> Corpus:
    """A folder with `train`, `dev` (`valid`, `val`) and `test` files, or one file: test, unless its name says else.

    `symmetric`: relation labels whose direction means nothing (a comma between them in a spec). Further options are
    those of the format's own reader.
    """
    files = single(split_files(path, SUFFIXES[format], within=(format,)))
    names = symmetric.split(",") if isinstance(symmetric, str) else symmetric
    return Corpus(
        f"{format}:{path}",
        {s: partial(_documents, f, format, options) for s, f in files.items()},
        symmetric=frozenset(n for n in names if n),
    )


def _documents(path: Path, format: str, options: dict[str, Any]) -> Iterator[Item]:
    from openmie.formats.registry import read_items

    yield from read_items(path, "json" if path.suffix.lower() == ".json" else format, **options)
