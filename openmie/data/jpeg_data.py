"""JPEG files whose data end before the picture does.

A decoder fills what is missing with grey and gives no error: 2 kB that declare 9,400 x 9,400 pixels decode, and so does
half a download that something closed with an end marker. What is missing is decoded anew with more data at the end: of
a whole picture they are not read, of another they are.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from openmie.data.image_pixels import image_error
from openmie.errors import ImageError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_SOS, _EOI, _DRI = 0xDA, 0xD9, 0xDD
_RESTARTS = range(0xD0, 0xD8)
_FILL = (127, 128)  # what decoders fill each channel with


def check_size(path: Path, picture: ImageFile) -> None:
    """ImageError, before anything is decoded, where a JPEG has less than a bit for each block of 8 x 8 pixels.

    Args:
        path: of the file.
        picture: opened from it.
    """
    size = path.stat().st_size
    blocks = -(-picture.width // 8) * -(-picture.height // 8)
    if picture.format in ("JPEG", "MPO") and 8 * size < blocks and not _is_arithmetic(path):
        raise _ends_early(path, size, picture)


def _is_arithmetic(path: Path) -> bool:
    """Whether a file may be coded arithmetically, in which a block may take less than a bit."""
    data = path.read_bytes()
    return any(bytes((0xFF, marker)) in data for marker in (0xC9, 0xCA, 0xCB))


def _ends_early(path: Path, size: int, picture: ImageFile) -> ImageError:
    return image_error(
        path,
        f"data of {size:,} bytes that end before the picture of {picture.width} x {picture.height} pixels does",
        "a whole image",
        "fetch or export the image again",
    )


def check_whole(path: Path, picture: ImageFile) -> None:
    """ImageError where a JPEG that was just decoded ends early; all other pictures pass.

    The last pixel tells at once of nearly all pictures that they are whole. Those that end in this very grey are
    decoded twice more, in an eighth of their size.

    Args:
        path: of the file.
        picture: opened from it, decoded.
    """
    if picture.format not in ("JPEG", "MPO") or picture.tile:
        return
    width, height = picture.size
    last: Any = picture.getpixel((width - 1, height - 1))
    if any(value not in _FILL for value in (last if isinstance(last, tuple) else (last,))):
        return
    data = path.read_bytes()
    end, restarts = _end_of_data(data)
    noise = bytes(x for x in Random(0).randbytes(512) if x != 0xFF)
    more = [noise, b"".join(bytes((0xFF, marker)) + noise for marker in _RESTARTS)] if restarts else [noise]
    whole = _small(data)
    if end and any(_small(data[:end] + extra + data[end:]) != whole for extra in more):
        raise _ends_early(path, len(data), picture)


def _end_of_data(data: bytes) -> tuple[int, bool]:
    """Where the end marker of the first picture stands (0: nowhere), and whether there are restart intervals."""
    at, restarts = 2, False
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _EOI:
            return at, restarts
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        restarts |= marker == _DRI
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker == _SOS:
            at = _end_of_scan(data, at)
    return (at if data[at : at + 2] == bytes((0xFF, _EOI)) else 0), restarts


def _end_of_scan(data: bytes, at: int) -> int:
    """The next marker that is no restart, and no byte 0xFF of the data, behind which a zero stands."""
    while (at := data.find(b"\xff", at)) >= 0:
        if data[at + 1 : at + 2] != b"\0" and data[at + 1 : at + 2] not in [bytes((m,)) for m in _RESTARTS]:
            return at
        at += 2
    return len(data)


def _small(data: bytes) -> bytes:
    """The picture's pixels in an eighth of its size."""
    import PIL.Image

    with PIL.Image.open(BytesIO(data), formats=["JPEG"]) as picture:
        picture.draft(None, (max(picture.width // 8, 1), max(picture.height // 8, 1)))  # type: ignore[arg-type]
        return picture.tobytes()
