"""What a vision-language model extracts: tasks, labels with descriptions, and the JSON Schema of its answer.

    Schema.of({"PER": "a person", "LOC": "a place"}, tasks="ner,boxes")

The answer is one JSON object with a field for each task, in the order of `TASKS`:

    {"summary": "...",
     "mentions": [{"id": "m1", "text": "Ada", "label": "PER"}],
     "chains": [{"id": "c1", "label": "PER", "mentions": ["m1", "m4"]}],
     "relations": [{"head": "m1", "tail": "m2", "label": "peer"}],
     "boxes": [{"image": 1, "box": [12, 40, 230, 410], "label": "PER", "of": "m1"}],
     "records": [{"product": "ladder", "price": 30}]}

Mentions have "attributes" where some are asked for; records follow a JSON Schema of the user's (`record_schema`).

Labels are enumerations, and so are the ids of given mentions and chains. Every property is required and no other is
allowed, as strict servers demand. `prompt` words the request, and `parsing` reads the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from openmie.data.corpus import Labels
from openmie.errors import RecipeError
from openmie.vlm.prompting.record_schema import RecordSchema

TASKS = ("summary", "ner", "chains", "re", "boxes", "records")
TASK_ALIASES = {"joint": ("ner", "re"), "grounded": ("ner", "boxes")}  # as `openmie score` names them
ANSWER_FIELD = {
    "summary": "summary", "ner": "mentions", "chains": "chains", "re": "relations", "boxes": "boxes",
    "records": "records",
}  # fmt: skip
LAYERS = ("mentions", "chains", "relations", "regions")
NONE = "None"  # the label of a pair without a relation

DescribedLabels = Mapping[str, str] | Sequence[str]  # labels, or label -> description


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The tasks and labels that a model is asked for.

    Args:
        tasks: some of `TASKS`.
        mentions: label -> description, which may be ""; no labels: mentions without a type.
        chains: the same for coreference chains; empty: the labels of mentions.
        relations: the same for relations.
        regions: the same for boxes; empty: the labels of mentions.
        attributes: label of mentions, or "" for all -> name of an attribute -> description.
        record: the JSON Schema of records.

    Raises:
        RecipeError: an unknown task, relations without labels, records without a schema, attributes of a label that is
            not there.
    """

    tasks: tuple[str, ...] = ("ner",)
    mentions: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, str] = field(default_factory=dict)
    regions: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    record: RecordSchema | None = None

    def __post_init__(self) -> None:
        for layer in ("chains", "regions"):
            if not getattr(self, layer):
                object.__setattr__(self, layer, self.mentions)
        wrong = [t for t in self.tasks if t not in TASKS]
        if wrong or not self.tasks:
            names = (*TASKS, *TASK_ALIASES)
            name = wrong[0] if wrong else ""
            raise RecipeError.unknown("task", name, names, where="tasks", remedy="separate several by commas")
        if "re" in self.tasks and not self.relations:
            raise RecipeError(
                "relations have no labels",
                expected="at least one",
                where="labels",
                remedy='name them: --relation couple="are a couple", or {"relations": {"couple": "are a couple"}}',
            )
        if "records" in self.tasks and self.record is None:
            raise RecipeError(
                "records have no schema",
                expected="a JSON Schema of one record",
                where="tasks",
                remedy="name the file with it: --schema FILE.json",
            )
        if unknown := [label for label in self.attributes if label and label not in self.mentions]:
            raise RecipeError.unknown("label", unknown[0], self.mentions, where="--attribute")

    @classmethod
    def of(
        cls,
        labels: Schema | Labels | Mapping[str, Any] | Sequence[str],
        tasks: str | Iterable[str] = "ner",
        attributes: Mapping[str, Mapping[str, str]] | None = None,
        record: RecordSchema | None = None,
    ) -> Schema:
        """Build a schema from labels in any form.

        Args:
            labels: labels of mentions, layer -> labels, a corpus's `Labels`, or a schema of other tasks. Labels are a
                sequence, or label -> description.
            tasks: names with commas between them, or a sequence; "joint" is ner and re, "grounded" ner and boxes.
            attributes: of mentions, by label.
            record: the JSON Schema of records.

        Raises:
            RecipeError: an unknown task or layer, a label that is no text, relations without labels.
        """
        named = tasks.split(",") if isinstance(tasks, str) else list(tasks)
        requested = {t for task in named for t in TASK_ALIASES.get(task.strip(), (task.strip(),)) if t}
        ordered = (*(t for t in TASKS if t in requested), *sorted(requested - set(TASKS)))
        if isinstance(labels, Schema):
            return replace(labels, tasks=ordered)
        if isinstance(labels, Labels):
            labels = {layer: getattr(labels, layer) for layer in LAYERS}
        layered = isinstance(labels, Mapping) and any(not isinstance(v, str) for v in labels.values())
        given: Mapping[str, Any] = labels if layered else {"mentions": labels}  # type: ignore[assignment]
        if unknown := sorted(given.keys() - set(LAYERS)):
            hint = "write label -> description for mentions alone"
            raise RecipeError.unknown("layer", unknown[0], LAYERS, where="labels", remedy=hint)
        named_labels = {layer: _described(layer, some) for layer, some in given.items()}
        return cls(tasks=ordered, **named_labels, attributes=attributes or {}, record=record)

    def labels(self, layer: str) -> tuple[str, ...]:
        """The labels of a layer, without descriptions."""
        return tuple(getattr(self, layer))

    def facts(self) -> dict[str, Any]:
        """Tasks, labels, and where there are any attributes and the schema of records, as JSON values."""
        found: dict[str, Any] = {layer: dict(getattr(self, layer)) for layer in LAYERS}
        if self.attributes:
            found["attributes"] = {label: dict(named) for label, named in self.attributes.items()}
        if self.record:
            found["record"] = self.record.facts()
        return {**found, "tasks": list(self.tasks)}

    def attribute_names(self, label: str | None = None) -> dict[str, str]:
        """The attributes of mentions with this label, None for any: name -> description."""
        if label is None:
            return {name: told for named in self.attributes.values() for name, told in named.items()}
        return {**self.attributes.get("", {}), **(self.attributes.get(label, {}) if label else {})}


def _described(layer: str, labels: DescribedLabels) -> dict[str, str]:
    if isinstance(labels, str):
        labels = (labels,)
    found = dict(labels) if isinstance(labels, Mapping) else dict.fromkeys(labels, "")
    if wrong := [k for k, v in found.items() if not (isinstance(k, str) and isinstance(v, str) and k.strip())]:
        raise RecipeError(
            f"invalid label {wrong[0]!r} of {layer}",
            expected="labels that are texts, with descriptions that are texts",
            where="labels",
            remedy='write {"PER": "a person"}',
        )
    return found


def answer_json_schema(
    schema: Schema, images: int = 0, mentions: Sequence[str] = (), chains: Sequence[str] = ()
) -> dict[str, Any]:
    """The JSON Schema of an answer.

    Args:
        schema: tasks and labels.
        images: number of images in the request.
        mentions: ids of given mentions, to which the answer may refer.
        chains: ids of given chains.
    """
    properties = {
        "summary": {"type": "string"},
        "mentions": _list(
            {
                "id": {"type": "string"},
                "text": {"type": "string"},
                **_label(schema.mentions),
                **_attributes(schema.attribute_names()),
            }
        ),
        "chains": _list(
            {
                "id": {"type": "string"},
                **_label(schema.chains),
                "mentions": {"type": "array", "items": _id(mentions)},
            }
        ),
        "relations": _list(
            {
                "head": _id(chains or mentions),
                "tail": _id(chains or mentions),
                "label": {"type": "string", "enum": list(schema.relations)},
            }
        ),
        "boxes": _list(
            {
                "image": {"type": "integer", "enum": list(range(1, images + 1))},
                "box": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
                **_label(schema.regions),
                **({"of": _id((*chains, *mentions), "")} if boxes_have_referents(schema, mentions) else {}),
            }
        ),
    }
    if schema.record:
        properties["records"] = {"type": "array", "items": schema.record.wire()}
    return _object({ANSWER_FIELD[t]: properties[ANSWER_FIELD[t]] for t in schema.tasks})


def boxes_have_referents(schema: Schema, mentions: Sequence[Any]) -> bool:
    """Whether a box names the mention or chain that it shows: where mentions or chains are given or asked for."""
    return bool(mentions) or "ner" in schema.tasks or "chains" in schema.tasks


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": _object(properties)}


def _label(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"label": {"type": "string", "enum": list(labels)}} if labels else {}


def _attributes(names: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: {"anyOf": [{"type": "string"}, {"type": "null"}]} for name in names}
    return {"attributes": _object(texts)} if names else {}


def _id(given: Sequence[str], *also: str) -> dict[str, Any]:
    return {"type": "string", "enum": [*given, *also]} if given else {"type": "string"}
