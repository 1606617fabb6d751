"""Boxes as files have them: without area, which is no box, or over the border of their picture, where they are cut.

Tools that let a box be drawn over the border write it so, by a pixel or by a rounding error (HumanSignal/labelImg and
microsoft/VoTT). A box that is mostly outside is of a picture of another size.
"""

from __future__ import annotations

from collections.abc import Sequence

from openmie.data.document import Box, Document, Region
from openmie.errors import ErrorRecord
from openmie.formats.output import WriteReport

LEAST_SIDE = 1e-4  # pixels: less is a line, whatever the decimals of a file made of it
_ROUNDED = 1e-5  # of a picture's longer side: how far the decimals of shares and percents reach over the border


def cut_box(box: Sequence[float], width: float, height: float) -> Box | None:
    """A box cut at the border of its image; None for one without area, or with most of its area outside.

    Args:
        box: xyxy pixels.
        width: of the image in pixels; 0: not known.
        height: of the image.
    """
    x1, y1, x2, y2 = box
    right, bottom = min(x2, width) if width > 0 else x2, min(y2, height) if height > 0 else y2
    left, top = (max(x1, 0.0), max(y1, 0.0))
    if not (right - left > LEAST_SIDE and bottom - top > LEAST_SIDE):
        return None
    kept = (right - left) * (bottom - top)
    return (left, top, right, bottom) if 2 * kept >= (x2 - x1) * (y2 - y1) else None


def fitted_region(
    region: Region, size: tuple[int, int] | None, where: str, *, shares: bool = False
) -> tuple[Region | None, ErrorRecord | None]:
    """A region that was read, within its image, and what was done to it.

    Args:
        region: as it stands in the file.
        size: width and height of its image; None: not known.
        where: file and place, for the record.
        shares: whether the file has shares of the image, whose rounding is not worth a note.

    Returns:
        The region, None where it cannot be one; a record of that, or a note that it was cut.
    """
    width, height = size or (0, 0)
    box = cut_box(region.box, width, height)
    slack = _ROUNDED * max(width, height) if shares else 0.0
    if box is not None and all(abs(a - b) <= slack for a, b in zip(box, region.box)):
        return (region if box == region.box else region.model_copy(update={"box": box})), None
    shown = ", ".join(f"{x:.12g}" for x in region.box)
    record = ErrorRecord(
        where=where,
        found=f"the box {shown}" + (f" in an image of {width} x {height}" if size else ""),
        expected="a box with an area, inside its image",
        remedy="correct the box; it was left out" if box is None else "nothing to do: it was cut at the border",
        note=box is not None,
    )
    return (None if box is None else region.model_copy(update={"box": box})), record


def keep_area(document: Document, region: Region, report: WriteReport) -> bool:
    """Whether a region has an area, without which no format of boxes can hold it; else it is counted as lost."""
    x1, y1, x2, y2 = region.box
    if min(x2 - x1, y2 - y1) >= 10 * LEAST_SIDE:
        return True
    report.drop(
        "regions", document, f"the box {region.box}", "a box with an area", "correct it, or use jsonl to keep it"
    )
    return False


def writable_region(document: Document, region: Region, size: tuple[int, int], report: WriteReport) -> Region | None:
    """A region cut at the border of its image, which is noted; None, and counted as lost, where no area is left."""
    (x1, y1, x2, y2), (width, height) = region.box, size
    cut = region.model_copy(update={"box": (max(x1, 0.0), max(y1, 0.0), min(x2, width), min(y2, height))})
    if not keep_area(document, cut, report):
        return None
    if cut.box == region.box:
        return region
    found = f"the box {region.box} in an image of {width} x {height}"
    report.note(document, found, "a box inside its image", "it is cut at the border")
    return cut
