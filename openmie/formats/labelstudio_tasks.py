"""Reading Label Studio tasks: what an export or an import file holds, as Documents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from openmie.data.document import Document, Image, Mention, Region, Relation
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats.jsonl import load_json

LOCAL_FILES_URL = "/data/local-files/?d="  # how Label Studio serves a local folder
Item = Mapping[str, Any]
_SPANS = ("labels", "hypertextlabels")


def is_labelstudio(data: Any) -> bool:
    """Whether a JSON value is of this format."""
    first = data[0] if isinstance(data, list) and data else None
    return isinstance(first, dict) and isinstance(first.get("data"), dict)


def read(
    path: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None, text: str = "text", layer: str = ""
) -> Iterator[Document | ErrorRecord]:
    """A document per task of an export or of an import file.

    `text` is the key of the text in the task's data; `layer` is "annotations" or "predictions" (left out: annotations
    where there are any). Of several annotations the first that was not cancelled is read, and `errors` says so. Offsets
    are code points; where a task has a span whose `text` fits UTF-16 units only, as in exports of 2021 and before, all
    its spans are read so. A span that fits neither is a record in `errors`.
    """
    if layer not in ("", "annotations", "predictions"):
        raise CorpusError.unknown("layer", layer, ("annotations", "predictions"))
    tasks = load_json(path)
    if not isinstance(tasks, list):
        raise CorpusError(
            "JSON that is no list",
            expected="a list of tasks",
            where=str(path),
            remedy="export as JSON, not as JSON-MIN or COCO",
        )
    for number, task in enumerate(tasks):
        where = f"{path}, task {number}"
        try:
            document = _document(task, f"{Path(path).stem}:{number}", where, text, layer)
            yield paths.resolve_paths(document, paths.parent_folder(path), images)
        except DocumentError as error:
            yield error.record.model_copy(update={"where": f"{where}, {error.record.where}"})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield ErrorRecord(
                where=where,
                found=f"a task of another shape ({type(error).__name__}: {str(error)[:80]})",
                expected=f"data with a text under {text!r}, and annotations or predictions with a result",
                remedy="export as JSON; name the key of the text (text=KEY)",
            )


def _document(task: Mapping[str, Any], name: str, where: str, key: str, layer: str) -> Document:
    data: Mapping[str, Any] = task["data"]
    text = data.get(key, "")
    errors: list[ErrorRecord] = []
    result = _result(task, layer, where, errors)
    if not isinstance(text, str) or (key not in data and any(item.get("type") == "labels" for item in result)):
        raise ValueError(f"no text under {key!r}")
    ours = (task.get("meta") or {}).get("openmie") or {}
    images = {
        k: _image(k, v, ours.get(k) or {})
        for k, v in sorted(data.items(), key=_by_number)
        if k.startswith("image") and isinstance(v, str)
    }
    spans = _spans([item for item in result if item.get("type") in _SPANS], text, where, errors)
    mentions = {m.id: m for m in spans}
    regions: dict[str, Region] = {}
    links = [item for item in result if item.get("type") == "relation"]
    for item in result:
        at = f"{where}, result {item.get('id', '')}".rstrip()
        if item.get("type") == "rectanglelabels":
            _read_box(item, images, at, regions, errors)
        elif item.get("type") not in (*_SPANS, "relation"):
            errors.append(
                _skipped(at, f"a result of type {item.get('type')!r}", "labels, rectanglelabels and relation")
            )
    relations = [r for item in links if (r := _read_link(item, mentions, regions, where, errors)) is not None]
    id = data["id"] if "id" in data else task.get("id", name)
    return Document(
        id=str(id),
        text=text,
        images=tuple(images.values()),
        mentions=tuple(mentions.values()),
        relations=tuple(relations),
        regions=tuple(regions.values()),
        errors=tuple(errors),
    )


def _by_number(item: tuple[str, Any]) -> tuple[int, str]:
    """image, image2, ..., image10: exports list keys as they like."""
    return len(item[0]), item[0]


def _skipped(where: str, found: str, expected: str) -> ErrorRecord:
    return ErrorRecord(where=where, found=found, expected=expected, remedy="openmie leaves it out")


def _result(task: Mapping[str, Any], layer: str, where: str, errors: list[ErrorRecord]) -> list[Mapping[str, Any]]:
    done = [a for a in task.get("annotations") or () if not a.get("was_cancelled")]
    found = {"annotations": done, "predictions": list(task.get("predictions") or ())}
    chosen = found[layer] if layer else done or found["predictions"]
    if len(chosen) > 1:
        errors.append(
            _skipped(where, f"{len(chosen)} annotations or predictions of one task", "one; the first is read")
        )
    result = chosen[0]["result"] if chosen else []
    if not all(isinstance(item, dict) for item in result):
        raise ValueError("a result that is no object")
    return list(result)


def _image(key: str, value: str, ours: Mapping[str, Any]) -> Image:
    path = parse_qs(urlsplit(value).query).get("d", [""])[0] if value.startswith(LOCAL_FILES_URL) else value
    return Image(**{"path": path, "id": path or key, **{k: v for k, v in ours.items() if k in Image.model_fields}})


def _spans(items: Sequence[Item], text: str, where: str, errors: list[ErrorRecord]) -> list[Mention]:
    """Mentions of all text spans, in the one reading of the offsets that fits them all, else each in its own."""
    utf16 = _from_utf16(text)
    points = [_match_span(item, text, lambda x: x) for item in items]
    units = [_match_span(item, text, utf16) for item in items]
    old = any(u is not None and p is None for p, u in zip(points, units))
    mentions = []
    for item, point, unit in zip(items, points, units):
        value, id = item["value"], str(item["id"])
        span = (unit or point) if old else point
        if span is None:
            errors.append(
                _skipped(
                    f"{where}, result {id}",
                    f"{str(value.get('text'))[:80]!r} at {value.get('start')}:"
                    f"{value.get('end')}, where the text has something else",
                    "offsets in code points, or in UTF-16 units",
                )
            )
            continue
        for n, label in enumerate(value.get("labels") or value.get("hypertextlabels") or [""]):
            mentions.append(
                Mention(
                    id=f"{id}-{n + 1}" if n else id, start=span[0], end=span[1], label=label, score=item.get("score")
                )
            )
    return mentions


def _match_span(item: Item, text: str, count: Callable[[int], int | None]) -> tuple[int, int] | None:
    """The span in code points, where `count` turns its offsets into some and the text there is what the item says."""
    value = item["value"]
    offsets = value.get("globalOffsets") or value
    start, end = offsets.get("start"), offsets.get("end")
    if not isinstance(start, int) or not isinstance(end, int) or start < 0:
        return None
    first, last = count(start), count(end)
    if first is None or last is None or not first < last <= len(text):
        return None
    stated = value.get("text")
    return (first, last) if stated is None or _same_text(text[first:last], stated) else None


def _from_utf16(text: str) -> Callable[[int], int | None]:
    """Offset in UTF-16 units -> offset in code points, None inside a pair of surrogates or behind the end."""
    units = list(accumulate((1 + (ord(c) > 0xFFFF) for c in text), initial=0))
    return {unit: point for point, unit in enumerate(units)}.get


def _same_text(surface: str, stated: str) -> bool:
    """Equal but for white space, which the editor trims and writes as a backslash and an n."""
    return surface == stated or "".join(surface.split()) == "".join(stated.replace("\\n", "\n").split())


def _read_box(
    item: Item, images: dict[str, Image], where: str, regions: dict[str, Region], errors: list[ErrorRecord]
) -> None:
    value, key = item["value"], str(item.get("to_name"))
    key = next(iter(images)) if key not in images and len(images) == 1 else key  # a project names its one image freely
    image = images.get(key)
    width, height = item.get("original_width"), item.get("original_height")
    turned = value.get("rotation") or item.get("image_rotation")
    if image is None or not width or not height or turned:
        found = "a rotated rectangle" if turned else "a rectangle without image or original_width and original_height"
        errors.append(_skipped(where, found, "an upright rectangle in percent of a sized image"))
        return
    images[key] = image = image if image.width else image.model_copy(update={"width": width, "height": height})
    x, y, w, h = (float(value[k]) / 100 for k in ("x", "y", "width", "height"))
    box = (x * width, y * height, (x + w) * width, (y + h) * height)
    for n, label in enumerate(value.get("rectanglelabels") or [""]):
        id = f"{item['id']}-{n + 1}" if n else str(item["id"])
        regions[id] = Region(image=image.id, box=box, label=label, score=item.get("score"))


def _read_link(
    item: Item, mentions: Mapping[str, Mention], regions: dict[str, Region], where: str, errors: list[ErrorRecord]
) -> Relation | None:
    head, tail = str(item.get("from_id")), str(item.get("to_id"))
    if item.get("direction") == "left":
        head, tail = tail, head
    if head in mentions and tail in mentions:
        return Relation(head=head, tail=tail, label=next(iter(item.get("labels") or ()), ""))
    box, span = (head, tail) if head in regions else (tail, head)
    if box in regions and span in mentions and not regions[box].of:
        regions[box] = regions[box].model_copy(update={"of": span})
    else:
        errors.append(
            _skipped(where, f"a relation from {head!r} to {tail!r}", "two spans, or a rectangle and its one span")
        )
    return None
