"""Label Studio: a JSON list of tasks, each with text spans, relations and rectangles of one post.

Offsets of text spans are code points. Label Studio counted UTF-16 units until its editor was changed late in 2021
(label-studio issue 1347 and pull request 1559, label-studio-frontend pull request 308); its own tests now demand code
points. Older exports are recognised by their spans' texts: see `read`. Line ends count as they stand, CRLF as two,
unless the spans' texts say that a browser counted it as one. Rectangles are percent of the upright image. A relation
between a rectangle and a span says what the box shows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from openmie.data.corpus import Labels
from openmie.data.document import Document, Mention, Region
from openmie.data.provenance import describe, read_provenance
from openmie.errors import CorpusError
from openmie.formats import image_paths as paths
from openmie.formats import output
from openmie.formats.box_edges import writable_region
from openmie.formats.labelstudio_paths import BLANK, LOCAL_FILES_URL
from openmie.formats.labelstudio_tasks import is_labelstudio, read

__all__ = ["CANNOT_HOLD", "SHOWS", "is_labelstudio", "labelling_interface", "read", "write"]

CANNOT_HOLD = (
    "words",
    "chains",
    "records",
    "phrases",
    "captions",
    "summary",
    "times",
    "lang",
    "source",
    "errors",
    "images.parent",
    "images.box",
    "images.time",
    "images.relevance",
    "images.pixels",
    "mentions.status",
    "relations.score",
    "regions.text",
    "mentions.attributes",
)
SHOWS = "shows"  # label of the relation from a box to its mention


def labelling_interface(documents: Iterable[Document], offered: Labels | None = None) -> str:
    """The labelling configuration for these documents, to paste into a project's settings; `offered` labels too.

    It has an image for each that the richest document has; a layer without labels offers "entity" or "object".
    """
    labels: dict[str, set[str]] = {"mentions": set(), "relations": {SHOWS}, "regions": set()}
    for layer, seen in labels.items():
        seen.update(getattr(offered or Labels(), layer))
    images = 0
    for document in documents:
        images = max(images, len(document.images))
        for layer, seen in labels.items():
            seen.update(x.label for x in getattr(document, layer))
    options = {
        layer: "".join(f"<{tag} value={quoteattr(x)}/>" for x in sorted(labels[layer] - {""}) or [default])
        for layer, tag, default in (
            ("mentions", "Label", "entity"),
            ("regions", "Label", "object"),
            ("relations", "Relation", SHOWS),
        )
    }
    boxes = "".join(
        f'  <Image name="{k}" value="${k}"/>\n  <RectangleLabels name="{k}-box" toName="{k}">'
        f"{options['regions']}</RectangleLabels>\n"
        for k in map(_key, range(images))
    )
    return (
        f'<View>\n  <Relations>{options["relations"]}</Relations>\n  <Labels name="label" toName="text">'
        f'{options["mentions"]}</Labels>\n  <Text name="text" value="$text"/>\n{boxes}</View>\n'
    )


def _key(number: int) -> str:
    return f"image{number + 1}" if number else "image"


def write(
    documents: Iterable[Document],
    path: str | os.PathLike[str],
    *,
    predictions: bool = False,
    served: bool = False,
    model: str = "",
    config: str | os.PathLike[str] = "",
    offered: Labels | None = None,
) -> output.Written:
    """One task a document, its results as annotations, or as predictions of `model`.

    Args:
        documents: read once; held in memory where there is a `config`.
        path: file to write; "-" is standard output.
        predictions: whether what is annotated is a model's, for a person to correct.
        served: whether image paths are those at which Label Studio serves a local folder: that of this file, its parent
            being LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT.
        model: name of the model, with `predictions`; "": as a document's provenance says, else openmie.
        config: file to write the labelling configuration to; a task then has all images that it names, an empty picture
            for each that its document lacks, as Label Studio refuses tasks without.
        offered: labels of the configuration, beside those of the documents.

    Returns:
        What was written, and what the format cannot hold.
    """
    keys = 0
    if os.fspath(config):
        documents = list(documents)
        keys = max((len(d.images) for d in documents), default=0)
    report = output.WriteReport(CANNOT_HOLD)
    with output.open_output(path) as file:
        file.write(b"[")
        for document in documents:
            file.write(b",\n" if report.documents else b"\n")
            report.count(document)
            task = _task(document, paths.parent_folder(path), served, report)
            for key in map(_key, range(keys)):
                task["data"][key] = task["data"].get(key) or BLANK
            results = {"result": task.pop("result")}
            task["predictions" if predictions else "annotations"] = [
                {**results, "model_version": model or _model_of(document)} if predictions else results
            ]
            file.write(output.encode_utf8(_json(task, document), f"document {document.id}"))
        file.write(b"\n]\n")
    if os.fspath(config):
        with output.open_output(config) as file:
            file.write(output.encode_utf8(labelling_interface(documents, offered), os.fspath(config)))
    return report.result()


def _model_of(document: Document) -> str:
    """The models that made a prediction, with their versions."""
    facts = read_provenance(document)
    return (describe({**facts, "when": ""}) if facts else "") or "openmie"


def _json(task: Any, document: Document) -> str:
    try:
        return json.dumps(task, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise CorpusError(
            f"a number that JSON cannot hold ({error})",
            expected="finite boxes and scores",
            where=f"document {document.id}",
            remedy="look for NaN",
        ) from None


def _task(document: Document, folder: Path, served: bool, report: output.WriteReport) -> dict[str, Any]:
    moved, outside = paths.relative_paths(document, folder)
    for image in outside:
        report.note_outside(document, image)
    data: dict[str, Any] = {"id": document.id, "text": document.text}
    meta: dict[str, Any] = {}
    for n, image in enumerate(moved.images):
        data[_key(n)] = _served(image.path, folder) if served and image.path else image.path
        size = {} if image.width is None or image.height is None else {"width": image.width, "height": image.height}
        meta[_key(n)] = {"id": image.id, "kind": image.kind, **size}
    spans = {m.id for m in document.mentions if _is_located(m, document, report)}
    result = [_span(m) for m in document.mentions if m.id in spans]
    result += _boxes(document, spans, report)
    for r in document.relations:
        if r.head in spans and r.tail in spans:
            result.append(_link(r.head, r.tail, r.label))
        else:
            report.drop(
                "relations",
                document,
                f"relation {r.label!r} of {r.head!r} and {r.tail!r}",
                "two mentions of the text",
                "use jsonl to keep relations of chains",
            )
    return {"data": data, "result": result, **({"meta": {"openmie": meta}} if meta else {})}


def _served(path: str, folder: Path) -> str:
    """Where Label Studio serves a file of the folder: a storage is never the root itself, so its name leads."""
    inside = not os.path.isabs(path) and os.pardir not in Path(path).parts
    return LOCAL_FILES_URL + quote(f"{os.path.basename(os.path.abspath(folder))}/{path}" if inside else path)


def _is_located(mention: Mention, document: Document, report: output.WriteReport) -> bool:
    if mention.status == "unlocated":
        report.drop(
            "mentions",
            document,
            f"mention {mention.id!r}, which is not in the text",
            "a span of the text",
            "use jsonl to keep it",
        )
    return mention.status != "unlocated"


def _score(score: float | None) -> dict[str, float]:
    return {} if score is None else {"score": score}


def _span(mention: Mention) -> dict[str, Any]:
    value = {
        "start": mention.start,
        "end": mention.end,
        "text": mention.text,
        "labels": [mention.label] if mention.label else [],
    }
    return {
        "id": mention.id,
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": value,
        **_score(mention.score),
    }


def _link(head: str, tail: str, label: str) -> dict[str, Any]:
    return {
        "type": "relation",
        "from_id": head,
        "to_id": tail,
        "direction": "right",
        "labels": [label] if label else [],
    }


def _boxes(document: Document, spans: set[str], report: output.WriteReport) -> list[dict[str, Any]]:
    keys = {image.id: _key(n) for n, image in enumerate(document.images)}
    used = {r.image for r in document.regions}
    sizes = {
        i.id: size for i in document.images if i.id in used and (size := report.image_size(document, i)) is not None
    }
    boxes: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    for n, region in enumerate(document.regions):
        if region.image not in sizes:
            report.drop(
                "regions",
                document,
                f"a region in {region.image!r}",
                "an image of known size",
                "give the image's width and height",
            )
            continue
        cut = writable_region(document, region, sizes[region.image], report)
        if cut is None:
            continue
        id = f"box{n}"
        while id in spans:
            id += "'"
        boxes.append(_rectangle(cut, id, keys[region.image], sizes[region.image]))
        if region.of in spans:
            links.append(_link(id, region.of, SHOWS))
        elif region.of:
            report.drop(
                "regions.of",
                document,
                f"a region of {region.of!r}",
                "a mention of the text",
                "use jsonl to keep boxes of chains",
            )
    return boxes + links


def _rectangle(region: Region, id: str, key: str, size: tuple[int, int]) -> dict[str, Any]:
    width, height = size
    x, y, right, bottom = region.box
    value = {
        "x": 100 * x / width,
        "y": 100 * y / height,
        "width": 100 * (right - x) / width,
        "height": 100 * (bottom - y) / height,
        "rotation": 0,
        "rectanglelabels": [region.label] if region.label else [],
    }
    return {
        "id": id,
        "from_name": f"{key}-box",
        "to_name": key,
        "type": "rectanglelabels",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": value,
        **_score(region.score),
    }
