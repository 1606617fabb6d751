"""Documents in a temporary file: a sequence of any length in little memory.

A document takes 8 bytes of memory and its JSON on the disk; it is made anew each time that it is asked for.
"""

from __future__ import annotations

import hashlib
import tempfile
import weakref
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from openmie.data.document import Document


class DocumentFile(Sequence[Document]):
    """A sequence of documents in a file without a name, which the system removes at the end of the process.

    A document with pixels in memory, which no file holds, is kept as it is.

    Args:
        documents: read once.
        folder: on whose disk the file lies.
        name: of the file, for other processes to open it (`opened`) until it is unlinked; "": none.

    Attributes:
        digest: SHA-256 of the documents' JSON, in order.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
        DocumentError: a document that JSON cannot hold.
    """

    def __init__(self, documents: Iterable[Document], folder: Path, name: str = "") -> None:
        self._path = folder / name if name else None
        self._file: IO[bytes] = open(self._path, "wb+") if self._path else tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # open as long as the sequence is there
        weakref.finalize(self, self._file.close)
        self._ends, self._whole, digest = array("Q", [0]), dict[int, Document](), hashlib.sha256()
        for i, document in enumerate(documents):
            line = document.to_json().encode("utf8", "surrogatepass")
            digest.update(line)
            packed = b""
            if any(image.pixels is not None for image in document.images):
                self._whole[i] = document
            else:
                packed = zlib.compress(line, 1)
            self._file.write(packed)
            self._ends.append(self._ends[-1] + len(packed))
        self._file.flush()
        self.digest = digest.hexdigest()
        if self._path:
            with open(_ends_of(self._path), "wb") as file:
                self._ends.tofile(file)

    @classmethod
    def opened(cls, path: Path, digest: str) -> DocumentFile:
        """The sequence of another process.

        Args:
            path: of its file.
            digest: of its documents.

        Raises:
            OSError: no such file.
        """
        found = cls.__new__(cls)
        found._path, found._whole, found.digest = None, {}, digest
        found._file, found._ends = open(path, "rb"), array("Q")  # noqa: SIM115
        weakref.finalize(found, found._file.close)
        with open(_ends_of(path), "rb") as file:
            found._ends.frombytes(file.read())
        return found

    @property
    def is_whole(self) -> bool:
        """Whether the file holds all documents, with nothing kept in memory."""
        return not self._whole

    def unlink(self) -> None:
        """Take the file's name away: who has opened it goes on reading."""
        if self._path:
            for path in (self._path, _ends_of(self._path)):
                path.unlink(missing_ok=True)
            self._path = None

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, at: int) -> Document:  # type: ignore[override]
        if at in self._whole:
            return self._whole[at]
        if not 0 <= at < len(self):
            raise IndexError(at)
        start, end = self._ends[at], self._ends[at + 1]
        self._file.seek(start)
        return Document.from_json(zlib.decompress(self._file.read(end - start)))

    def __iter__(self) -> Iterator[Document]:
        return (self[at] for at in range(len(self)))


def _ends_of(path: Path) -> Path:
    """Where the ends of the documents in a file stand."""
    return path.with_name(f"{path.name}.ends")
