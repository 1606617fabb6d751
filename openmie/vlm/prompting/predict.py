"""Any vision-language model on any documents: predicted Documents for the same scorers as trained systems.

    for document in predict(backend, documents, "schema", {"PER": "a person"}, tasks="ner,boxes"):

`schema` asks for all tasks at once as one JSON object (`openmie.vlm.prompting.schema`); `pfa` is the format of the
M-MRE paper, summary and grounded names (`openmie.vlm.pfa`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from openmie.data.corpus import Labels
from openmie.data.document import Document
from openmie.errors import ErrorRecord, RecipeError
from openmie.vlm.boxes.coordinates import model_of
from openmie.vlm.generate import Answer, Backend, Request
from openmie.vlm.prompting.by_pfa import ByPfa
from openmie.vlm.prompting.by_schema import BySchema
from openmie.vlm.prompting.options import Asking
from openmie.vlm.prompting.schema import Schema

SYSTEMS = ("pfa", "schema")
DEFAULT = {"pfa": "summary,grounded", "schema": "ner"}  # tasks


class Work(Protocol):
    """One document on its way: what is asked about it, and what becomes of the answers."""

    requests: list[Request]

    def finish(self, answers: Sequence[Answer | ErrorRecord]) -> Document:
        """The predicted document."""
        ...


class System(Protocol):
    """A way to ask."""

    def work(self, document: Document) -> Work:
        """What is to be asked about a document."""
        ...


def predict(
    backend: Backend,
    documents: Iterable[Document | ErrorRecord],
    system: str = "schema",
    labels: Labels | Mapping[str, Any] | Sequence[str] = (),
    tasks: str | Iterable[str] = "",
    asking: Asking | None = None,
) -> Iterator[Document]:
    """One predicted Document for each, in order, as soon as it is there; requests are made as the backend takes them.

    `labels`: of mentions (a sequence, or label -> description), or layer -> labels, or a corpus's `Labels`. `tasks`: of
    summary, ner, chains, re, boxes; joint is ner and re, grounded is ner and boxes; by default ner, of pfa summary and
    grounded. Gold of a layer that is asked for
    is never read. Relations and chains without ner are asked between the mentions that the document has; relations
    without chains between its chains, where it has any. Layers that are neither asked for nor given come out empty.

    A record in a document's place comes out as an empty one; what could not be shown, asked or read is in `errors`.
    Errors, at once: an unknown system, task or family, labels that do not fit.
    """
    return _predicted(backend, documents, built(backend, system, labels, tasks, asking or Asking()))


def _predicted(backend: Backend, documents: Iterable[Document | ErrorRecord], asked: System) -> Iterator[Document]:
    waiting: deque[_Waiting] = deque()

    def requests() -> Iterator[Request]:
        for number, item in enumerate(documents, 1):
            if isinstance(item, ErrorRecord):
                item = Document(id=f"unread-{number}", errors=(item,))
                waiting.append(_Waiting(_Done(item), 0, []))
                continue
            work = asked.work(item)
            some, work.requests = work.requests, []  # pictures are not kept
            waiting.append(_Waiting(work, len(some), []))
            yield from some

    for answer in backend.answers(requests()):
        yield from _ready(waiting)
        waiting[0].answers.append(answer)
        yield from _ready(waiting)
    for left in waiting:
        lost = left.asked - len(left.answers)
        yield left.work.finish([*left.answers, *[_no_answer(backend)] * lost])


@dataclass
class _Waiting:
    work: Work
    asked: int
    answers: list[Answer | ErrorRecord]


@dataclass
class _Done:
    """Nothing to ask."""

    document: Document
    requests: list[Request] = field(default_factory=list)

    def finish(self, answers: Sequence[Answer | ErrorRecord]) -> Document:
        return self.document


def _ready(waiting: deque[_Waiting]) -> Iterator[Document]:
    while waiting and len(waiting[0].answers) == waiting[0].asked:
        first = waiting.popleft()
        yield first.work.finish(first.answers)


def _no_answer(backend: Backend) -> ErrorRecord:
    return ErrorRecord(
        where=f"model {backend.name}",
        found="no answer",
        expected="an answer or a record for each request",
        remedy="look at the backend: it ended before its requests",
    )


def built(backend: Backend, system: str, labels: Any, tasks: Any, asking: Asking) -> System:
    """The way to ask, checked against what is asked for."""
    if system not in SYSTEMS:
        raise RecipeError(
            f"system {system!r}", expected=" or ".join(SYSTEMS), where="predict", remedy="name one of them"
        )
    schema = Schema.of(labels, tasks or DEFAULT[system])
    if system == "schema":
        return BySchema(schema, asking, model_of(backend))
    return ByPfa(schema, asking, _here(backend) if asking.constrained is None else asking.constrained)


def _here(backend: Any) -> bool:
    """Whether a model answers on this machine. Few servers can be told of a grammar (`Endpoint.dialect`)."""
    while hasattr(backend, "backend"):  # a cache before it
        backend = backend.backend
    return not hasattr(backend, "dialect")
