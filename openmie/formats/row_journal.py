"""A journal of finished rows: what a process has made is there after it was killed, in whatever place of the order.

A line is `AT OF STATE MENTIONS ROW`: the number of the post, a hash of it, how it came out, the number of mentions, and
the row, JSON text. Lines are appended and written to the system one at a time; a later line of the same post counts in
the place of an earlier one. What a stopped process left behind the last whole line is cut off.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from openmie.data import replace_file as writing
from openmie.errors import CorpusError

SYNC_EVERY = 5.0  # seconds that a power failure may cost; a kill costs nothing that was appended
FINE, FAILED, AGAIN, NOTED = range(4)  # states of a row: with no error, or some; AGAIN: its post could not be asked
LOST = (FAILED, AGAIN)  # about; NOTED: with notes alone, by which nothing is lost
_LINE = re.compile(rb"(\d+) ([0-9a-f]+) ([0123]) (\d+) (\{.*\})\n")


@dataclass(frozen=True, slots=True)
class JournalRow:
    """Where in the journal a post's row is, and what is known of it.

    Args:
        offset: of the row's first byte.
        length: bytes of the row.
        of: the hash of the post.
        state: FINE, FAILED, AGAIN or NOTED.
        mentions: number of mentions.
    """

    offset: int
    length: int
    of: str
    state: int
    mentions: int


def check_regular_file(path: Path) -> None:
    """It is a file, through links or not, or nothing is there. CorpusError: something else is, such as a pipe."""
    if os.path.lexists(path) and not path.is_file():
        raise CorpusError(
            writing.describe_path(path),
            expected="a file, or nothing yet: a stopped process goes on in it",
            where=str(path),
            remedy="remove it, or choose another folder; it was not touched",
        )


class RowJournal:
    """Rows by the number of their post, in a file that is there until it is removed.

    Args:
        path: the file, new or of a stopped process.

    Raises:
        CorpusError: something else has its name, such as a pipe.
    """

    def __init__(self, path: Path) -> None:
        check_regular_file(path)
        self.path, self.entries, self.end, self._synced = path, dict[int, JournalRow](), 0, monotonic()
        with writing.report_disk_errors(str(path)):
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115, closed by `close`
        self._read()

    def _read(self) -> None:
        with open(self.path, "rb") as file:
            for line in file:
                if (parts := _LINE.fullmatch(line)) is None:
                    break
                at, row = self.end + parts.start(5), len(parts[5])
                self.entries[int(parts[1])] = JournalRow(at, row, parts[2].decode(), int(parts[3]), int(parts[4]))
                self.end += len(line)
        self._file.truncate(self.end)

    def append(self, at: int, of: str, state: int, mentions: int, row: bytes) -> None:
        """Keep the row of post `at`. OutputError: a full disk; what was there before is as it was."""
        head = f"{at} {of} {state} {mentions} ".encode()
        line = head + row + b"\n"
        with writing.report_disk_errors(str(self.path)):
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[self._file.write(rest) :]
            except BaseException:
                self._file.truncate(self.end)
                raise
        self.entries[at] = JournalRow(self.end + len(head), len(row), of, state, mentions)
        self.end += len(line)
        if monotonic() - self._synced > SYNC_EVERY:
            self.sync()

    def keep_first(self, count: int) -> None:
        """Forget all rows but the first, of a journal whose rows are in order."""
        if not (others := sorted(self.entries)[count:]):
            return
        for at in others:
            self.end = min(self.end, self.entries.pop(at).offset)
        with open(self.path, "rb") as file:
            self.end = file.read(self.end).rfind(b"\n") + 1
        self._file.truncate(self.end)

    def rows(self) -> Iterator[bytes]:
        """The rows in the order of their posts."""
        with open(self.path, "rb") as file:
            for at in sorted(self.entries):
                file.seek(self.entries[at].offset)
                yield file.read(self.entries[at].length)

    def sync(self) -> None:
        """Have the disk hold what was appended."""
        with writing.report_disk_errors(str(self.path)):
            os.fsync(self._file.fileno())
        self._synced = monotonic()

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    def remove(self) -> None:
        """Close and remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)
