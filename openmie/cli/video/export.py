"""`openmie video export`: write clips as annotation tasks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from openmie.cli import console
from openmie.cli.video.clips import Clips, read_clips
from openmie.errors import ErrorRecord


def export(
    clips: Clips,
    out: Annotated[Path, typer.Option(help="Folder to write, with a folder for each tool.")],
    to: Annotated[list[str] | None, typer.Option(help="brat, labelimg, labelstudio; repeatable. Default: all.")] = None,
) -> None:
    """Write clips for annotators, with the guidelines.

    Example: openmie video export videos --out tasks --to labelstudio
    """
    from openmie.annotation.export_import import TOOLS
    from openmie.annotation.export_import import export as write

    records: dict[ErrorRecord, None] = {}
    with console.telling_records(records):
        for tool, written in write(read_clips([clips], records), out, tuple(to or TOOLS)).items():
            print(f"{tool}:", file=sys.stderr)
            console.say(written)
