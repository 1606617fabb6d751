"""The frames of a video clip, and the boxes that LabelImg wrote beside them as text.

A clip `V` has a folder `V` in the image folder, with a file per frame named after its number (`1104.jpg`) and, where
it is annotated, `1104.txt` with a line `LABEL x y width height` per box: centre and size as shares of the frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmie.data.document import Image, Region
from openmie.datasets.reading.attachments import ENDINGS
from openmie.datasets.reading.split_files import describe_folder, find_path
from openmie.errors import CorpusError, ErrorRecord, ImageError
from openmie.formats.text_lines import line_error, read_lines, shorten

FramesAndRegions = tuple[tuple[Image, ...], tuple[Region, ...], list[ErrorRecord]]


@dataclass(frozen=True)
class FrameFolder:
    """Where frames lie (None: nowhere), and how many of them make a second (0: not known, so they have no time)."""

    folder: Path | None = None
    fps: float = 0.0

    @classmethod
    def find(cls, path: Path, images: str | Path, fps: str | float) -> FrameFolder:
        """Resolve the options against the corpus folder; a `CorpusError` names what is not there."""
        try:
            rate = float(fps)
        except ValueError:
            rate = -1.0
        if not 0 <= rate < 1e6:
            raise CorpusError(f"fps={fps}", expected="frames a second", remedy="leave it out where it is not known")
        folder = find_path(images, path) if images else None
        if images and (folder is None or not folder.is_dir()):
            root = path.parent if path.is_file() else path
            raise CorpusError(
                f"images={images}, neither in the working directory nor in {root} ({describe_folder(root)})",
                expected="a folder with a folder of frames per video id",
                remedy="give its path",
            )
        return cls(folder, rate)

    def of(self, video: str, numbers: Sequence[Any]) -> FramesAndRegions:
        """The frames that the corpus lists and those that the folder has, in order; their boxes; what is wrong."""
        errors = [
            ErrorRecord(
                where=f"clip {video}",
                found=f"frame {shorten(n)}",
                expected="a number",
                remedy="correct it; it was left out",
            )
            for n in numbers
            if type(n) is not int or n < 0
        ]
        files = self._files(video)
        frame_numbers = sorted({n for n in numbers if type(n) is int and n >= 0} | set(files))
        images: list[Image] = []
        regions: list[Region] = []
        for number in frame_numbers:
            path = files.get(number)
            size, boxes, problems = _read_box_file(path, f"frame_{number}") if path else ((None, None), (), [])
            images.append(
                Image(
                    id=f"frame_{number}",
                    kind="frame",
                    path=str(path or ""),
                    width=size[0],
                    height=size[1],
                    time=number / self.fps if self.fps else None,
                )
            )
            regions += boxes
            errors += problems
        if self.folder and (missing := [n for n in frame_numbers if n not in files]):
            errors.append(
                ErrorRecord(
                    where=f"{self.folder / video}",
                    found=f"no file for frames {missing[:8]}",
                    expected="a file per frame, named after its number",
                    remedy="get the frames of the corpus, or go on without them",
                )
            )
        return tuple(images), tuple(regions), errors

    def _files(self, video: str) -> dict[int, Path]:
        if not self.folder or not (place := self.folder / Path(video).name).is_dir():
            return {}
        named = ((re.search(r"(\d+)$", p.stem), p) for p in sorted(place.iterdir()) if p.suffix.lower() in ENDINGS)
        return {int(match[1]): p for match, p in named if match}


def _read_box_file(
    path: Path, image: str
) -> tuple[tuple[int | None, int | None], tuple[Region, ...], list[ErrorRecord]]:
    """Size and boxes of a frame that has a box file; a frame without one is not opened."""
    from openmie.data.images import image_size

    text = path.with_suffix(".txt")
    if not text.is_file():
        return (None, None), (), []
    try:
        width, height = image_size(path)
    except ImageError as error:
        return (None, None), (), [error.record]
    found, errors = [], []
    for line in read_lines(text):
        label, *numbers = line.text.split() or [""]
        try:
            x, y, w, h = (float(n) for n in numbers)
        except ValueError:
            x = y = w = h = -1.0
        if label and 0 <= x <= 1 and 0 <= y <= 1 and 0 < w <= 1 and 0 < h <= 1:
            box = (
                max(x - w / 2, 0) * width,
                max(y - h / 2, 0) * height,
                min(x + w / 2, 1) * width,
                min(y + h / 2, 1) * height,
            )
            found.append(Region(image=image, box=box, label=label))
        elif line.text.strip():
            errors.append(
                line_error(
                    text,
                    line.number,
                    shorten(line.text),
                    "LABEL x y width height, as shares of the frame",
                    "correct it; the box was left out",
                )
            )
    return (width, height), tuple(found), errors
