"""HEIC photographs, as phones take them: read with the extra `heic` (pillow-heif), and named where it is absent."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from openmie.data.image_pixels import image_error

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@cache
def register_heic() -> bool:
    """Teach Pillow the format, where pillow-heif is installed; whether it is."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


def refuse_heic(path: Path) -> None:
    """ImageError that names the extra, for a HEIC file that cannot be read without it; nothing of other files."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS and not register_heic():
        raise image_error(
            path,
            "a HEIC photograph, which needs the package pillow-heif",
            "an image that can be read",
            "install it: pip install 'openmie[heic]', or convert the image to JPEG",
        )
