"""What HVPNeT and TMR publish beside a text: object crops, generated images, the objects of these, and phrases.

Layouts, for a split S of `train`, `val` (or `dev`) and `test`; folders lie beside the text or where an option says:

    img_vg/S/crops/NAME            crops of the main images; mre_S_dict.pth: row -> names (HVPNeT, TMR, CAMIM); without
                                   that file, NAME is IMAGE_pred_yolo_crop_N.png
    diffusion_pic/S/IMAGE          the image generated from the text (TMR, CAMIM)
    mre_dif_S_dict.pth             row -> boxes in the generated image, (N, 4) xyxy pixels (TMR, CAMIM)
    phrase_text_S.json             row -> the words that objects were searched by (TMR, CAMIM)
    dif_S_weight_{weak,strong}.txt image -> relevance of the generated image

A row is the number of a line with text, from 0; a key may be an image id instead. A `.pth` file is a pickle: it is read
by torch with weights_only=True, which runs nothing that the file says; `.json` files of the same content are read, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Any

from openmie.data.document import Image, Phrase
from openmie.datasets.reading.attachments import (
    find_image_files,
    image_stem,
    not_found,
    read_relevance,
)
from openmie.datasets.reading.split_files import SPLIT_NAMES, find_path, split_of
from openmie.errors import CorpusError, ErrorRecord

CROP = "_pred_yolo_crop"  # stands between an image's name and the number of its crop
GENERATED = "generated"  # id of the generated image
PLACES = ("", "txt", "mnre_txt", "captions", "caption")  # folders of a corpus that hold such files


@dataclass(frozen=True, kw_only=True)
class CompanionOptions:
    """Files found on disk, not yet opened; each mapping is split -> file or folder."""

    crop_folders: Mapping[str, Path] = field(default_factory=dict)
    crop_names: Mapping[str, Path] = field(default_factory=dict)
    generated: Path | None = None
    generated_boxes: Mapping[str, Path] = field(default_factory=dict)
    phrases: Mapping[str, Path] = field(default_factory=dict)
    relevance: Mapping[str, tuple[tuple[str, Path], ...]] = field(default_factory=dict)

    @classmethod
    def find(
        cls,
        folder: Path,
        splits: tuple[str, ...],
        *,
        objects: str | bool | Path = "",
        generated: str | bool | Path = "",
        generated_objects: str | bool | Path = "",
        phrases: str | bool | Path = "",
        weights: str | bool | Path = "",
    ) -> CompanionOptions:
        """Resolve option values; `true` takes the names of the published layouts.

        Raises:
            CorpusError: something that was asked for is not there, or objects of generated images without these.
        """
        root = folder.parent if folder.is_file() else folder
        if generated_objects and not generated:
            raise CorpusError(
                f"option generated_objects={generated_objects} without the option generated",
                expected="the generated images, in which the boxes lie",
                remedy="add generated=FOLDER, such as generated=diffusion_pic",
            )
        crops = _named("objects", objects, "img_vg", folder) if objects else None
        images = _named("generated", generated, "diffusion_pic", folder) if generated else None
        beside = [root / place for place in PLACES]
        return cls(
            crop_folders={s: _crops(crops, s) for s in splits} if crops else {},
            crop_names=_of_splits([crops, *beside], splits, _is_crop_list) if crops else {},
            generated=images,
            generated_boxes=_asked("generated_objects", generated_objects, folder, splits, _is_box_list),
            phrases=_asked("phrases", phrases, folder, splits, _is_phrase_list),
            relevance={s: _relevance(beside, s) for s in splits} if weights and images else {},
        )


def _named(option: str, value: str | bool | Path, usual: str, folder: Path) -> Path:
    name = usual if _is_true(value) else str(value)
    root = folder.parent if folder.is_file() else folder
    found = find_path(name, folder) or find_path(name, root.parent)
    if found is None or not found.is_dir():
        raise not_found(option, value, folder, f"a folder, such as {usual}")
    return found


def _is_true(value: object) -> bool:
    return str(value).lower() in ("true", "yes", "1")


def _asked(option: str, value: str | bool | Path, folder: Path, splits: tuple[str, ...], fits: Any) -> dict[str, Path]:
    """The files of an option, one for every split."""
    if not value:
        return {}
    root = folder.parent if folder.is_file() else folder
    named = None if _is_true(value) else find_path(str(value), folder)
    places = [named] if named else [root / place for place in PLACES]
    found = _of_splits(places, splits, fits)
    if lacking := [s for s in splits if s not in found]:
        usual = {"generated_objects": "mre_dif_{}_dict.pth", "phrases": "phrase_text_{}.json"}[option]
        raise not_found(option, value, folder, f"a file {usual.format(lacking[0])} for every split, in a folder")
    return found


def _of_splits(places: Iterable[Path], splits: tuple[str, ...], fits: Any) -> dict[str, Path]:
    """Split -> the first file whose name tells it."""
    found: dict[str, Path] = {}
    for place in places:
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            split = split_of(file)
            if split in splits and file.suffix.lower() in (".pth", ".json") and fits(file.stem.lower()):
                found.setdefault(split, file)
    return found


def _is_crop_list(name: str) -> bool:
    return "dict" in name and "dif" not in name


def _is_box_list(name: str) -> bool:
    return "dif" in name and ("dict" in name or "cut" in name or name.count("dif") > 1)


def _is_phrase_list(name: str) -> bool:
    return "phrase" in name or "grounding_text" in name


def _crops(folder: Path, split: str) -> Path:
    """Where the crops of a split lie."""
    own = [folder / alias for alias in SPLIT_NAMES[split]]
    places = [*(p / "crops" for p in own), *own, folder / "crops"]
    return next((p for p in places if p.is_dir()), folder)


def _relevance(places: Iterable[Path], split: str) -> tuple[tuple[str, Path], ...]:
    for place in places:
        for alias in SPLIT_NAMES[split]:
            for start in ("dif_", "diff_"):
                if files := sorted(place.glob(f"{start}{alias}_weight_*.txt")):
                    return tuple((f.stem.split("_weight_")[1], f) for f in files)
    return ()


class Companions:
    """What is attached to the rows of one split; files are opened at the first row."""

    def __init__(self, options: CompanionOptions, split: str) -> None:
        self.options, self.split = options, split
        self.missing: dict[str, list[str]] = {}  # what -> names that were not found, or could not be used
        self.errors: list[ErrorRecord] = []
        self._tables: dict[str, dict[Any, Any]] = {}
        self._generated: dict[str, str] | None = None
        self._scores: dict[str, dict[str, float]] = {}

    def of(self, row: int, image: Image) -> tuple[tuple[Image, ...], tuple[Phrase, ...]]:
        """Object images, the generated image and its objects, and phrases, of a row with its main image."""
        some = [*self._crops(row, image)]
        if self.options.generated and (drawn := self._drawn(image)):
            some += [drawn, *self._boxes(row, image)]
        text = self._table("phrases", self.options.phrases).get(_key(row, image, self._tables["phrases"]))
        words = text if isinstance(text, str) else " ".join(map(str, text or ()))
        return tuple(some), (Phrase(text=words),) if words.strip() else ()

    def _crops(self, row: int, image: Image) -> Iterator[Image]:
        if self.split not in self.options.crop_folders:
            return
        folder = self.options.crop_folders[self.split]
        table = self._table("crops", self.options.crop_names) or self._by_name(folder)
        names = [str(n) for n in table.get(_key(row, image, table)) or ()]
        if any(not PurePosixPath(n).name.startswith(image_stem(image.id)) for n in names):
            self._miss("crops that are not named after the image of their row", image.id)
        for name in dict.fromkeys(names):
            pure = PurePosixPath(name)
            if pure.is_absolute() or ".." in pure.parts or not (folder / pure).is_file():
                self._miss(f"crops that {folder} lacks", name)
            else:
                yield Image(kind="object", id=name, parent=image.id, path=str(folder / pure))

    def _by_name(self, folder: Path) -> dict[Any, Any]:
        """Crops by the image that they are named after, where no file lists them."""
        if not self._tables["crops"]:
            for file in sorted(folder.iterdir(), key=lambda f: (len(f.name), f.name)):
                stem, mark, _ = file.name.partition(CROP)
                if mark:
                    self._tables["crops"].setdefault(stem, []).append(file.name)
        return self._tables["crops"]

    def _drawn(self, image: Image) -> Image | None:
        if self._generated is None:
            assert self.options.generated is not None
            self._generated = find_image_files(self.options.generated, self.split)
            for name, file in self.options.relevance.get(self.split, ()):
                self._scores[name], errors = read_relevance(file)
                self.errors += errors
        key = image_stem(image.id)
        if key not in self._generated:
            self._miss(f"generated images that {self.options.generated} lacks", image.id)
            return None
        scores = tuple((name, table[key]) for name, table in self._scores.items() if key in table)
        return Image(kind="generated", id=GENERATED, path=self._generated[key], relevance=scores)

    def _boxes(self, row: int, image: Image) -> Iterator[Image]:
        table = self._table("boxes", self.options.generated_boxes)
        found = table.get(_key(row, image, table))
        for number, box in enumerate(() if found is None else found, 1):
            xyxy = tuple(float(x) for x in (box.tolist() if hasattr(box, "tolist") else box))
            if len(xyxy) != 4 or not all(map(isfinite, xyxy)) or xyxy[2] <= xyxy[0] or xyxy[3] <= xyxy[1]:
                self._miss("boxes in generated images that are empty or no xyxy", image.id)
            else:
                yield Image(kind="object", id=f"{GENERATED}-object{number}", parent=GENERATED, box=xyxy)

    def _table(self, what: str, files: Mapping[str, Path]) -> dict[Any, Any]:
        if what not in self._tables:
            self._tables[what] = read_table(files[self.split]) if self.split in files else {}
        return self._tables[what]

    def _miss(self, what: str, name: str) -> None:
        self.missing.setdefault(what, []).append(name)

    def records(self) -> Iterator[ErrorRecord]:
        """What could not be attached, one record a kind."""
        yield from self.errors
        for what, names in self.missing.items():
            yield ErrorRecord(
                where=self.split,
                found=f"{len(names)} {what}, the first {names[0]!r}",
                expected="the files of one release, in the order of its text file",
                remedy="get them from the release that the text is of, or go on without them",
            )


def _key(row: int, image: Image, table: Mapping[Any, Any]) -> Any:
    return row if row in table else image_stem(image.id)


def read_table(path: Path) -> dict[Any, Any]:
    """A mapping of rows (int) or bare image ids to what a file says of them.

    Raises:
        CorpusError: a file that cannot be read, or one that only running code of its own would restore.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig")) if path.suffix.lower() == ".json" else _unpickled(path)
    except CorpusError:
        raise
    except Exception as error:  # a broken archive raises RuntimeError, EOFError, KeyError, ...
        raise CorpusError(
            f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else 'unreadable'}",
            where=str(path),
            expected="a mapping of rows or images, as JSON or written by torch.save",
            remedy="fetch the file again; one that holds other objects can be turned into JSON where it was made",
        ) from None
    if not isinstance(found, Mapping):
        raise CorpusError(
            f"a {type(found).__name__}",
            where=str(path),
            expected="a mapping of rows or images",
            remedy="name another file",
        )
    return {_row_or_image(key): value for key, value in found.items()}


def _row_or_image(key: Any) -> Any:
    if isinstance(key, int) or str(key).isdecimal():
        return int(key)
    return image_stem(str(key).strip().removeprefix("IMGID:"))


def _unpickled(path: Path) -> Any:
    try:
        torch = import_module("torch")
        numpy: Any = import_module("numpy")
    except ImportError:
        raise CorpusError(
            "a file of torch, which is not installed",
            where=str(path),
            expected="torch, or the same content as JSON",
            remedy="pip install 'openmie[models]'",
        ) from None
    rebuild = numpy.ones(1).__reduce__()[0]  # arrays are data: their own two functions, and no other
    kinds = [type(numpy.dtype(t)) for t in ("f4", "f8", "i4", "i8")]
    named = [(rebuild, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]  # of numpy 1 and 2
    with torch.serialization.safe_globals([*named, numpy.ndarray, numpy.dtype, *kinds]):
        return torch.load(path, map_location="cpu", weights_only=True)
