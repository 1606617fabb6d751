"""Pictures as a model gets them: the file's own bytes where they do, else upright, no longer than `max_side`, as JPEG.

A phone's photograph of 12 megapixels is 38 MB as PNG, 4 MB as it lies on the disk, and no model reads it in full. What
goes out is small; boxes come back in the pixels of the original, whose size is kept here.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.data import images as pictures
from openmie.data.document import Document, Image
from openmie.data.image_pixels import orientation
from openmie.data.small_pictures import FULL, MinSize
from openmie.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_SIDE = 2016  # pixels of the longer side of what a server is sent: 72 patches of 28, half of 12 megapixels
MAX_OWN_BYTES = 2 << 20  # of a file that is sent as it is
JPEG_QUALITY = 90
_OWN_FORMATS = {"JPEG": "jpeg", "PNG": "png", "WEBP": "webp"}
_PRIVATE = {0xE1, 0xED, 0xFE}  # JPEG segments: EXIF and XMP (place, camera, owner), IPTC, comments


@dataclass(frozen=True)
class SentPicture:
    """One picture as a model gets it.

    Args:
        size: (width, height) as the model gets it.
        original: (width, height) of the upright original, whose pixels boxes are in.
        pixels: upright RGB, of this size; None: it is in `data`.
        data: bytes of a file that shows it; b"": none is sent as it is.
        kind: of the file: jpeg, png or webp.
    """

    size: tuple[int, int]
    original: tuple[int, int]
    pixels: Picture | None = None
    data: bytes = b""
    kind: str = ""

    @property
    def key(self) -> str:
        """A sha256 of what is shown."""
        if self.pixels is None:
            return hashlib.sha256(self.data).hexdigest()
        return pixels_key(self.pixels)

    def decoded(self) -> Picture:
        """The picture as upright RGB."""
        if self.pixels is not None:
            return self.pixels
        import PIL.Image

        with PIL.Image.open(io.BytesIO(self.data)) as picture:
            return picture.convert("RGB")


def decoded(picture: Picture | SentPicture) -> Picture:
    """A picture of a request as upright RGB."""
    return picture.decoded() if isinstance(picture, SentPicture) else picture


def picture_key(picture: Picture | SentPicture) -> str:
    """A sha256 of what a picture of a request shows."""
    return picture.key if isinstance(picture, SentPicture) else pixels_key(picture)


def pixels_key(picture: Picture) -> str:
    """The sha256 of a picture's size and RGB bytes."""
    rgb = picture.convert("RGB")
    return hashlib.sha256(f"{rgb.width}x{rgb.height}:".encode() + rgb.tobytes()).hexdigest()


def picture_to_send(
    document: Document, image: Image, known: dict[str, Any], max_side: int = MAX_SIDE
) -> SentPicture | ImageError:
    """Load an image for a request; one without file or pixels is cut out of its parent.

    Args:
        document: that the image belongs to.
        image: to be loaded.
        known: cache of pictures and errors by image id, as in `openmie.data.images.image_or_crop`.
        max_side: pixels of the longer side, at most; 0: any.

    Returns:
        The picture, or the error that prevented it: what cannot be decoded is not sent.
    """
    if not image.path and image.pixels is None and image.box is not None:
        found = pictures.image_or_crop(document, image, known)
        return found if isinstance(found, ImageError) else _within(found, found.size, max_side)
    try:
        small = pictures.load_small(image, MinSize(longer=max_side) if max_side else FULL)
    except ImageError as error:
        return error
    if image.path and image.pixels is None and max(small.size) <= (max_side or max(small.size)):
        data, kind = own_bytes(Path(image.path))
        if data:
            return SentPicture(small.size, small.size, data=data, kind=kind)
    return _within(small.picture, small.size, max_side)


def _within(picture: Picture, original: tuple[int, int], max_side: int) -> SentPicture:
    """The picture, no longer than `max_side`."""
    import PIL.Image

    longest = max(picture.size)
    if max_side and longest > max_side:
        size = tuple(max(round(side * max_side / longest), 1) for side in picture.size)
        picture = picture.resize((size[0], size[1]), PIL.Image.Resampling.BICUBIC, reducing_gap=2.0)
    return SentPicture(picture.size, original, pixels=picture)


def own_bytes(path: Path) -> tuple[bytes, str]:
    """The bytes of a file that every server reads as we do, without place, camera and owner, and their kind.

    Args:
        path: of a picture that was decoded before.

    Returns:
        (b"", "") where the file is large, turned, transparent, animated, or not a plain JPEG, PNG or WebP.
    """
    import PIL.Image

    if path.stat().st_size > MAX_OWN_BYTES:
        return b"", ""
    with PIL.Image.open(path) as picture:
        kind = _OWN_FORMATS.get(picture.format or "", "")
        plain = picture.mode in ("RGB", "L") or (picture.mode == "P" and kind == "png")
        told = {"exif", "xmp", "XML:com.adobe.xmp"} & set(picture.info)
        if not kind or not plain or "transparency" in picture.info or getattr(picture, "n_frames", 1) > 1:
            return b"", ""
        if orientation(picture) != 1 or (told and kind != "jpeg"):
            return b"", ""
    data = path.read_bytes()
    return (_without_private(data), kind) if kind == "jpeg" else (data, kind)


def _without_private(data: bytes) -> bytes:
    """A JPEG without the segments that tell of place, camera and owner; its picture is untouched."""
    kept, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] not in _PRIVATE:
            kept.append(data[at:end])
        at = end
    return b"".join([*kept, data[at:]])


def encoded(picture: Picture | SentPicture, image_format: str) -> tuple[bytes, str]:
    """The bytes of a picture as it is sent, and their kind.

    Args:
        picture: as a request has it.
        image_format: "auto" (the file's own bytes, else JPEG), "jpeg" or "png" (each pixel as it is).
    """
    if isinstance(picture, SentPicture):
        if picture.data and image_format in ("auto", picture.kind):
            return picture.data, picture.kind
        picture = picture.decoded()
    kind, out = ("png" if image_format == "png" else "jpeg"), io.BytesIO()
    options: Mapping[str, Any] = {} if kind == "png" else {"quality": JPEG_QUALITY}
    picture.convert("RGB").save(out, format=kind.upper(), **options)
    return out.getvalue(), kind
