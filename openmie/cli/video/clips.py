"""What the sub-commands of `openmie video` share: reading the clips that `build` wrote, and ending with records."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import CorpusError, ErrorRecord

Clips = Annotated[Path, typer.Argument(help="Folder that `openmie video build` wrote, or a file of Documents.")]


def read_clips(paths: Iterable[Path], records: dict[ErrorRecord, None]) -> list[Any]:
    """The documents of files, and of the `clips.jsonl` of folders that `build` wrote; `records` is filled."""
    from openmie.formats.registry import read_items

    files = [f for p in paths for f in (_built(p) if p.is_dir() else [p])]
    if not files:
        raise CorpusError(
            "no clips.jsonl",
            expected="a folder that `openmie video build` wrote",
            where=", ".join(map(str, paths)),
            remedy="check the path",
        )
    return [d for f in files for d in console.documents_of(read_items(f), records)]


def _built(folder: Path) -> list[Path]:
    """Where `build` finished: what a build that was killed left lies in folders whose names begin with a dot."""
    found = sorted(folder.rglob("clips.jsonl"))
    return [f for f in found if not any(x.startswith(".") for x in f.relative_to(folder).parts)]


def end(records: Iterable[ErrorRecord | str]) -> None:
    """Print the records on stderr; the exit code is 3 if there are any."""
    lines = [str(r) for r in records]
    for line in lines[:20]:
        print(line, file=sys.stderr)
    if len(lines) > 20:
        print(f"and {len(lines) - 20} more", file=sys.stderr)
    if lines:
        raise typer.Exit(options.PARTIAL)
