"""Splits of many files: shards with a number in their names, or all files of a folder that is named as the split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from openmie.datasets.reading.split_files import SPLIT_NAMES, one_file_per_split, split_files, split_of
from openmie.errors import CorpusError

_NUMBERED = re.compile(r"(.*?)[-_.]?(\d+)(?:-of-(\d+))?")


def shards_per_split(path: Path, suffixes: Sequence[str], within: Sequence[str] = ()) -> dict[str, list[Path]]:
    """Split -> its files, in the order in which they are read.

    Args:
        path: folder of the splits: a file each (`train.parquet`), shards each (`train-00000-of-00005.parquet`, or
            `train_0.parquet`, `train_1.parquet`), or a folder each (`train/*.parquet`); or a file, or a shard's.
        suffixes: of the files.
        within: folders of `path` that may hold them instead.

    Raises:
        CorpusError: nothing there, several files for a split that are no shards of one, or shards that are missing.
    """
    folders = _folders(path, suffixes)
    files = {} if folders else split_files(path, suffixes, within)
    found = {split: _ordered(split, several, whole=path.is_dir()) for split, several in files.items()}
    return folders | found


def _folders(path: Path, suffixes: Sequence[str]) -> dict[str, list[Path]]:
    """Split -> all files of the folder that is named so; nothing where a file of a split lies beside them."""
    inside = sorted(path.iterdir()) if path.is_dir() else []
    if any(f.is_file() and f.suffix.lower() in suffixes and split_of(f) for f in inside):
        return {}
    names = {name: split for split, names in SPLIT_NAMES.items() for name in names}
    found: dict[str, list[Path]] = {}
    for folder in (f for f in inside if f.is_dir() and f.name.lower() in names):
        files = [f for f in sorted(folder.iterdir()) if f.suffix.lower() in suffixes and not f.name.startswith(".")]
        shards = _numbered(files)
        found.setdefault(names[folder.name.lower()], []).extend(shards or files)
    return {split: found[split] for split in SPLIT_NAMES if found.get(split)}


def _ordered(split: str, files: list[Path], whole: bool) -> list[Path]:
    """The shards of a split, or its one file."""
    shards = _numbered(files) if whole else []
    return shards or [one_file_per_split({split: files})[split]]


def _numbered(files: Sequence[Path]) -> list[Path]:
    """Files that are shards of one, in the order of their numbers; none where they are anything else."""
    parts = [_NUMBERED.fullmatch(f.stem) for f in files]
    kinds = {(p[1], p[3], f.suffix) for p, f in zip(parts, files) if p}
    if len(kinds) != 1 or not all(parts):
        return []
    numbers = {int(p[2]): f for p, f in zip(parts, files) if p}
    first, count = int(0 not in numbers), next(iter(kinds))[1]
    wanted = range(first, first + (int(count) if count else len(files)))
    if len(files) == len(numbers) and {*numbers} == {*wanted}:
        return [numbers[n] for n in wanted] if count or len(files) > 1 else []
    if not count:
        return []
    missing = [n for n in wanted if n not in numbers]
    raise CorpusError(
        f"{len(files)} of {int(count)} shards, such as {files[0].name}",
        expected=f"all of them; missing are {', '.join(map(str, missing[:8]))}{' ...' if len(missing) > 8 else ''}",
        where=str(files[0].parent),
        remedy="add the others, or name the ones that are there without -of- (train-0, train-1, ...)",
    )
