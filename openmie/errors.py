"""One root error, and the record that stands in its place where a run must go on.

Every error says where it arose, what was found, what was expected and what to do. The same four facts, as data,
are an `ErrorRecord`: readers collect them in `Corpus.skipped`, predictions carry them in `Document.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, field_validator


def whole(text: str) -> str:
    """The text, its lone surrogates (halves of UTF-16 pairs, which no file can hold) as the escapes that name them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


class ErrorRecord(BaseModel):
    """What went wrong with one input, as data. It can always be written: half a character stands as its escape."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str = ""  # file and line, document id, or field
    found: str = ""
    expected: str = ""
    remedy: str = ""

    @field_validator("where", "found", "expected", "remedy")
    @classmethod
    def _whole(cls, text: str) -> str:
        return whole(text)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other facts, which may be of a file whose name is no Unicode."""
        return super().model_copy(update={k: whole(v) for k, v in (update or {}).items()}, deep=deep)

    def __str__(self) -> str:
        parts = [("", self.where), ("found ", self.found), ("expected ", self.expected), ("", self.remedy)]
        return "; ".join(prefix + text for prefix, text in parts if text)


class OpenMIEError(Exception):
    """Root of all errors that a user of openmie can meet."""

    def __init__(self, found: str, *, expected: str = "", remedy: str = "", where: str = "") -> None:
        self.record = ErrorRecord(where=where, found=found, expected=expected, remedy=remedy)
        super().__init__(str(self.record))

    @classmethod
    def of(cls, record: ErrorRecord) -> Self:
        """The error that a record stands for, to raise it after all."""
        return cls(record.found, expected=record.expected, remedy=record.remedy, where=record.where)


class DocumentError(OpenMIEError):
    """A document contradicts itself: offsets outside the text, an id used twice, ..."""


class CorpusError(OpenMIEError):
    """A file is not in the format that its reader reads."""


class ImageError(OpenMIEError):
    """An image is missing, broken or too large to be decoded."""


class RecipeError(OpenMIEError):
    """A recipe names parts that do not fit each other, or a field that does not exist."""


class ModelError(OpenMIEError):
    """A folder does not hold a trained openmie model."""


class TrainError(OpenMIEError):
    """Training cannot start or go on as asked."""


class MetricError(OpenMIEError):
    """Gold and prediction cannot be compared as they are."""
