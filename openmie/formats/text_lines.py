"""Text files as numbered lines: byte-order marks, CRLF, CR and broken encodings are met here and nowhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple

from openmie.data.document import Document
from openmie.errors import CorpusError, DocumentError, ErrorRecord


class TextLine(NamedTuple):
    """One line without its end; `error` is set where its bytes are not UTF-8 (they are then read as U+FFFD)."""

    number: int
    text: str
    error: ErrorRecord | None = None


def split_lines(file: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a binary file with their ends, which are LF or CRLF; CR alone, where one is inside the first line.

    Spreadsheets and old Macs end lines so: the entire file is one line to those who look for LF. Elsewhere a CR is
    part of its line.
    """
    alone = False
    for number, raw in enumerate(file):
        alone = alone if number else b"\r" in raw.rstrip(b"\r\n")
        yield from raw.splitlines(keepends=True) if alone else (raw,)


def is_blank(line: bytes) -> bool:
    """Whether a line holds nothing but white space, no-break spaces too."""
    return not line.strip() or (len(line) < 100 and not line.decode("utf-8", "replace").strip())


def read_lines(path: str | os.PathLike[str]) -> Iterator[TextLine]:
    """The lines of a file as `split_lines` parts them: U+2028 and its like are part of a line. "-" is stdin."""
    path = Path(path)
    with _open_file(path) as file:
        for number, raw in enumerate(split_lines(file), 1):
            if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
                raw = raw[3:]
            raw = raw.rstrip(b"\r\n")
            try:
                yield TextLine(number, raw.decode("utf-8"))
            except UnicodeDecodeError as error:
                yield TextLine(number, raw.decode("utf-8", errors="replace"), _not_utf8(path, number, raw, error))


def _open_file(path: Path) -> AbstractContextManager[BinaryIO]:
    if os.fspath(path) == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return path.open("rb")
    except OSError as error:
        raise CorpusError(
            f"{type(error).__name__}: {error.strerror}",
            expected="a file that can be read",
            where=str(path),
            remedy="check that it is still there and that you may read it",
        ) from None


def _not_utf8(path: Path, number: int, raw: bytes, error: UnicodeDecodeError) -> ErrorRecord:
    guess = "Windows-1252 or Latin-1"
    if number == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        guess = "UTF-16"
    elif path.is_file():
        with path.open("rb") as file:
            guess = "UTF-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else guess
    found = f"byte 0x{raw[error.start]:02x} at column {error.start + 1}, which is not UTF-8"
    return line_error(
        path, number, found, "UTF-8", f"convert the file (it may be {guess}); the bytes were read as U+FFFD"
    )


def read_text(path: Path) -> tuple[str, list[ErrorRecord]]:
    """The text of a file, and a record for each of its lines that is not UTF-8."""
    found = list(read_lines(path))
    return "\n".join(line.text for line in found), [line.error for line in found if line.error]


def catch_invalid_document(
    items: Iterator[Document | ErrorRecord], path: Path, line: int
) -> Iterator[Document | ErrorRecord]:
    """What a reader yields for one row; an invalid document becomes a record, and reading continues."""
    try:
        yield from list(items)
    except DocumentError as error:
        yield line_error(
            path, line, str(error), "a row that makes a valid document", "mend or remove the row; it was left out"
        )


def line_error(path: Path, line: int, found: str, expected: str, remedy: str) -> ErrorRecord:
    """A record that points at `file:line`; line 0 is the entire file."""
    return ErrorRecord(where=f"{path}:{line}" if line else str(path), found=found, expected=expected, remedy=remedy)


def shorten(value: object, n: int = 80) -> str:
    """A value as an error message shows it: quoted, and cut where it is long."""
    shown = repr(value if not isinstance(value, str) else value[: 2 * n])
    return shown if len(shown) <= n else shown[: n - 3] + "..."
