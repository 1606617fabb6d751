"""Documents in and out of files: one format per module, found by name or by the file's ending.

`read` is strict, `read_items` gives a record in the place of what could not be read, `write` says what it left out.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from openmie.data.document import Document
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats.output import Written

FORMATS = ("jsonl", "json", "parquet", "conll", "brat", "coco", "yolo", "voc", "labelstudio")
_ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".conll": "conll",
    ".conllu": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".tsv": "conll",
    ".txt": "conll",
    ".ann": "brat",
}
_JSON = {"json": ("jsonl", "_list"), "jsonl": ("jsonl", "")}  # the two that share a module


def read(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Iterator[Document]:
    """The documents of a file; the first that cannot be read raises `CorpusError`."""
    for item in read_items(path, format, **options):
        if isinstance(item, ErrorRecord):
            raise CorpusError.of(item)
        yield item


def read_items(
    path: str | os.PathLike[str], format: str | None = None, **options: Any
) -> Iterator[Document | ErrorRecord]:
    """Documents in file order, and a record in the place of each that could not be read.

    `format` is one of `FORMATS`; left out, it is guessed. `images=` names the folder that image paths are relative to
    and may lie in, beside the file's own. Further options are the format's (see its module). "-" reads standard input.
    """
    name = format or guess(path, reading=True)
    return _function(name, "read", options)(path, **options)


def write(
    documents: Iterable[Document], path: str | os.PathLike[str], format: str | None = None, **options: Any
) -> Written:
    """Write documents, whole or not at all, and tell what the format could not hold. "-" writes standard output."""
    name = format or guess(path, reading=False)
    return _function(name, "write", options)(documents, path, **options)


def cannot_hold(format: str) -> tuple[str, ...]:
    """The fields of a Document that a format has no place for."""
    return _module(format).CANNOT_HOLD


def guess(path: str | os.PathLike[str], reading: bool) -> str:
    """The format of a path, by its ending; of a folder or a JSON file that is there, by what it holds."""
    target = Path(path)
    if os.fspath(path) == "-":
        return "jsonl"
    if reading and target.is_dir():
        found = _folder(target)
    elif target.suffix.lower() == ".json":
        found = _json(target) if reading else "json"
    else:
        found = _ENDINGS.get(target.suffix.lower(), "")
    if not found:
        raise CorpusError(
            f"the ending {target.suffix!r}",
            expected=f"one of {sorted([*_ENDINGS, '.json'])}",
            where=str(path),
            remedy=f"name the format: one of {', '.join(FORMATS)}",
        )
    return found


def _folder(target: Path) -> str:
    if next(target.rglob("*.ann"), None):
        return "brat"
    if next(target.glob("*.xml"), None):
        return "voc"
    return "yolo" if (target / "classes.txt").is_file() or (target / "labels").is_dir() else ""


def _json(target: Path) -> str:
    from openmie.formats.jsonl import load_json

    data = load_json(target)
    if isinstance(data, dict) and {"images", "annotations"} <= data.keys() and "id" not in data:
        return "coco"
    first = data[0] if isinstance(data, list) and data else None
    return "labelstudio" if isinstance(first, dict) and isinstance(first.get("data"), dict) else "json"


def _module(name: str) -> Any:
    if name not in FORMATS:
        raise CorpusError(f"the format {name!r}", expected=f"one of {', '.join(FORMATS)}", remedy="check its spelling")
    return importlib.import_module(f"openmie.formats.{_JSON.get(name, (name, ''))[0]}")


def _function(name: str, verb: str, options: dict[str, Any]) -> Callable[..., Any]:
    function = getattr(_module(name), verb + _JSON.get(name, (name, ""))[1])
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if unknown := sorted(set(options) - set(known)):
        raise CorpusError(
            f"the options {unknown}",
            expected=f"of {verb} {name}: {known or 'none'}",
            remedy="leave them out or check their spelling",
        )
    return function
