"""Prompts documents by a `Schema`: one request a window of the text with the images, and the answers merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.vlm.boxes.coordinates import BoxFormat
from openmie.vlm.generate import Answer, Request
from openmie.vlm.prompting.examples import ExampleSet, check_examples
from openmie.vlm.prompting.given_layers import GivenLayers, given_content
from openmie.vlm.prompting.options import PromptOptions, load_images
from openmie.vlm.prompting.parsed_answer import ParsedAnswer
from openmie.vlm.prompting.parsing import parse_answer
from openmie.vlm.prompting.passes import merge_passes
from openmie.vlm.prompting.prompt import PromptContent, answerable_tasks, build_prompt, list_given
from openmie.vlm.prompting.rendering import render_answer
from openmie.vlm.prompting.schema import Schema, answer_json_schema
from openmie.vlm.prompting.windows import merge_windows, split_windows


class SchemaPrompter:
    """Prompts for all tasks of a schema at once; the answer is one JSON object.

    Args:
        schema: tasks and labels.
        options: how documents are prompted.
        model: name or type of the model, which determines how it writes boxes unless `options.family` does.
        examples: annotated documents.

    Raises:
        RecipeError: boxes are asked for, and the family of the model's boxes is unknown; an example that does not say
            what is in its own text.
    """

    def __init__(
        self, schema: Schema, options: PromptOptions, model: str = "", examples: Sequence[Document] = ()
    ) -> None:
        self.schema, self.options = schema, options
        check_examples(examples, schema)
        render = partial(render_answer, schema=schema)
        self.examples = ExampleSet(examples, render, options.shown_examples, options.nearest)
        model = model if "boxes" in schema.tasks else "pixels"  # any format: no box will be read
        self.box_format = BoxFormat.of(options.family, model, options.max_pixels)

    def prepare(self, document: Document) -> PreparedSchemaPrompt:
        """The requests about a document, one a window of its text and pass; none where there is nothing to ask."""
        loaded, errors = load_images(document, self.options.images, self.options.max_side)
        given = GivenLayers.of(document, self.schema)
        examples = self.examples.nearest_to(document.text)
        prompted: list[tuple[Schema, PromptContent]] = []
        options, boxes = self.options, "boxes" in self.schema.tasks
        spans = split_windows(document.text, options.window, options.shared_characters)
        for number, (start, end) in enumerate(spans, 1):
            shown = loaded if options.shows_pictures(number - 1, boxes) else []
            content = PromptContent(
                text=document.text[start:end],
                start=start,
                part=(number, len(spans)),
                before=document.text[max(0, start - options.before) : start],
                examples=tuple((d.text, self.examples.render(d)) for d in examples),
                known=tuple(list_given(given_content(d, self.schema)) for d in examples),
                instructions=options.instructions,
                images=tuple(image for image, _ in shown),
                sizes=tuple(picture.size for _, picture in shown),
                originals=tuple(picture.original for _, picture in shown),
                caption=document.caption(self.options.context),
                coordinates=self.box_format.description,
                states_sizes=self.box_format.needs_image_size,
                **given.inside(start, end),
            )
            if tasks := answerable_tasks(self.schema, content):
                asked, passes = replace(self.schema, tasks=tasks), range(1, options.passes + 1)
                prompted += [(asked, replace(content, reading=(n, options.passes))) for n in passes]
        errors += given.separated_pairs(document, [content for _, content in prompted])
        pictures = tuple(picture for _, picture in loaded)
        requests = [self._request(schema, c, pictures if c.images else ()) for schema, c in prompted]
        return PreparedSchemaPrompt(self, document, prompted, requests, errors)

    def _request(self, schema: Schema, content: PromptContent, pictures: tuple[Any, ...]) -> Request:
        form = answer_json_schema(schema, len(content.images), tuple(content.mention_ids()), tuple(content.chain_ids()))
        return Request(
            prompt=build_prompt(schema, content, self.options.all_occurrences),
            images=pictures,
            schema=None if self.options.constrained is False else form,
        )

    def predicted(self, document: Document, parsed: ParsedAnswer, errors: Sequence[ErrorRecord]) -> Document:
        """The document with the parsed layers; given layers stay, all others are emptied."""
        tasks, given = set(self.schema.tasks), GivenLayers.of(document, self.schema)
        return document.replace(
            mentions=tuple(parsed.mentions) if "ner" in tasks else document.mentions if given.mentions else (),
            chains=tuple(parsed.chains) if "chains" in tasks else given.chains,
            relations=tuple(parsed.relations),
            regions=tuple(parsed.regions),
            records=tuple(parsed.records),
            summary=parsed.summary,
            errors=tuple(dict.fromkeys((*document.errors, *errors, *parsed.errors))),
        )


@dataclass
class PreparedSchemaPrompt:
    """One document with its requests, and what each of them contains."""

    prompter: SchemaPrompter
    document: Document
    prompted: list[tuple[Schema, PromptContent]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)

    def finish(self, answers: Sequence[Answer | ErrorRecord]) -> Document:
        """The predicted document: the answers of all windows, merged; a window without an answer leaves a record."""
        document, prompter = self.document, self.prompter
        parts: list[ParsedAnswer] = []
        for (schema, content), answer in zip(self.prompted, answers, strict=True):
            part = f", part {content.part[0]} of {content.part[1]}" if content.part[1] > 1 else ""
            part += f", pass {content.reading[0]} of {content.reading[1]}" if content.reading[1] > 1 else ""
            where = f"document {document.id}{part}"
            if isinstance(answer, ErrorRecord):
                place = ", ".join(x for x in (where, answer.where) if x)
                parts.append(ParsedAnswer(errors=[answer.model_copy(update={"where": place})]))
            else:
                parts.append(
                    parse_answer(
                        answer,
                        schema,
                        content,
                        prompter.box_format.decode,
                        where=f"{where}, answer",
                        all_occurrences=prompter.options.all_occurrences,
                    )
                )
        given_ids = [*(m.id for m in document.mentions), *(c.id for c in document.chains)]
        taken = given_ids if "ner" not in prompter.schema.tasks else ()
        where = f"document {document.id}"
        numbered = groupby(zip(self.prompted, parts), lambda pair: pair[0][1].part)
        windows = [merge_passes([part for _, part in of], where, taken) for _, of in numbered]
        merged = merge_windows(windows, where, taken)
        return prompter.predicted(document, merged, self.errors)
