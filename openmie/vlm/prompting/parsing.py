"""Parses the answer to a `Schema`, as if the model had followed injected instructions.

Only what the schema allows is kept: labels of its enumerations, names that are located in the text or marked as
unlocated, references to ids of the answer, boxes inside their image. All else becomes an error record, item by item,
and the rest of the answer is used. Nothing in an answer is executed, fetched or opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openmie.data.document import Box, Chain, Mention, Region, Relation
from openmie.data.json_values import replace_surrogates
from openmie.errors import ErrorRecord
from openmie.vlm.generate import Answer
from openmie.vlm.prompting.attributes import read_attributes
from openmie.vlm.prompting.box_items import read_box_item
from openmie.vlm.prompting.injection_guard import JOINER
from openmie.vlm.prompting.occurrences import locate_names, normalise_name, note_capitals
from openmie.vlm.prompting.parsed_answer import ParsedAnswer, id_text, quote
from openmie.vlm.prompting.prompt import PromptContent
from openmie.vlm.prompting.records import read_records
from openmie.vlm.prompting.schema import ANSWER_FIELD, NONE, Schema
from openmie.vlm.prompting.tolerant_json import read_json

DecodeBox = Callable[[Sequence[float], tuple[int, int]], Box | None]  # values of an answer, (width, height) -> pixels
LEFT_OUT = "the item was left out; check the answer"


def parse_answer(
    answer: Answer,
    schema: Schema,
    content: PromptContent,
    decode: DecodeBox,
    *,
    where: str,
    all_occurrences: bool = False,
) -> ParsedAnswer:
    """Parse an answer.

    Args:
        answer: the model's answer; no text raises.
        schema: what was asked for.
        content: what the request contained.
        decode: the model's box values, (width, height) -> a box in pixels.
        where: the place of error records, such as "document d, answer".
        all_occurrences: all occurrences of a name are mentions.

    Returns:
        The content in offsets of the document's text, with a record for each part that could not be used.
    """
    parser = _AnswerParser(schema, content, decode, where, all_occurrences)
    data = parser.object(answer)
    if "summary" in schema.tasks:
        parser.summary(data)
    for task, parse in (
        ("ner", parser.mention),
        ("chains", parser.chain),
        ("re", parser.relation),
        ("boxes", parser.box),
    ):
        if task in schema.tasks:
            for number, item in enumerate(parser.items(data, ANSWER_FIELD[task])):
                parse(item, f"{ANSWER_FIELD[task]}[{number}]")
        if task == "ner":
            parser.locate_mentions()
    if "records" in schema.tasks and schema.record:
        items = parser.items(data, "records")
        told = parser.note, parser.note_capitals
        parser.parsed.records += read_records(items, schema.record, content.text, content.start, *told)
    if content.pairs is not None:
        parser.note_unanswered_pairs()
    return parser.parsed


class _AnswerParser:
    def __init__(
        self, schema: Schema, content: PromptContent, decode: DecodeBox, where: str, all_occurrences: bool
    ) -> None:
        self.schema, self.content, self.decode, self.where = schema, content, decode, where
        self.all_occurrences = all_occurrences
        self.parsed = ParsedAnswer()
        self.named: list[tuple[str, str, str]] = []  # (id in the answer, name, label)
        self.attributes: list[dict[str, Any]] = []  # of each of them
        self.named_ids: set[str] = set()
        self.ids: dict[str, str] = content.mention_ids()  # id in the answer -> id in `parsed` or of a given mention
        self.chain_ids: dict[str, str] = content.chain_ids()
        self.chain_of: dict[str, str] = {m: c.id for c in content.chains for m in c.mentions}
        self.names: dict[str, list[str]] = {}  # name -> ids in `parsed`
        for m in content.mentions:
            self.names.setdefault(m.text, []).append(m.id)
        self.requested = {self._head_and_tail(pair, "relations"): pair for pair in content.pairs or ()}
        self.answered: set[tuple[str | None, str | None]] = set()  # of the requested pairs

    def note(self, place: str, found: str, expected: str, remedy: str = LEFT_OUT) -> None:
        where = f"{self.where}, {place}" if place else self.where
        self.parsed.errors.append(ErrorRecord(where=where, found=found[:200], expected=expected, remedy=remedy))

    def note_capitals(self, place: str, pairs: Sequence[tuple[str, str]]) -> None:
        self.parsed.errors += note_capitals(f"{self.where}, {place}", pairs)

    # -- the object and its lists

    def object(self, answer: Answer) -> Mapping[str, Any]:
        """The answer's object, with records for what it lacks."""
        keys = [ANSWER_FIELD[t] for t in self.schema.tasks]
        reading = read_json(answer.text, keys)
        value = reading.value
        lists = [k for k in keys if k != "summary"]
        if isinstance(value, list) and len(lists) == 1:  # the list itself, where only one is expected
            value = {lists[0]: value}
        if answer.finish == "length":
            self.note(
                "",
                "answer was cut at its length",
                "a complete answer",
                "what precedes the cut was used; raise max_tokens, or lower window to send less text",
            )
        if not isinstance(value, dict):
            self.note(
                "",
                f"no JSON object in the answer {quote(answer.text)}",
                f"an object with {', '.join(keys)}",
                "nothing was used; try another model, or set constrained=true",
            )
            return {}
        if not reading.valid and answer.finish != "length":
            lost = f" with {reading.skipped} unreadable items" if reading.skipped else ""
            readable = "what could be read was used"
            self.note("", f"malformed JSON{lost}: {quote(answer.text)}", "one JSON object", readable)
        if reading.others:
            self.note("", f"{reading.others + 1} JSON objects", "one", "the last was used")
        for key in sorted(value.keys() - set(keys)):
            unknown = f"unknown field with the value {quote(value[key])}"
            self.note(replace_surrogates(key)[:80], unknown, f"only the fields {', '.join(keys)}")
        for key in keys:
            if key not in value and (reading.valid or answer.finish == "stop"):
                self.note(key, "field is missing", f"the fields {', '.join(keys)}", "it was taken as empty")
        return value

    def items(self, data: Mapping[str, Any], key: str) -> list[Any]:
        value = data.get(key, [])
        if isinstance(value, list):
            return value
        self.note(key, f"the value {quote(value)}", "a list")
        return []

    def summary(self, data: Mapping[str, Any]) -> None:
        value = data.get("summary", "")
        if isinstance(value, str):
            self.parsed.summary = replace_surrogates(value).strip()
        else:
            self.note("summary", f"the value {quote(value)}", "a text")

    # -- items

    def mention(self, item: Any, place: str) -> None:
        if (data := self._fields(item, place, ("id", "text"), self.schema.mentions)) is None:
            return
        name = replace_surrogates(str(data["text"])) if isinstance(data["text"], str) else ""
        if not name.replace(JOINER, "").strip():
            self.note(place, f"no name in {quote(item)}", "words of the text in `text`")
            return
        id = id_text(data["id"])
        if id in self.named_ids:
            self.note(place, f"id {quote(id)} is used twice", "unique ids", "references were read as the first")
            id = ""
        self.named_ids.add(id)
        self.named.append((id, name, data["label"]))
        known = self.schema.attribute_names(data["label"])
        self.attributes.append(read_attributes(item.get("attributes"), known, place, self.note))

    def locate_mentions(self) -> None:
        """Locate the mentions in the text; their ids in `parsed` are their numbers."""
        text, names = self.content.text, [name for _, name, _ in self.named]
        located = locate_names(text, names, self.all_occurrences)
        self.note_capitals("mentions", [(name, text[a:b]) for name, spans in zip(names, located) for a, b in spans[:1]])
        first: dict[str, Mention] = {}
        for (known, name, label), attributes, spans in zip(self.named, self.attributes, located):
            key = normalise_name(name)
            one = first.get(key) if self.all_occurrences else None
            if one is None:
                one = first[key] = self._add_mentions(name, label, spans, attributes)
                self.names.setdefault(name, []).append(one.id)
            elif label != one.label:
                self.note(
                    "mentions",
                    f"name {name!r} is labelled {one.label} and {label}",
                    "one label for all occurrences of a name",
                    "the first was kept",
                )
            if known:
                self.ids[known] = one.id

    def _add_mentions(
        self, name: str, label: str, spans: Sequence[tuple[int, int]], attributes: Mapping[str, Any]
    ) -> Mention:
        """Add a mention for each span, or an unlocated one; returns the first."""
        mentions, start, text = self.parsed.mentions, self.content.start, self.content.text
        at = len(mentions)
        own: dict[str, Any] = {"label": label, "attributes": dict(attributes)}
        for a, b in spans:
            mentions.append(
                Mention(id=f"answer:m{len(mentions)}", start=start + a, end=start + b, text=text[a:b], **own)
            )
        if not spans:
            mentions.append(Mention(id=f"answer:m{at}", start=start, end=start, text=name, status="unlocated", **own))
        return mentions[at]

    def chain(self, item: Any, place: str) -> None:
        if (data := self._fields(item, place, ("id", "mentions"), self.schema.chains)) is None:
            return
        refs = data["mentions"] if isinstance(data["mentions"], list) else [data["mentions"]]
        members = [m for ref in refs if (m := self._mention_of(ref, place)) is not None]
        id = f"answer:c{len(self.parsed.chains)}"
        free = [m for m in dict.fromkeys(members) if m not in self.chain_of]
        for m in dict.fromkeys(members):
            if m in self.chain_of:
                self.note(place, f"mention {m} is in two chains", "one chain a mention", "it was kept in the first")
        if not free:
            self.note(place, f"no mention of its own in {quote(item)}", "at least one mention of the answer")
            return
        self.chain_of.update(dict.fromkeys(free, id))
        self.chain_ids.setdefault(id_text(data["id"]), id)
        self.parsed.chains.append(Chain(id=id, mentions=tuple(free), label=data["label"]))

    def relation(self, item: Any, place: str) -> None:
        if (data := self._fields(item, place, ("head", "tail"), self.schema.relations)) is None:
            return
        head, tail = pair = self._head_and_tail((data["head"], data["tail"]), place)
        if head is None or tail is None:
            return
        if head == tail:
            self.note(place, f"head and tail of {quote(item)} are one", "two different mentions or chains")
            return
        if self.content.pairs is not None and pair not in self.requested:
            self.note(place, f"pair of {quote(item)} was not requested", "a requested pair")
            return
        self.answered.add(pair)
        relation = Relation(head=head, tail=tail, label=data["label"])
        if relation not in self.parsed.relations and (self.requested or relation.label != NONE):
            self.parsed.relations.append(relation)

    def box(self, item: Any, place: str) -> None:
        item = read_box_item(item, len(self.content.images))
        if (data := self._fields(item, place, ("image", "box"), self.schema.regions)) is None:
            return
        number, of = data["image"], ""
        if type(number) is not int or not 1 <= number <= len(self.content.images):
            self.note(place, f"there is no image {quote(number)}", f"a number from 1 to {len(self.content.images)}")
            return
        size = self.content.sizes[number - 1]
        box = self._box(data["box"], size, place)
        if box is None:
            return
        if self.content.originals and (original := self.content.originals[number - 1]) != size:
            across, down = original[0] / size[0], original[1] / size[1]
            box = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
        if item.get("of") not in (None, ""):
            of = self._referent(item["of"], f"{place}.of", "the box was kept without a referent") or ""
        region = Region(image=self.content.images[number - 1].id, box=box, label=data["label"], of=of)
        if region not in self.parsed.regions:
            self.parsed.regions.append(region)

    def note_unanswered_pairs(self) -> None:
        """With None among the labels, every requested pair has to have an answer."""
        for key, pair in self.requested.items() if NONE in self.schema.relations else ():
            if key not in self.answered:
                unanswered = f"no label for the pair ({pair[0]}, {pair[1]})"
                self.note("relations", unanswered, "one for each pair", "it was taken as None")

    # -- parts of items

    def _fields(self, item: Any, place: str, keys: Sequence[str], labels: Mapping[str, str]) -> dict[str, Any] | None:
        """The fields of an item and its label, or a record and None. An id may be absent."""
        if not isinstance(item, dict):
            self.note(place, f"the item {quote(item)}", f"an object with {', '.join(keys)}")
            return None
        if missing := [k for k in keys if k not in item and k != "id"]:
            self.note(place, f"field {missing[0]!r} is missing in {quote(item)}", f"an object with {', '.join(keys)}")
            return None
        label = _label(item.get("label", ""), labels) if labels else ""
        if label is None:
            outside = f"label {quote(item.get('label'))} of {quote(item)} is outside the schema"
            self.note(place, outside, f"one of {', '.join(labels)}")
            return None
        return {"id": "", **{k: item.get(k, "") for k in keys}, "label": label}

    def _mention_of(self, ref: Any, place: str, remedy: str = LEFT_OUT) -> str | None:
        """The mention with this id in the answer, or the only one with this name."""
        known, named = self.ids.get(id_text(ref)), self.names.get(str(ref), [])
        if known is not None or len(named) == 1:
            return known or named[0]
        self.note(place, f"unknown id {quote(ref)}", "the id of a mention of the answer that was kept", remedy)
        return None

    def _referent(self, ref: Any, place: str, remedy: str = LEFT_OUT) -> str | None:
        """The chain with this id, the chain of the mention with this id, or the mention."""
        chain = self.chain_ids.get(id_text(ref))
        if chain is not None:
            return chain
        mention = self._mention_of(ref, place, remedy)
        return None if mention is None else self.chain_of.get(mention, mention)

    def _head_and_tail(self, pair: Sequence[Any], place: str) -> tuple[str | None, str | None]:
        return self._referent(pair[0], f"{place}.head"), self._referent(pair[1], f"{place}.tail")

    def _box(self, values: Any, size: tuple[int, int], place: str) -> Box | None:
        """A box in pixels, clamped to the image; a record where nothing is left, or the values are no box."""
        box = self.decode(values, size) if isinstance(values, list) else None
        if box is not None and box[2] > box[0] and box[3] > box[1]:
            return box
        expected = "four numbers" if box is None else f"a box inside {size[0]} x {size[1]} pixels"
        remedy = "it was left out; `openmie doctor boxes` finds out how a model writes boxes"
        self.note(place, f"invalid box {quote(values)}", expected, remedy)
        return None


def _label(value: Any, labels: Mapping[str, str]) -> str | None:
    """The label of the schema, whatever its capitals where only one fits; None: outside the schema."""
    if not isinstance(value, str):
        return None
    if value in labels:
        return value
    alike = [label for label in labels if label.strip().casefold() == value.strip().casefold()]
    return alike[0] if len(alike) == 1 else None
