"""Which file of a folder holds which split, and where a file named by an option lies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from openmie.errors import CorpusError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "dev": ("dev", "valid", "val", "validation", "development"),
    "test": ("test", "testing"),
}
_SPLIT = {alias: split for split, aliases in SPLIT_NAMES.items() for alias in aliases}


def split_of(path: Path) -> str:
    """The split that a file's name tells, or "": `mnre_val .txt` is dev, `dev_en.json` too, `notes.txt` none."""
    found = {_SPLIT[word] for word in re.split(r"[^a-z]+", path.stem.lower()) if word in _SPLIT}
    return found.pop() if len(found) == 1 else ""


def split_files(path: Path, suffixes: Sequence[str], within: Iterable[str] = ()) -> dict[str, list[Path]]:
    """Split -> its files, in `path` or, where that has none, in one of its folders `within`; a file is a split itself.

    Only names are looked at: nothing is opened.
    """
    if path.is_file():
        return {split_of(path) or "test": [path]}
    if not path.is_dir():
        raise CorpusError(
            f"nothing at {path}",
            expected="a folder with train, dev and test files, or one such file",
            remedy="check the path after the colon; it is relative to the working directory",
        )
    for folder in (path, *(path / name for name in within)):
        found: dict[str, list[Path]] = {}
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.suffix.lower() in suffixes and file.is_file() and (split := split_of(file)):
                found.setdefault(split, []).append(file)
        if found:
            return {split: found[split] for split in SPLIT_NAMES if split in found}
    raise CorpusError(
        f"no split file in {path}, which holds {describe_folder(path)}",
        expected="files named train, dev (or valid, val) and test, ending in " + " or ".join(suffixes),
        remedy="name the folder that holds the text files, or rename them",
    )


def one_file_per_split(files: dict[str, list[Path]]) -> dict[str, Path]:
    """One file a split: of several the one with the bare name (`train.txt`), else an error that names them."""
    chosen = {}
    for split, found in files.items():
        bare = [f for f in found if f.stem.strip().lower() in SPLIT_NAMES[split]] or found
        if len(bare) > 1:
            raise CorpusError(
                f"{len(bare)} files for {split}: {', '.join(f.name for f in bare)}",
                expected="one file a split",
                remedy=f"name one of them after the colon, such as {bare[0]}, or move the others away",
            )
        chosen[split] = bare[0]
    return chosen


def find_path(name: str | Path, folder: Path, *inside: str) -> Path | None:
    """A file or folder that an option names: from the working directory, else from the corpus folder."""
    root = folder.parent if folder.is_file() else folder
    name = Path(name).expanduser()
    return next((p for p in (name, root / name, *(root / i / name for i in inside)) if p.exists()), None)


def describe_folder(path: Path, n: int = 8) -> str:
    """What a folder holds, in a line."""
    names = sorted(p.name + "/" * p.is_dir() for p in path.iterdir())
    return (", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")) or "nothing"
