"""COCO: one JSON file of images, annotations (bbox as x, y, width, height in pixels) and categories.

Text has no place in it. Two more keys of an image, `document` and `image`, keep the ids of our side; the readers of
others pass over them, and where they are absent each image becomes a document of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from openmie.data.document import Document, Image, Region
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats import output
from openmie.formats.box_edges import fitted_region, keep_area
from openmie.formats.jsonl import load_json

CANNOT_HOLD = (
    "text",
    "words",
    "mentions",
    "chains",
    "relations",
    "records",
    "phrases",
    "captions",
    "summary",
    "times",
    "lang",
    "source",
    "errors",
    "images.kind",
    "images.parent",
    "images.box",
    "images.time",
    "images.relevance",
    "images.pixels",
    "regions.of",
    "regions.text",
)


def write(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """Categories are sorted by name, ids count from 1. A document without images cannot be written, and is reported."""
    report = output.WriteReport(CANNOT_HOLD)
    images: list[dict[str, Any]] = []
    boxes: list[tuple[str, dict[str, Any]]] = []
    for document in documents:
        report.count(document)
        if not document.images:
            report.reject(document, "no image", "at least one image", "use a text format")
            continue
        numbers = _images(document, paths.parent_folder(path), images, report)
        for region in document.regions:
            if region.image in numbers:
                if keep_area(document, region, report):
                    boxes.append((region.label, _annotation(region, len(boxes) + 1, numbers[region.image])))
            else:
                report.drop(
                    "regions",
                    document,
                    f"a region in {region.image!r}",
                    "an image of the document",
                    "correct the region's image",
                )
    categories = {label: number for number, label in enumerate(sorted({label for label, _ in boxes}), 1)}
    data = {
        "images": images,
        "annotations": [{**box, "category_id": categories[label]} for label, box in boxes],
        "categories": [{"id": number, "name": label} for label, number in categories.items()],
    }
    with output.open_output(path) as file:
        file.write(output.encode_utf8(_json(data), str(path)))
    return report.result()


def _json(data: Any) -> str:
    try:
        return json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"
    except ValueError as error:
        raise CorpusError(
            f"a number that JSON cannot hold ({error})",
            expected="finite boxes and scores",
            remedy="look for NaN in the regions",
        ) from None


def _images(
    document: Document, folder: Path, images: list[dict[str, Any]], report: output.WriteReport
) -> dict[str, int]:
    numbers: dict[str, int] = {}
    moved, outside = paths.relative_paths(document, folder)
    for image in outside:
        report.note_outside(document, image)
    for original, image in zip(document.images, moved.images):
        size = report.image_size(document, original)
        if size is None and not image.path:
            report.dropped["images"] += 1  # COCO has no entry for a picture without file and size
            continue
        numbers[image.id] = len(images) + 1
        entry = {"id": numbers[image.id], "file_name": image.path, "document": document.id, "image": image.id}
        images.append({**entry, **({"width": size[0], "height": size[1]} if size else {})})
    return numbers


def _annotation(region: Region, id: int, image: int) -> dict[str, Any]:
    x, y, right, bottom = region.box
    box = [x, y, right - x, bottom - y]
    score = {} if region.score is None else {"score": region.score}
    return {"id": id, "image_id": image, "bbox": box, "area": box[2] * box[3], "iscrowd": 0, **score}


def is_coco(data: Any) -> bool:
    """Whether a JSON value is of this format."""
    return isinstance(data, dict) and {"images", "annotations"} <= data.keys() and "id" not in data


def read(
    path: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None
) -> Iterator[Document | ErrorRecord]:
    """A document per image, or per `document` key; a malformed annotation is a record in its document's `errors`."""
    data = load_json(path)
    try:
        categories = {c["id"]: str(c["name"]) for c in data.get("categories", ())}
        entries, annotations = list(data["images"]), list(data["annotations"])
    except (KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"JSON of another shape ({type(error).__name__}: {error})",
            remedy="name the file's format",
            expected="COCO: images, annotations and categories",
            where=str(path),
        ) from None
    groups: dict[str, list[Mapping[str, Any]]] = {}
    boxes: dict[Any, list[Mapping[str, Any]]] = {}
    stray: list[ErrorRecord] = []
    for number, entry in enumerate(entries):
        known = isinstance(entry, dict) and isinstance(entry.get("id"), int | str)
        if known and isinstance(entry.get("file_name", ""), str):
            name = entry.get("file_name") or f"image {entry['id']}"  # of one without a file, the boxes are kept
            groups.setdefault(str(entry.get("document", name)), []).append({**entry, "name": name})
            boxes[entry["id"]] = []
        else:
            stray.append(_record(f"{path}, images[{number}]", entry, "an id and a file_name"))
    for number, a in enumerate(annotations):
        if isinstance(a, dict) and isinstance(a.get("image_id"), int | str) and a["image_id"] in boxes:
            boxes[a["image_id"]].append(a)
        else:
            stray.append(_record(f"{path}, annotations[{number}]", a, "the image_id of a listed image"))
    for id, group in groups.items():
        yield _document(id, group, boxes, categories, path, images)
    yield from stray


def _record(where: str, found: Any, expected: str) -> ErrorRecord:
    return ErrorRecord(where=where, found=repr(found)[:120], expected=expected, remedy="mend the entry")


def _document(
    id: str,
    group: list[Mapping[str, Any]],
    boxes: Mapping[Any, list[Mapping[str, Any]]],
    categories: Mapping[Any, str],
    path: str | os.PathLike[str],
    images: Any,
) -> Document | ErrorRecord:
    regions: list[Region] = []
    errors: list[ErrorRecord] = []
    where = f"{path}, document {id}"
    try:
        pictures = [
            Image(
                path=e.get("file_name", ""),
                id=str(e.get("image", e["name"])),
                width=e.get("width"),
                height=e.get("height"),
            )
            for e in group
        ]
        for entry, picture in zip(group, pictures):
            if not picture.path and "image" not in entry:  # ours say of which image they are
                errors.append(_record(f"{where}, image {entry['id']}", entry, "a file_name"))
            for a in boxes[entry["id"]]:
                try:
                    x, y, width, height = a["bbox"]
                    region = Region(
                        image=picture.id,
                        box=(x, y, x + width, y + height),
                        label=categories[a["category_id"]],
                        score=a.get("score"),
                    )
                    size = (picture.width, picture.height) if picture.width and picture.height else None
                    fitted, record = fitted_region(region, size, f"{where}, annotation {a.get('id')}")
                    regions += [fitted] if fitted else []
                    errors += [record] if record else []
                except (KeyError, TypeError, ValueError, OverflowError, DocumentError):
                    errors.append(_record(f"{where}, annotation {a.get('id')}", a, "a bbox and a known category_id"))
        document = Document(id=id, images=tuple(pictures), regions=tuple(regions), errors=tuple(errors))
        return paths.resolve_paths(document, paths.parent_folder(path), images)
    except DocumentError as error:
        return error.record.model_copy(update={"where": f"{where}, {error.record.where}"})
