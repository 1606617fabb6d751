"""YOLO: `classes.txt`, and `labels/NAME.txt` for each image: `class cx cy width height` as shares of the upright image.

Pictures are not copied: they belong into `images/` beside `labels/`. A third file, `index.jsonl`, keeps for each label
file its document, image and size, which the format has no place for; it may be absent, then the size is read from the
image itself. A share has nine decimals, so a box returns to within a thousandth of a pixel.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openmie.data import images as pictures
from openmie.data.document import Document, Image, Region
from openmie.errors import CorpusError, DocumentError, ErrorRecord, ImageError
from openmie.formats import image_paths as paths
from openmie.formats import output, yolo_layouts
from openmie.formats.box_edges import fitted_region, keep_area
from openmie.formats.coco import CANNOT_HOLD as _COCO_CANNOT_HOLD

CANNOT_HOLD = _COCO_CANNOT_HOLD
Box = tuple[float, float, float, float]


def encode_box(box: Box, width: int, height: int) -> Box:
    """Absolute xyxy pixels to (cx, cy, w, h) as shares of the image; what lies outside of it is cut off."""
    left, right = (min(max(x, 0.0), width) for x in (box[0], box[2]))
    top, bottom = (min(max(y, 0.0), height) for y in (box[1], box[3]))
    return (left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height


def decode_box(shares: Sequence[float], width: int, height: int) -> Box:
    """(cx, cy, w, h) as shares of the image to absolute xyxy pixels."""
    x, y, w, h = shares
    return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height


def write(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """A new folder. Classes are sorted by name; an image of unknown size cannot be written, and is reported."""
    report = output.WriteReport(CANNOT_HOLD)
    pages: list[tuple[dict[str, Any], list[Region]]] = []
    names: set[str] = set()
    for document in documents:
        report.count(document)
        if not document.images:
            report.reject(document, "no image", "at least one image", "use a text format")
        pages.extend(_pages(document, Path(path), names, report))
    numbers = {label: n for n, label in enumerate(sorted({r.label for _, regions in pages for r in regions}))}
    with output.new_folder(path) as folder:
        (folder / "labels").mkdir()
        index = []
        for entry, regions in pages:
            rows = [_row(r, numbers[r.label], entry["width"], entry["height"]) for r in regions]
            (folder / "labels" / f"{entry['labels']}.txt").write_text("".join(rows), encoding="utf-8", newline="")
            index.append(json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n")
        (folder / "index.jsonl").write_bytes(output.encode_utf8("".join(index), "index.jsonl"))
        listed = "".join(json.dumps(c, ensure_ascii=False)[1:-1] + "\n" for c in numbers)  # one line each
        (folder / "classes.txt").write_bytes(output.encode_utf8(listed, "classes.txt"))
    return report.result()


def _pages(
    document: Document, path: Path, names: set[str], report: output.WriteReport
) -> Iterator[tuple[dict[str, Any], list[Region]]]:
    moved, outside = paths.relative_paths(document, path)
    for image in outside:
        report.note_outside(document, image)
    sizes = {i.id: size for i in document.images if (size := report.image_size(document, i)) is not None}
    for region in document.regions:
        if region.image not in sizes:
            report.drop(
                "regions",
                document,
                f"a region in {region.image!r}",
                "an image of known size",
                "give the image's width and height",
            )
    for image in moved.images:
        if image.id not in sizes:
            report.dropped["images"] += 1
            continue
        stem = name = file_stem(image)
        number = 1
        while name.casefold() in names:
            number += 1
            name = f"{stem}-{number}"
        if number > 1:
            report.note(document, f"a second image called {stem}", "one stem each", f"its labels are in {name}.txt")
        names.add(name.casefold())
        width, height = sizes[image.id]
        entry = {
            "labels": name,
            "document": document.id,
            "image": image.id,
            "path": image.path,
            "width": width,
            "height": height,
        }
        yield entry, _regions_of(document, image.id, width, height, report)


def file_stem(image: Image) -> str:
    """The image file's own name without its ending, which is how others find the labels; else one made from the id."""
    stem = Path(image.path).stem
    plain = stem and stem.isprintable() and len(stem.encode("utf-8", "replace")) <= 180
    return stem if plain else output.safe_name(stem or image.id)


def _regions_of(document: Document, image: str, width: int, height: int, report: output.WriteReport) -> list[Region]:
    regions = [r for r in document.regions if r.image == image and _keep(document, r, (width, height), report)]
    for r in regions:
        if not (0 <= r.box[0] <= r.box[2] <= width and 0 <= r.box[1] <= r.box[3] <= height):
            report.note(
                document,
                f"the box {r.box} in an image of {width} x {height}",
                "a box inside its image",
                "it is cut at the border",
            )
    return regions


def _keep(document: Document, region: Region, size: tuple[int, int], report: output.WriteReport) -> bool:
    """Whether there is an area within the image."""
    inside = decode_box(encode_box(region.box, *size), *size)
    return keep_area(document, region.model_copy(update={"box": inside}), report)


def _row(region: Region, number: int, width: int, height: int) -> str:
    shares = [f"{x:.9f}" for x in encode_box(region.box, width, height)]
    return " ".join([str(number), *shares, *([] if region.score is None else [repr(float(region.score))])]) + "\n"


def read(
    path: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None
) -> Iterator[Document | ErrorRecord]:
    """A document per label file, or as `index.jsonl` says; a malformed line is a record in its document's `errors`.

    The folders of CVAT, Ultralytics and Roboflow are read too, see `openmie.formats.yolo_layouts`.
    """
    root = Path(path)
    try:
        names = _class_names(root)
        folder, entries = _index(root)
    except (OSError, ValueError) as error:
        raise CorpusError(
            str(error)[:160],
            expected="a folder with classes.txt (obj.names, or a .yaml with names) and labels/NAME.txt",
            where=str(path),
            remedy="write the class names into classes.txt, one a line, in the order of their numbers",
        ) from None
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        groups.setdefault(entry["document"], []).append(entry)
    for id, group in groups.items():
        yield _document(id, group, folder, names, root, images)


def _class_names(root: Path) -> list[str]:
    file = yolo_layouts.class_file(root)
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix in (".yaml", ".yml"):
        return yolo_layouts.yaml_names(text)
    return parse_classes(text, escaped=(root / "index.jsonl").is_file())  # only our own class names are escaped


def parse_classes(text: str, escaped: bool) -> list[str]:
    """The names of a `classes.txt`, in the order of their numbers."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    names = [_class(line) if escaped else line for line in lines]
    return names if lines[-1] else names[:-1]


def _class(line: str) -> str:
    try:
        return str(json.loads(f'"{line}"'))
    except ValueError:
        return line


def _index(root: Path) -> tuple[Path, list[dict[str, Any]]]:
    """The folder of the label files, and the entries of `index.jsonl`; where there is none, one for each label file."""
    index = root / "index.jsonl"
    folder, files = yolo_layouts.label_files(root)
    if index.is_file():
        entries = [json.loads(line) for line in index.read_text(encoding="utf-8").split("\n") if line]
        keys = ("labels", "document", "image", "path")
        if not all(isinstance(e, dict) and all(isinstance(e.get(k), str) for k in keys) for e in entries):
            raise ValueError("index.jsonl without labels, document, image and path on each line")
        return folder, entries
    return folder, [
        {
            "labels": file.relative_to(folder).with_suffix("").as_posix(),
            "document": id,
            "image": id,
            "path": yolo_layouts.picture_of(file, root),
        }
        for file, id in files.items()
    ]


def _document(
    id: str, group: Sequence[Mapping[str, Any]], folder: Path, names: Sequence[str], root: Path, images: Any
) -> Document | ErrorRecord:
    regions: list[Region] = []
    errors: list[ErrorRecord] = []
    try:
        listed = tuple(
            Image(path=e["path"], id=e["image"], width=e.get("width"), height=e.get("height")) for e in group
        )
        document = paths.resolve_paths(Document(id=id, images=listed), root, images)
        for entry, image in zip(group, document.images):
            file = pictures.resolve_inside(f"{entry['labels']}.txt", folder)
            width, height = pictures.image_size(image)
            for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
                found = (
                    fitted_regions(line, image.id, names, (width, height), f"{file}:{number}") if line.strip() else ()
                )
                regions += [item for item in found if isinstance(item, Region)]
                errors += [item for item in found if isinstance(item, ErrorRecord)]
        return document.replace(regions=tuple(regions), errors=document.errors + tuple(errors))
    except (DocumentError, ImageError) as error:
        return error.record.model_copy(update={"where": f"{root}, document {id}, {error.record.where}"})
    except (OSError, UnicodeDecodeError) as error:
        return ErrorRecord(
            where=f"{root}, document {id}",
            found=str(error)[:160],
            expected="a label file in UTF-8",
            remedy="restore the file",
        )


def fitted_regions(
    line: str, image: str, names: Sequence[str], size: tuple[int, int], where: str
) -> tuple[Region | ErrorRecord | None, ...]:
    """The region of a line, within its image, and a record of what is wrong with it."""
    item = parse_region(line, image, names, size, where)
    return fitted_region(item, size, where, shares=True) if isinstance(item, Region) else (item,)


def parse_region(
    line: str, image: str, names: Sequence[str], size: tuple[int, int], where: str
) -> Region | ErrorRecord:
    try:
        number, *shares = line.split()
        if not 0 <= int(number) < len(names) or len(shares) not in (4, 5):
            raise ValueError(f"class {number} with {len(shares)} numbers")
        values = [float(x) for x in shares]
        if not all(abs(v) <= 1.5 for v in values[:4]):
            raise ValueError("pixels where shares should stand")
        score = values[4] if len(values) == 5 else None
        return Region(image=image, box=decode_box(values[:4], *size), label=names[int(number)], score=score)
    except (ValueError, DocumentError) as error:
        return ErrorRecord(
            where=where,
            found=f"{line[:80]!r} ({str(error)[:80]})",
            expected=f"a class below {len(names)} and four shares between 0 and 1",
            remedy="mend the line, or classes.txt",
        )
