"""Pascal VOC as LabelImg writes it: `NAME.xml` for each image, a box with its label an `object`.

The file's own name tells the image, as in LabelImg, so images need names of their own; one that comes twice gets a
number, and a note. `classes.txt` lists the labels. Boxes are pixels, whole ones without a decimal point. Pictures are
not copied. What `write` says of document and image beside a box, in `source`, LabelImg drops when it saves: `read` then
makes a document of each image.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from openmie.data.document import Document, Image, Region
from openmie.errors import CorpusError, DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats import labelimg as boxes
from openmie.formats import output, yolo
from openmie.formats.coco import CANNOT_HOLD as _COCO_CANNOT_HOLD
from openmie.formats.yolo_layouts import ENDINGS

CANNOT_HOLD = (*_COCO_CANNOT_HOLD, "regions.score")


def write(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """A new folder. An image of unknown size cannot be written, and is reported."""
    report, names, labels = output.WriteReport(CANNOT_HOLD), set(), set()  # type: ignore[var-annotated]
    with output.new_folder(path) as folder:
        for document in documents:
            report.count(document)
            if not document.images:
                report.reject(document, "no image", "at least one image", "use a text format")
            moved, _ = paths.relative_paths(
                document, Path(path)
            )  # as LabelImg finds pictures by name, they may lie elsewhere
            for image in moved.images:
                size = report.image_size(document, document.image(image.id) or image)
                if size is None:
                    report.dropped["images"] += 1
                    continue
                regions = list(_inside(document, image.id, size, report))
                labels.update(r.label for r in regions)
                name = _name(document, image, names, report)
                text = tostring(_page(document, image, size, regions), encoding="unicode")
                (folder / f"{name}.xml").write_bytes(output.encode_utf8(text + "\n", f"document {document.id}"))
            known = {i.id for i in document.images}
            for region in document.regions:
                if region.image not in known:
                    report.drop(
                        "regions",
                        document,
                        f"a region in {region.image!r}",
                        "an image of the document",
                        "correct the region's image",
                    )
        listed = "".join(f"{' '.join(x.split())}\n" for x in sorted(labels))
        (folder / "classes.txt").write_bytes(output.encode_utf8(listed, "classes.txt"))
    return report.result()


def _inside(document: Document, image: str, size: tuple[int, int], report: output.WriteReport) -> Iterator[Region]:
    """The image's regions, cut at its border, which LabelImg demands; one without area cannot be written."""
    for region in (r for r in document.regions if r.image == image):
        (a, b, c, d), (width, height) = region.box, size
        box = tuple(round(x, 3) for x in (max(a, 0.0), max(b, 0.0), min(c, width), min(d, height)))
        if not (box[0] < box[2] and box[1] < box[3]):
            report.drop(
                "regions",
                document,
                f"the box {region.box} in an image of {width} x {height}",
                "a box with an area inside the image",
                "correct it, or use jsonl to keep it",
            )
            continue
        if min(a, b) < 0 or c > width or d > height:
            report.note(
                document,
                f"the box {region.box} in an image of {width} x {height}",
                "a box inside its image",
                "it is cut at the border",
            )
        yield region.model_copy(update={"box": box})


def _name(document: Document, image: Image, names: set[str], report: output.WriteReport) -> str:
    stem = name = yolo.file_stem(image)
    number = 1
    while name.casefold() in names:
        number += 1
        name = f"{stem}-{number}"
    if number > 1:
        report.note(document, f"a second image called {stem}", "a name of its own", f"its boxes are in {name}.xml")
    names.add(name.casefold())
    return name


def _page(document: Document, image: Image, size: tuple[int, int], regions: Iterable[Region]) -> Element:
    page = Element("annotation")
    file = Path(image.path).name or image.id
    path = "" if os.path.isabs(image.path) else image.path
    for tag, text in (("folder", Path(image.path).parent.name), ("filename", file), ("path", path)):
        SubElement(page, tag).text = xml_text(text)
    source = SubElement(page, "source")
    for tag, text in (("database", "openmie"), ("document", document.id), ("image", image.id), ("kind", image.kind)):
        SubElement(source, tag).text = xml_text(text)
    sides = SubElement(page, "size")
    for tag, value in zip(("width", "height", "depth"), (*size, 3)):
        SubElement(sides, tag).text = str(value)
    SubElement(page, "segmented").text = "0"
    for region in regions:
        item = SubElement(page, "object")
        for tag, text in (("name", region.label), ("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            SubElement(item, tag).text = xml_text(text)
        box = SubElement(item, "bndbox")
        for tag, side in zip(("xmin", "ymin", "xmax", "ymax"), region.box):
            SubElement(box, tag).text = f"{side:.3f}".rstrip("0").rstrip(".")
    indent(page)
    return page


def xml_text(text: str) -> str:
    """Text that XML can hold: control characters become blanks."""
    return "".join(c if c >= " " and c not in "\ufffe\uffff" else " " for c in text)


def read(
    path: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None
) -> Iterator[Document | ErrorRecord]:
    """A document per file; files that say whose they are (see above) are put together again, in the order of names.

    An image is looked for in the folder `images`, then beside its .xml, by the name that the file says, else by the
    .xml's own. A broken file or box is a record in the document's `errors`.
    """
    root = Path(path)
    if not root.is_dir():
        raise CorpusError(
            "no such folder", expected="a folder with an .xml file per image", where=str(path), remedy="check the path"
        )
    found: dict[str, list[tuple[Image, list[Region], list[ErrorRecord]]]] = {}
    for file in sorted(root.glob("*.xml")):
        try:
            id, image, regions, errors = _read(file, images)
        except (OSError, DocumentError) as error:
            yield _file_error(str(file), error)
        else:
            found.setdefault(id, []).append((image, regions, errors))
    for id, pages in found.items():
        try:
            yield Document(
                id=id,
                images=tuple(p[0] for p in pages),
                regions=tuple(r for p in pages for r in p[1]),
                errors=tuple(e for p in pages for e in p[2]),
            )
        except DocumentError as error:  # two files that say they are of one image
            yield _file_error(f"{path}, document {id}", error)


def _file_error(where: str, error: OSError | DocumentError) -> ErrorRecord:
    found = error.record.found if isinstance(error, DocumentError) else str(error)[:160]
    return ErrorRecord(
        where=where,
        found=found,
        expected="a file per image, as LabelImg or openmie writes it",
        remedy="remove the copy, or restore the file",
    )


def _read(file: Path, folder: str | os.PathLike[str] | None) -> tuple[str, Image, list[Region], list[ErrorRecord]]:
    page = boxes.parse_annotation(file.read_bytes(), file)
    ours = page.source if page.source.get("database") == "openmie" else {}
    image = Image(
        id=ours.get("image") or file.stem,
        kind=ours.get("kind") or "main",  # type: ignore[arg-type]
        path=_picture(file, page.filename, folder),
        width=page.width or None,
        height=page.height or None,
    )
    regions = [Region(image=image.id, box=o.box, label=o.name) for o in page.objects]
    return ours.get("document") or file.stem, image, regions, list(page.errors)


def _picture(file: Path, named: str, folder: str | os.PathLike[str] | None) -> str:
    """The picture of an annotation file: LabelImg saves beside it, and says its name with or without an ending."""
    name = re.split(r"[\\/]", named)[-1]
    stems = dict.fromkeys(stem for stem in (name, Path(name).stem, file.stem) if stem)
    for candidate in (*([name] if name else []), *(stem + ending for stem in stems for ending in ENDINGS)):
        if any(os.path.isfile(os.path.join(place, candidate)) for place in (folder, file.parent) if place):
            found = paths.resolve_path(candidate, file.parent, folder)  # not by a link to elsewhere
            if isinstance(found, str) and os.path.isfile(found):
                return found
    return ""
