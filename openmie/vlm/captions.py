"""Captions the main image of each document by a vision-language model.

A distinct image is captioned once, however many documents have it. Documents are processed lazily and in order; none is
lost: one that could not be captioned comes out with the reason in its `errors`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from statistics import fmean, median

from openmie.data.document import Document
from openmie.errors import DocumentError, ErrorRecord, ImageError, OpenMIEError
from openmie.vlm.generate import Answer, Backend, Request
from openmie.vlm.sent_picture import MAX_SIDE, SentPicture, picture_to_send
from openmie.vlm.usage import JobUsage

CAMIM_PROMPT = "Please give me a detailed description of the picture"  # the paper's own (Zhang et al., 2024, eq. 3)
SUMMARY_PROMPT = (  # ours, for summaries of the length of M-MRE's (its table 1: about fifty words)
    "Summarise what this picture shows in two or three plain sentences, about fifty words in all: who or what is to be "
    "seen, where, and what happens. Say only what can be seen. Give the summary alone."
)
PROMPTS: Mapping[str, str] = {"camim": CAMIM_PROMPT, "summary": SUMMARY_PROMPT}
MAX_WAITING = 1024  # documents that may wait for an answer


@dataclass(frozen=True, kw_only=True)
class Captioning:
    """How images are captioned.

    Args:
        prompt: the prompt itself; `PROMPTS` has some.
        name: generator of the captions, under which documents keep them; "": the model's name.
        replace: caption documents again that have a caption of this name.
        max_side: pixels of the longer side of each image, at most; 0: as it is.

    Raises:
        OpenMIEError: an empty prompt.
    """

    prompt: str = CAMIM_PROMPT
    name: str = ""
    replace: bool = False
    max_side: int = MAX_SIDE

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise OpenMIEError(
                "an empty prompt",
                expected="the text of a prompt",
                where="captions",
                remedy=f"give a text, or one of {', '.join(PROMPTS)}",
            )


@dataclass
class CaptionReport(JobUsage):
    """Counts of a run; each distinct image counts once in `sent`, `stored` and `failed`.

    Args:
        documents: those that were processed.
        captioned: those that got a caption.
        num_existing: those that had a caption of this name already.
    """

    documents: int = 0
    captioned: int = 0
    num_existing: int = 0


@dataclass
class _PendingDocument:
    """A document, the key of the image that it waits for ("": none), and an error before the request."""

    document: Document
    key: str = ""
    error: ErrorRecord | None = None


def caption(
    documents: Iterable[Document],
    backend: Backend,
    options: Captioning | None = None,
    report: CaptionReport | None = None,
) -> Iterator[Document]:
    """Caption the main image of each document.

    Args:
        documents: documents; one without an image, or with a caption of this name, comes out unchanged.
        backend: the model.
        options: prompt and name of the captions.
        report: counts to be increased; None: none.

    Returns:
        The documents in order, with the caption in `captions[name]`, or with a record in `errors`. A caption that was
        truncated at the model's limit is kept, with a record.
    """
    run = _CaptionRun(backend, options or Captioning(), report if report is not None else CaptionReport())
    stream = iter(documents)
    while (first := next(stream, None)) is not None:
        yield from run.caption_some(chain([first], stream))


class _CaptionRun:
    """One pass over documents, with the answer for each distinct image."""

    def __init__(self, backend: Backend, options: Captioning, report: CaptionReport) -> None:
        self.backend, self.options, self.report = backend, options, report
        self.name = options.name or backend.name
        self.answers: dict[str, Answer | ErrorRecord | None] = {}  # None: requested

    def caption_some(self, documents: Iterator[Document]) -> Iterator[Document]:
        """Documents until `MAX_WAITING` of them wait or all are done."""
        waiting: deque[_PendingDocument] = deque()
        order: deque[str] = deque()  # keys, in the order of the requests

        def requests() -> Iterator[Request]:
            for document in documents:
                pending, picture = self._pending(document)
                waiting.append(pending)
                if pending.key and pending.key not in self.answers and picture is not None:
                    self.answers[pending.key] = None
                    order.append(pending.key)
                    yield Request(prompt=self.options.prompt, images=(picture,))
                if len(waiting) >= MAX_WAITING and not order:  # none of them waits for the model
                    return

        for answer in self.backend.answers(requests()):
            self.answers[order.popleft()] = answer
            self.report.add(answer)
            while waiting and (not waiting[0].key or self.answers[waiting[0].key] is not None):
                yield self._captioned(waiting.popleft())
        yield from (self._captioned(pending) for pending in waiting)

    def _pending(self, document: Document) -> tuple[_PendingDocument, SentPicture | None]:
        self.report.documents += 1
        main = document.main_image
        if main is None:
            return _PendingDocument(document), None
        if document.captions.get(self.name) and not self.options.replace:
            self.report.num_existing += 1
            return _PendingDocument(document), None
        picture = picture_to_send(document, main, {}, self.options.max_side)
        if isinstance(picture, ImageError):
            return _PendingDocument(document, error=picture.record), None
        return _PendingDocument(document, picture.key), picture

    def _captioned(self, pending: _PendingDocument) -> Document:
        document, answer = pending.document, self.answers.get(pending.key) or pending.error
        if answer is None:
            return document
        where = _where(document, self.name)
        errors = tuple(e for e in document.errors if e.where != where)  # without those of an earlier try
        if isinstance(answer, ErrorRecord):
            found = f"{answer.where}: {answer.found}".removeprefix(": ")
            record = answer.model_copy(update={"where": where, "found": found})
            return document.replace(errors=(*errors, record))
        if answer.finish == "length":
            errors += (
                ErrorRecord(
                    where=where,
                    found=f"a caption cut at {answer.tokens} tokens",
                    expected="one that the model ends itself",
                    remedy="raise max_tokens",
                ),
            )
        captions = {**document.captions, self.name: answer.text.strip()}
        try:
            captioned = document.replace(captions=captions, errors=errors)
        except DocumentError as error:  # a lone surrogate, which no file can hold
            record = error.record.model_copy(update={"where": where})
            return document.replace(errors=(*errors, record))
        self.report.captioned += 1
        return captioned


def _where(document: Document, name: str) -> str:
    return f"document {document.id}, caption {name}"


def has_failed(document: Document, name: str) -> bool:
    """Whether the caption of this name was requested and could not be generated."""
    return not document.captions.get(name) and any(e.where == _where(document, name) for e in document.errors)


def length_statistics(texts: Iterable[str]) -> dict[str, dict[str, float]]:
    """Lengths of captions as in table 1 of M-MRE (Gan et al., 2025).

    Args:
        texts: the captions.

    Returns:
        "characters" (code points) and "words" (separated by white space) -> "max", "min", "median" and "mean".

    Raises:
        OpenMIEError: no text at all.
    """
    known = list(texts)
    if not known:
        raise OpenMIEError(
            "no texts", expected="one or more captions", where="lengths", remedy="caption the corpus first"
        )
    counts = {"characters": [len(t) for t in known], "words": [len(t.split()) for t in known]}
    return {unit: {"max": max(n), "min": min(n), "median": median(n), "mean": fmean(n)} for unit, n in counts.items()}
