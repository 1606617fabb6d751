"""An extraction request as texts, as a user types it: system, model, settings, labels and tasks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from openmie.data.corpus import Labels
from openmie.data.document import Document
from openmie.data.provenance import digest, public_address
from openmie.errors import ErrorRecord, RecipeError
from openmie.vlm.backends import addresses, backend_class, connect
from openmie.vlm.backends.answer_store import open_store
from openmie.vlm.backends.response_cache import MAX_FAILURES, Cached
from openmie.vlm.estimate import Estimate, Unasked
from openmie.vlm.generate import Backend
from openmie.vlm.prompting.attributes import typed_attributes
from openmie.vlm.prompting.examples import labels_of, read_examples
from openmie.vlm.prompting.options import PromptOptions
from openmie.vlm.prompting.predict import DEFAULT_TASKS, SYSTEMS, predict, without_unknown_boxes
from openmie.vlm.prompting.record_schema import RecordSchema
from openmie.vlm.prompting.schema import LAYERS, Schema
from openmie.vlm.prompting.typed_labels import typed_labels

DEFAULT_MAX_TOKENS = 1024  # of an answer
SETTINGS_OF_ASKING = (  # how a model is asked, not what it answers
    "timeout", "retries", "retry_delay", "max_retry_delay", "concurrency", "key_env", "device", "batch_size",
    "max_failures",
)  # fmt: skip
DEFAULT_LABELS = {  # of mentions where a user names none: GMNER's
    "PER": "a person", "LOC": "a place", "ORG": "an organisation", "OTHER": "anything else with a name of its own",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ExtractionRequest:
    """One model, and what it is to extract.

    Args:
        system: "schema" or "pfa".
        model: hub id, folder, or the server's name of the model.
        endpoint: base URL of a server with OpenAI's protocol, or of several, as `connect` takes them; "": run the model
            on this machine.
        cache: file that keeps the answers, `none` for none; None: the user's own (`answer_store.default_path`).
        tasks: with commas between them; "": all that there are labels for.
        label: LABEL or LABEL=MEANING, of mentions.
        relation: LABEL or LABEL=MEANING, of relations.
        labels: JSON file with label -> meaning, or layer -> label -> meaning.
        record_schema: file with the JSON Schema of records.
        attribute: NAME=MEANING or LABEL.NAME=MEANING, of mentions.
        examples: file of annotated documents that prompts show.
        instructions: what the model is told beside the task, or a text file with it.
        passes: requests about one window, whose answers are united; 0: one.
        settings: FIELD=VALUE of `PromptOptions`, or of `Local` or `Endpoint`; and max_failures, of `Cached`.

    Raises:
        RecipeError: an unknown system, or no model.
    """

    system: str
    model: str
    endpoint: str | Sequence[str] = ""
    cache: Path | None = None
    tasks: str = ""
    label: Sequence[str] = ()
    relation: Sequence[str] = ()
    labels: Path | None = None
    record_schema: Path | None = None
    attribute: Sequence[str] = ()
    examples: Path | None = None
    instructions: str = ""
    passes: int = 0
    settings: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.system not in SYSTEMS:
            raise RecipeError.unknown("system", self.system, SYSTEMS)
        if not self.model:
            raise RecipeError(
                "no model is named",
                expected="a hub id, a folder, or the server's name of a model",
                remedy="name it with --model",
            )

    def schema(self, corpus_labels: Labels | None = None) -> Schema:
        """Tasks and labels: those of the request, of a corpus, of the examples, or `DEFAULT_LABELS` for mentions.

        Args:
            corpus_labels: labels of the corpus that is predicted; None: there is no corpus.

        Raises:
            RecipeError: neither the request nor the corpus has labels.
        """
        given = typed_labels(self.label, self.relation, self.labels)
        record = RecordSchema.read(self.record_schema) if self.record_schema else None
        asked = set(self.tasks.split(",")) if self.tasks or not record else {"records"}
        if corpus_labels is not None and not given:
            given = {layer: dict.fromkeys(getattr(corpus_labels, layer), "") for layer in LAYERS}
        elif corpus_labels is None and not given and self.examples:
            given = labels_of(self.example_documents())
        if corpus_labels is None and (asked - {"summary", "re", "records"} or self.attribute):
            given = {"mentions": DEFAULT_LABELS, **given}
        named = {layer: labels for layer, labels in given.items() if labels}
        if not named and not asked <= {"summary", "records"}:
            raise RecipeError(
                "no labels",
                expected="labels of what is to be extracted",
                remedy='name them: --label PER="a person" --label LOC="a place", or --labels FILE.json',
            )
        attributes = typed_attributes(self.attribute, named.get("mentions", {}))
        tasks = self.tasks or self._default_tasks(named, record is not None)
        return Schema.of(given or {"mentions": {}}, tasks, attributes, record)

    def example_documents(self) -> list[Document]:
        """The annotated documents of the file of examples; read once."""
        if "_examples" not in self.__dict__:
            self.__dict__["_examples"] = read_examples(self.examples) if self.examples else []
        return self.__dict__["_examples"]

    def _default_tasks(self, named: Mapping[str, Any], records: bool) -> str:
        """All tasks that there are labels or a schema for and the system has; ner where only mentions have labels."""
        layers = {"mentions": "ner", "chains": "chains", "relations": "re", "regions": "boxes"}
        if self.system == "pfa" or (set(named) == {"mentions"} and not records):
            return DEFAULT_TASKS[self.system]
        tasks = [task for layer, task in layers.items() if layer in named]
        return ",".join([*tasks, *(["records"] if records else [])])

    def backend(self) -> Cached:
        """Connect to the model, behind the store of answers."""
        settings = {"max_tokens": DEFAULT_MAX_TOKENS, **self._split_settings()[1]}
        most = settings.pop("max_failures", MAX_FAILURES)
        return Cached(connect(self.model, self.endpoint, **settings), open_store(self.cache), most)

    def answer_settings(self) -> list[str]:
        """The settings that answers depend on: those of waiting and trying again are left out."""
        return [text for text in self.settings if text.partition("=")[0] not in SETTINGS_OF_ASKING]

    def identity(self, schema: Schema | None = None) -> dict[str, str]:
        """Model, server, and a hash of all that makes the prompts, for `openmie.data.provenance`.

        Args:
            schema: tasks and labels; None: those of the request.
        """
        asked: list[Any] = [self.system, (schema or self.schema()).facts(), self.answer_settings()]
        more = [self.passes, self._instructions(), *(d.to_json() for d in self.example_documents())]
        asked += more if any(more) else []
        server = {"endpoint": ", ".join(map(public_address, addresses(self.endpoint)))} if self.endpoint else {}
        return {"name": self.model, **server, "prompt": digest(asked)}

    def options(self) -> PromptOptions:
        """The settings that say how documents are prompted."""
        more: dict[str, Any] = {"passes": self.passes, "instructions": self._instructions()}
        return PromptOptions(**self._split_settings()[0] | {name: value for name, value in more.items() if value})

    def _instructions(self) -> str:
        """The instructions, read from the file where they name one."""
        file = Path(self.instructions)
        if not self.instructions or len(self.instructions) > 250 or "\n" in self.instructions or not file.is_file():
            return self.instructions
        return file.read_text(encoding="utf-8-sig").strip()

    def _split_settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(settings of `PromptOptions`, settings of the backend)."""
        prompt_fields = {f.name for f in fields(PromptOptions)}
        backend_fields = _backend_settings(self.endpoint)
        of_prompt: dict[str, Any] = {}
        of_backend: dict[str, Any] = {}
        for text in self.settings:
            name, equals, value = text.partition("=")
            if not equals:
                raise RecipeError(
                    f"--vlm-option {text} has no value", expected="FIELD=VALUE", remedy="write the value behind ="
                )
            if name not in prompt_fields | backend_fields:
                raise RecipeError.unknown("field", name, sorted(prompt_fields | backend_fields), where="--vlm-option")
            (of_prompt if name in prompt_fields else of_backend)[name] = _value(value)
        return of_prompt, of_backend

    def answerable(self, schema: Schema, backend: Backend) -> Schema:
        """The schema without boxes where it is unknown how the model writes them; says so on stderr."""
        if self.system != "schema":
            return schema
        schema, advice = without_unknown_boxes(schema, self.options(), backend)
        if advice:
            print(advice, file=sys.stderr)
        return schema

    def predict(
        self, documents: Iterable[Document | ErrorRecord], schema: Schema, backend: Backend | None = None
    ) -> Iterator[Document]:
        """Predict documents, as `openmie.vlm.prompting.predict.predict` does.

        Args:
            documents: documents, or error records in their place.
            schema: tasks and labels, from `schema`.
            backend: the model; None: the one of the request.
        """
        backend = self.backend() if backend is None else backend  # an empty cache has the length 0
        schema = self.answerable(schema, backend)
        return predict(backend, documents, self.system, schema, schema.tasks, self.options(), self.example_documents())

    def estimate(self, documents: Iterable[Document | ErrorRecord], labels: Labels | None = None) -> Estimate:
        """Count what predicting the documents would ask for, without asking.

        Args:
            documents: documents, or error records in their place.
            labels: of the corpus, as in `schema`.
        """
        told = Estimate(self.backend())
        for _ in self.predict(documents, self.schema(labels), Unasked(told.backend, told.add)):
            told.posts += 1
        return told


def _backend_settings(endpoint: str | Sequence[str]) -> set[str]:
    """Names of the settings of `Endpoint` or `Local`."""
    kind = backend_class(endpoint)
    return {f.name for f in fields(kind) if not f.name.startswith("_")} - {"model", "base_url"} | {"max_failures"}


def _value(text: str) -> Any:
    """A number, true, false or null; else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
