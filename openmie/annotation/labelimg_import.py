"""What LabelImg's annotators return, VOC or YOLO: the boxes of a frame, found by the name of its file.

Sizes and names are the clips' own, so that neither pictures nor `index.jsonl` need be there. What LabelImg wrote last
into `labels/classes.txt` names the classes; it may have more than were exported, or others in their places.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from openmie.data.document import Image, Region
from openmie.data.images import image_size, resolve_inside
from openmie.errors import CorpusError, ErrorRecord, ImageError
from openmie.formats import yolo
from openmie.formats.labelimg import AnnotationFiles

FrameBoxes = tuple[list[Region], list[ErrorRecord]]


def open_folder(path: str | os.PathLike[str]) -> VocAnnotations | YoloAnnotations:
    """The folder that LabelImg saved in. Errors: no such folder, none of its."""
    if not Path(path).is_dir():
        raise CorpusError(
            "no such folder", expected="LabelImg's folder, VOC or YOLO", where=str(path), remedy="check the path"
        )
    return VocAnnotations(Path(path)) if AnnotationFiles(Path(path)).images() else YoloAnnotations(Path(path))


class _AnnotationFiles:
    """Names of pages, and which frames asked for them."""

    def __init__(self, root: Path, known: set[str], names: dict[tuple[str, str], str]) -> None:
        self.root, self.known, self.names = root, known, names  # names: (document, image) -> page, where a file says so
        self.frame_of_file: dict[str, tuple[str, str]] = {}

    def get(self, document: str, image: Image) -> FrameBoxes | ErrorRecord:
        """Boxes of a frame and what could not be read of them, or why there are none."""
        who = (document, image.id)
        name = self.names.get(who) or Path(image.path).stem or image.id
        if name not in self.known:
            return self._missing_record(
                document, f"no file for frame {name}", "a file per frame", "annotate it, or leave it"
            )
        if self.frame_of_file.setdefault(name, who) != who:
            return self._missing_record(
                document,
                f"a second frame called {name}",
                "names of their own",
                "import videos of equal names apart from each other",
            )
        try:
            return self._read_frame(name, document, image, image_size(image))
        except (ImageError, OSError, UnicodeDecodeError) as error:
            found = error.record.found if isinstance(error, ImageError) else str(error)[:160]
            return self._missing_record(document, f"{found}, frame {name}", "a file that can be read", "restore it")

    def unmatched_files(self) -> Iterator[ErrorRecord]:
        """Files that no frame asked for, as one record."""
        if left := sorted(self.known - self.frame_of_file.keys()):
            yield ErrorRecord(
                where=str(self.root),
                found=f"{len(left)} files of no frame, such as {left[0]}",
                expected="files named as the frames of these clips",
                remedy="name all clips, or check who renamed them; their boxes were left out",
            )

    def _missing_record(self, document: str, found: str, expected: str, remedy: str) -> ErrorRecord:
        return ErrorRecord(where=f"document {document}, {self.root}", found=found, expected=expected, remedy=remedy)

    def _read_frame(self, name: str, document: str, image: Image, size: tuple[int, int]) -> FrameBoxes | ErrorRecord:
        raise AssertionError


class VocAnnotations(_AnnotationFiles):
    """A folder of .xml files; one that LabelImg has not saved yet still says whose it is."""

    def __init__(self, root: Path) -> None:
        self.files = AnnotationFiles(root)
        sources = {n: page.source for n in self.files.images() if (page := self.files.get(n))}
        names = {
            (s.get("document", ""), s.get("image", "")): n for n, s in sources.items() if s.get("database") == "openmie"
        }
        super().__init__(root, set(sources), names)

    def _read_frame(self, name: str, document: str, image: Image, size: tuple[int, int]) -> FrameBoxes | ErrorRecord:
        page = self.files.get(name)
        assert page is not None
        if page.width and page.height and (page.width, page.height) != size:
            return self._missing_record(
                document,
                f"boxes of {name} in {page.width} x {page.height} pixels",
                f"{size[0]} x {size[1]}, as the frame has",
                "annotate the frames that build wrote",
            )
        return [Region(image=image.id, box=o.box, label=o.name) for o in page.objects], list(page.errors)


class YoloAnnotations(_AnnotationFiles):
    """`classes.txt` and a .txt file a frame, these in `labels/` or beside it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "labels" if (root / "labels").is_dir() else root
        index = root / "index.jsonl"
        ours = index.is_file()
        try:
            entries = [json.loads(x) for x in index.read_text(encoding="utf-8").split("\n") if x] if ours else []
            names = {(str(e["document"]), str(e["image"])): str(e["labels"]) for e in entries}
            self.classes = _classes(root, self.folder, ours)
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise CorpusError(
                str(error)[:160],
                expected="classes.txt and labels/NAME.txt, or .xml files",
                where=str(root),
                remedy="write the class names into classes.txt, one a line, in order",
            ) from None
        known = {f.stem for f in self.folder.glob("*.txt") if f.name != "classes.txt"}
        super().__init__(root, known, names)

    def _read_frame(self, name: str, document: str, image: Image, size: tuple[int, int]) -> FrameBoxes | ErrorRecord:
        file = resolve_inside(f"{name}.txt", self.folder)
        regions: list[Region] = []
        errors: list[ErrorRecord] = []
        for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
            if line.strip():
                found = yolo.fitted_regions(line, image.id, self.classes, size, f"{file}:{number}")
                regions += [item for item in found if isinstance(item, Region)]
                errors += [item for item in found if isinstance(item, ErrorRecord)]
        return regions, errors


def _classes(root: Path, folder: Path, ours: bool) -> list[str]:
    """Names by number. Errors: an exported name stands at another number, so that older files would be read wrong."""
    files = [f for f in dict.fromkeys((folder / "classes.txt", root / "classes.txt")) if f.is_file()]
    lists = [yolo.parse_classes(f.read_text(encoding="utf-8-sig"), escaped=ours) for f in files]
    if not lists:
        raise ValueError("no classes.txt")
    now, before = lists[0], lists[-1]
    moved = [x for x in before if x in now and now.index(x) != before.index(x)]
    if moved:
        raise CorpusError(
            f"the class {moved[0]!r} at number {now.index(moved[0])}",
            where=str(files[0]),
            expected=f"number {before.index(moved[0])}, as in {files[-1]}",
            remedy="which order a file has cannot be told: save all again, then make the lists alike",
        )
    return now
