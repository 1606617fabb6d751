"""Which images show the same: files of equal bytes, and pictures that differ by their size or compression alone.

A difference hash says of 16 x 16 neighbouring points of a small grey picture which is lighter, as 256 bits. Copies that
were scaled or compressed anew differ in a few of them, two photographs in about a hundred. Pictures with almost no
such differences, such as blank ones, are the same only where their bytes are.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from openmie.data.document import Image
from openmie.data.images import load_image
from openmie.errors import ImageError

SIDE = 16
MAX_DISTANCE = 8  # bits of 256
MIN_EDGES = 16  # bits that must be set and bits that must not, or else a hash says nothing
_BANDS = MAX_DISTANCE + 1  # two hashes of at most that distance agree in one of so many parts at least


def file_digest(image: Image) -> str:
    """Of the bytes of an image's file, or of its pixels in memory; "" where there are none."""
    if image.pixels is not None:
        pixels: Any = image.pixels
        return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    try:
        return hashlib.sha256(Path(image.path).read_bytes()).hexdigest() if image.path else ""
    except (OSError, ValueError):
        return ""


def difference_hash(image: Image) -> int | None:
    """The hash of the picture in 256 bits; None of one that cannot be read, or has too few edges to be known by them.

    Args:
        image: with a file or pixels.
    """
    try:
        picture = load_image(image)
    except ImageError:
        return None
    grey = picture.convert("L").resize((SIDE + 1, SIDE), 3)  # 3: bicubic, which averages when it shrinks
    values = list(grey.tobytes())
    bits = 0
    for at in range(SIDE * SIDE):
        row, column = divmod(at, SIDE)
        left = row * (SIDE + 1) + column
        bits = bits << 1 | (values[left] > values[left + 1])
    return bits if MIN_EDGES <= bits.bit_count() <= SIDE * SIDE - MIN_EDGES else None


def near_pairs(hashes: Sequence[int | None]) -> Iterable[tuple[int, int]]:
    """Places of two hashes that differ in `MAX_DISTANCE` bits at most.

    Args:
        hashes: as `difference_hash` gives them.

    Yields:
        (a, b) with a < b; a pair may come several times.
    """
    width = -(-SIDE * SIDE // _BANDS)
    for band in range(_BANDS):
        parts: dict[int, list[int]] = defaultdict(list)
        for number, value in enumerate(hashes):
            if value is None:
                continue
            same = parts[value >> band * width & (1 << width) - 1]
            yield from ((a, number) for a in same if (hashes[a] ^ value).bit_count() <= MAX_DISTANCE)  # type: ignore[operator]
            same.append(number)
