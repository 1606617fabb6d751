"""Captions: what a vision-language model says of the main image of each document.

A distinct picture is asked for once, however many documents show it. Documents pass lazily and in order; nothing is
lost: what could not be captioned comes out with the reason in its `errors`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache as once
from itertools import chain
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from openmie.data import images as pictures
from openmie.data.document import Document
from openmie.errors import DocumentError, ErrorRecord, ImageError, OpenMIEError
from openmie.formats import output
from openmie.formats import resumable as resume
from openmie.vlm.backends.response_cache import Cached, image_key
from openmie.vlm.generate import Answer, Backend, Request

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

CAMIM = "Please give me a detailed description of the picture"  # the paper's own (Zhang et al., 2024, eq. 3)
SUMMARY = (  # ours, for summaries of the length of M-MRE's (its table 1: about fifty words)
    "Summarise what this picture shows in two or three plain sentences, about fifty words in all: who or what is to be "
    "seen, where, and what happens. Say only what can be seen. Give the summary alone."
)
PROMPTS: Mapping[str, str] = {"camim": CAMIM, "summary": SUMMARY}
NOTES = "captions.json"  # in the folder: how its captions were made
ANSWERS = "answers.sqlite"  # in the folder: what was answered
AHEAD = 1024  # documents that may wait for an answer


@dataclass(frozen=True, kw_only=True)
class Captioning:
    """What is asked of each picture."""

    prompt: str = CAMIM  # the text itself; see PROMPTS
    name: str = ""  # generator of the captions; "": the model's own name
    replace: bool = False  # ask again where a document has a caption of this name

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise OpenMIEError(
                "an empty prompt",
                expected="what is asked of each picture",
                where="captions",
                remedy=f"give a text, or one of {', '.join(PROMPTS)}",
            )


@dataclass
class Use:
    """What answers cost."""

    answers: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0  # of generation, summed over calls that may have run at once

    def take(self, answer: Answer) -> None:
        self.answers += 1
        self.prompt_tokens += answer.prompt_tokens
        self.tokens += answer.tokens
        self.seconds += answer.seconds

    def price(self, prompt: float, answer: float) -> float:
        """In the currency of the prices, which are for a million tokens each."""
        return (self.prompt_tokens * prompt + self.tokens * answer) / 1e6


@dataclass
class Report:
    """What a run did: each distinct picture counts once in `asked`, `known` and `failed`."""

    asked: Use = field(default_factory=Use)  # answered by the model
    known: Use = field(default_factory=Use)  # answered from the cache
    failed: int = 0
    documents: int = 0  # that were looked at
    captioned: int = 0  # that got a caption
    there: int = 0  # that had one of this name already

    def take(self, found: Answer | ErrorRecord) -> None:
        if isinstance(found, ErrorRecord):
            self.failed += 1
        else:
            (self.known if found.cached else self.asked).take(found)


@dataclass
class _Work:
    """A document, the key of the picture that it waits for ("": none), and what went wrong before."""

    document: Document
    key: str = ""
    error: ErrorRecord | None = None


def caption(
    documents: Iterable[Document], backend: Backend, asked: Captioning | None = None, report: Report | None = None
) -> Iterator[Document]:
    """Each document with a caption of its main image; those without one, or with one of this name, as they were.

    A caption that was cut at the model's limit is kept, and the cut noted in `errors`.
    """
    run = _Run(backend, asked or Captioning(), report if report is not None else Report())
    stream = iter(documents)
    while (first := next(stream, None)) is not None:
        yield from run.some(chain([first], stream))


class _Run:
    """One pass over documents: what each picture's answer was."""

    def __init__(self, backend: Backend, asked: Captioning, report: Report) -> None:
        self.backend, self.asked, self.report = backend, asked, report
        self.name = asked.name or backend.name
        self.said: dict[str, Answer | ErrorRecord | None] = {}  # None: under way

    def some(self, documents: Iterator[Document]) -> Iterator[Document]:
        """Documents until `AHEAD` of them wait or all are through."""
        waiting: deque[_Work] = deque()
        order: deque[str] = deque()  # keys, as the backend is asked

        def requests() -> Iterator[Request]:
            for document in documents:
                work, picture = self._work(document)
                waiting.append(work)
                if work.key and work.key not in self.said and picture is not None:
                    self.said[work.key] = None
                    order.append(work.key)
                    yield Request(prompt=self.asked.prompt, images=(picture,))
                if len(waiting) >= AHEAD:
                    return

        for found in self.backend.answers(requests()):
            self.said[order.popleft()] = found
            self.report.take(found)
            while waiting and (not waiting[0].key or self.said[waiting[0].key] is not None):
                yield self._finished(waiting.popleft())
        yield from (self._finished(work) for work in waiting)

    def _work(self, document: Document) -> tuple[_Work, Picture | None]:
        self.report.documents += 1
        main = document.main_image
        if main is None:
            return _Work(document), None
        if document.captions.get(self.name) and not self.asked.replace:
            self.report.there += 1
            return _Work(document), None
        try:
            picture = pictures.load_image(main)
        except ImageError as error:
            return _Work(document, error=error.record), None
        return _Work(document, image_key(picture)), picture

    def _finished(self, work: _Work) -> Document:
        document, found = work.document, self.said.get(work.key) or work.error
        if found is None:
            return document
        where = _where(document, self.name)
        errors = tuple(e for e in document.errors if e.where != where)  # of an earlier try
        if isinstance(found, ErrorRecord):
            told = f"{found.where}: {found.found}".removeprefix(": ")
            record = found.model_copy(update={"where": where, "found": told})
            return document.replace(errors=(*errors, record))
        if found.finish == "length":
            errors += (
                ErrorRecord(
                    where=where,
                    found=f"a caption cut at {found.tokens} tokens",
                    expected="one that ends by itself",
                    remedy="allow more tokens",
                ),
            )
        captions = {**document.captions, self.name: found.text.strip()}
        try:
            captioned = document.replace(captions=captions, errors=errors)
        except DocumentError as error:  # half a character, which no file can hold
            record = error.record.model_copy(update={"where": where})
            return document.replace(errors=(*errors, record))
        self.report.captioned += 1
        return captioned


def _where(document: Document, name: str) -> str:
    return f"document {document.id}, caption {name}"


def failed(document: Document, name: str) -> bool:
    """A caption was asked for in vain."""
    return not document.captions.get(name) and any(e.where == _where(document, name) for e in document.errors)


def fill(
    sources: Mapping[str, Iterable[Document]],
    out: str | os.PathLike[str],
    backend: Backend,
    asked: Captioning,
    settings: Mapping[str, Any],
    report: Report | None = None,
    tally: output.WriteReport | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Iterator[Document]:
    """The sources with captions, as a folder of JSON lines that a stopped process goes on with.

    `settings` say how the folder is made, and are kept in it; started again with others it is left alone. What failed
    is asked again when started again. Answers are kept in the file `cache`, by default answers.sqlite in the folder, so
    that one that was given and not yet written is not asked for twice.
    """
    name = asked.name or backend.name
    told = {**settings, "prompt": asked.prompt, "name": name, "replace": asked.replace}

    @once
    def remembered() -> Cached:  # opened in the folder once that is held
        return Cached(backend, Path(out) / ANSWERS if cache is None else cache)

    return resume.write_resumable(
        sources,
        out,
        lambda some: caption(some, remembered(), asked, report),
        told,
        NOTES,
        tally,
        lambda document: failed(document, name),
    )


def lengths(texts: Iterable[str]) -> dict[str, dict[str, float]]:
    """Maximum, minimum, median and mean of characters (code points) and of words (what blanks divide): M-MRE, table 1.

    Errors: no text at all.
    """
    known = list(texts)
    if not known:
        raise OpenMIEError(
            "no texts", expected="one or more captions", where="lengths", remedy="caption the corpus first"
        )
    counts = {"characters": [len(t) for t in known], "words": [len(t.split()) for t in known]}
    return {unit: {"max": max(n), "min": min(n), "median": median(n), "mean": fmean(n)} for unit, n in counts.items()}
