"""What the rows of `openmie extract` depend on, as a folder's manifest keeps it: posts, models and options."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openmie.data.object_stores import expand_url, facts_of, is_url
from openmie.errors import CorpusError

WHOLE = 1 << 30  # bytes of a model folder's files that are read whole; of larger ones, both ends
END = 1 << 20
_OTHERWISE = (  # told in another way, or no matter
    "source", "model", "format", "out", "restart", "cache", "vlm_option", "max_side", "endpoint", "price", "estimate",
    "engine", "workers", "address", "gpus_per_worker",
)  # fmt: skip


def settings_of(given: Mapping[str, Any], models: Sequence[str], suffix: str, request: Any) -> dict[str, Any]:
    """The settings of a job.

    Args:
        given: the parameters of the command as they were given.
        models: names of models, of folders or not.
        suffix: of the files that are written.
        request: of a vision-language model, or None.

    Returns:
        JSON values by what an error calls them; files are known by their contents, wherever they lie.
    """
    from openmie import __version__

    source = given.get("source") or ()
    posts = [_contents(path) for name in ([source] if isinstance(source, str) else source) for path in _paths(name)]
    posts = posts or ([source] if isinstance(source, str) else list(source))  # a split of a corpus, by its name
    found = {"posts": posts[0] if len(posts) == 1 else posts, "openmie": __version__, "format": suffix}
    found["--model"] = [_model(name) for name in models]
    if request:
        found["--vlm-option"] = request.answer_settings()
    others = {name: value for name, value in given.items() if value and name not in _OTHERWISE}
    return found | {f"--{name.strip('_').replace('_', '-')}": _value(value) for name, value in others.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Path):
        return _contents(str(value))
    return [_value(part) for part in value] if isinstance(value, list | tuple) else value


def _paths(source: str) -> list[str]:
    if is_url(source):
        return expand_url(source)
    return [source] if source == "-" or os.path.lexists(source) else sorted(glob.glob(source, recursive=True))


def _contents(path: str) -> Any:
    """Size and hash of a file, or of the names and sizes in a folder; standard input is known by its posts only."""
    if path == "-":
        return "standard input"
    if is_url(path):
        return facts_of(path)
    if os.path.isdir(path):
        files = sorted(p for p in Path(path).rglob("*") if p.is_file())
        names = [[p.relative_to(path).as_posix(), p.stat().st_size] for p in files]
        return {"sha256": hashlib.sha256(repr(names).encode()).hexdigest(), "bytes": sum(n[1] for n in names)}
    if not os.path.isfile(path):  # a pipe, which can be read once
        return os.path.basename(path)
    try:
        with open(path, "rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": os.path.getsize(path)}
    except OSError as error:
        raise CorpusError(
            (error.strerror or str(error)).lower(), expected="a file to read", where=path, remedy="check the path"
        ) from None


def _model(name: str) -> Any:
    """A model's name, or the hash of its folder's files: another training into the same folder is another model."""
    if not os.path.isdir(name):
        return name
    whole, size = hashlib.sha256(), 0
    for path in sorted(p for p in Path(name).iterdir() if p.is_file() and p.suffix in (".json", ".safetensors")):
        whole.update(path.name.encode() + b"\0")
        with open(path, "rb") as file:
            length = os.fstat(file.fileno()).st_size
            if size + length <= WHOLE:
                whole.update(hashlib.file_digest(file, "sha256").digest())
            else:
                whole.update(file.read(END))
                file.seek(max(0, length - END))
                whole.update(file.read(END))
        size += length
    return {"sha256": whole.hexdigest(), "bytes": size}
