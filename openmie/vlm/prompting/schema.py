"""What a vision-language model is asked for: tasks, labels with a description each, and the JSON Schema of its answer.

    Schema.of({"PER": "a person", "LOC": "a place"}, tasks="ner,boxes")

The answer is one JSON object with a field for each task, in the order of `TASKS`:

    {"summary": "...",
     "mentions": [{"id": "m1", "text": "Ada", "label": "PER"}],
     "chains": [{"id": "c1", "label": "PER", "mentions": ["m1", "m4"]}],
     "relations": [{"head": "m1", "tail": "m2", "label": "peer"}],
     "boxes": [{"image": 1, "box": [12, 40, 230, 410], "label": "PER", "of": "m1"}]}

Labels are enumerations, and so are the ids of what is given. Every property is required and none is added, as strict
servers ask. The prompt is made in `instruction`, beside this, and the answer is read in `reading`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from openmie.data.corpus import Labels
from openmie.errors import RecipeError

TASKS = ("summary", "ner", "chains", "re", "boxes")
SHORT = {"joint": ("ner", "re"), "grounded": ("ner", "boxes")}  # as `openmie score` names them
FIELD = {"summary": "summary", "ner": "mentions", "chains": "chains", "re": "relations", "boxes": "boxes"}
LAYERS = ("mentions", "chains", "relations", "regions")
NONE = "None"  # the label of a pair between which nothing holds

Described = Mapping[str, str] | Sequence[str]  # labels, or label -> description


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Tasks, and the labels of each layer with a description, which may be empty. No label: things of no type."""

    tasks: tuple[str, ...] = ("ner",)
    mentions: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, str] = field(default_factory=dict)  # empty: those of mentions
    relations: Mapping[str, str] = field(default_factory=dict)
    regions: Mapping[str, str] = field(default_factory=dict)  # empty: those of mentions

    def __post_init__(self) -> None:
        for layer in ("chains", "regions"):
            if not getattr(self, layer):
                object.__setattr__(self, layer, self.mentions)
        wrong = [t for t in self.tasks if t not in TASKS]
        if wrong or not self.tasks:
            raise RecipeError(
                f"task {wrong[0]!r}" if wrong else "no task",
                expected=f"some of {', '.join((*TASKS, *SHORT))}",
                where="Schema.tasks",
                remedy="name one of them",
            )
        if "re" in self.tasks and not self.relations:
            raise RecipeError(
                "no labels of relations",
                expected="at least one",
                where="Schema.relations",
                remedy='name them: labels={"mentions": ..., "relations": {"couple": "are a couple"}}',
            )

    @classmethod
    def of(cls, labels: Labels | Mapping[str, Any] | Sequence[str], tasks: str | Iterable[str] = "ner") -> Schema:
        """From labels of mentions, from layer -> labels, or from a corpus's `Labels`; each with descriptions or not.

        Errors: a task or layer that does not exist, a label that is no text, relations asked for without labels.
        """
        named = tasks.split(",") if isinstance(tasks, str) else list(tasks)
        wanted = {t for task in named for t in SHORT.get(task.strip(), (task.strip(),)) if t}
        ordered = (*(t for t in TASKS if t in wanted), *sorted(wanted - set(TASKS)))
        if isinstance(labels, Labels):
            labels = {layer: getattr(labels, layer) for layer in LAYERS}
        layered = isinstance(labels, Mapping) and any(not isinstance(v, str) for v in labels.values())
        given: Mapping[str, Any] = labels if layered else {"mentions": labels}  # type: ignore[assignment]
        if unknown := sorted(given.keys() - set(LAYERS)):
            raise RecipeError(
                f"labels of {unknown[0]!r}",
                expected=f"labels of {', '.join(LAYERS)}, or label -> description",
                where="labels",
                remedy="correct the name",
            )
        return cls(tasks=ordered, **{layer: _described(layer, some) for layer, some in given.items()})

    def labels(self, layer: str) -> tuple[str, ...]:
        return tuple(getattr(self, layer))

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**{k: dict(v) for k, v in data.items() if k != "tasks"}, "tasks": list(self.tasks)}


def _described(layer: str, labels: Described) -> dict[str, str]:
    if isinstance(labels, str):
        labels = (labels,)
    found = dict(labels) if isinstance(labels, Mapping) else dict.fromkeys(labels, "")
    if wrong := [k for k, v in found.items() if not (isinstance(k, str) and isinstance(v, str) and k.strip())]:
        raise RecipeError(
            f"label {wrong[0]!r} of {layer}",
            expected="texts, and texts that describe them",
            where="labels",
            remedy='write {"PER": "a person"}',
        )
    return found


def answer(schema: Schema, images: int = 0, mentions: Sequence[str] = (), chains: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON Schema of the answer about `images` pictures; `mentions` and `chains` are ids of what is given."""
    made = {
        "summary": {"type": "string"},
        "mentions": _list({"id": {"type": "string"}, "text": {"type": "string"}, **_label(schema.mentions)}),
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
                **({"of": _id((*chains, *mentions), "")} if names_shown(schema, mentions) else {}),
            }
        ),
    }
    return _object({FIELD[t]: made[FIELD[t]] for t in schema.tasks})


def names_shown(schema: Schema, mentions: Sequence[Any]) -> bool:
    """Whether boxes say which mention or chain they show: where there are any to be named."""
    return bool(mentions) or "ner" in schema.tasks or "chains" in schema.tasks


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": _object(properties)}


def _label(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"label": {"type": "string", "enum": list(labels)}} if labels else {}


def _id(given: Sequence[str], *also: str) -> dict[str, Any]:
    return {"type": "string", "enum": [*given, *also]} if given else {"type": "string"}
