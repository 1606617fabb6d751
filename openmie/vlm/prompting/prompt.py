"""Words the prompt of a `Schema`: what to find, the form of the answer, the images by number and time, and the text.

Instructions come first and last; all that others wrote stands guarded between them (`injection_guard`). The words are
part of the key of stored answers: whoever changes them has all posts asked for anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from openmie.data.document import Chain, Image, Mention
from openmie.datasets.relation_directions import example_label
from openmie.vlm.prompting.injection_guard import InjectionGuard, escape_special_tokens
from openmie.vlm.prompting.schema import ANSWER_FIELD, NONE, Schema, boxes_have_referents

IdPair = tuple[str, str]  # ids of head and tail


@dataclass(frozen=True, kw_only=True)
class PromptContent:
    """The part of a document that one request contains."""

    text: str = ""
    start: int = 0  # offset of `text` in the document's text
    part: tuple[int, int] = (1, 1)  # (number, count) of the window
    before: str = ""  # the text in front of `text`, which is context only
    reading: tuple[int, int] = (1, 1)  # (number, count) of the pass over this window
    examples: tuple[tuple[str, str], ...] = ()  # (text, answer) of annotated documents
    known: tuple[str, ...] = ()  # what is given with the text of each example, or nothing
    instructions: str = ""  # of the user, beside the task
    images: tuple[Image, ...] = ()  # in the order of the request's images
    sizes: tuple[tuple[int, int], ...] = ()  # (width, height) of each image, upright, in pixels
    originals: tuple[tuple[int, int], ...] = ()  # the same of the files, whose pixels boxes are in
    caption: str = ""
    mentions: tuple[Mention, ...] = ()  # given mentions inside `text`
    chains: tuple[Chain, ...] = ()  # given chains with a mention inside `text`
    pairs: tuple[IdPair, ...] | None = None  # pairs to be classified, by the ids of the prompt; None: all relations
    coordinates: str = ""  # how boxes are written, in words
    states_sizes: bool = True  # whether the prompt states the sizes of the images

    def mention_ids(self) -> dict[str, str]:
        """m1, m2, ... -> the id of each given mention."""
        return {f"m{n}": m.id for n, m in enumerate(self.mentions, 1)}

    def chain_ids(self) -> dict[str, str]:
        """c1, c2, ... -> the id of each given chain."""
        return {f"c{n}": c.id for n, c in enumerate(self.chains, 1)}


def answerable_tasks(schema: Schema, content: PromptContent) -> tuple[str, ...]:
    """The tasks that the content allows: no boxes without images, no mentions without a text, and so on."""
    possible = {"summary": bool(content.images or content.text.strip()), "boxes": bool(content.images)}
    possible["ner"] = bool(content.text.strip())
    named = possible["ner"] if "ner" in schema.tasks else len(content.chains or content.mentions) > 1
    possible["records"] = possible["ner"]
    possible["chains"], possible["re"] = named or bool(content.mentions), named and content.pairs != ()
    return tuple(task for task in schema.tasks if possible[task])


def build_prompt(schema: Schema, content: PromptContent, all_occurrences: bool = False) -> str:
    """The whole prompt of one request.

    Args:
        schema: tasks and labels.
        content: what the request contains of the document.
        all_occurrences: ask for each name once, instead of for each mention.
    """
    given = list_given(content)
    examples = [*(text for text, _ in content.examples), *content.known]
    guard = InjectionGuard(content.text, content.caption, given, *filter(None, (content.before, *examples)))
    parts = [
        "You extract information from a text and its images. Answer with one JSON object and nothing else.",
        guard.rule,
        "What to find:\n" + "\n".join(_instructions(schema, content, all_occurrences)),
        "The form of the answer, with your own values; a list may be empty:\n" + _form(schema, content),
        *([f"Instructions:\n{content.instructions.strip()}"] if content.instructions.strip() else []),
        *_examples(schema, content, guard),
        _images(content),
    ]
    if content.caption.strip():
        parts.append(
            "What somebody or something says of the images, which may be wrong:\n" + guard.wrap(content.caption)
        )
    if given:
        parts.append("What is known already; use these ids:\n" + guard.wrap(given))
    if content.before.strip():
        parts.append(
            "What stands before it, to know who or what is meant; take nothing from there:\n"
            + guard.wrap(content.before)
        )
    if content.text.strip():
        number, of = content.part
        parts.append(
            ("The text" if of == 1 else f"Part {number} of {of} of the text") + ":\n" + guard.wrap(content.text)
        )
    if content.reading[0] > 1:
        number, of = content.reading
        parts.append(f"This is reading {number} of {of} of the same text: look above all for what is easily missed.")
    parts.append("Now answer with the JSON object only. Labels are those listed above and no others.")
    return "\n\n".join(part for part in parts if part)


def _examples(schema: Schema, content: PromptContent, guard: InjectionGuard) -> list[str]:
    """The examples, one part of the prompt each: a guarded text with its answer."""
    number = len(content.examples)
    boxes = " Their images are not shown, so their boxes are left out." if "boxes" in schema.tasks else ""
    head = f"Answers to {number} other text{'s' if number > 1 else ''}, as examples of form and labels.{boxes}"
    shown = [head] * bool(number)
    for n, (text, answer) in enumerate(content.examples, 1):
        known = content.known[n - 1] if content.known else ""
        parts = [
            f"Example {n}, its text:\n{guard.wrap(text)}",
            *([f"Example {n}, what is known of it:\n{guard.wrap(known)}"] if known else []),
            f"Example {n}, its answer:\n{escape_special_tokens(answer)}",
        ]
        shown.append("\n".join(parts))
    return shown


def _instructions(schema: Schema, content: PromptContent, all_occurrences: bool) -> list[str]:
    """What each task asks for, with the labels."""
    makers = {"summary": _summary, "ner": _mentions, "chains": _chains, "re": _relations, "boxes": _boxes}
    lines = []
    for task in schema.tasks:
        if task == "records" and schema.record:
            told = f"; {schema.record.schema['description']}" if schema.record.schema.get("description") else ""
            lines.append(f'- "records": each {schema.record.name} that the text states{told}; an object with:')
            lines += [f"    {line}" for line in schema.record.lines()]
            continue
        text, labels = makers[task](schema, content, all_occurrences)
        lines.append(f'- "{ANSWER_FIELD[task]}": {text}')
        lines += [f"    {name}: {meaning}" if meaning else f"    {name}" for name, meaning in labels.items()]
        lines += _attributes(schema) if task == "ner" else []
    return lines


def _attributes(schema: Schema) -> list[str]:
    """The attributes of mentions, by the label that has them."""
    lines = []
    for label, named in schema.attributes.items():
        of = f"those labelled {label}" if label else "each of them"
        lines.append(f'  The "attributes" of {of}, or null where nothing is said:')
        lines += [f"    {name}: {meaning}" if meaning else f"    {name}" for name, meaning in named.items()]
    return lines


def _summary(schema: Schema, content: PromptContent, all_occurrences: bool) -> tuple[str, Mapping[str, str]]:
    what = "the images show, together with the text" if content.images else "the text says"
    return f"a few sentences that say what {what}.", {}


def _mentions(schema: Schema, content: PromptContent, all_occurrences: bool) -> tuple[str, Mapping[str, str]]:
    often = "once each" if all_occurrences else "each time that they stand there"
    kinds = "that are one of:" if schema.mentions else "that name something."
    return f"words of the text, copied exactly, in the order of the text and {often}, {kinds}", schema.mentions


def _chains(schema: Schema, content: PromptContent, all_occurrences: bool) -> tuple[str, Mapping[str, str]]:
    what = "the ids of all mentions of one and the same thing, a chain for each thing"
    return f"{what}, with its label:" if schema.chains else f"{what}.", schema.chains


def _relations(schema: Schema, content: PromptContent, all_occurrences: bool) -> tuple[str, Mapping[str, str]]:
    things = "chains" if content.chains or "chains" in schema.tasks else "mentions"
    labels = dict(schema.relations)
    direction = example_label(labels, schema.chains)
    order = ", as {} holds from a {} to a {}".format(*direction) if direction else ""
    if content.pairs is None:
        labels.pop(NONE, None)
        return f"what holds between two {things}, from head to tail by their ids{order}; several may hold:", labels
    pairs = ", ".join(f"({head}, {tail})" for head, tail in content.pairs)
    return f"what holds from head to tail{order}, one for each of the pairs {pairs}:", labels


def _boxes(schema: Schema, content: PromptContent, all_occurrences: bool) -> tuple[str, Mapping[str, str]]:
    of = (
        ', with the id of the mention or chain that it shows, or ""'
        if boxes_have_referents(schema, content.mentions)
        else ""
    )
    kinds = " that shows one of:" if schema.regions else "."
    return f"each place of an image{of}, as a box {content.coordinates}{kinds}", schema.regions


def _form(schema: Schema, content: PromptContent) -> str:
    of = {"of": "..."} if boxes_have_referents(schema, content.mentions) else {}
    pair = {"head": "...", "tail": "...", "label": "..."}
    forms: dict[str, object] = {
        "summary": "...",
        "mentions": [{"id": "m1", "text": "...", **_label(schema.mentions), **_attribute_form(schema)}],
        "chains": [{"id": "c1", **_label(schema.chains), "mentions": ["m1"]}],
        "relations": [pair],
        "boxes": [{"image": 1, "box": ["number", "number", "number", "number"], **_label(schema.regions), **of}],
    }
    forms["records"] = [schema.record.form()] if schema.record else []
    return json.dumps({ANSWER_FIELD[t]: forms[ANSWER_FIELD[t]] for t in schema.tasks}, ensure_ascii=False)


def _attribute_form(schema: Schema) -> dict[str, dict[str, str]]:
    names = schema.attribute_names()
    return {"attributes": dict.fromkeys(names, "...")} if names else {}


def _label(labels: Mapping[str, str]) -> dict[str, str]:
    return {"label": "..."} if labels else {}


def _images(content: PromptContent) -> str:
    lines = []
    for number, (image, (width, height)) in enumerate(zip(content.images, content.sizes), 1):
        what = "a frame of the video" if image.kind == "frame" else "the picture of the text"
        when = f" at {image.time:g} s" if image.time is not None else ""
        size = f", {width} x {height} pixels" if content.states_sizes else ""
        lines.append(f"Image {number}: {what}{when}{size}")
    return "The images, in order:\n" + "\n".join(lines) if lines else ""


def list_given(content: PromptContent) -> str:
    """Given mentions and chains as JSON, one a line."""
    named = {id: short for short, id in content.mention_ids().items()}
    lines: list[Mapping[str, object]] = [
        {"id": named[m.id], "text": m.text, **({"label": m.label} if m.label else {})} for m in content.mentions
    ]
    lines += [
        {
            "id": short,
            **({"label": c.label} if c.label else {}),
            "mentions": [named[m] for m in c.mentions if m in named],
        }
        for short, c in zip(content.chain_ids(), content.chains)
    ]
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
