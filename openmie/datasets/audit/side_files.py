"""The checks of `doctor` on side files: captions, relevance scores, images, box files.

What a user does not name is looked for in the corpus folder: caption files, `*_weight_*.txt`, an image folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openmie.data import images as pictures
from openmie.datasets.audit.checks import Finding
from openmie.datasets.reading.attachments import (
    AttachmentOptions,
    caption_entries,
    find_image_files,
    image_stem,
    read_relevance,
)
from openmie.datasets.reading.split_files import SPLIT_NAMES, split_of
from openmie.errors import CorpusError, ErrorRecord, ImageError

_ALIASES = "|".join(sorted((a for names in SPLIT_NAMES.values() for a in names), key=len, reverse=True))
_PER_SPLIT = re.compile(rf"(?P<name>.+?)[_-]?(?:{_ALIASES})(?:[_-]?captions?(?:_1)?)?")


@dataclass
class SideFiles:
    """The side files of a corpus; `records` collects what could not be read."""

    options: AttachmentOptions
    splits: tuple[str, ...]
    used: Mapping[str, Mapping[str, int]]  # split -> image id -> number of documents
    records: list[ErrorRecord] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def findings(self, decode: bool) -> Iterator[Finding]:
        """All that is odd; `decode` reads every image to its end, else only its header."""
        for name, files in self.options.captions:
            for file, splits in _by_file(files).items():
                yield from self._captions(name, file, splits)
        for split, named in self.options.weights.items():
            for name, path in named:
                yield from self._weights(split, name, path)
        if self.options.images:
            yield from self._images(self.options.images, decode)

    def named(self) -> tuple[str, ...]:
        """What was looked at, in words."""
        scores = sorted({name for named in self.options.weights.values() for name, _ in named})
        return (
            *(f"captions {name}" for name, _ in self.options.captions),
            *(f"relevance {name}" for name in scores),
            *([f"images in {self.options.images}"] if self.options.images else []),
        )

    def _count(self, split: str, counts: dict[str, int]) -> None:
        self.counts[split] = counts
        whole = self.counts.setdefault("all", dict.fromkeys(counts, 0))
        self.counts["all"] = {key: whole[key] + n for key, n in counts.items()}

    def _ids(self, splits: tuple[str, ...]) -> set[str]:
        return {image_stem(image) for split in splits for image in self.used.get(split, ())}

    def _captions(self, name: str, file: Path, splits: tuple[str, ...]) -> Iterator[Finding]:
        where, expected = " + ".join(splits), self._ids(splits)
        texts: dict[str, str] = {}
        ids: dict[str, str] = {}
        for _, image, text, error in caption_entries(file):
            if error:
                self.records.append(error)
            if image:
                texts.setdefault(image_stem(image), text)
                ids.setdefault(image_stem(image), image)
        lists = {
            "images without caption": sorted(expected - set(texts)),
            "captions of no image": sorted(set(texts) - expected),
            "empty captions": sorted(k for k, text in texts.items() if not text.strip()),
            "captions that begin with a blank": sorted(k for k, text in texts.items() if text[:1].isspace()),
        }
        for kind, found in lists.items():
            if found:
                yield Finding(f"{kind} ({name})", where, len(found), tuple(ids.get(k, k) for k in found[:5]))

    def _weights(self, split: str, name: str, path: Path) -> Iterator[Finding]:
        scores, errors = read_relevance(path)
        self.records += errors
        expected = self._ids((split,))
        lines: dict[str, set[str]] = {}
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            image, _, score = line.partition("\t")
            lines.setdefault(image_stem(image), set()).add(score)
        lists = {
            f"images without relevance ({name})": sorted(expected - set(scores)),
            f"images with several relevance scores ({name})": sorted(k for k in scores if len(lines[k]) > 1),
        }
        for kind, found in lists.items():
            if found:
                yield Finding(kind, split, len(found), tuple(found[:5]))

    def _images(self, folder: Path, decode: bool) -> Iterator[Finding]:
        files = {s: find_image_files(folder, s) for s in self.splits}
        for split in self.splits:
            ids = {image_stem(image): n for image, n in self.used.get(split, {}).items()}
            found = {k: files[split][k] for k in ids if k in files[split]}
            missing = sorted(set(ids) - set(found))
            self._count(split, {"image files": len(found), "documents with an image file": sum(ids[k] for k in found)})
            if missing:
                yield Finding("images without a file", split, len(missing), tuple(missing[:5]))
            own = {k: problem for k, p in found.items() if (problem := _image_problem(p, decode))}
            astray = sorted(k for k, p in found.items() if (other := split_of(Path(p).parent)) and other != split)
            if astray:
                yield Finding("image files in the folder of another split", split, len(astray), tuple(astray[:5]))
            if own:
                yield Finding("broken images", split, len(own), tuple(f"{k}: {own[k]}" for k in sorted(own)[:5]))
        every = {k for found in files.values() for k in found}
        if unused := sorted(every - self._ids(self.splits)):
            yield Finding("image files of no document", "", len(unused), tuple(unused[:5]))


def _by_file(files: Mapping[str, Path]) -> dict[Path, tuple[str, ...]]:
    found: dict[Path, tuple[str, ...]] = {}
    for split, path in files.items():
        found[path] = (*found.get(path, ()), split)
    return found


def _image_problem(path: str, decode: bool) -> str:
    """Why an image cannot be read, or ""."""
    try:
        pictures.load_image(path) if decode else pictures.image_size(path)
    except ImageError as error:
        return str(error)
    return ""


def discover_side_files(path: Path, texts: frozenset[Path], splits: tuple[str, ...]) -> AttachmentOptions:
    """Captions, relevance and images as they lie in the corpus folder."""
    root = path.parent if path.is_file() else path
    names = []
    for file in sorted(f for place in (root, root / "captions") for f in place.glob("*.txt") if f not in texts):
        if "_weight_" not in file.name and (name := _generator(file)) and name not in names:
            names.append(name)
    captions: list[tuple[str, dict[str, Path]]] = []
    for name in names:
        try:
            captions += AttachmentOptions.find(path, splits, captions=(name,)).captions
        except CorpusError:
            continue  # files of only some splits: they are no caption set, and a user who names them gets the error
    folder = next((f for n in ("images", "img_org", "img", f"{root.name}_images") if (f := root / n).is_dir()), None)
    scores = any(place.glob("*_weight_*.txt") for place in (root, root / "captions")) and _scores(path, splits)
    return AttachmentOptions(captions=tuple(captions), images=folder, weights=scores or {})


def _scores(path: Path, splits: tuple[str, ...]) -> dict[str, tuple[tuple[str, Path], ...]]:
    try:
        return AttachmentOptions.find(path, splits, weights=True).weights
    except CorpusError:
        return {}


def _generator(file: Path) -> str:
    """The name by which the option `captions` finds a file, if it is a caption file."""
    first = next(caption_entries(file), None)
    if first is None or first[3] is not None:
        return ""
    if match := _PER_SPLIT.fullmatch(file.stem.lower()):
        return file.stem[: match.end("name")]
    return str(file) if file.stem.lower().startswith("caption") else ""
