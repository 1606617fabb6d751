"""Where tools that write YOLO keep class names, label files and pictures.

openmie, LabelImg    classes.txt        labels/NAME.txt, or NAME.txt beside it     images/NAME.jpg, or beside
CVAT, Darknet        obj.names          obj_train_data/NAME.txt, obj_SUBSET_data/  beside the label file
Ultralytics          names: in a .yaml  labels/train/NAME.txt                      images/train/NAME.jpg
Roboflow             names: in a .yaml  train/labels/NAME.txt                      train/images/NAME.jpg
"""

from __future__ import annotations

import re
from pathlib import Path

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")
NAME_FILES = ("classes.txt", "labels/classes.txt", "obj.names", "data/obj.names")
_ENTRY = re.compile(r"\s*(?:-\s+|(\d+)\s*:\s+)(.*)")  # `- PER` or `0: PER`


def class_file(root: Path) -> Path:
    """The file with the class names; one that is not there is `classes.txt`."""
    for file in (root / name for name in NAME_FILES):
        if file.is_file():
            return file
    settings = sorted((*root.glob("*.yaml"), *root.glob("*.yml")))
    return next((f for f in settings if yaml_names(f.read_text(encoding="utf-8-sig"))), root / NAME_FILES[0])


def yaml_names(text: str) -> list[str]:
    """The list under `names:` of an Ultralytics data file, in the order of its numbers; empty where there is none.

    Args:
        text: YAML; `names` is a block or a flow, `[PER, LOC]` or `{0: PER, 1: LOC}`.

    Raises:
        ValueError: numbers that do not count from 0.
    """
    lines = text.splitlines()
    at = next((n for n, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if at is None:
        return []
    flow = lines[at].partition(":")[2].partition(" #")[0].strip()
    if flow and flow[0] not in "[{":
        return []
    if flow:
        for line in lines[at + 1 :] if flow[-1] not in "]}" else ():  # a flow may go on over lines
            flow += " " + line.partition(" #")[0].strip()
            if flow[-1:] in "]}":
                break
        rows = [f"- {x}" if flow[0] == "[" else x for x in _flow_items(flow[1:-1])]
    else:
        rows = []
        for line in lines[at + 1 :]:
            if line.strip() and not line.strip().startswith("#"):
                if not _ENTRY.fullmatch(line) or not (line[:1].isspace() or line.startswith("-")):
                    break
                rows.append(line.partition(" #")[0])
    found: dict[int, str] = {}
    for number, row in enumerate(rows):
        entry = _ENTRY.fullmatch(row)
        if entry is None:
            raise ValueError(f"{row.strip()[:40]!r} among the names")
        found[int(entry[1]) if entry[1] else number] = entry[2].strip().strip("'\"")
    if sorted(found) != list(range(len(rows))):
        raise ValueError(f"names with the numbers {sorted(found)[:20]}, which do not count from 0")
    return [found[number] for number in range(len(found))]


def _flow_items(text: str) -> list[str]:
    """The items of a flow, parted by commas outside of quotation marks."""
    found = re.findall(r"""(?:[^,'"]|'[^']*'|"[^"]*")+""", text)
    return [item.strip() for item in found if item.strip()]


def label_files(root: Path) -> tuple[Path, dict[Path, str]]:
    """The folder that label files are relative to, and the id of each file's document, in the order of the files."""
    whole = root / "labels"
    if whole.is_dir():
        return whole, {f: _stem(f, whole) for f in _texts(whole)}
    subsets = {p: p.name.removeprefix("obj_").removesuffix("_data") for p in sorted(root.glob("obj_*_data"))}
    subsets = subsets or {p: p.parent.name for p in sorted(root.glob("*/labels"))}
    subsets = {folder: name for folder, name in subsets.items() if folder.is_dir()}
    if not subsets:
        return root, {f: f.stem for f in sorted(root.glob("*.txt")) if f.name not in NAME_FILES}
    prefix = {folder: f"{name}/" if len(subsets) > 1 else "" for folder, name in subsets.items()}
    return root, {f: prefix[folder] + _stem(f, folder) for folder in subsets for f in _texts(folder)}


def _texts(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*.txt") if f.name not in NAME_FILES)


def _stem(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def picture_of(file: Path, root: Path) -> str:
    """The picture of a label file, relative to `root`: where `images` stands for `labels`, else beside it; or ""."""
    parts = list(file.relative_to(root).with_suffix("").parts)
    places = [root.joinpath(*parts)]
    if "labels" in parts:
        at = len(parts) - 1 - parts[::-1].index("labels")
        places.insert(0, root.joinpath(*parts[:at], "images", *parts[at + 1 :]))
    else:
        places.insert(0, root.joinpath("images", *parts))
    found = (p.with_name(p.name + ending) for p in places for ending in ENDINGS)
    return next((p.relative_to(root).as_posix() for p in found if p.is_file()), "")
