"""The answer to a `Schema`, read as if the model had obeyed whoever wrote the text.

What is kept is within the schema: labels of its enumerations, names located in the text or marked as unlocated,
references to ids of the answer, boxes inside their image. All else becomes a record, item by item, and the rest of the
answer stands. Nothing in an answer is executed, fetched or opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openmie.data.document import Box, Chain, Mention, Region, Relation
from openmie.errors import ErrorRecord
from openmie.vlm.generate import Answer
from openmie.vlm.prompting import tolerant_json as loose_json
from openmie.vlm.prompting.injection_guard import JOINER
from openmie.vlm.prompting.occurrences import locate, plain
from openmie.vlm.prompting.parsed_answer import Found, clean, id_of, quoted
from openmie.vlm.prompting.prompt import Shown
from openmie.vlm.prompting.schema import FIELD, NONE, Schema

Decode = Callable[[Sequence[float], tuple[int, int]], Box | None]  # values of an answer, (width, height) -> pixels


def read(
    answer: Answer, schema: Schema, shown: Shown, decode: Decode, *, where: str, everywhere: bool = False
) -> Found:
    """What the answer says about what was shown; `where` begins the place of each record."""
    reader = _Reader(schema, shown, decode, where, everywhere)
    data = reader.object(answer)
    if "summary" in schema.tasks:
        reader.summary(data)
    for task, each in (
        ("ner", reader.mention),
        ("chains", reader.chain),
        ("re", reader.relation),
        ("boxes", reader.box),
    ):
        if task in schema.tasks:
            for number, item in enumerate(reader.items(data, FIELD[task])):
                each(item, f"{FIELD[task]}[{number}]")
        if task == "ner":
            reader.place()
    if shown.pairs is not None:
        reader.unanswered()
    return reader.found


class _Reader:
    def __init__(self, schema: Schema, shown: Shown, decode: Decode, where: str, everywhere: bool) -> None:
        self.schema, self.shown, self.decode, self.where, self.everywhere = schema, shown, decode, where, everywhere
        self.found = Found()
        self.named: list[tuple[str, str, str]] = []  # (id in the answer, name, label)
        self.ids: dict[str, str] = shown.mention_ids()  # id in the answer -> id in `found` or of what is given
        self.chain_ids: dict[str, str] = shown.chain_ids()
        self.chain_of: dict[str, str] = {m: c.id for c in shown.chains for m in c.mentions}
        self.names: dict[str, list[str]] = {}  # name -> ids in `found`
        for m in shown.mentions:
            self.names.setdefault(m.text, []).append(m.id)
        self.asked = {self._ends(pair, "relations"): pair for pair in shown.pairs or ()}
        self.answered: set[tuple[str | None, str | None]] = set()  # of those

    def note(self, place: str, found: str, expected: str, remedy: str = "it was left out") -> None:
        where = f"{self.where}, {place}" if place else self.where
        self.found.errors.append(ErrorRecord(where=where, found=found[:200], expected=expected, remedy=remedy))

    # -- the object and its lists

    def object(self, answer: Answer) -> Mapping[str, Any]:
        """The answer's object; records say what it lacks."""
        keys = [FIELD[t] for t in self.schema.tasks]
        got = loose_json.read(answer.text, keys)
        value = got.value
        lists = [k for k in keys if k != "summary"]
        if isinstance(value, list) and len(lists) == 1:  # the list itself, where there is only one
            value = {lists[0]: value}
        if answer.finish == "length":
            self.note(
                "",
                "an answer that was cut at its length",
                "a whole answer",
                "what stands before the cut was read; allow more tokens, or show less text at once (window)",
            )
        if not isinstance(value, dict):
            self.note(
                "",
                f"no JSON object: {quoted(answer.text)}",
                f"an object with {', '.join(keys)}",
                "nothing was read; try again, or constrain the answer to its JSON Schema",
            )
            return {}
        if not got.whole and answer.finish != "length":
            lost = f", {got.skipped} items could not be read" if got.skipped else ""
            self.note("", f"broken JSON{lost}: {quoted(answer.text)}", "one JSON object", "what can be read was kept")
        if got.others:
            self.note("", f"{got.others + 1} JSON objects", "one", "the last was read")
        for key in sorted(value.keys() - set(keys)):
            self.note(clean(key)[:80], quoted(value[key]), f"no field but {', '.join(keys)}")
        for key in keys:
            if key not in value and (got.whole or answer.finish == "stop"):
                self.note(key, "no such field", f"the fields {', '.join(keys)}", "it was read as empty")
        return value

    def items(self, data: Mapping[str, Any], key: str) -> list[Any]:
        value = data.get(key, [])
        if isinstance(value, list):
            return value
        self.note(key, quoted(value), "a list")
        return []

    def summary(self, data: Mapping[str, Any]) -> None:
        value = data.get("summary", "")
        if isinstance(value, str):
            self.found.summary = clean(value).strip()
        else:
            self.note("summary", quoted(value), "a text")

    # -- items

    def mention(self, item: Any, place: str) -> None:
        if (data := self._fields(item, place, ("id", "text"), self.schema.mentions)) is None:
            return
        name = clean(str(data["text"])) if isinstance(data["text"], str) else ""
        if not name.replace(JOINER, "").strip():
            self.note(place, quoted(item), "`text` with words of the text")
            return
        id = id_of(data["id"])
        if id in {known for known, _, _ in self.named}:
            self.note(place, f"id {quoted(id)} twice", "an id of its own", "what refers to it means the first")
            id = ""
        self.named.append((id, name, data["label"]))

    def place(self) -> None:
        """Locate the mentions; their ids in `found` are their numbers."""
        spans = locate(self.shown.text, [name for _, name, _ in self.named], self.everywhere)
        first: dict[str, Mention] = {}
        for (known, name, label), places in zip(self.named, spans):
            one = first.get(plain(name)) if self.everywhere else None
            if one is None:
                one = first[plain(name)] = self._placed(name, label, places)
                self.names.setdefault(name, []).append(one.id)
            elif label != one.label:
                self.note(
                    "mentions",
                    f"{name!r} as {one.label} and as {label}",
                    "one label for all occurrences of a name",
                    "the first was kept",
                )
            if known:
                self.ids[known] = one.id

    def _placed(self, name: str, label: str, places: Sequence[tuple[int, int]]) -> Mention:
        """The first of the occurrences, all of which are kept; or one mention that is not located."""
        mentions, start, text = self.found.mentions, self.shown.start, self.shown.text
        at = len(mentions)
        for a, b in places:
            mentions.append(
                Mention(id=f"answer:m{len(mentions)}", start=start + a, end=start + b, label=label, text=text[a:b])
            )
        if not places:
            mentions.append(
                Mention(id=f"answer:m{at}", start=start, end=start, label=label, text=name, status="unlocated")
            )
        return mentions[at]

    def chain(self, item: Any, place: str) -> None:
        if (data := self._fields(item, place, ("id", "mentions"), self.schema.chains)) is None:
            return
        refs = data["mentions"] if isinstance(data["mentions"], list) else [data["mentions"]]
        members = [m for ref in refs if (m := self._mention_of(ref, place)) is not None]
        id = f"answer:c{len(self.found.chains)}"
        free = [m for m in dict.fromkeys(members) if m not in self.chain_of]
        for m in dict.fromkeys(members):
            if m in self.chain_of:
                self.note(place, f"mention {m} in two chains", "one chain a mention", "it stays in the first")
        if not free:
            self.note(place, quoted(item), "at least one mention of the answer")
            return
        self.chain_of.update(dict.fromkeys(free, id))
        self.chain_ids.setdefault(id_of(data["id"]), id)
        self.found.chains.append(Chain(id=id, mentions=tuple(free), label=data["label"]))

    def relation(self, item: Any, place: str) -> None:
        if (data := self._fields(item, place, ("head", "tail"), self.schema.relations)) is None:
            return
        head, tail = ends = self._ends((data["head"], data["tail"]), place)
        if head is None or tail is None:
            return
        if head == tail:
            self.note(place, quoted(item), "two things")
            return
        if self.shown.pairs is not None and ends not in self.asked:
            self.note(place, quoted(item), "a pair that was asked for")
            return
        self.answered.add(ends)
        made = Relation(head=head, tail=tail, label=data["label"])
        if made not in self.found.relations and (self.asked or made.label != NONE):
            self.found.relations.append(made)

    def box(self, item: Any, place: str) -> None:
        if isinstance(item, dict) and "box" not in item and "bbox_2d" in item:  # as Qwen's models were taught
            item = {**{k: v for k, v in item.items() if k != "bbox_2d"}, "box": item["bbox_2d"]}
        if isinstance(item, dict) and "image" not in item and len(self.shown.images) == 1:
            item = {**item, "image": 1}
        if (data := self._fields(item, place, ("image", "box"), self.schema.regions)) is None:
            return
        number, of = data["image"], ""
        if type(number) is not int or not 1 <= number <= len(self.shown.images):
            self.note(place, f"image {quoted(number)}", f"1 to {len(self.shown.images)}")
            return
        size = self.shown.sizes[number - 1]
        box = self._box(data["box"], size, place)
        if box is None:
            return
        if item.get("of") not in (None, ""):
            of = self._end_of(item["of"], f"{place}.of", "it shows nothing that is named") or ""
        region = Region(image=self.shown.images[number - 1].id, box=box, label=data["label"], of=of)
        if region not in self.found.regions:
            self.found.regions.append(region)

    def unanswered(self) -> None:
        """With None among the labels every pair has an answer."""
        for ends, pair in self.asked.items() if NONE in self.schema.relations else ():
            if ends not in self.answered:
                self.note("relations", f"no answer for ({pair[0]}, {pair[1]})", "one for each pair", "it reads as None")

    # -- parts of items

    def _fields(self, item: Any, place: str, keys: Sequence[str], labels: Mapping[str, str]) -> dict[str, Any] | None:
        """The fields of an item and its label, or a record and None. An id may be absent."""
        if not isinstance(item, dict):
            self.note(place, quoted(item), f"an object with {', '.join(keys)}")
            return None
        if missing := [k for k in keys if k not in item and k != "id"]:
            self.note(place, f"no {missing[0]!r}: {quoted(item)}", f"an object with {', '.join(keys)}")
            return None
        label = _label(item.get("label", ""), labels) if labels else ""
        if label is None:
            self.note(place, f"label {quoted(item.get('label'))} of {quoted(item)}", f"one of {', '.join(labels)}")
            return None
        return {"id": "", **{k: item.get(k, "") for k in keys}, "label": label}

    def _mention_of(self, ref: Any, place: str, remedy: str = "it was left out") -> str | None:
        """The mention that an id of the answer stands for, or its name, where only one has it."""
        known, named = self.ids.get(id_of(ref)), self.names.get(str(ref), [])
        if known is not None or len(named) == 1:
            return known or named[0]
        self.note(place, f"id {quoted(ref)}", "the id of a mention of the answer that was kept", remedy)
        return None

    def _end_of(self, ref: Any, place: str, remedy: str = "it was left out") -> str | None:
        """A chain, the chain of a mention, or a mention."""
        chain = self.chain_ids.get(id_of(ref))
        if chain is not None:
            return chain
        mention = self._mention_of(ref, place, remedy)
        return None if mention is None else self.chain_of.get(mention, mention)

    def _ends(self, pair: Sequence[Any], place: str) -> tuple[str | None, str | None]:
        return self._end_of(pair[0], f"{place}.head"), self._end_of(pair[1], f"{place}.tail")

    def _box(self, values: Any, size: tuple[int, int], place: str) -> Box | None:
        """Pixels, clamped to the picture; a record where that leaves nothing, or they are no box."""
        box = self.decode(values, size) if isinstance(values, list) else None
        if box is not None and box[2] > box[0] and box[3] > box[1]:
            return box
        expected = "four numbers" if box is None else f"a box inside {size[0]} x {size[1]} pixels"
        remedy = "it was left out; `openmie doctor boxes` tells how a model writes its boxes"
        self.note(place, f"box {quoted(values)}", expected, remedy)
        return None


def _label(said: Any, labels: Mapping[str, str]) -> str | None:
    """The label, however it is capitalised where that says which; None: outside the schema."""
    if not isinstance(said, str):
        return None
    if said in labels:
        return said
    alike = [label for label in labels if label.strip().casefold() == said.strip().casefold()]
    return alike[0] if len(alike) == 1 else None
