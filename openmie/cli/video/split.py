"""`openmie video split`: split clips by video."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from openmie.cli import console, options
from openmie.cli.video.clips import read_clips
from openmie.errors import ErrorRecord


def split(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIPS...", help="Files of Documents, or folders from build.")],
    out: Annotated[Path, typer.Option(help="Folder to write: train.jsonl, dev.jsonl, test.jsonl.")],
    seed: options.Seed = 0,
) -> None:
    """Split clips 8 : 1 : 1 by video: clips of one video are never in two splits. Frames are linked.

    Example: openmie video split videos/annotated.jsonl --out videos
    """
    from openmie import video as library
    from openmie.data.folder_lock import hold_folder
    from openmie.data.frame_files import copy_frames
    from openmie.formats.registry import write

    records: dict[ErrorRecord, None] = {}
    with hold_folder(out), console.telling_records(records):
        for name, documents in library.split_by_video(read_clips(clips, records), seed).items():
            videos = len({d.source["video"] for d in documents})
            print(f"{name}: {videos} videos", file=sys.stderr)
            console.say(write(copy_frames(documents, out), out / f"{name}.jsonl"))
