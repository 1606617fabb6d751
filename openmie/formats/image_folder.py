"""A folder of images: a post for each name, with the text of the text file that is called as the image, if any.

`a.jpg`, `a.png` and `a.txt` are one post with two images; folders inside count, and are part of the id.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from openmie.data.document import Document, Image
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats.text_lines import read_text

CANNOT_HOLD = tuple(name for name in Document.model_fields if name not in ("id", "text", "images"))
IMAGES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jp2", ".avif", ".heic",
    ".heif", ".ppm", ".pgm", ".pnm",
)  # fmt: skip
_TEXT = ".txt"
_DATA = (".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".csv", ".tsv", ".conll", ".ann", ".xml")


def is_image_folder(folder: Path) -> bool:
    """Whether there are images in a folder, or in folders inside, and no data files beside them that name images."""
    if any(file.suffix.lower() in _DATA for file in folder.iterdir()):
        return False
    return any(Path(name).suffix.lower() in IMAGES for _, names in _walk(folder) for name in names)


def read(path: str | os.PathLike[str], *, id_prefix: str = "") -> Iterator[Document | ErrorRecord]:
    """A document for each name in the folder, in the order of names; hidden files are passed over.

    Args:
        path: folder.
        id_prefix: of the ids, which are names without endings.

    Raises:
        CorpusError: no folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise CorpusError("no folder", expected="a folder of images", where=str(path), remedy="check the path")
    return _documents(folder, id_prefix)


def _walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder, links to others not followed, with its files in the order of names."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(root), sorted(name for name in files if not name.startswith("."))


def _documents(folder: Path, prefix: str) -> Iterator[Document | ErrorRecord]:
    for root, names in _walk(folder):
        groups: dict[str, list[str]] = {}
        others: list[str] = []
        for name in names:
            known = Path(name).suffix.lower() in (*IMAGES, _TEXT)
            groups.setdefault(Path(name).stem, []).append(name) if known else others.append(name)
        told = _passed_over(root, others)
        for stem, files in groups.items():
            id = (root / stem).relative_to(folder).as_posix()
            yield _document(f"{prefix}{id}", root, files, folder, told)
            told = ()


def _document(
    id: str, root: Path, files: Iterable[str], folder: Path, told: tuple[ErrorRecord, ...]
) -> Document | ErrorRecord:
    text, errors, pictures = "", list(told), []
    for name in files:
        if Path(name).suffix.lower() == _TEXT:
            text, bad = read_text(root / name)
            errors += bad
        else:
            pictures.append((root / name).relative_to(folder).as_posix())
    ids = ["main", *(f"image{n}" for n in range(2, len(pictures) + 1))]
    images = tuple(Image(path=path, id=image) for path, image in zip(pictures, ids))
    document = Document(id=id, text=text.strip("\n"), images=images, errors=tuple(errors))
    return paths.resolve_paths(document, folder)


def _passed_over(root: Path, names: list[str]) -> tuple[ErrorRecord, ...]:
    if not names:
        return ()
    return (
        ErrorRecord(
            where=str(root),
            found=f"{len(names)} files that are neither images nor texts, such as {names[0]!r}",
            expected="images, and .txt files of the same names",
            remedy="they were passed over",
            note=True,
        ),
    )
