"""Where the files of a folder of results go: a folder of this machine, or one of an object store (`s3://...`).

A store holds whole files alone: a part goes there when it is sealed, then the manifest that names it. Journal and lock
are in a working folder of this machine, by the store's address, so that a killed command loses nothing here; on
another machine the same command goes on behind the last part that is in the store.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openmie.data.object_stores import file_system, is_url, store_errors
from openmie.errors import CorpusError
from openmie.formats.shard_manifest import MANIFEST, SUMMARY, Manifest, check_shards


def place_of(folder: str | os.PathLike[str]) -> LocalPlace:
    """The place that a path or an address names."""
    return StorePlace(os.fspath(folder)) if is_url(os.fspath(folder)) else LocalPlace(Path(folder))


class LocalPlace:
    """A folder of this machine.

    Args:
        folder: the folder.

    Attributes:
        folder: where files are written.
        where: what a person is told of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.where = folder, str(folder)

    def begin(self, restart: bool, files: Sequence[str] = ()) -> None:
        """The folder is held now, and its manifest is going to be read.

        Args:
            restart: remove the rows that are there.
            files: names of files with rows that are no parts.
        """
        if restart:
            _remove_rows(self.folder, files)

    def check(self, manifest: Manifest) -> None:
        """All shards of the manifest are there as they were written. CorpusError: one is not."""
        check_shards(self.folder, manifest)

    def fetch(self, name: str) -> Path:
        """The path of a file here, as it is in the place; it need not be there."""
        return self.folder / name

    def keep(self, path: Path, here: bool = True) -> None:
        """A file of the folder is whole.

        Args:
            path: of the file.
            here: whether it is read again.
        """


class StorePlace(LocalPlace):
    """A folder of an object store, and a working folder on this machine.

    Args:
        url: address of the folder.

    Raises:
        CorpusError, MissingPackageError: as `openmie.data.object_stores.file_system`.
    """

    def __init__(self, url: str) -> None:
        self._system, path = file_system(url)
        self._path = path.rstrip("/")
        super().__init__(working_folder(url))
        self.where = url

    def begin(self, restart: bool, files: Sequence[str] = ()) -> None:
        there = self._sizes()
        if restart and MANIFEST in there:
            with store_errors(self.where):
                for name in there:
                    if name == MANIFEST or name in files or name.startswith("part-"):
                        self._system.rm_file(f"{self._path}/{name}")
            there = {}
        if others := sorted({*there} - {SUMMARY}) if MANIFEST not in there else []:
            raise CorpusError(
                f"something is there already ({', '.join(others[:3])}), and no {MANIFEST}",
                expected="a new or empty folder, or one that this command began",
                where=self.where,
                remedy="choose another folder",
            )
        if MANIFEST in there:
            self.fetch(MANIFEST)
        else:  # what is here is of a job whose results were removed
            _remove_rows(self.folder, files)

    def check(self, manifest: Manifest) -> None:
        """Sizes are compared: a store's checksums are of its own kinds."""
        there = self._sizes()
        for shard in manifest.shards:
            if there.get(shard.file) != shard.bytes:
                raise CorpusError(
                    f"{shard.file} {'has other contents' if shard.file in there else 'is missing'}",
                    expected="the shards as they were written",
                    where=self.where,
                    remedy="put the file back, or begin anew with --restart, which removes the rows there",
                )

    def fetch(self, name: str) -> Path:
        found = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        with store_errors(self.where):
            try:
                found.write_bytes(self._system.cat_file(f"{self._path}/{name}"))
            except FileNotFoundError:
                found.unlink(missing_ok=True)
        return found

    def keep(self, path: Path, here: bool = True) -> None:
        target = f"{self._path}/{path.name}"
        with store_errors(self.where):
            try:
                self._system.put_file(str(path), target)
            except FileNotFoundError:  # a store with folders
                self._system.makedirs(self._path, exist_ok=True)
                self._system.put_file(str(path), target)
        if not here:
            path.unlink()

    def _sizes(self) -> dict[str, int]:
        """Name -> bytes of the files in the store."""
        with store_errors(self.where):
            self._system.invalidate_cache()
            try:
                found: list[dict[str, Any]] = self._system.ls(self._path, detail=True)
            except FileNotFoundError:
                return {}
        return {posixpath.basename(f["name"]): int(f["size"] or 0) for f in found if f["type"] == "file"}


def working_folder(url: str) -> Path:
    """Where this machine keeps the journal of the results in a store."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "openmie" / "results" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]


def _remove_rows(folder: Path, files: Sequence[str] = ()) -> None:
    """The rows and the manifest of a folder that has one; nothing else is touched."""
    if (folder / MANIFEST).is_file():
        rows = (folder / name for name in files)
        for path in [folder / MANIFEST, *rows, *folder.glob("part-[0-9]*"), *folder.glob(".*.rows")]:
            if path.is_file():
                path.unlink()
