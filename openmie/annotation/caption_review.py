"""Captions judged by a reader: accuracy, and documents with the corrected captions.

CapAcc of CAMIM's table 2 is the share of captions that a reader judges correct, CapLen their mean length in words. An
image that several documents share is one row, judged once: so counted over the images of MNRE's test set, the lengths
of the six published caption files are the paper's, truncated to integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import nan, sqrt

from openmie.annotation.caption_review_file import COLUMNS, captions, image_name, judged_twice, no_caption, read, write
from openmie.annotation.caption_review_labelstudio import CaptionJudgement
from openmie.data.document import Document
from openmie.errors import CorpusError
from openmie.formats.text_lines import shorten

__all__ = [
    "COLUMNS",
    "CaptionAccuracy",
    "CaptionJudgement",
    "accuracy",
    "apply",
    "captions",
    "named",
    "new_name",
    "no_caption",
    "read",
    "write",
]
_Z = 1.959963984540054  # of a two-sided 95% interval of the normal distribution
_NAMED = 5  # of the documents that an error is about


@dataclass(frozen=True)
class CaptionAccuracy:
    """Number of captions that are correct, and their mean length."""

    judged: int
    correct: int
    unjudged: int = 0
    length: float = nan  # mean number of whitespace-separated words of all captions, judged or not

    @property
    def share(self) -> float:
        """CapAcc, 0 to 1; NaN where nothing is judged."""
        return self.correct / self.judged if self.judged else nan

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of Wilson (1927): all shares p with |share - p| <= z sqrt(p (1 - p) / judged)."""
        n, p, zz = self.judged, self.share, _Z * _Z
        if not n:
            return 0.0, 1.0
        middle, half = (p + zz / (2 * n)) / (1 + zz / n), _Z * sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n)
        return min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half))


def accuracy(judgements: Iterable[CaptionJudgement]) -> CaptionAccuracy:
    """CapAcc and CapLen of judged captions.

    Args:
        judgements: Judgements of one generator, to report generators separately; unjudged captions count for the
            length only.

    Reference: CAMIM, table 2; the interval of the share is that of Wilson (1927).
    """
    rows = list(judgements)
    labels = [j.correct for j in rows if j.correct is not None]
    length = sum(len(j.caption.split()) for j in rows) / len(rows) if rows else nan
    return CaptionAccuracy(len(labels), sum(labels), len(rows) - len(labels), length)


def apply(
    documents: Iterable[Document], judgements: Iterable[CaptionJudgement], name: str = "", fill: bool = False
) -> Iterator[Document]:
    """All documents, with each corrected caption added as a caption of a new generator.

    The judged caption stays. Documents of the same image with the same caption get the corrected one too.

    Args:
        documents: The documents that the captions were written from, with their captions.
        judgements: Judgements, with corrected captions.
        name: The new generator; "": "<generator> (corrected)".
        fill: Whether documents without a correction get the original caption under the new name too.

    Raises:
        CorpusError: At once: a caption judged twice, one name for several generators. At a document: another caption
            than was judged, or the new name in use. At the end: judged documents that are missing.
    """
    rows: dict[tuple[str, str], CaptionJudgement] = {}
    for j in judgements:
        if j.key in rows:
            raise judged_twice(j, "judgements")
        rows[j.key] = j
    names = {generator: new_name(generator, name) for _, generator in rows}
    if len(set(names.values())) < len(names):
        raise CorpusError(
            f"one name {name!r} for {sorted(names)}",
            expected="one generator",
            where="judgements",
            remedy="leave the name out, or take one generator at a time",
        )
    return _applied(documents, rows, names, fill)


def new_name(generator: str, name: str = "") -> str:
    """The generator of corrected captions."""
    return name or f"{generator} (corrected)"


def _applied(
    documents: Iterable[Document], rows: dict[tuple[str, str], CaptionJudgement], names: Mapping[str, str], fill: bool
) -> Iterator[Document]:
    better = {(j.image, j.generator, _plain(j.caption)): j.corrected for j in rows.values() if j.image}
    missing = dict.fromkeys(rows)
    for document in documents:
        made: dict[str, str] = {}
        for generator, new in names.items():
            caption, j = document.captions.get(generator, ""), rows.get((document.id, generator))
            missing.pop((document.id, generator), None)
            if j is not None and _plain(caption) != _plain(j.caption):
                raise _other_words(document, j, caption)
            key = (image_name(document), generator, _plain(caption))
            if text := (j.corrected if j is not None else better.get(key, "")) or (caption if fill else ""):
                made[new] = text
        yield named(document, made)
    if missing:
        ids = sorted({document for document, _ in missing})
        raise CorpusError(
            f"{len(ids)} judged documents that are not there: {', '.join(ids[:_NAMED])}"
            + (", ..." if len(ids) > _NAMED else ""),
            where="judgements",
            expected="the documents that the captions were written from",
            remedy="read them back with the corpus and the split that they come from",
        )


def _plain(text: str) -> str:
    """Spreadsheets change line breaks and blanks; words must be the same."""
    return " ".join(text.split())


def _other_words(document: Document, judgement: CaptionJudgement, caption: str) -> CorpusError:
    now = f"where the document has {shorten(caption)}" if caption else "which the document has not"
    return CorpusError(
        f"the caption {shorten(judgement.caption)} of {judgement.generator!r}, {now}",
        expected="the words that were judged",
        where=f"document {document.id}",
        remedy="write a better caption into the column corrected; load the corpus with its captions",
    )


def named(document: Document, captions: Mapping[str, str]) -> Document:
    """The document with more captions; `CorpusError` where another caption has the name."""
    for name, text in captions.items():
        if document.captions.get(name, text) != text:
            raise CorpusError(
                f"another caption {name!r}",
                expected="a name that no caption has",
                where=f"document {document.id}",
                remedy="choose another name",
            )
    return document.replace(captions={**document.captions, **captions}) if captions else document
