"""Predicts documents by any vision-language model, without training.

    for document in predict(backend, documents, "schema", {"PER": "a person"}, tasks="ner,boxes"):

The system `schema` asks for all tasks at once as one JSON object (`openmie.vlm.prompting.schema`); `pfa` is the format
of the M-MRE paper, summary and grounded mentions (`openmie.vlm.pfa`). Predictions are Documents, for the scorers of
trained systems.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from openmie.data.corpus import Labels
from openmie.data.document import Document
from openmie.errors import ErrorRecord, RecipeError
from openmie.vlm.boxes.coordinates import UnknownBoxFamily, family_for, model_type
from openmie.vlm.boxes.families import find_boxless
from openmie.vlm.generate import Answer, Backend, Request
from openmie.vlm.prompting.options import PromptOptions
from openmie.vlm.prompting.pfa_prompter import PfaPrompter
from openmie.vlm.prompting.schema import Schema
from openmie.vlm.prompting.schema_prompter import SchemaPrompter
from openmie.vlm.sent_picture import MAX_SIDE

SYSTEMS = ("pfa", "schema")
DEFAULT_TASKS = {"pfa": "summary,grounded", "schema": "ner"}


class PreparedPrompt(Protocol):
    """One document with its requests."""

    requests: list[Request]

    def finish(self, answers: Sequence[Answer | ErrorRecord]) -> Document:
        """The predicted document, from one answer for each request."""
        ...


class Prompter(Protocol):
    """A prompt format."""

    def prepare(self, document: Document) -> PreparedPrompt:
        """The requests about a document."""
        ...


def predict(
    backend: Backend,
    documents: Iterable[Document | ErrorRecord],
    system: str = "schema",
    labels: Schema | Labels | Mapping[str, Any] | Sequence[str] = (),
    tasks: str | Iterable[str] = "",
    options: PromptOptions | None = None,
    examples: Sequence[Document] = (),
) -> Iterator[Document]:
    """Predict documents, one for each, in order and as soon as they are ready.

    Gold of a requested layer is never read. Relations and chains without ner are asked for between the mentions of the
    document; relations without chains between its chains, where it has any. Layers that are neither requested nor given
    come out empty. Where it is unknown how the model writes boxes, all tasks but boxes are requested, with a warning.

    Args:
        backend: the model.
        documents: documents, or error records in their place, which come out as empty documents with the record.
        system: "schema" or "pfa".
        labels: labels of mentions (a sequence, or label -> description), layer -> labels, a corpus's `Labels`, or a
            `Schema`.
        tasks: of summary, ner, chains, re, boxes, with commas between them; "joint" is ner and re, "grounded" is ner
            and boxes; "": ner, for pfa summary and grounded.
        options: how documents are prompted.
        examples: annotated documents that prompts show, each checked in its own text (`examples`).

    Returns:
        The predicted documents. What could not be shown, asked or parsed is in their `errors`.

    Raises:
        RecipeError: at once, for an unknown system, task or box family, or labels that do not fit.
    """
    prompter = build_prompter(backend, system, labels, tasks, options or PromptOptions(), examples)
    return _predicted(backend, documents, prompter)


def _predicted(backend: Backend, documents: Iterable[Document | ErrorRecord], prompter: Prompter) -> Iterator[Document]:
    waiting: deque[_Waiting] = deque()

    def requests() -> Iterator[Request]:
        for number, item in enumerate(documents, 1):
            if isinstance(item, ErrorRecord):
                item = Document(id=f"unread-{number}", errors=(item,))
                waiting.append(_Waiting(_Unprompted(item), 0, []))
                continue
            prepared = prompter.prepare(item)
            some, prepared.requests = prepared.requests, []  # images are not kept
            waiting.append(_Waiting(prepared, len(some), []))
            yield from some

    for answer in backend.answers(requests()):
        yield from _completed(waiting)
        waiting[0].answers.append(answer)
        yield from _completed(waiting)
    for left in waiting:
        lost = left.requested - len(left.answers)
        yield left.prepared.finish([*left.answers, *[_no_answer(backend)] * lost])


@dataclass
class _Waiting:
    """A document that waits for its answers."""

    prepared: PreparedPrompt
    requested: int
    answers: list[Answer | ErrorRecord]


@dataclass
class _Unprompted:
    """A document without requests."""

    document: Document
    requests: list[Request] = field(default_factory=list)

    def finish(self, answers: Sequence[Answer | ErrorRecord]) -> Document:
        return self.document


def _completed(waiting: deque[_Waiting]) -> Iterator[Document]:
    while waiting and len(waiting[0].answers) == waiting[0].requested:
        first = waiting.popleft()
        yield first.prepared.finish(first.answers)


def _no_answer(backend: Backend) -> ErrorRecord:
    return ErrorRecord(
        where=f"model {backend.name}",
        found="no answer",
        expected="an answer or an error record for each request",
        remedy="check the backend, which ended before its requests",
    )


def build_prompter(
    backend: Backend, system: str, labels: Any, tasks: Any, options: PromptOptions, examples: Sequence[Document] = ()
) -> Prompter:
    """The prompter of a system. Raises `RecipeError` for what it cannot ask for."""
    if system not in SYSTEMS:
        raise RecipeError.unknown("system", system, SYSTEMS)
    schema, local = Schema.of(labels, tasks or DEFAULT_TASKS[system]), _is_local(backend)
    if options.max_side is None:
        options = replace(options, max_side=0 if local else MAX_SIDE)
    if system == "schema":
        schema, advice = without_unknown_boxes(schema, options, backend)
        if advice:
            warnings.warn(advice, stacklevel=3)
        return SchemaPrompter(schema, options, model_type(backend), examples)
    constrained = local if options.constrained is None else options.constrained
    return PfaPrompter(schema, options, constrained, examples)


def without_unknown_boxes(schema: Schema, options: PromptOptions, backend: Backend) -> tuple[Schema, str]:
    """Drop the task boxes where it is unknown how the model writes boxes.

    Args:
        schema: tasks and labels.
        options: whose `family` settles the question where it is set.
        backend: the model.

    Returns:
        The schema, and a line of advice; unchanged and "" where the family is known or no boxes are asked for.

    Raises:
        RecipeError: an unknown `options.family`, or boxes as the only task.
    """
    if "boxes" not in schema.tasks:
        return schema, ""
    try:
        family_for(options.family, model_type(backend))
    except UnknownBoxFamily:
        if options.family or schema.tasks == ("boxes",):
            raise
        boxless = find_boxless(model_type(backend))
        state = (
            f"{backend.name} gives no boxes ({boxless.source})"
            if boxless
            else f"It is unknown how {backend.name} writes boxes"
        )
        advice = (
            f"{state}: all tasks but boxes are requested. If it does, run `openmie doctor boxes --model "
            f"{backend.name}`, then add --vlm-option family=NAME."
        )
        return replace(schema, tasks=tuple(t for t in schema.tasks if t != "boxes")), advice
    return schema, ""


def _is_local(backend: Any) -> bool:
    """Whether the model runs on this machine: few servers accept a grammar (`Endpoint.dialect`)."""
    while hasattr(backend, "backend"):  # behind a cache
        backend = backend.backend
    return not hasattr(backend, "dialect")
