"""Documents asked about in the format of M-MRE (`openmie.vlm.pfa`): summary, names, and patches by letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openmie.data import images as pictures
from openmie.data.document import Document
from openmie.errors import ErrorRecord, ImageError, RecipeError
from openmie.metrics.patches import patches
from openmie.vlm import pfa
from openmie.vlm.generate import Answer, Grammar, Request
from openmie.vlm.pfa.grammar import grammar
from openmie.vlm.pfa.parsing import ANSWER
from openmie.vlm.prompting.injection_guard import JOINER, Fence
from openmie.vlm.prompting.options import Asking, note
from openmie.vlm.prompting.parsed_answer import Found
from openmie.vlm.prompting.schema import Schema
from openmie.vlm.prompting.windows import joined, windows

HELD = ("summary", "ner", "boxes")  # boxes are those of the patches


class ByPfa:
    """Asks in PFA. Errors: tasks that the format does not hold, names asked for without labels."""

    def __init__(self, schema: Schema, asking: Asking, constrained: bool = True) -> None:
        beyond = [task for task in schema.tasks if task not in HELD]
        if beyond or schema.tasks == ("boxes",):
            raise RecipeError(
                f"task {(beyond or schema.tasks)[0]!r} in PFA",
                expected=f"some of {', '.join(HELD)}, boxes with ner",
                where="predict",
                remedy='ask with the system "schema", which holds all tasks',
            )
        self.tasks = tuple(task for task in pfa.TASKS if task in schema.tasks)
        self.labels, self.asking, self.constrained = dict(schema.mentions), asking, constrained
        if "ner" in self.tasks and not self.labels:
            raise RecipeError(
                "no labels", expected="labels of mentions", where="predict", remedy='name them: {"PER": "a person"}'
            )

    def work(self, document: Document) -> PfaWork:
        """A request for each window of the text; none where there is neither text nor image."""
        seen, shown, errors = _readable(document.without_gold().replace(words=(), times=()), self.asking.patches)
        work = PfaWork(self, document, errors=errors)
        spans = windows(document.text, self.asking.window, self.asking.shared)
        for start, end in spans if shown or document.text.strip() else ():
            part = seen.replace(text=document.text[start:end])
            work.parts.append((start, part))
            form = self._grammar(part) if self.constrained else None
            work.requests.append(Request(prompt=self._prompt(part), images=shown, schema=form))
        return work

    def _grammar(self, part: Document) -> Grammar:
        """What the answer has to look like; names are those that the text has."""
        letters = len(patches(part)) if self.asking.patches else 0
        return grammar(self.labels, letters, self.tasks, part.text if part.text.strip() else None)

    def _prompt(self, part: Document) -> str:
        """PFA's own; the text, which ends it, is fenced unless the model was trained to read it bare."""
        told = pfa.instruction(part, self.labels, self.tasks, self.asking.patches)
        if not self.asking.fenced or not part.text.strip():
            return told
        fence = Fence(part.text)
        return f"{fence.rule}\n{told.removesuffix(part.text).rstrip()}\n{fence.around(part.text)}"


@dataclass
class PfaWork:
    """One document: the parts of its text, and what is asked about each."""

    system: ByPfa
    document: Document
    parts: list[tuple[int, Document]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)

    def finish(self, answers: Sequence[Answer | ErrorRecord]) -> Document:
        """What all parts say, joined; a part without an answer leaves a record."""
        document, found = self.document, []
        for number, ((start, part), answer) in enumerate(zip(self.parts, answers, strict=True), 1):
            where = f"document {document.id}" + (f", part {number} of {len(self.parts)}" if len(self.parts) > 1 else "")
            if isinstance(answer, ErrorRecord):
                told = ", ".join(x for x in (where, answer.where) if x)
                found.append(Found(errors=[answer.model_copy(update={"where": told})]))
            else:
                found.append(self._read(answer, start, part, where))
        whole = joined(found, f"document {document.id}")
        return document.replace(
            mentions=tuple(whole.mentions),
            regions=tuple(whole.regions),
            summary=whole.summary,
            chains=(),
            relations=(),
            errors=tuple(dict.fromkeys((*document.errors, *self.errors, *whole.errors))),
        )

    def _read(self, answer: Answer, start: int, part: Document, where: str) -> Found:
        said = answer.text if JOINER in part.text else answer.text.replace(JOINER, "")
        read = pfa.parse(said, self.system.labels, part, self.system.tasks)
        errors = list(read.errors)
        if answer.finish == "length":
            errors.insert(
                0,
                ErrorRecord(
                    where=f"{where}, {ANSWER}",
                    found="an answer that was cut at its length",
                    expected="a whole answer",
                    remedy="what stands before the cut was read; allow more tokens, or show less text at once (window)",
                ),
            )
        moved = [m.model_copy(update={"start": m.start + start, "end": m.end + start}) for m in read.mentions]
        return Found(read.summary, moved, [], [], list(read.regions), errors)


def _readable(document: Document, crops: bool) -> tuple[Document, tuple[Any, ...], list[ErrorRecord]]:
    """The document without images of the group that cannot be read, so that letters are those of what is shown.

    Also the group's pictures, and a record for each image that is left out.
    """
    known: dict[str, Any] = {}
    found = [(image, pictures.image_or_crop(document, image, known)) for image in pfa.group(document, crops)]
    broken = {image.id: told for image, told in found if isinstance(told, ImageError)}
    if not broken:
        return document, tuple(picture for _, picture in found), []
    main = document.main_image
    lost = set(broken) | (
        {i.id for i in document.images if i.parent == main.id} if main and main.id in broken else set()
    )
    errors = [
        note(document, f"image {id}", told.record.found, told.record.expected, told.record.remedy)
        for id, told in broken.items()
    ]
    kept = document.replace(images=tuple(i for i in document.images if i.id not in lost), phrases=())
    return kept, tuple(picture for image, picture in found if image.id not in lost), errors
