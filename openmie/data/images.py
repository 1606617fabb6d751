"""Safe image loading: from an `Image` or a path to an upright RGB picture.

The header of a file is checked before pixels are decoded: images with more than `max_pixels` are refused, and so are
formats other than `FORMATS` (none of which runs an interpreter or fetches anything). Pixels are rotated as EXIF says,
so width and height are always those of the upright picture. Nothing is fetched from a network. Pillow is imported
inside the functions, so that importing openmie stays light.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.data.document import Document, Image
from openmie.data.heic import refuse_heic, register_heic
from openmie.data.image_pixels import image_error, orientation, to_rgb, turned, upright
from openmie.data.image_places import refuse_url, resolve_inside
from openmie.data.jpeg_data import check_size, check_whole
from openmie.data.small_pictures import FULL, MinSize, SmallPicture, drafted, shrunk, sizes_of_crops
from openmie.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gibibyte as RGB
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "PPM", "JPEG2000", "AVIF", "HEIF")


def load_image(
    image: Image | str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, base: Path | None = None
) -> Picture:
    """Load an image as upright RGB; of several frames the first, transparency on white.

    Args:
        image: an `Image` with a path or pixels, or a path.
        max_pixels: images with more are refused before they are decoded.
        base: folder that the path is relative to and may not leave (for paths in data files); None: any path.

    Returns:
        A PIL image of mode RGB.

    Raises:
        ImageError: no such file, not an image, broken, too large, or outside of `base`.
    """
    return load_small(image, FULL, max_pixels=max_pixels, base=base).picture


def load_small(
    image: Image | str | os.PathLike[str], min_size: MinSize, *, max_pixels: int = MAX_PIXELS, base: Path | None = None
) -> SmallPicture:
    """Load an image as `load_image` does, no finer than is needed, so that a large photograph is not held in full size.

    A picture of more than `WHOLE` pixels is shrunk by the largest whole factor that leaves its sides at least as long
    as is asked for: a JPEG by 2, 4 or 8 while it is decoded, what is left by averaging squares of pixels.

    Args:
        image: an `Image` with a path or pixels, or a path.
        min_size: of its sides that is needed.
        max_pixels: images with more are refused before they are decoded.
        base: folder that the path is relative to and may not leave; None: any path.

    Returns:
        A PIL image of mode RGB, upright, and the size of the original, which boxes are given in.

    Raises:
        ImageError: as `load_image`.
    """
    if isinstance(image, Image) and image.pixels is not None:
        whole = _from_pixels(image, max_pixels)
        return SmallPicture(shrunk(whole, min_size.factor(whole.size), Path(image.id)), whole.size)
    path = _path(image, base)
    with _open_checked(path, max_pixels) as picture:
        size = _upright_size(picture)
        factor = min_size.factor(size)
        if factor > 1:
            drafted(picture, factor)
        picture.load()
        if factor == 1:
            return SmallPicture(to_rgb(upright(picture), path), size)
        turn = orientation(picture) if picture.format != "TIFF" else 1
        small = shrunk(picture, min_size.rest(picture.size, size), path)
        return SmallPicture(turned(small, turn), size)


def crop(picture: Picture, image: Image, size: tuple[int, int] | None = None) -> Picture:
    """Crop an upright picture to `image.box`.

    Args:
        picture: the parent of the image.
        image: its box, in xyxy pixels, is rounded outwards and clipped to the picture.
        size: width and height of the original that the box is in pixels of; None: the picture is it.

    Raises:
        ImageError: no box, or one outside of the picture.
    """
    box = image.box or (0.0, 0.0, 0.0, 0.0)
    if all(math.isfinite(x) for x in box) and box[2] > box[0] and box[3] > box[1]:
        if size is not None and size != picture.size:
            across, down = (small / whole for small, whole in zip(picture.size, size))
            box = box[0] * across, box[1] * down, box[2] * across, box[3] * down
        left, top = (max(math.floor(x), 0) for x in box[:2])
        right, bottom = (min(math.ceil(x), edge) for x, edge in zip(box[2:], picture.size))
        if right > left and bottom > top:
            return picture.crop((left, top, right, bottom))
    width, height = size or picture.size
    raise image_error(
        image.id,
        f"box {image.box} in a picture of {width} x {height} pixels",
        "xyxy pixels of the upright original, with some of the picture inside",
        "correct the box",
    )


def image_or_crop(
    document: Document, image: Image, known: dict[str, Any], min_size: MinSize = FULL
) -> Picture | ImageError:
    """Load an image, or crop its box out of its parent (by default the main image) where it has no file or pixels.

    Args:
        document: that the image and its parents belong to.
        image: to be loaded.
        known: cache of pictures and errors by image id, updated; pass the same for all images of a document.
        min_size: of its sides that is needed, as in `load_small`; where others are cut from it, of each of these.

    Returns:
        An upright RGB picture, or the error that prevented it.
    """
    way = [image]  # from the image to what holds it
    while way[-1].id not in known:
        inner = way[-1]
        try:
            if inner.path or inner.pixels is not None or inner.box is None:
                known[inner.id] = load_small(inner, min_size.with_crops(sizes_of_crops(document, inner)))
            else:
                way.append(_parent(document, way))
        except ImageError as error:
            known[inner.id] = error
    for inner, outer in zip(way[-2::-1], way[:0:-1]):
        found = known[outer.id]
        try:
            known[inner.id] = found if isinstance(found, ImageError) else _cropped(found, inner)
        except ImageError as error:
            known[inner.id] = error
    found = known[image.id]
    return found if isinstance(found, ImageError) else found.picture


def _cropped(found: SmallPicture, image: Image) -> SmallPicture:
    part = crop(found.picture, image, found.size)
    (x0, y0, x1, y1), (width, height) = image.box or (0.0, 0.0, 0.0, 0.0), found.size
    whole = (math.ceil(min(x1, width)) - math.floor(max(x0, 0)), math.ceil(min(y1, height)) - math.floor(max(y0, 0)))
    return SmallPicture(part, whole)


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
    """Size of an image without decoding it.

    Args:
        image: an `Image` or a path.
        base: as in `load_image`.

    Returns:
        (width, height) of the upright original in pixels, as declared in the `Image`, else from the file's header.

    Raises:
        ImageError: the file cannot be read.
    """
    if isinstance(image, Image):
        if image.pixels is not None:
            height, width = _shape(image)
            return width, height
        if image.width and image.height:
            return image.width, image.height
    with _open_checked(_path(image, base), None) as picture:
        return _upright_size(picture)


def _upright_size(picture: ImageFile) -> tuple[int, int]:
    width, height = picture.size
    lies = picture.format != "TIFF" and orientation(picture) >= 5  # Pillow turns TIFF by itself, size included
    return (height, width) if lies else (width, height)


def _path(image: Image | str | os.PathLike[str], base: Path | None) -> Path:
    path = image.path if isinstance(image, Image) else os.fspath(image)
    if not path:
        where = image.id if isinstance(image, Image) else ""
        raise image_error(where, "neither a file nor pixels", "a path, or pixels in memory", "name the image file")
    if base is not None:
        return resolve_inside(path, base)
    if "\0" in path:
        raise image_error(path, "a NUL character in the path", "the path of a file", "name the image file")
    refuse_url(path)
    return Path(path)


@contextmanager
def _open_checked(path: Path, max_pixels: int | None) -> Iterator[ImageFile]:
    """The file's header, judged; whatever a decoder raises on the pixels becomes an `ImageError`."""
    import PIL.Image

    _check_regular_file(path)
    try:
        with PIL.Image.open(path, formats=_formats()) as picture:
            width, height = picture.size
            if max_pixels is not None and width * height > max_pixels:
                raise image_error(
                    path,
                    f"{width} x {height} pixels",
                    f"at most {max_pixels:,} pixels",
                    "scale the image down, or pass a larger max_pixels",
                )
            if max_pixels is not None:
                check_size(path, picture)
            yield picture
            check_whole(path, picture)
    except ImageError:
        raise
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise image_error(
            path,
            str(error).split(",")[0],
            f"at most {max_pixels or MAX_PIXELS:,} pixels",
            "scale the image down (to go beyond, raise PIL.Image.MAX_IMAGE_PIXELS too)",
        ) from None
    except PIL.UnidentifiedImageError:
        refuse_heic(path)
        raise image_error(
            path,
            "no image, or one of another format",
            "one of " + ", ".join(FORMATS),
            "look at the file; convert it to PNG or JPEG",
        ) from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ... on broken files
        raise image_error(
            path,
            f"a broken file ({type(error).__name__}: {str(error)[:120]})",
            "a whole image",
            "fetch or export the image again",
        ) from error


def _formats() -> list[str]:
    import PIL.Image

    PIL.Image.init()
    register_heic()
    return [name for name in FORMATS if name in PIL.Image.OPEN]


def _check_regular_file(path: Path) -> None:
    """Only a plain file with something in it is opened: a pipe or a device would never end."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)[:120]
        raise image_error(path, reason, "an image file", "check the path and the image folder") from None
    if not stat.S_ISREG(status.st_mode):
        raise image_error(
            path,
            "a folder" if stat.S_ISDIR(status.st_mode) else "no plain file",
            "an image file",
            "name the image file itself",
        )
    if not status.st_size:
        raise image_error(path, "an empty file", "a whole image", "fetch or export the image again")


def _shape(image: Image) -> tuple[int, int]:
    shape, kind = getattr(image.pixels, "shape", None), str(getattr(image.pixels, "dtype", ""))
    if shape is None or len(shape) != 3 or shape[2] != 3 or kind != "uint8" or not shape[0] * shape[1]:
        raise image_error(
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
        raise image_error(
            image.id,
            f"{width} x {height} pixels",
            f"at most {max_pixels:,} pixels",
            "scale the image down, or pass a larger max_pixels",
        )
    return PIL.Image.fromarray(image.pixels)
