"""Safe image loading: an `Image` or a path in, an upright RGB picture out.

A file is judged by its header before a pixel is decoded: what declares more than `max_pixels` is refused, and so is
what is not one of `FORMATS` (no format of the list runs an interpreter or fetches anything). Pixels are turned as EXIF
says, so width and height always mean those of the upright picture. Nothing is fetched from a network. Pillow is
imported inside the functions, so that importing openmie stays light.
"""

from __future__ import annotations

import math
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.data.document import Document, Image
from openmie.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gibibyte as RGB
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "PPM", "JPEG2000", "AVIF")
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]+:)?//|(?:https?|ftp|file|data|blob):", re.IGNORECASE)
_ORIENTATION = 0x0112  # EXIF tag; 1 is upright, 5 to 8 swap width and height


def load_image(
    image: Image | str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, base: Path | None = None
) -> Picture:
    """The upright RGB picture, its first frame where it has several; transparent parts become white.

    `base` is the folder that a path is relative to and must stay in (data that others wrote); without it the path is
    the caller's own and may lie anywhere. Raises `ImageError`.
    """
    if isinstance(image, Image) and image.pixels is not None:
        return _from_pixels(image, max_pixels)
    path = _path(image, base)
    with _open_checked(path, max_pixels) as picture:
        picture.load()
        return _rgb(_upright(picture), path)


def crop(picture: Picture, image: Image) -> Picture:
    """The part of an upright picture that `image.box` names: every pixel that the box touches, clipped to the picture.

    Raises `ImageError` where nothing is left.
    """
    box = image.box or (0.0, 0.0, 0.0, 0.0)
    if all(math.isfinite(x) for x in box) and box[2] > box[0] and box[3] > box[1]:
        left, top = (max(math.floor(x), 0) for x in box[:2])
        right, bottom = (min(math.ceil(x), edge) for x, edge in zip(box[2:], picture.size))
        if right > left and bottom > top:
            return picture.crop((left, top, right, bottom))
    raise _error(
        image.id,
        f"box {image.box} in a picture of {picture.width} x {picture.height} pixels",
        "xyxy pixels of the upright original, with some of the picture inside",
        "correct the box",
    )


def image_or_crop(document: Document, image: Image, known: dict[str, Any]) -> Picture | ImageError:
    """The image's own file or pixels; where it has none, its box of its parent, by default the main image.

    `known` holds pictures by image id, since several crops may lie in one. What cannot be read is the ImageError
    itself, and is known too, so that nothing is tried twice.
    """
    way = [image]  # from the image to what holds it
    while way[-1].id not in known:
        inner = way[-1]
        try:
            if inner.path or inner.pixels is not None or inner.box is None:
                known[inner.id] = load_image(inner)
            else:
                way.append(_parent(document, way))
        except ImageError as error:
            known[inner.id] = error
    for inner, outer in zip(way[-2::-1], way[:0:-1]):
        found = known[outer.id]
        try:
            known[inner.id] = found if isinstance(found, ImageError) else crop(found, inner)
        except ImageError as error:
            known[inner.id] = error
    return known[image.id]


def _parent(document: Document, way: list[Image]) -> Image:
    """What the last image of the way lies in."""
    image = way[-1]
    parent = document.image(image.parent) if image.parent else document.main_image
    if parent is None or any(parent.id == x.id for x in way):
        found = "itself" if parent else f"{image.parent or 'main'!r}, which the document does not have"
        raise ImageError(
            f"a box in {found}",
            expected="the id of one of its images, or a file or pixels of its own",
            remedy="add the picture that the box lies in",
            where=f"image {image.id}",
        )
    return parent


def image_size(image: Image | str | os.PathLike[str], *, base: Path | None = None) -> tuple[int, int]:
    """(width, height) of the upright original in pixels, without decoding: as declared, else from the file's header."""
    if isinstance(image, Image):
        if image.pixels is not None:
            height, width = _shape(image)
            return width, height
        if image.width and image.height:
            return image.width, image.height
    with _open_checked(_path(image, base), None) as picture:
        width, height = picture.size
        turned = picture.format != "TIFF" and _orientation(picture) >= 5  # Pillow turns TIFF by itself, size included
        return (height, width) if turned else (width, height)


def resolve_inside(path: str, base: str | os.PathLike[str], *also: str | os.PathLike[str]) -> Path:
    """`base / path`, where that lies in `base` (or a folder of `also`) with all links followed; else `ImageError`.

    Nothing is opened.
    """
    if not path or "\0" in path:
        raise _error(path, f"{path!r}", "the path of a file", "name the image file")
    _refuse_url(path)
    roots = [os.path.realpath(folder) for folder in (base, *also)]
    real = os.path.realpath(os.path.join(roots[0], path))
    if not any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in roots):
        raise _error(
            path,
            "a path that leads out of its folder",
            f"a file inside {os.fspath(base)}",
            "move the image there, or name the folder that holds it (images=FOLDER)",
        )
    return Path(base) / path


def _path(image: Image | str | os.PathLike[str], base: Path | None) -> Path:
    path = image.path if isinstance(image, Image) else os.fspath(image)
    if not path:
        where = image.id if isinstance(image, Image) else ""
        raise _error(where, "neither a file nor pixels", "a path, or pixels in memory", "name the image file")
    if base is not None:
        return resolve_inside(path, base)
    if "\0" in path:
        raise _error(path, "a NUL character in the path", "the path of a file", "name the image file")
    _refuse_url(path)
    return Path(path)


def _refuse_url(path: str) -> None:
    if _URL.match(path):
        raise _error(path, "a URL", "the path of a file: nothing is fetched", "download the image and name the file")


def _error(where: str | Path, found: str, expected: str, remedy: str) -> ImageError:
    return ImageError(found, expected=expected, remedy=remedy, where=f"image {str(where)[:200]}")


@contextmanager
def _open_checked(path: Path, max_pixels: int | None) -> Iterator[ImageFile]:
    """The file's header, judged; whatever a decoder raises on the pixels becomes an `ImageError`."""
    import PIL.Image

    _check_regular_file(path)
    try:
        with PIL.Image.open(path, formats=_formats()) as picture:
            width, height = picture.size
            if max_pixels is not None and width * height > max_pixels:
                raise _error(
                    path,
                    f"{width} x {height} pixels",
                    f"at most {max_pixels:,} pixels",
                    "scale the image down, or pass a larger max_pixels",
                )
            yield picture
    except ImageError:
        raise
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise _error(
            path,
            str(error).split(",")[0],
            f"at most {max_pixels or MAX_PIXELS:,} pixels",
            "scale the image down (to go beyond, raise PIL.Image.MAX_IMAGE_PIXELS too)",
        ) from None
    except PIL.UnidentifiedImageError:
        raise _error(
            path,
            "no image, or one of another format",
            "one of " + ", ".join(FORMATS),
            "look at the file; convert it to PNG or JPEG",
        ) from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ... on broken files
        raise _error(
            path,
            f"a broken file ({type(error).__name__}: {str(error)[:120]})",
            "a whole image",
            "fetch or export the image again",
        ) from error


def _formats() -> list[str]:
    import PIL.Image

    PIL.Image.init()
    return [name for name in FORMATS if name in PIL.Image.OPEN]


def _check_regular_file(path: Path) -> None:
    """Only a plain file with something in it is opened: a pipe or a device would never end."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)[:120]
        raise _error(path, reason, "an image file", "check the path and the image folder") from None
    if not stat.S_ISREG(status.st_mode):
        raise _error(
            path,
            "a folder" if stat.S_ISDIR(status.st_mode) else "no plain file",
            "an image file",
            "name the image file itself",
        )
    if not status.st_size:
        raise _error(path, "an empty file", "a whole image", "fetch or export the image again")


def _orientation(picture: ImageFile) -> int:
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


def _upright(picture: ImageFile) -> Picture:
    from PIL.Image import Transpose

    if picture.format == "TIFF":  # turned by Pillow while loading
        return picture
    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(_orientation(picture))
    return picture.copy() if turn is None else picture.transpose(turn)


def _rgb(picture: Picture, path: Path) -> Picture:
    """8-bit RGB: grey of 16 bits is scaled, transparency goes onto white, CMYK and palettes are converted."""
    import PIL.Image

    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I"):
        return _sixteen_bits(picture, path).convert("RGB")
    if picture.mode == "F":
        raise _error(path, "floating-point pixels", "8 or 16 bits a channel", "convert the image to PNG or JPEG")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", picture.size, (255, 255, 255, 255))
        return PIL.Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def _sixteen_bits(picture: Picture, path: Path) -> Picture:
    import numpy as np
    import PIL.Image

    grey: Any = np.asarray(picture)
    if grey.min() < 0 or grey.max() > 65535:
        raise _error(path, f"grey values from {grey.min()} to {grey.max()}", "0 to 65535", "convert it to 8 or 16 bits")
    return PIL.Image.fromarray((grey >> 8).astype(np.uint8))


def _shape(image: Image) -> tuple[int, int]:
    shape, kind = getattr(image.pixels, "shape", None), str(getattr(image.pixels, "dtype", ""))
    if shape is None or len(shape) != 3 or shape[2] != 3 or kind != "uint8" or not shape[0] * shape[1]:
        raise _error(
            image.id,
            f"pixels of shape {shape} and type {kind or type(image.pixels).__name__}",
            "a (height, width, 3) array of uint8",
            "convert them, for example with numpy.asarray",
        )
    return shape[0], shape[1]


def _from_pixels(image: Image, max_pixels: int) -> Picture:
    import PIL.Image

    height, width = _shape(image)
    if height * width > max_pixels:
        raise _error(
            image.id,
            f"{width} x {height} pixels",
            f"at most {max_pixels:,} pixels",
            "scale the image down, or pass a larger max_pixels",
        )
    return PIL.Image.fromarray(image.pixels)
