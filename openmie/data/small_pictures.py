"""Large pictures made small while they are read: by which factor, and how.

What a model reads of a photograph is some hundred pixels wide. One of 12 megapixels takes 36 MB in full size, one of 88
takes 264 MB, however small its file is. Such a picture is shrunk by a whole factor, strip by strip, before anything is
made of it; resizing to what the model reads comes after, so that pixel values differ little from those of a picture
that was resized in full size: docs/guides/limits.md says by how much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from openmie.data.document import Document, Image
from openmie.data.image_pixels import to_rgb

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFile import ImageFile

WHOLE = 1 << 20  # pixels up to which a picture is never shrunk
STRIP = 1 << 20  # pixels that are converted at once
JPEGS = ("JPEG", "MPO")


class SmallPicture(NamedTuple):
    """A picture as it was read."""

    picture: Picture  # upright RGB, smaller than the original or not
    size: tuple[int, int]  # width and height of the upright original


@dataclass(frozen=True)
class MinSize:
    """How long the sides of a picture must be at least for what is made of it.

    Args:
        shorter: pixels of the shorter side; 0: any.
        longer: pixels of the longer side; 0: any. Where both are 0, the picture is needed in full size.
        limit: largest factor that the picture may be shrunk by; 0: any.
    """

    shorter: int = 0
    longer: int = 0
    limit: int = 0

    def factor(self, size: tuple[int, int]) -> int:
        """The whole number that a picture of this size is shrunk by; 1 where it is not."""
        if size[0] * size[1] <= WHOLE:
            return 1
        return self._factor(size)

    def _factor(self, size: tuple[int, int]) -> int:
        wanted = [side // least for side, least in ((min(size), self.shorter), (max(size), self.longer)) if least]
        if self.limit:
            wanted.append(self.limit)
        return max(min(wanted), 1) if self.shorter or self.longer else 1

    def rest(self, size: tuple[int, int], original: tuple[int, int]) -> int:
        """The factor that is left for a picture of this size, which was made smaller while it was decoded."""
        left = self._factor(size)
        if self.limit:
            left = min(left, max(self.limit * max(size) // max(original), 1))
        return left

    def with_crops(self, sizes: Iterable[tuple[int, int]]) -> MinSize:
        """The same for a picture that parts of these sizes are cut from: none becomes smaller than is needed."""
        parts = [self._factor(size) for size in sizes]
        return replace(self, limit=min(parts)) if parts else self


FULL = MinSize()


def drafted(picture: ImageFile, factor: int) -> None:
    """Have a JPEG decoded smaller, by 8, 4 or 2 as far as the factor allows; other formats have no such way."""
    if picture.format in JPEGS:
        picture.draft(None, (picture.width // factor, picture.height // factor))


def shrunk(picture: Picture, factor: int, path: Path) -> Picture:
    """A decoded picture as RGB, each pixel the mean of a square of `factor` pixels; converted strip by strip.

    Args:
        picture: of any mode.
        factor: 1 or more.
        path: for errors.

    Raises:
        ImageError: as `to_rgb`.
    """
    import PIL.Image

    if factor == 1:
        return to_rgb(picture, path)
    width, height = picture.size
    out = PIL.Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(STRIP // width // factor, 1) * factor
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        out.paste(to_rgb(strip, path).reduce(factor), (0, top // factor))
    return out


def sizes_of_crops(document: Document, image: Image) -> list[tuple[int, int]]:
    """Width and height of the images that are cut out of one of a document, directly or by others."""
    main = document.main_image.id if document.main_image is not None else ""
    left = [x for x in document.images if x.box is not None and not x.path and x.pixels is None and x.id != image.id]
    inside, sizes = {image.id}, list[tuple[int, int]]()
    while found := [x for x in left if (x.parent or main) in inside]:
        inside |= {x.id for x in found}
        sizes += [(int(x.box[2] - x.box[0]), int(x.box[3] - x.box[1])) for x in found if x.box is not None]
        left = [x for x in left if x.id not in inside]
    return sizes
