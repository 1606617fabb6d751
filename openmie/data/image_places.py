"""Where image files may lie: inside the folders that are named, never at an address or behind a link out of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from openmie.data.image_pixels import image_error

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]+:)?//|(?:https?|ftp|file|data|blob):", re.IGNORECASE)


def resolve_inside(path: str, base: str | os.PathLike[str], *also: str | os.PathLike[str]) -> Path:
    """Resolve a path inside a folder, without opening anything.

    Args:
        path: relative to `base`.
        base: the folder.
        *also: further folders that the path may lead into.

    Returns:
        `base / path`.

    Raises:
        ImageError: a URL, or a path that leaves these folders when all links are followed.
    """
    if not path or "\0" in path:
        raise image_error(path, f"{path!r}", "the path of a file", "name the image file")
    refuse_url(path)
    roots = [os.path.realpath(folder) for folder in (base, *also)]
    real = os.path.realpath(os.path.join(roots[0], path))
    if not any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in roots):
        link = _link_within(roots[0], path)
        raise image_error(
            path,
            f"a symbolic link out of its folder, {link} -> {os.readlink(link)}"[:300]
            if link
            else "a path that leads out of its folder",
            f"a file inside {os.fspath(base)}",
            f"name the folder that holds the images (--image-dir {os.path.realpath(link)}, or images=FOLDER)"
            if link
            else "move the image there, or name the folder that holds it (--image-dir FOLDER, or images=FOLDER)",
        )
    return Path(base) / path


def _link_within(root: str, path: str) -> str:
    """The first part of a path inside a folder that is a link out of it; "" where the path itself leads out."""
    place = root
    for part in Path(path).parts if not os.path.isabs(path) else ():
        place = os.path.join(place, part)
        if part == os.pardir:
            return ""
        real = os.path.realpath(place)
        if os.path.islink(place) and real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
            return place
    return ""


def refuse_url(path: str) -> None:
    """ImageError for an address on a network: nothing is fetched."""
    if _URL.match(path):
        raise image_error(
            path, "a URL", "the path of a file: nothing is fetched", "download the image and name the file"
        )
