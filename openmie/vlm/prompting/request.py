"""What a person asks of a vision-language model, as texts: the model, its settings, labels and tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from openmie.data.corpus import Labels
from openmie.data.document import Document
from openmie.errors import ErrorRecord, RecipeError
from openmie.formats import jsonl
from openmie.vlm.backends import connect
from openmie.vlm.generate import Backend
from openmie.vlm.prompting.options import Asking
from openmie.vlm.prompting.predict import DEFAULT, SYSTEMS, predict
from openmie.vlm.prompting.schema import Schema

MOST = 1024  # tokens of an answer, unless set
WHERE = "zero-shot"
TYPES = {  # where a person names none: GMNER's
    "PER": "a person", "LOC": "a place", "ORG": "an organisation", "OTHER": "anything else with a name of its own",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One system, one model, and what it is asked for."""

    system: str
    model: str
    endpoint: str = ""
    cache: Path | None = None
    tasks: str = ""  # with commas between them; "": all that labels are given for
    label: Sequence[str] = ()  # LABEL or LABEL=MEANING, of mentions
    relation: Sequence[str] = ()  # the same, of relations
    labels: Path | None = None  # JSON: label -> meaning, or layer -> label -> meaning
    settings: Sequence[str] = ()  # FIELD=VALUE of `Asking`, or of `Local` or `Endpoint`

    def __post_init__(self) -> None:
        if self.system not in SYSTEMS:
            raise RecipeError(f"system {self.system!r}", expected=" or ".join(SYSTEMS), where=WHERE,
                              remedy="name one of them")  # fmt: skip
        if not self.model:
            raise RecipeError("no model", expected="a hub id, a folder, or the server's name of one", where=WHERE,
                              remedy="name it with --model")  # fmt: skip

    def schema(self, known: Labels | None = None) -> Schema:
        """Labels and tasks: those given, or else those of the corpus that is `known`. Errors: a corpus without labels.

        Where there is no corpus, and what is asked for are names and no labels of theirs, they are `TYPES`.
        """
        given = self._given()
        if known is not None and not given:
            given = {layer: dict.fromkeys(getattr(known, layer), "") for layer in _LAYERS}
        elif known is None and set(self.tasks.split(",")) - {"summary", "re"}:
            given = {"mentions": TYPES, **given}
        named = {layer: labels for layer, labels in given.items() if labels}
        if not named and not set(self.tasks.split(",")) <= {"summary"}:
            raise RecipeError(
                "no labels",
                expected="what is to be found",
                where=WHERE,
                remedy='name them: --label PER="a person" --label LOC="a place", or --labels FILE.json',
            )
        return Schema.of(given, self.tasks or self._tasks(named))

    def _tasks(self, named: Mapping[str, Any]) -> str:
        """All that there are labels for and the system holds; mentions where nothing else is."""
        layers = {"mentions": "ner", "chains": "chains", "relations": "re", "regions": "boxes"}
        if self.system == "pfa" or set(named) == {"mentions"}:
            return DEFAULT[self.system]
        return ",".join(task for layer, task in layers.items() if layer in named)

    def _given(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        if self.labels is not None:
            data = jsonl.load_json(self.labels)
            read = Schema.of(data, "ner") if isinstance(data, Mapping | list) else Schema.of((), "ner")
            flat = not isinstance(data, Mapping) or all(isinstance(v, str) for v in data.values())
            found = {k: dict(getattr(read, k)) for k in (("mentions",) if flat else data)}
        for layer, texts in (("mentions", self.label), ("relations", self.relation)):
            found.setdefault(layer, {}).update(_meaning(text) for text in texts)
        return {layer: labels for layer, labels in found.items() if labels}

    def backend(self) -> Backend:
        """The model, with a memory before it where a file is named."""
        return connect(self.model, self.endpoint, self.cache, **{"max_tokens": MOST, **self._split()[1]})

    def asking(self) -> Asking:
        return Asking(**self._split()[0])

    def _split(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings of `Asking`, and those of the backend. Errors: what is neither."""
        if self.endpoint:
            from openmie.vlm.backends.endpoint import Endpoint as Kind
        else:
            from openmie.vlm.backends.local import Local as Kind  # type: ignore[assignment]
        asking = {f.name for f in fields(Asking)}
        known = {f.name for f in fields(Kind) if not f.name.startswith("_")} - {"model", "base_url"}
        ours: dict[str, Any] = {}
        theirs: dict[str, Any] = {}
        for text in self.settings:
            name, equals, value = text.partition("=")
            if not equals or name not in asking | known:
                names = ", ".join(sorted(asking | known))
                raise RecipeError(f"--set {text}", expected=f"FIELD=VALUE with one of {names}", where=WHERE,
                                  remedy="correct the name")  # fmt: skip
            (ours if name in asking else theirs)[name] = _value(value)
        return ours, theirs

    def predict(
        self, documents: Iterable[Document | ErrorRecord], schema: Schema, backend: Backend | None = None
    ) -> Iterator[Document]:
        """One predicted document for each."""
        layers = {k: v for k, v in schema.facts().items() if k != "tasks"}
        return predict(backend or self.backend(), documents, self.system, layers, schema.tasks, self.asking())


_LAYERS = ("mentions", "chains", "relations", "regions")


def _meaning(text: str) -> tuple[str, str]:
    """LABEL=MEANING, of which the second may be absent."""
    label, _, meaning = text.partition("=")
    return label.strip(), meaning.strip()


def _value(text: str) -> Any:
    """A number, true, false or null; else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
