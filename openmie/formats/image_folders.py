"""Where the images of a written folder lie: the one folder that a later command has to name, so that it finds them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from openmie.data.document import Document

_OF_SPECS = "?&#"  # characters that a corpus name `FORMAT:PATH?key=value` reads


class ImageFolders:
    """Collects the folders of images that lie outside a folder of documents.

    Args:
        folder: the documents'; relative image paths of its files lead from here.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.path.abspath(folder)
        self.common = ""  # the deepest folder that holds all of them; "": there are none outside

    def add(self, document: Document) -> None:
        """Note where the images of one more document lie, whether its paths lead from here or from the folder."""
        for image in document.images:
            if not image.path:
                continue
            beside = os.path.join(self.folder, image.path)
            path = os.path.abspath(image.path if os.path.exists(image.path) or not os.path.exists(beside) else beside)
            if not path.startswith(self.folder + os.sep):
                place = os.path.dirname(path)
                self.common = os.path.commonpath([self.common, place]) if self.common else place

    def passed(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, each noted."""
        for document in documents:
            self.add(document)
            yield document

    def corpus(self, spec: str) -> str:
        """The corpus name with the images' folder; with --image-dir where a corpus name cannot hold its path.

        Args:
            spec: `FORMAT:PATH`.
        """
        if not self.common:
            return spec
        here = Path(self.common)
        shown = str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else self.common
        if any(c in shown for c in _OF_SPECS):
            return f"{spec} --image-dir {shlex.quote(shown) if ' ' in shown else shown}"
        named = f"{spec}?images={shown}"
        return shlex.quote(named) if " " in named else named
