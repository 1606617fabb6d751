"""Decoded images made upright RGB: EXIF orientation, transparency, 16-bit grey, palettes."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFile import ImageFile

_STRIP = 1 << 20  # pixels that are converted at once
_ORIENTATION = 0x0112  # EXIF tag; 1 is upright, 5 to 8 swap width and height


def image_error(where: str | Path, found: str, expected: str, remedy: str) -> ImageError:
    return ImageError(found, expected=expected, remedy=remedy, where=f"image {str(where)[:200]}")


def orientation(picture: ImageFile) -> int:
    """EXIF orientation 1 to 8, from the header alone (Pillow would decode a PNG to look behind its pixels)."""
    import PIL.Image

    if picture.format == "PNG" and "exif" not in picture.info:
        late = _trailing_png_exif(picture)
        if late:
            picture.info["exif"] = b"Exif\0\0" + late
    value = PIL.Image.Image.getexif(picture).get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _trailing_png_exif(picture: ImageFile) -> bytes:
    """The eXIf chunk that may stand behind the pixels of a PNG: chunks are stepped over, not read."""
    with open(picture.filename, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return file.read(min(length, 1 << 16))
            if kind == b"IEND":
                break
            file.seek(length + 4, os.SEEK_CUR)
    return b""


def upright(picture: ImageFile) -> Picture:
    if picture.format == "TIFF":  # turned by Pillow while loading
        return picture
    turn = orientation(picture)
    return picture.copy() if turn == 1 else turned(picture, turn)


def turned(picture: Picture, orientation: int) -> Picture:
    """A picture as its EXIF orientation says it is seen."""
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def to_rgb(picture: Picture, path: Path) -> Picture:
    """8-bit RGB: grey of 16 bits is scaled, transparency goes onto white, CMYK and palettes are converted."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I"):
        return _sixteen_bits(picture, path).convert("RGB")
    if picture.mode == "F":
        raise image_error(path, "floating-point pixels", "8 or 16 bits a channel", "convert the image to PNG or JPEG")
    if picture.has_transparency_data:
        return _on_white(picture)
    return picture.convert("RGB")


def _on_white(picture: Picture) -> Picture:
    """Transparency on white, strip by strip: in one piece it would be held four times over."""
    import PIL.Image

    width, height = picture.size
    out, rows = PIL.Image.new("RGB", picture.size), max(_STRIP // max(width, 1), 1)
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height))).convert("RGBA")
        white = PIL.Image.new("RGBA", strip.size, (255, 255, 255, 255))
        out.paste(PIL.Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return out


def _sixteen_bits(picture: Picture, path: Path) -> Picture:
    import numpy as np
    import PIL.Image

    grey: Any = np.asarray(picture)
    if grey.min() < 0 or grey.max() > 65535:
        raise image_error(
            path, f"grey values from {grey.min()} to {grey.max()}", "0 to 65535", "convert it to 8 or 16 bits"
        )
    return PIL.Image.fromarray((grey >> 8).astype(np.uint8))
