"""Where the images of written documents lie: copied or linked beside the file, or kept where they are.

A reader opens nothing outside the folder of its file, or of the one that `--image-dir` names; so a file that is written
into another folder than its images needs them there.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from openmie.data import images as pictures
from openmie.data import replace_file as writing
from openmie.data.document import Document, Image
from openmie.errors import CorpusError, ErrorRecord, ImageError

WAYS = ("keep", "copy", "link")
FOLDER = "images"


class ImagePlacement:
    """Brings the image files of documents into a folder.

    Args:
        folder: of the file that is written, or the folder that is.
        how: `copy`; `link`, a second name of the same file, which needs no space; or `keep`, which does nothing.
        inside: name of the folder in it that files are put into; "": in itself, as Pascal VOC has them.
        at_end: whether files are brought by `finish`, for a folder that must not be there before.
        records: gets one for each image whose file is not there.

    Raises:
        CorpusError: an unknown way.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        how: str,
        inside: str = FOLDER,
        at_end: bool = False,
        records: dict[ErrorRecord, None] | None = None,
    ) -> None:
        if how not in WAYS:
            raise CorpusError.unknown("way to place images", how, WAYS)
        self.folder, self.how, self.inside, self.at_end = Path(os.path.abspath(folder)), how, inside, at_end
        self.records = records if records is not None else {}
        self._placed: dict[str, str] = {}  # real path of the source -> where it is now
        self._taken: set[str] = set()  # names, small letters, that sources have here

    def __call__(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, their image paths leading to the files in the folder."""
        for document in documents:
            if self.how == "keep" or not any(i.path for i in document.images):
                yield document
                continue
            images = tuple(self._place(document, image) for image in document.images)
            yield document.model_copy(update={"images": images})

    def finish(self) -> None:
        """Bring the files that were to be brought at the end."""
        if self.at_end and self.how != "keep":
            for source, target in self._placed.items():
                if source != target:
                    self._bring(source, target)

    def _place(self, document: Document, image: Image) -> Image:
        if not image.path:
            return image
        source = os.path.realpath(image.path)
        if not os.path.isfile(source):
            told = ErrorRecord(
                where=f"document {document.id}, image {image.path}"[:200],
                found="no such file",
                expected=f"a file to {self.how}",
                remedy="name the folder that holds the images (--image-dir)",
            )
            self.records[told] = None
            return image
        if source not in self._placed:
            self._placed[source] = self._target(source)
            if not self.at_end and self._placed[source] != source:
                self._bring(source, self._placed[source])
        update: dict[str, object] = {"path": self._placed[source]}
        if self.at_end and not (image.width and image.height):  # the file is not there yet when its size is asked for
            try:
                update["width"], update["height"] = pictures.image_size(image)
            except ImageError as error:
                self.records[error.record] = None
        return image.model_copy(update=update)

    def _target(self, source: str) -> str:
        """A name in the folder that no other image has; of a file that is there already, its own."""
        root = os.path.realpath(self.folder)
        if source.startswith(root + os.sep):
            return os.path.join(self.folder, os.path.relpath(source, root))
        name, number = Path(source), 1
        while True:
            file = name.name if number == 1 else f"{name.stem}-{number}{name.suffix}"
            target = self.folder / self.inside / file
            free = not os.path.lexists(target) or _are_equal(source, target)
            if free and file.casefold() not in self._taken:
                self._taken.add(file.casefold())
                return str(target)
            number += 1

    def _bring(self, source: str, target: str) -> None:
        if os.path.lexists(target):  # equal, from an earlier run
            return
        writing.make_folder(Path(target).parent)
        try:
            if self.how == "link":
                os.link(source, target)
            else:
                with open(source, "rb") as old, writing.replace_file(target) as new:
                    shutil.copyfileobj(old, new)
        except OSError as error:
            raise CorpusError(
                f"a file that cannot be {'linked' if self.how == 'link' else 'copied'}: {error.strerror or error}",
                expected="an image that can be read, and a folder on the same disk for links",
                where=source,
                remedy="copy the images (--images copy), or keep them where they are (--images keep)",
            ) from None


def _are_equal(source: str, target: Path) -> bool:
    try:
        return filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False
