"""LabelImg boxes: one Pascal VOC file per image, in a folder or an archive."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from openmie.data.document import Box
from openmie.errors import ErrorRecord
from openmie.formats.archives import archive_members
from openmie.formats.box_edges import cut_box
from openmie.formats.text_lines import line_error

_TEXT = "a file as LabelImg writes it: annotation, size, and object with name and bndbox"


class LabelledBox(NamedTuple):
    """One object: the name that it was given, and its box in absolute xyxy pixels."""

    name: str
    box: Box


class Annotation(NamedTuple):
    """The annotation of one image; a width or height of 0 is unknown."""

    width: int
    height: int
    objects: tuple[LabelledBox, ...]
    errors: tuple[ErrorRecord, ...]
    filename: str = ""  # as in the file; often that of another image
    source: Mapping[str, str] = MappingProxyType({})  # the element `source`


class AnnotationFiles:
    """Annotation files by image id: the name of the file, since its element `filename` often names another image."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, image: str) -> Annotation | None:
        """The annotation of an image; None where it has no file."""
        where = self._files.get(image)
        if where is None:
            return None
        data = where.read_bytes() if isinstance(where, Path) else where
        return parse_annotation(data, self.path / f"{image}.xml")

    def images(self) -> frozenset[str]:
        """The ids of all images that have a file."""
        return frozenset(self._files)

    @cached_property
    def _files(self) -> dict[str, Path] | dict[str, bytes]:
        if self.path.is_dir():
            return {p.stem: p for p in sorted(self.path.iterdir()) if p.suffix.lower() == ".xml"}
        return {
            PurePosixPath(name).stem: data for name, data in archive_members(self.path) if name.lower().endswith(".xml")
        }


def parse_annotation(data: bytes, path: Path) -> Annotation:
    """One Pascal VOC file. What cannot be read becomes a record; entities and external references are refused."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        root = ElementTree.fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        found = f"broken or forbidden XML ({type(error).__name__}: {error})"
        remedy = "mend or remove the file; its boxes were left out"
        return Annotation(0, 0, (), (line_error(path, 0, found, _TEXT, remedy),))
    width, height = (int(_number(root.findtext(f"size/{side}")) or 0) for side in ("width", "height"))
    objects, errors = [], []
    for number, element in enumerate(root.iter("object"), 1):
        values = [_number(element.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
        given = tuple(v for v in values if v is not None)
        box = cut_box(given, width, height) if len(given) == 4 else None
        if box != given:
            found = f"object {number}: {_problem(given, width, height)}"
            expected = "xmin < xmax and ymin < ymax inside the image"
            remedy = "correct the box; it was left out" if box is None else "nothing to do: it was cut at the border"
            errors.append(line_error(path, 0, found, expected, remedy).model_copy(update={"note": box is not None}))
        if box is not None:
            objects.append(LabelledBox(element.findtext("name") or "", box))
    source = {child.tag: child.text or "" for child in root.findall("source/*")}
    filename = root.findtext("filename") or ""
    return Annotation(max(width, 0), max(height, 0), tuple(objects), tuple(errors), filename, source)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None


def _problem(box: tuple[float, ...], width: int, height: int) -> str:
    """What is wrong with a box that was cut or left out."""
    if len(box) < 4:
        return "a bndbox without four numbers"
    shown = ", ".join(f"{x:.12g}" for x in box)
    beyond = (width > 0 and box[2] > width) or (height > 0 and box[3] > height)
    return f"box {shown}" + (f" in an image of {width} x {height}" if beyond else "")
