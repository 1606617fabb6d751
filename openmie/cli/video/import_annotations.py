"""`openmie video import`: read annotations of clips back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console
from openmie.cli.video.clips import Clips, end, read_clips
from openmie.errors import ErrorRecord


def import_annotations(
    clips: Clips,
    out: Annotated[Path, typer.Option(help="JSON-lines file to write, beside the frames or with links to them.")],
    text: Annotated[Path | None, typer.Option(help="Annotated text: a brat folder, or a Label Studio export.")] = None,
    boxes: Annotated[Path | None, typer.Option(help="Annotated boxes: LabelImg's folder, VOC or YOLO.")] = None,
) -> None:
    """Read annotations of clips back. What is missing is reported; the exit code is then 3.

    Example: openmie video import videos --text tasks/brat --boxes tasks/labelimg/voc --out videos/annotated.jsonl
    """
    from openmie.annotation.export_import import collect
    from openmie.data.frame_files import copy_frames
    from openmie.formats.registry import write

    failed, records = list[str](), dict[ErrorRecord, None]()
    read = read_clips([clips], records)
    console.say(write(copy_frames(_documents(collect(read, text, boxes), failed), out.parent), out))
    end(dict.fromkeys([*map(str, records), *failed]))


def _documents(found: Iterable[Any], failed: list[str]) -> Iterator[Any]:
    """The documents; what is wrong, with them or beside them, goes into `failed`."""
    for item in found:
        failed.extend(map(str, (item,) if isinstance(item, ErrorRecord) else item.errors))
        if not isinstance(item, ErrorRecord):
            yield item
