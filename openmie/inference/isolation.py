"""Posts that end the process which reads them are found by halving their batch, and recorded; all others are predicted.

A batch is tried twice as it is, for a process may end for other reasons (the machine's memory, a kill), and predictions
may depend in their last bits on what is predicted together. Then its halves are tried, and so on. A post that ends two
processes in a row while it is alone has the reason in its `errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from openmie.data.document import Document
from openmie.errors import ErrorRecord, ModelError
from openmie.inference.pipeline import failed_document
from openmie.inference.post_lines import decode, encode
from openmie.inference.worker_process import PredictionFailed, WorkerEnded

TRIES = 2  # of a whole batch, and of one post alone
PATIENCE = 16  # posts one after the other that end the process end the job: it is not the posts


class LinePredictor(Protocol):
    """What predicts lines: `openmie.inference.worker_process.WorkerProcess`."""

    def predict(self, lines: Sequence[bytes]) -> list[bytes]:
        """See there."""


class Isolation:
    """Predicts batches on a worker, whatever is in them.

    Args:
        worker: predicts lines.
    """

    def __init__(self, worker: LinePredictor) -> None:
        self.worker, self._row = worker, 0

    def predict(self, lines: Sequence[bytes]) -> list[bytes]:
        """One document for each post, see the module.

        Args:
            lines: posts, as `post_lines.encode` writes them.

        Raises:
            OpenMIEError: the predictor cannot be made; or `PATIENCE` posts in a row ended it.
        """
        return self._tried(lines, TRIES)

    def _tried(self, lines: Sequence[bytes], tries: int) -> list[bytes]:
        reason = ""
        for _ in range(tries):
            try:
                found = self.worker.predict(lines)
            except WorkerEnded as error:
                reason = f"the process that read this post ended ({error})"
            except PredictionFailed as error:
                reason = f"reading this post failed ({error})"
                break
            else:
                self._row = 0
                return found
        if len(lines) == 1:
            return [self._failed(lines[0], reason)]
        halves = lines[: len(lines) // 2], lines[len(lines) // 2 :]
        return [line for half in halves for line in self._tried(half, TRIES if len(half) == 1 else 1)]

    def _failed(self, line: bytes, reason: str) -> bytes:
        item = decode(line)
        if isinstance(item, ErrorRecord):
            return encode(Document(id="unread", errors=(item,)))
        record = ErrorRecord(
            where=f"document {item.id}",
            found=reason,
            expected="a post that the model can read",
            remedy="look at its text and its images, or leave it out",
        )
        self._row += 1
        if self._row == PATIENCE:
            raise ModelError(
                f"{PATIENCE} posts one after the other could not be read, the last because {reason}",
                expected="a model that works",
                where=record.where,
                remedy="look whether the memory suffices for this number of workers (--workers)",
            )
        return encode(failed_document(item, record))
