"""The training documents on a disk: read and packed by one process of each machine, opened by the others."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from openmie.data.document import Document
from openmie.data.document_file import DocumentFile
from openmie.errors import TrainError
from openmie.train.gather import Processes

ALONE = Processes()


def documents_on_disk(
    documents: Iterable[Document], folder: Path, processes: Processes = ALONE, facts: dict[str, Any] | None = None
) -> DocumentFile:
    """The documents as a sequence that holds none of them.

    Args:
        documents: read by the first process of each machine, and by all where some have pixels in memory.
        folder: on whose disk the file lies; of all processes the same.
        processes: that want the documents, and all call this.
        facts: found while they are read, as JSON values; a process that does not read is given the reader's.

    Raises:
        TrainError: the disk is full.
    """
    if processes.count == 1:
        return _packed(documents, folder)
    name, host = f".documents-{processes.index}", socket.gethostname()
    own = _packed(documents, folder, name) if processes.is_first_here else None
    packed = processes.exchange([host, name, own.digest, facts or {}] if own and own.is_whole else None)
    found = next((p for p in packed if p and p[0] == host and (folder / p[1]).exists()), None)
    if own is None and found is not None:
        own = DocumentFile.opened(folder / found[1], found[2])
        if facts is not None:
            facts.update(found[3])
    own = own if own is not None else _packed(documents, folder)
    processes.exchange(None)  # all have opened it
    own.unlink()
    return own


def _packed(documents: Iterable[Document], folder: Path, name: str = "") -> DocumentFile:
    try:
        return DocumentFile(documents, folder, name)
    except OSError as error:
        if error.filename and not str(error.filename).startswith(str(folder / ".documents")):  # a document's own file
            raise
        raise TrainError(
            f"{folder} cannot hold the training documents: {error.strerror or error}",
            expected="about as much room as their compressed JSON takes",
            where="out",
            remedy="make room, or name another --out",
        ) from error
