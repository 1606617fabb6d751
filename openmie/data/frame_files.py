"""Frames that go along with their clips to another folder: as links, or as copies where links cannot be."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from openmie.data.document import Document, Image
from openmie.errors import CorpusError


def copy_frames(documents: Iterable[Document], folder: str | os.PathLike[str]) -> Iterator[Document]:
    """The documents, to be written to a file in `folder`: frames that lie elsewhere are put into `folder/frames`.

    A data file's paths never lead out of its folder. Frames that are gone keep their path, and writing says so.
    Errors: two different frames of one name.
    """
    root = Path(os.path.abspath(folder))
    for document in documents:
        yield document.replace(images=tuple(_copy_frame(image, root) for image in document.images))


def _copy_frame(image: Image, root: Path) -> Image:
    here = Path(os.path.abspath(image.path)) if image.path else root
    if here.is_relative_to(root) or not here.is_file():
        return image
    (root / "frames").mkdir(parents=True, exist_ok=True)
    return image.model_copy(update={"path": str(link_or_copy(here, root / "frames"))})


def link_or_copy(file: Path, folder: Path) -> Path:
    """The file under its name in `folder`. Errors: another one of that name is there."""
    target = folder / file.name
    if os.path.lexists(target):
        if not target.is_file() or not filecmp.cmp(file, target, shallow=False):
            raise CorpusError(
                f"two frames called {target.name}",
                expected="a name of its own",
                where=str(folder),
                remedy="keep videos of equal names apart from each other, in folders of their own",
            )
        return target
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)
    return target
