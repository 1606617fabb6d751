"""Captions, relevance scores and image files, attached to the documents of any corpus by option.

Caption files come in four formats, told by their first line: `id.jpg :text`; a Python dict literal or a JSON object per
line with `img_id` and `text`; and mPLUG-Owl records `imgid:ID###text`, which run over several lines. Image ids match
with or without the file's ending.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path, PurePath

from openmie.data.document import Image
from openmie.datasets.reading.python_literal_rows import parse_literal
from openmie.datasets.reading.split_files import SPLIT_NAMES, describe_folder, find_path
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats.text_lines import TextLine, line_error, read_lines, shorten

ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp")
TEXTS = (".txt", ".json", ".jsonl", ".tsv", ".csv")  # endings of caption files: `LLaVA-1.5` has none
SplitFiles = dict[str, tuple[tuple[str, Path], ...]]  # split -> (name, file)
_RECORD = re.compile(r"imgid:(.*?)###(.*)", re.IGNORECASE)


def image_stem(image: str) -> str:
    """An image id without its file ending."""
    stem, dot, ending = image.strip().rpartition(".")
    return stem if stem and dot and "." + ending.lower() in ENDINGS else image.strip()


@dataclass(frozen=True, kw_only=True)
class AttachmentOptions:
    """What a user asked to attach: found on disk, not yet opened."""

    captions: tuple[tuple[str, dict[str, Path]], ...] = ()  # (generator, split -> file)
    weights: SplitFiles = field(default_factory=dict)
    images: Path | None = None

    @classmethod
    def find(
        cls,
        folder: Path,
        splits: tuple[str, ...],
        *,
        captions: str | tuple[str, ...] = (),
        images: str | Path = "",
        weights: str | bool | Path = "",
    ) -> AttachmentOptions:
        """Resolve option values against the corpus folder; a `CorpusError` names what is not there."""
        names = tuple(c for c in captions.split(",") if c) if isinstance(captions, str) else tuple(captions)
        found = None
        if images and ((found := find_path(images, folder)) is None or not found.is_dir()):
            raise not_found("images", images, folder, "a folder with the image files")
        return cls(
            captions=tuple(_captions(str(name), folder, splits) for name in names),
            images=found,
            weights=_weights(weights, folder, splits) if weights else {},
        )


def not_found(option: str, value: object, folder: Path, expected: str) -> CorpusError:
    """The error of an option whose file or folder is not there; it lists what the corpus folder holds."""
    root = folder.parent if folder.is_file() else folder
    holds = describe_folder(root) + (
        f"; captions/: {describe_folder(root / 'captions', 40)}" if (root / "captions").is_dir() else ""
    )
    return CorpusError(
        f"option {option}={value}, neither in the working directory nor in {root}, which holds {holds}",
        expected=expected,
        remedy="give a path, or leave the option out",
    )


def _captions(name: str, folder: Path, splits: tuple[str, ...]) -> tuple[str, dict[str, Path]]:
    """`name` is a file for all splits, or the part of `captions/NAME_{train,val,test}.txt` that is the generator."""
    file = find_path(name, folder, "captions", "caption")
    if file is not None and file.is_file():
        stem = file.stem if file.suffix.lower() in TEXTS else file.name
        return _generator(stem), dict.fromkeys(splits, file)
    found = {}
    for split in splits:
        patterns = [
            name + p.format(a) for a in SPLIT_NAMES[split] for p in ("_{}.txt", "{}caption_1.txt", "{}caption.txt")
        ]
        hits = (find_path(p, folder, "captions", "caption") for p in patterns)
        if (file := next((h for h in hits if h is not None), None)) is None:
            raise not_found("captions", name, folder, f"a file, or a captions/{name}_{split}.txt for every split")
        found[split] = file
    return _generator(name), found


def _generator(stem: str) -> str:
    return re.sub(r"^captions?[_-](?=.)", "", Path(stem).name)


def _weights(option: str | bool | Path, folder: Path, splits: tuple[str, ...]) -> SplitFiles:
    root = folder.parent if folder.is_file() else folder
    named = None if str(option).lower() in ("true", "yes", "1") else find_path(str(option), folder)
    found = {}
    for split in splits:
        for place in [named] if named else [root / "captions", root, root / "txt"]:
            files = [f for a in SPLIT_NAMES[split] for f in sorted(place.glob(f"{a}_weight_*.txt"))]
            hits = [(f.stem.split("_weight_")[1], f) for f in files]
            if hits:
                found[split] = tuple(hits)
                break
        else:
            raise not_found("weights", option, folder, f"a captions/{split}_weight_*.txt for every split")
    return found


class Attachments:
    """What is attached to one pass over one split. Nothing is opened before the first image is asked for."""

    def __init__(self, options: AttachmentOptions, split: str) -> None:
        self._options, self._split = options, split
        self.found: list[ErrorRecord] = []  # what could not be read so far
        self.missing: list[str] = []  # image ids that the folder lacks
        self._captions: dict[str, dict[str, str]] | None = None
        self._scores: dict[str, dict[str, float]] = {}
        self._files: dict[str, str] = {}

    def _open(self) -> dict[str, dict[str, str]]:
        if self._captions is None:
            self._captions = {}
            for name, files in self._options.captions:
                self._captions[name], errors = read_captions(files[self._split])
                self.found += errors
            for name, file in self._options.weights.get(self._split, ()):
                self._scores[name], errors = read_relevance(file)
                self.found += errors
            if self._options.images:
                self._files = find_image_files(self._options.images, self._split)
        return self._captions

    def captions(self, image: str) -> dict[str, str]:
        """Generator -> text, where it has one."""
        return {name: texts[key] for name, texts in self._open().items() if texts.get(key := image_stem(image))}

    def image(self, image: str, id: str = "") -> Image:
        """The image; its path is "" without an image folder, and where it should lie if the folder lacks it."""
        self._open()
        key, path = image_stem(image), ""
        if self._options.images:
            path = self._files.get(key, "")
            if not path:
                self.missing.append(image)
                name = PurePath(image.replace("\\", "/")).name  # an id never leads out of the folder
                path = str(self._options.images / (name if key != image else name + ".jpg"))
        scores = tuple((name, table[key]) for name, table in self._scores.items() if key in table)
        return Image(id=id or image, path=path, relevance=scores)

    def records(self) -> list[ErrorRecord]:
        """What this pass could not attach; missing images are one record."""
        self._open()
        if not self.missing:
            return self.found
        names = sorted(set(self.missing))
        return [
            *self.found,
            ErrorRecord(
                where=f"{self._options.images} ({self._split})",
                found=f"no file for {len(names)} images, the first {names[0]!r}",
                expected="an image file for every id",
                remedy="get the image archive of the corpus, or go on without them",
            ),
        ]


def find_image_files(folder: Path, split: str) -> dict[str, str]:
    """Bare image id -> path, of a folder and its subfolders for the splits, the own split's first.

    The others count too: in published copies an image often lies in the folder of another split than its text.
    """
    order = sorted(SPLIT_NAMES, key=lambda s: s == split)
    found: dict[str, str] = {}
    for place in (folder, *(folder / sub for s in order for a in SPLIT_NAMES[s] for sub in (a, f"img_{a}"))):
        if place.is_dir():
            found |= {image_stem(p.name): str(p) for p in sorted(place.iterdir()) if p.suffix.lower() in ENDINGS}
    return found


def read_captions(path: Path) -> tuple[dict[str, str], list[ErrorRecord]]:
    """Bare image id -> text, blanks around it removed, with records for the lines that could not be read."""
    found: dict[str, str] = {}
    errors: list[ErrorRecord] = []
    for number, image, text, error in caption_entries(path):
        if error is not None:
            errors.append(error)
        if not image:
            continue
        key, text = image_stem(image), text.strip()
        if found.get(key, text) != text:
            errors.append(
                line_error(
                    path,
                    number,
                    f"a second, different caption for {image!r}",
                    "one caption an image",
                    "remove one of them; the first was kept",
                )
            )
        else:
            found[key] = text
    return found, errors


def caption_entries(path: Path) -> Iterator[tuple[int, str, str, ErrorRecord | None]]:
    """(line, image id, text as it stands, error) of each caption; the id is "" where a line could not be read."""
    image, text, start = "", [], 0  # an open record of several lines
    owl: bool | None = None
    for line in read_lines(path):
        if owl is None and line.text.strip():
            owl = _RECORD.match(line.text.strip()) is not None
        if not owl:
            if line.text.strip():
                yield _entry(path, line)
            continue
        if (begin := _RECORD.match(line.text)) is None:
            text.append(line.text)
        else:
            if image:
                yield start, image, "\n".join(text), None
            image, text, start = begin[1].strip(), [begin[2]], line.number
        if line.error:
            yield line.number, "", "", line.error
    if image:
        yield start, image, "\n".join(text), None


def _entry(path: Path, line: TextLine) -> tuple[int, str, str, ErrorRecord | None]:
    """A caption on one line: a literal, or `id.jpg :text`."""
    text = line.text.strip()
    if text.startswith("{"):
        row = parse_literal(text)
        image, caption = (row.get("img_id"), row.get("text")) if isinstance(row, dict) else (None, None)
        if (isinstance(image, str) or type(image) is int) and isinstance(caption, str):
            return line.number, str(image), caption, line.error
    elif parts := re.match(r"(\S+?)(?:\s*\t|\s+:|:\s)(.*)", text) or re.match(r"(\S+\.\w{3,4})(\s*)$", text):
        return line.number, parts[1], parts[2], line.error
    error = line_error(
        path,
        line.number,
        shorten(text),
        "`id.jpg :caption`, or a dict with img_id and text",
        "mend or remove the line; it was left out",
    )
    return line.number, "", "", error


def read_relevance(path: Path) -> tuple[dict[str, float], list[ErrorRecord]]:
    """Bare image id -> score, of `img<TAB>score` lines.

    A published file has one line per row of the corpus but in another order, so where an image has several scores they
    cannot be told apart: their mean is taken.
    """
    found: dict[str, list[float]] = {}
    errors: list[ErrorRecord] = []
    for line in read_lines(path):
        image, _, score = line.text.partition("\t")
        try:
            if not isfinite(number := float(score)):
                raise ValueError(score)
            found.setdefault(image_stem(image), []).append(number)
        except ValueError:
            if line.text.strip():
                errors.append(
                    line_error(
                        path,
                        line.number,
                        shorten(line.text),
                        "image<TAB>score",
                        "mend or remove the line; it was left out",
                    )
                )
    return {k: sum(v) / len(v) for k, v in found.items() if v}, errors
