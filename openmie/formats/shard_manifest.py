"""The manifest of a folder of results: how they are made, and which shards are whole. Equal jobs write equal bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from openmie.data import folder_lock
from openmie.data import replace_file as writing
from openmie.errors import CorpusError
from openmie.formats import jsonl
from openmie.formats.row_journal import AGAIN, LOST, NOTED, RowJournal

MANIFEST = "manifest.json"
SUMMARY = "summary.json"  # what the runs into the folder have asked and cost
_SHOWN = 60  # characters of a setting that an error shows


class OtherJob(CorpusError):
    """The folder was begun with other posts, another model or other options."""


@dataclass(frozen=True)
class Shard:
    """One whole file of rows.

    Args:
        file: its name.
        posts: number of posts.
        bytes: its size.
        sha256: of its bytes.
        input: hash of its posts as they were read.
        mentions: number of mentions in its rows.
        failed: number of rows with errors.
        again: those of them whose post could not be asked about, to be made again.
        noted: number of rows with notes alone.
    """

    file: str
    posts: int
    bytes: int
    sha256: str
    input: str
    mentions: int = 0
    failed: int = 0
    again: int = 0
    noted: int = 0


@dataclass
class Manifest:
    """What a folder was begun with, and what of it is finished.

    Args:
        settings: what rows depend on.
        when: the day on which it was begun.
        shards: the whole files, in order.
        finished: whether all posts have rows.
        posts: their number, once all have.
    """

    settings: dict[str, Any]
    when: str = ""
    shards: list[Shard] = field(default_factory=list)
    finished: bool = False
    posts: int = 0

    def save(self, folder: Path) -> None:
        """Replace the manifest of the folder, and have the disk hold it."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False)
        writing.replace_text(folder / MANIFEST, text + "\n", errors="backslashreplace", sync=True)
        sync_folder(folder)


def read_manifest(folder: Path, settings: dict[str, Any], when: str, where: str = "") -> Manifest:
    """The manifest of the folder, begun now where the folder is empty.

    Args:
        folder: with the manifest.
        settings: of the job.
        when: a new one is begun.
        where: what errors call the folder; "": its path.

    Raises:
        CorpusError: something else is there, a damaged manifest, other settings.
    """
    path = folder / MANIFEST
    if not path.is_file():
        if others := sorted(p.name for p in folder.iterdir() if p.name != folder_lock.NAME and not _is_kept(p)):
            raise CorpusError(
                f"something is there already ({', '.join(others[:3])}), and no {MANIFEST}",
                expected="a new or empty folder, or one that this command began",
                where=str(folder),
                remedy="choose another folder",
            )
        manifest = Manifest(settings, when)
        manifest.save(folder)
        return manifest
    data = jsonl.load_json(path)
    try:
        manifest = Manifest(**{**data, "shards": [Shard(**shard) for shard in data["shards"]]})
    except (TypeError, KeyError, AttributeError):
        raise CorpusError(
            f"a {MANIFEST} of another kind",
            expected="one that this command wrote",
            where=str(path),
            remedy="choose another folder",
        ) from None
    if not manifest.shards and not any(p.stat().st_size for p in folder.glob(".*.rows")):
        manifest = Manifest(settings, when)  # nothing is finished: an option may have been corrected
        manifest.save(folder)
    _check_settings(manifest.settings, settings, where or str(folder))
    return manifest


def _is_kept(path: Path) -> bool:
    """What a process leaves that is killed before it has a manifest, and the summary, which `--restart` keeps."""
    return path.name == SUMMARY or path.name.startswith(f".{MANIFEST}.")


def _check_settings(there: Mapping[str, Any], here: Mapping[str, Any], where: str) -> None:
    other = [name for name in {**here, **there} if there.get(name) != here.get(name)]
    if not other:
        return
    told = [f"{name} {_shown(here.get(name))}, where it was begun with {_shown(there.get(name))}" for name in other]
    raise OtherJob(
        "; ".join(told[:3]),
        expected="the posts, model and options that the folder was begun with",
        where=where,
        remedy="give these, name another --out, or begin anew with --restart, which removes the rows there",
    )


def _shown(value: Any) -> str:
    """A setting in a sentence: contents are named by the beginning of their hash."""
    if isinstance(value, dict) and "sha256" in value:
        return f"with contents {value['sha256'][:8]} ({value.get('bytes', 0):,} bytes)"
    text = "none" if value in (None, "", [], {}) else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def check_shards(folder: Path, manifest: Manifest) -> None:
    """All shards of the manifest are there as they were written. CorpusError: one is not."""
    for shard in manifest.shards:
        path = folder / shard.file
        if not path.is_file() or path.stat().st_size != shard.bytes or _file_hash(path) != shard.sha256:
            raise CorpusError(
                f"{shard.file} {'has other contents' if path.is_file() else 'is missing'}",
                expected="the shards as they were written",
                where=str(folder),
                remedy="put the file back, or begin anew with --restart, which removes the rows there",
            )


def shard_of(path: Path, journal: RowJournal) -> Shard:
    """What the manifest says of a shard that was written from a journal; the disk holds the shard then."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)
    rows = [entry for _, entry in sorted(journal.entries.items())]
    return Shard(
        file=path.name,
        posts=len(rows),
        bytes=path.stat().st_size,
        sha256=_file_hash(path),
        input=hashlib.sha256("".join(row.of for row in rows).encode()).hexdigest(),
        mentions=sum(row.mentions for row in rows),
        failed=sum(row.state in LOST for row in rows),
        again=sum(row.state == AGAIN for row in rows),
        noted=sum(row.state == NOTED for row in rows),
    )


def _file_hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Have the disk hold the names in a folder, where the system can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
