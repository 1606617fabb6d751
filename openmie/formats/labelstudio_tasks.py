"""Reading Label Studio tasks: what an export or an import file holds, as Documents."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmie.data.document import Document, Image
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats import output
from openmie.formats.jsonl import load_json
from openmie.formats.labelstudio_annotations import ALL, LAYERS, annotator_of, choose
from openmie.formats.labelstudio_fields import (
    Fields,
    find_fields,
    is_file_name,
    looks_like_image,
    read_config,
    reads_like_text,
)
from openmie.formats.labelstudio_paths import LOCAL_FILES_URL, resolve_served, stored_path, was_served
from openmie.formats.labelstudio_results import Annotated

__all__ = ["LOCAL_FILES_URL", "is_labelstudio", "read"]

Task = Mapping[str, Any]
_MIN = ("annotation_id", "annotator", "lead_time")  # keys of every record of the export JSON-MIN


def is_labelstudio(data: Any) -> bool:
    """Whether a JSON value is of this format."""
    items = data if isinstance(data, list) else [data]
    first = items[0] if items else None
    return isinstance(first, dict) and (isinstance(first.get("data"), dict) or all(k in first for k in _MIN))


def read(
    path: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    text: str = "",
    layer: str = "annotations",
    annotator: str = "",
    config: str | os.PathLike[str] = "",
) -> Iterator[Document | ErrorRecord]:
    """A document per task of an export or of an import file.

    A task that was skipped, or that an export holds without an annotation, is an error record: a model's predictions
    are not gold. Offsets are code points; where the `text` of a task's spans fits UTF-16 units better, as in exports of
    2021 and before, or CRLF counted as one, all its spans are read so. A span that fits no reading is a record in
    `errors`; white space at the ends of a span is cut off, with a note. Data of a task that is neither text nor image
    is in `source`.

    Args:
        path: JSON file; `completions` of Label Studio before 1.0 are read as annotations.
        images: further folder in which pictures are looked for, as the paths say or by name.
        text: key of the text in the tasks' data; "": what the spans are of, else `text`.
        layer: "annotations" or "predictions".
        annotator: whose annotations, by id or e-mail, or a model's version; "": the ground truth, else the first, and
            `errors` says so; "all": a document for each, with the annotator behind the id.
        config: file of the labelling configuration, which names the keys of text and images; "": as the tasks show it.

    Raises:
        CorpusError: no list of tasks, an unknown layer, a configuration that cannot be read.
    """
    if layer not in ("", *LAYERS):
        raise CorpusError.unknown("layer", layer, LAYERS)
    tasks = load_json(path)
    tasks = [tasks] if isinstance(tasks, dict) and "data" in tasks else tasks
    if not isinstance(tasks, list) or (tasks and isinstance(tasks[0], dict) and all(k in tasks[0] for k in _MIN)):
        raise CorpusError(
            "JSON that is no list"
            if not isinstance(tasks, list)
            else "the export JSON-MIN, which has no offsets' keys",
            expected="a list of tasks",
            where=str(path),
            remedy="export as JSON, not as JSON-MIN or COCO",
        )
    yield from _Reader(Path(path), images, layer or LAYERS[0], annotator).documents(tasks, text, config)


@dataclass(frozen=True)
class _Reader:
    path: Path
    images: str | os.PathLike[str] | None
    layer: str
    annotator: str

    def documents(
        self, tasks: list[Any], text: str, config: str | os.PathLike[str]
    ) -> Iterator[Document | ErrorRecord]:
        """The documents and records of tasks."""
        known = [t for t in tasks if isinstance(t, dict) and isinstance(t.get("data"), dict)]
        fields = read_config(config) if config else find_fields(known, [self._marked(t) for t in known])
        fields = Fields(text or fields.text, fields.images, fields.declared)
        for number, task in enumerate(tasks):
            where = f"{self.path}, task {number}"
            try:
                yield from self._task(task, f"{output.stem(self.path)}:{number}", where, fields)
            except DocumentError as error:
                yield error.record.model_copy(update={"where": f"{where}, {error.record.where}"})
            except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
                yield ErrorRecord(
                    where=where,
                    found=f"a task of another shape ({type(error).__name__}: {str(error)[:80]})",
                    expected="data with a text, and annotations or predictions with a result",
                    remedy="export as JSON; name the key of the text (text=KEY)",
                )

    def _marked(self, task: Task) -> list[Task]:
        """What was marked in a task by anybody, in whatever shape it is."""
        try:
            chosen, _ = choose(task, self.layer, self.annotator, "")
            return [item for a in chosen for item in a.get("result") or () if isinstance(item, dict)]
        except (TypeError, AttributeError):
            return []

    def _task(self, task: Task, name: str, where: str, fields: Fields) -> Iterator[Document | ErrorRecord]:
        data: Mapping[str, Any] = task["data"]
        if not isinstance(data, dict):
            raise TypeError("data that is no object")
        chosen, records = choose(task, self.layer, self.annotator, where)
        if not chosen and records:
            yield from records
            return
        id = str(data["id"] if "id" in data else task.get("id", name))
        if not chosen:  # a task to be annotated
            chosen = [{"result": []}]
        for annotation in chosen:
            own = f"{id}#{annotator_of(annotation)}" if self.annotator == ALL else id
            yield self._document(task, annotation, own, where, fields, records)

    def _document(
        self, task: Task, annotation: Task, id: str, where: str, fields: Fields, records: list[ErrorRecord]
    ) -> Document:
        data, result = task["data"], annotation["result"]
        if not all(isinstance(item, dict) for item in result):
            raise ValueError("a result that is no object")
        text = data.get(fields.text, "") if fields.text else ""
        marked = any(item.get("type") == "labels" for item in result)
        unclear = not fields.text and any(reads_like_text(k, v) for k, v in data.items())
        if not isinstance(text, str) or unclear or (marked and fields.text not in data):
            raise ValueError(f"no text under {fields.text or 'text'!r}, of {', '.join(map(repr, data))}"[:160])
        found, served, used = _images(task, fields)
        layers = Annotated(where, text, found, fields.images, errors=list(records))
        layers.read(result)
        document = Document(
            id=id,
            text=text,
            images=tuple(layers.images.values()),
            mentions=tuple(layers.mentions.values()),
            relations=tuple(layers.relations),
            regions=tuple(layers.regions.values()),
            errors=tuple(layers.errors),
            source={k: v for k, v in data.items() if k not in used and k not in ("id", fields.text)},
        )
        return resolve_served(document, served, paths.parent_folder(self.path), self.images)


def _images(task: Task, fields: Fields) -> tuple[dict[str, Image], frozenset[str], set[str]]:
    """Images by key, the ids of those that a server names, and the keys of the data that hold them."""
    data = task["data"]
    ours = (task.get("meta") or {}).get("openmie") or {}
    drawn_on = set(fields.images.values())
    values: dict[str, str] = {}
    used: set[str] = set()
    for key, value in sorted(data.items(), key=_by_number):
        listed = value if isinstance(value, list) else [value]
        if key == fields.text or not listed or not all(isinstance(x, str) for x in listed):
            continue
        named = key in ours or (key in drawn_on and (fields.declared or is_file_name(value)))
        if named or (not fields.declared and all(looks_like_image(key, x) for x in listed)):
            used.add(key)
            names = [f"{key}[{n}]" for n in range(len(listed))] if isinstance(value, list) else [key]
            values.update((n, x) for n, x in zip(names, listed) if key in ours or stored_path(x))
    found = {k: _image(k, stored_path(v), ours.get(k, {})) for k, v in values.items()}
    return found, frozenset(found[k].id for k, v in values.items() if was_served(v)), used


def _by_number(item: tuple[str, Any]) -> tuple[int, str]:
    """image, image2, ..., image10: exports list keys as they like."""
    return len(item[0]), item[0]


def _image(key: str, path: str, ours: Mapping[str, Any]) -> Image:
    return Image(**{"path": path, "id": path or key, **{k: v for k, v in ours.items() if k in Image.model_fields}})
