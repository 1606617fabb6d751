"""Prompts documents in the format of M-MRE (`openmie.vlm.pfa`): summary, mentions, and image patches by letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openmie.data.document import Document
from openmie.errors import ErrorRecord, ImageError, RecipeError
from openmie.metrics.patches import patches
from openmie.vlm import pfa
from openmie.vlm.generate import Answer, Grammar, Request
from openmie.vlm.pfa.grammar import grammar
from openmie.vlm.pfa.parsing import ANSWER_PLACE
from openmie.vlm.prompting.examples import ExampleSet, check_examples
from openmie.vlm.prompting.injection_guard import JOINER, InjectionGuard
from openmie.vlm.prompting.options import PromptOptions, document_record
from openmie.vlm.prompting.parsed_answer import ParsedAnswer
from openmie.vlm.prompting.passes import merge_passes
from openmie.vlm.prompting.schema import Schema
from openmie.vlm.prompting.windows import merge_windows, split_windows
from openmie.vlm.sent_picture import picture_to_send

PFA_TASKS = ("summary", "ner", "boxes")  # boxes are those of the patches


class PfaPrompter:
    """Prompts in the format of PFA.

    Args:
        schema: tasks and labels of mentions.
        options: how documents are prompted.
        constrained: whether requests carry the grammar of PFA.
        examples: annotated documents.

    Raises:
        RecipeError: tasks or attributes that the format does not have, or mentions without labels.
    """

    def __init__(
        self, schema: Schema, options: PromptOptions, constrained: bool = True, examples: Sequence[Document] = ()
    ) -> None:
        beyond = [task for task in schema.tasks if task not in PFA_TASKS]
        if beyond or schema.tasks == ("boxes",):
            raise RecipeError(
                f"system pfa does not support task {(beyond or schema.tasks)[0]!r}",
                expected=f"some of {', '.join(PFA_TASKS)}, and boxes only with ner",
                remedy="use the system schema, which has all tasks",
            )
        if schema.attributes:
            raise RecipeError(
                "attributes with the system pfa",
                expected="labels alone, which its format has",
                remedy="use the system schema, or leave --attribute out",
            )
        self.tasks = tuple(task for task in pfa.TASKS if task in schema.tasks)
        self.labels, self.options, self.constrained = dict(schema.mentions), options, constrained
        if "ner" in self.tasks and not self.labels:
            raise RecipeError("no labels", expected="labels of mentions", remedy='name them: {"PER": "a person"}')
        check_examples(examples, schema)
        self.examples = ExampleSet(examples, self._example_answer, options.shown_examples, options.nearest)

    def _example_answer(self, example: Document) -> str:
        """The answer about an example; its patches are not shown."""
        mentions = tuple(m for m in example.mentions if m.label in self.labels)
        return pfa.render(example.replace(mentions=mentions, regions=(), images=()), self.labels, self.tasks)

    def prepare(self, document: Document) -> PreparedPfaPrompt:
        """The requests about a document, one a window of its text; none where there is neither text nor image."""
        source = document.without_gold().replace(words=(), times=())
        readable, images, errors = _readable_images(source, self.options.patches, self.options.max_side)
        prepared = PreparedPfaPrompt(self, document, errors=errors)
        spans = split_windows(document.text, self.options.window, self.options.shared_characters)
        examples, options = self.examples.chosen(document.text), self.options
        boxes = options.patches and bool(patches(readable))
        for number, (start, end) in enumerate(spans if images or document.text.strip() else ()):
            part, shown = readable.replace(text=document.text[start:end]), images
            if not options.shows_pictures(number, boxes):
                part, shown = part.replace(images=(), phrases=()), ()
            form = self._grammar(part) if self.constrained else None
            before = document.text[max(0, start - options.before) : start]
            for reading in range(1, options.passes + 1):
                prepared.parts.append((start, part))
                prompt = self._prompt(part, before, examples, reading)
                prepared.requests.append(Request(prompt=prompt, images=shown, schema=form))
        return prepared

    def _grammar(self, part: Document) -> Grammar:
        """The grammar of the answer, in which entities are substrings of the text."""
        letters = len(patches(part)) if self.options.patches else 0
        return grammar(self.labels, letters, self.tasks, part.text if part.text.strip() else None)

    def _prompt(self, part: Document, before: str, examples: Sequence[tuple[str, str]], reading: int) -> str:
        """PFA's own prompt; the text at its end is guarded, unless the model was fine-tuned on bare texts."""
        instruction = pfa.instruction(part, self.labels, self.tasks, self.options.patches)
        guard = InjectionGuard(part.text, *filter(None, (before, *(text for text, _ in examples))))
        guarded = self.options.injection_guard and bool(part.text.strip())

        def written(text: str) -> str:
            return guard.wrap(text) if guarded else text

        more = [self.options.instructions.strip()]
        more += [f"Example {n}. Text:\n{written(x)}\nIts answer:\n{y}" for n, (x, y) in enumerate(examples, 1)]
        if before.strip():
            more.append(f"What stands before the text, as context; name nothing of it:\n{written(before)}")
        if reading > 1:
            more.append(f"This is reading {reading} of {self.options.passes}: look for what is easily missed.")
        told = "".join(f"{line}\n" for line in more if line)
        if not guarded and not told:
            return instruction
        head = instruction.removesuffix(part.text).rstrip()
        if told:
            head = f"{head.removesuffix('Text:').rstrip()}\n{told}Text:"
        return f"{guard.rule}\n{head}\n{written(part.text)}" if guarded else f"{head} {part.text}"


@dataclass
class PreparedPfaPrompt:
    """One document with its requests, and the part of the text that each is about."""

    prompter: PfaPrompter
    document: Document
    parts: list[tuple[int, Document]] = field(default_factory=list)  # (offset, part)
    requests: list[Request] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)

    def finish(self, answers: Sequence[Answer | ErrorRecord]) -> Document:
        """The predicted document: the answers about all parts, merged; a part without an answer leaves a record."""
        document, parsed = self.document, []
        passes = self.prompter.options.passes
        windows = len(self.parts) // passes
        for number, ((start, part), answer) in enumerate(zip(self.parts, answers, strict=True)):
            where = f"document {document.id}"
            where += f", part {number // passes + 1} of {windows}" if windows > 1 else ""
            where += f", pass {number % passes + 1} of {passes}" if passes > 1 else ""
            if isinstance(answer, ErrorRecord):
                place = ", ".join(x for x in (where, answer.where) if x)
                parsed.append(ParsedAnswer(errors=[answer.model_copy(update={"where": place})]))
            else:
                parsed.append(self._parse(answer, start, part, where))
        where = f"document {document.id}"
        united = [merge_passes(parsed[at : at + passes], where) for at in range(0, len(parsed), passes)]
        merged = merge_windows(united, where)
        return document.replace(
            mentions=tuple(merged.mentions),
            regions=tuple(merged.regions),
            summary=merged.summary,
            chains=(),
            relations=(),
            records=(),
            errors=tuple(dict.fromkeys((*document.errors, *self.errors, *merged.errors))),
        )

    def _parse(self, answer: Answer, start: int, part: Document, where: str) -> ParsedAnswer:
        text = answer.text if JOINER in part.text else answer.text.replace(JOINER, "")
        parsed = pfa.parse(text, self.prompter.labels, part, self.prompter.tasks)
        errors = list(parsed.errors)
        if answer.finish == "length":
            errors.insert(
                0,
                ErrorRecord(
                    where=f"{where}, {ANSWER_PLACE}",
                    found="answer was cut at its length",
                    expected="a complete answer",
                    remedy="what precedes the cut was used; raise max_tokens, or lower window to send less text",
                ),
            )
        moved = [m.model_copy(update={"start": m.start + start, "end": m.end + start}) for m in parsed.mentions]
        return ParsedAnswer(parsed.summary, moved, [], [], list(parsed.regions), errors)


def _readable_images(
    document: Document, crops: bool, max_side: int | None
) -> tuple[Document, tuple[Any, ...], list[ErrorRecord]]:
    """The document without unreadable images of its group, so that letters are those of the images that are shown.

    Also the group's pictures, and a record for each image that is left out.
    """
    cache: dict[str, Any] = {}
    group = [
        (image, picture_to_send(document, image, cache, max_side or 0)) for image in pfa.image_group(document, crops)
    ]
    broken = {image.id: error for image, error in group if isinstance(error, ImageError)}
    if not broken:
        return document, tuple(picture for _, picture in group), []
    main = document.main_image
    lost = set(broken) | (
        {i.id for i in document.images if i.parent == main.id} if main and main.id in broken else set()
    )
    errors = [
        document_record(document, f"image {id}", error.record.found, error.record.expected, error.record.remedy)
        for id, error in broken.items()
    ]
    kept = document.replace(images=tuple(i for i in document.images if i.id not in lost), phrases=())
    return kept, tuple(picture for image, picture in group if image.id not in lost), errors
