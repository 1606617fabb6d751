"""Gold annotation that the page saves: a folder with `train.jsonl` and the images of its posts.

`openmie train base --corpus jsonl:FOLDER` takes it. A document has a version, the hash of its line; who saves says
which version was changed, and where another one is stored meanwhile, nothing is written. A save replaces the file
whole: it is the old one or the new one, however the process ends. Lines that no page wrote stay as they are.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openmie.data.document import Document, Image
from openmie.data.folder_lock import FolderInUse, hold_folder
from openmie.data.replace_file import make_folder, replace_file
from openmie.errors import DocumentError
from openmie.serve.problems import Problem

FILE, IMAGES = "train.jsonl", "images"
_IMAGE = re.compile(r"images/([0-9a-f]{32}\.[a-z0-9]{2,8})")


@dataclass(frozen=True)
class Saved:
    """A stored document.

    Attributes:
        document: with image paths relative to the folder.
        version: hash of its line.
    """

    document: Document
    version: str


class AnnotationFolder:
    """The folder. Several threads may use it, and several processes: each save holds it for a moment.

    Args:
        folder: made with the first save.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._lock = folder, threading.Lock()

    def saved(self) -> list[Saved]:
        """All documents, in the order in which they were first saved."""
        return [found for line in self._lines() if (found := _read(line))]

    def find(self, id: str) -> Saved:
        """The document with this id.

        Raises:
            Problem: status 404.
        """
        for found in self.saved():
            if found.document.id == id:
                return found
        raise Problem.of_facts(404, "no annotation with this id", "one of /v1/annotations", "list them again", "id")

    def image(self, name: str) -> bytes:
        """The file of an image, by the name that a document has for it.

        Raises:
            Problem: status 404.
        """
        path = self.folder / IMAGES / name
        if not _IMAGE.fullmatch(f"{IMAGES}/{name}") or not path.is_file() or path.is_symlink():
            raise Problem.of_facts(404, "no such image", "one that an annotation names", "list them again", "image")
        return path.read_bytes()

    def save(self, document: Document, files: Mapping[str, bytes], version: str) -> Saved:
        """Save a document as gold: without scores and errors.

        Args:
            document: what was annotated. A new one gets an id of its text and images.
            files: id -> contents of its images that are not stored yet; each was checked.
            version: that was changed; "": a new one.

        Returns:
            What is stored now.

        Raises:
            Problem: another version is stored (409), or another process writes at this moment (503).
            OutputError: a folder that cannot be written.
        """
        with self._held():
            return self._save(document, files, version)

    def delete(self, id: str, version: str) -> None:
        """Delete a document, and the files of its images that no JSON lines of the folder name any more.

        Args:
            id: of the document.
            version: that is to be deleted.

        Raises:
            Problem: no such document (404), another version (409), or another process writes at this moment (503).
            OutputError: a folder that cannot be written.
        """
        with self._held():
            there = self.find(id)
            if there.version != version:
                raise _conflict(there.version, id)
            kept = [line for line in self._lines() if not ((read := _read(line)) and read.document.id == id)]
            self._write(kept)
            left = b"\n".join(path.read_bytes() for path in self.folder.glob("*.jsonl") if path.is_file())
            for image in there.document.images:
                if (named := _IMAGE.fullmatch(image.path)) and named[1].encode() not in left:
                    (self.folder / image.path).unlink(missing_ok=True)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One writer at a time."""
        with self._lock:
            try:
                with hold_folder(self.folder):
                    yield
            except FolderInUse:
                raise Problem.of_facts(
                    503, "a folder in use", "one writer at a time", "save again", retry_after=1
                ) from None

    def _save(self, document: Document, files: Mapping[str, bytes], version: str) -> Saved:
        images = tuple(self._store(image, files.get(image.id)) for image in document.images)
        gold = without_scores(document.replace(images=images, errors=()))
        if not version:
            gold = gold.replace(id=_content_id(gold))
        line = gold.to_json().encode()
        new, lines = Saved(gold, _version(line)), self._lines()
        at = next((i for i, old in enumerate(lines) if (read := _read(old)) and read.document.id == gold.id), None)
        there = "" if at is None else _version(lines[at])
        if there == new.version:  # the answer of an earlier save was lost
            return new
        if there != version:
            raise _conflict(there, gold.id)
        lines[len(lines) if at is None else at :] = [line] if at is None else [line, *lines[at + 1 :]]
        self._write(lines)
        return new

    def _write(self, lines: Iterable[bytes]) -> None:
        with replace_file(self.folder / FILE) as file:
            file.write(b"".join(one + b"\n" for one in lines))

    def _store(self, image: Image, content: bytes | None) -> Image:
        """The image with the path of its file, which is written where it is not there yet."""
        if content is None:
            if image.path and not (self.folder / image.path).is_file():
                raise Problem.of_facts(
                    422, "an image that is not stored", "its file, or a stored path", "send it with the document"
                )
            return image
        name = f"{hashlib.sha256(content).hexdigest()[:32]}.{_ending(content)}"
        path = make_folder(self.folder / IMAGES) / name
        if not path.is_file():
            with replace_file(path) as file:
                file.write(content)
        return image.model_copy(update={"path": f"{IMAGES}/{name}"})

    def _lines(self) -> list[bytes]:
        path = self.folder / FILE
        return [line for line in path.read_bytes().split(b"\n") if line.strip()] if path.is_file() else []


def check_paths(document: Document) -> None:
    """Only images of the folder, by the names that a save gave them.

    Raises:
        Problem: another path, status 422.
    """
    if any(image.path and not _IMAGE.fullmatch(image.path) for image in document.images):
        raise Problem.of_facts(
            422, "a path of an image", "the name that a save gave it, or none", "send the image itself", "images"
        )


def without_scores(document: Document) -> Document:
    """The document as gold, which is certain."""
    layers = ("mentions", "chains", "relations", "regions")
    certain = {
        name: tuple(part.model_copy(update={"score": None}) for part in getattr(document, name)) for name in layers
    }
    return document.replace(**certain)


def _read(line: bytes) -> Saved | None:
    try:
        return Saved(Document.from_json(line), _version(line))
    except DocumentError:
        return None


def _version(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:16]


def _content_id(document: Document) -> str:
    facts = json.dumps([document.text, [image.path for image in document.images]])
    return f"post-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def _conflict(there: str, id: str) -> Problem:
    found = "a version that was saved meanwhile" if there else "no version of this document"
    remedy = "open what is stored, and change that" if there else "save it as a new one"
    return Problem.of_facts(409, found, "the version that was opened", remedy, f"document {id}")


def _ending(content: bytes) -> str:
    import PIL.Image

    with PIL.Image.open(io.BytesIO(content)) as picture:
        return {"JPEG": "jpg", "MPO": "jpg", "JPEG2000": "jp2", "TIFF": "tif"}.get(
            picture.format or "", (picture.format or "bin").lower()
        )
