"""A folder of results that a stopped process goes on with: shards of rows, and a manifest that says how they are made.

    with open_output_folder("found", settings, write=None) as rows:
        for document in predict(rows.pending(posts)):
            rows.add(document)
        rows.finish()

Each post has one row, in the order of the posts, whatever is interrupted. `part-00001.jsonl` and so on hold a fixed
number of posts each and appear when they are whole; the rows of the shard that is being made are in a journal
(`openmie.formats.row_journal`), so that a kill costs only what was not finished. Shards, manifest and journal are
flushed to the disk. Rows whose post could not be asked about (`again`) are written with the reason and made again when
the command is started again.

A corpus that is made from another has a file for each of its splits in the place of shards: `files` names them, and
`pending` says which one posts belong to.

The folder is for one job: other posts, another model or other options than those in the manifest are refused.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.data.folder_lock import hold_folder
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats import jsonl, output
from openmie.formats.hashed_post import HashedPost, hash_post
from openmie.formats.result_place import LocalPlace, place_of
from openmie.formats.row_journal import (
    AGAIN,
    FAILED,
    FINE,
    LOST,
    NOTED,
    JournalRow,
    RowJournal,
    check_regular_file,
)
from openmie.formats.shard_manifest import MANIFEST, Manifest, OtherJob, read_manifest, shard_of

SHARD_POSTS = 1024  # posts of a shard; part of what a folder was begun with
SPLIT_POSTS = 1 << 40  # posts that a split has at most
Writer = Callable[[Iterable[Document], Path], object]
P = TypeVar("P", "Document | ErrorRecord", "HashedPost")


@contextmanager
def open_output_folder(
    folder: str | os.PathLike[str],
    settings: Mapping[str, Any],
    *,
    suffix: str = ".jsonl",
    files: Sequence[str] = (),
    write: Writer | None = None,
    unit: int = 1,
    again: Callable[[Document], bool] = lambda document: False,
    when: str = "",
    restart: bool = False,
) -> Iterator[OutputFolder]:
    """Open a folder of results, new or of a stopped process, and hold it against other processes.

    Args:
        folder: where the rows go; a path, or an address in an object store.
        settings: what rows depend on, name -> JSON value, the names in words of the command line.
        suffix: of the shards.
        files: names of files, such as those of splits, each of which has all posts of one source; (): shards.
        write: writes a shard in another format than JSON lines.
        unit: posts that are predicted together, a divisor of `SHARD_POSTS`: of these all are made again where some are
            missing, so that rows do not depend on where a process was stopped.
        again: whether a document is to be made again by the next process.
        when: the day on which a new folder is begun.
        restart: remove the rows that are there; answers of a vision-language model stay.

    Raises:
        CorpusError: something else is in the folder, other settings, a damaged shard, another process.
    """
    if not files and SHARD_POSTS % unit:
        raise ValueError(f"{SHARD_POSTS} posts a shard are no multiple of {unit}")
    place = place_of(folder)
    path = place.folder
    if os.path.lexists(path) and not path.is_dir():
        raise CorpusError(
            writing.describe_path(path),
            expected="a folder, new or not",
            where=str(path),
            remedy="choose another; what is there was not touched",
        )
    with hold_folder(path):
        place.begin(restart, files)
        manifest = read_manifest(path, dict(settings), when, place.where)
        place.keep(path / MANIFEST)
        _remove_temporary_files(path)
        place.check(manifest)
        rows = OutputFolder(place, manifest, files or suffix, write, unit, again)
        try:
            yield rows
        finally:
            rows.close()


@dataclass(frozen=True)
class FinishedPlaces:
    """The numbers of the posts that have finished rows, from 0.

    Args:
        shards: numbers of the shards whose posts all have.
        posts: posts of a shard.
        rows: numbers of other posts.
    """

    shards: frozenset[int] = frozenset()
    posts: int = SHARD_POSTS
    rows: frozenset[int] = frozenset()

    def __contains__(self, at: int) -> bool:
        return at // self.posts in self.shards or at in self.rows


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Counts of rows.

    Args:
        posts: rows.
        mentions: mentions in them.
        failed: rows with errors.
        again: those of them whose post could not be asked about.
        noted: rows with notes alone.
    """

    posts: int = 0
    mentions: int = 0
    failed: int = 0
    again: int = 0
    noted: int = 0


class OutputFolder:
    """The rows of one folder, between the posts that come in and the documents that are made of them."""

    def __init__(
        self,
        place: LocalPlace,
        manifest: Manifest,
        names: str | Sequence[str],
        write: Writer | None,
        unit: int,
        again: Callable[[Document], bool],
    ) -> None:
        self.place, self.folder, self.manifest = place, place.folder, manifest
        self._suffix, self._files = (names, ()) if isinstance(names, str) else ("", names)
        self._size = SPLIT_POSTS if self._files else SHARD_POSTS
        self._write, self._unit, self._again = write, unit, again
        self._journals: dict[int, RowJournal] = {}
        self._changed: set[int] = set()
        self._queue: deque[tuple[int, str, bool]] = deque()  # number, hash, and whether it was read
        self.lost: list[ErrorRecord] = []  # of documents that cannot be written
        self._read = Counter[int]()  # posts of each shard, so far
        self._passed = hashlib.sha256()  # of the posts of a finished shard that go by
        for index in range(len(self._files) or len(manifest.shards) + 1):
            if os.path.lexists(self._journal_path(index)):
                self._journal(index)

    @property
    def when(self) -> str:
        """The day on which the folder was begun."""
        return self.manifest.when

    @property
    def done(self) -> int:
        """How many posts are finished, which those to be made again are not."""
        sealed = sum(s.posts - s.again for s in self.manifest.shards)
        return sealed + sum(row.state != AGAIN for row in self._opened_rows())

    @property
    def totals(self) -> Totals:
        """Counts of all rows that are there."""
        shards, opened = self.manifest.shards, self._opened_rows()
        return Totals(
            posts=sum(s.posts for s in shards) + len(opened),
            mentions=sum(s.mentions for s in shards) + sum(row.mentions for row in opened),
            failed=sum(s.failed for s in shards) + sum(row.state in LOST for row in opened),
            again=sum(s.again for s in shards) + sum(row.state == AGAIN for row in opened),
            noted=sum(s.noted for s in shards) + sum(row.state == NOTED for row in opened),
        )

    def _opened_rows(self) -> list[JournalRow]:
        """Rows of the shard that is being made."""
        opened = [j for index, j in self._journals.items() if index >= len(self.manifest.shards)]
        return [row for journal in opened for row in journal.entries.values()]

    @property
    def finished(self) -> FinishedPlaces:
        """The posts that `pending` passes over."""
        whole = frozenset(index for index in range(len(self.manifest.shards)) if index not in self._journals)
        rows = (at for j in self._journals.values() for at, row in j.entries.items() if row.state != AGAIN)
        return FinishedPlaces(whole, self._size, frozenset(rows))

    def pending(self, posts: Iterable[P], file: int = 0) -> Iterator[P]:
        """The posts that have no finished row yet; the others are compared with what the folder was begun with.

        Args:
            posts: all posts; with `files`, all of the one of this number.
            file: its number; one is read after the other.
        """
        for at, post in enumerate(posts, file * self._size):
            self._read[at // self._size] += 1
            known = post if isinstance(post, HashedPost) else HashedPost(hash_post(post), isinstance(post, Document))
            if not self._is_finished(at, known.hash):
                self._queue.append((at, known.hash, known.read))
                yield post

    def add(self, document: Document) -> None:
        """Keep the document of the next post of `pending`."""
        at, of, read = self._queue.popleft()
        if not read:  # what predicted it counts from where this process began
            document = document.model_copy(update={"id": f"unread-{at % SPLIT_POSTS + 1}"})
        index = at // self._size
        self._seal_before(index)
        journal = self._journal(index)
        report = output.WriteReport()
        line = jsonl.document_line(document, self.folder, report).encode()
        self.lost += report.records[-report.lost :] if report.lost else []
        failed = bool(report.lost) or any(not record.note for record in document.errors)
        fine = NOTED if document.errors else FINE
        state = AGAIN if failed and self._again(document) else FAILED if failed else fine
        journal.append(at, of, state, len(document.mentions), line)
        self._changed.add(index)

    def finish(self) -> None:
        """Write what is left when all posts have gone by, and their documents have come."""
        if self._queue:
            raise RuntimeError(f"no document for {len(self._queue)} posts")
        self._seal_before(max([len(self._files), len(self.manifest.shards), *(i + 1 for i in self._journals)]))
        for index, shard in enumerate(self.manifest.shards):
            self._check_read(index, shard.posts)
        if not self.manifest.finished:
            self.manifest.finished, self.manifest.posts = True, self._read.total()
            self._save_manifest()

    def close(self) -> None:
        """Close what is open; all of it stays."""
        for journal in self._journals.values():
            journal.close()

    def _check_read(self, index: int, known: int) -> None:
        """As many posts of a shard were read as it has rows."""
        if known > self._read[index]:
            raise self._other_posts(f"{self._read[index]} posts of {self._file(index)}, and rows of {known}")

    def _is_finished(self, at: int, of: str) -> bool:
        index, shards = at // self._size, self.manifest.shards
        whole = shards[index].posts if index < len(shards) else 0 if self.manifest.finished else self._size
        if at % self._size >= whole:
            raise self._other_posts(f"more posts of {self._file(index)} than the {whole} that it was finished with")
        journal = self._journals.get(index)
        if journal is not None:
            entry = journal.entries.get(at)
            if entry is not None and entry.of != of:
                raise self._other_posts(f"another post at place {at % self._size + 1} of {self._file(index)}")
            return entry is not None and entry.state != AGAIN
        if index >= len(shards):
            return False
        self._passed.update(of.encode())
        if at % self._size + 1 == whole:
            if self._passed.hexdigest() != shards[index].input:
                raise self._other_posts(f"other posts in {self._file(index)}")
            self._passed = hashlib.sha256()
        return True

    def _seal_before(self, end: int) -> None:
        """Seal the shards before one that have rows in a journal, or none at all."""
        for index in sorted({*self._journals, *range(len(self.manifest.shards), end)}):
            if index < end:
                self._seal(index)

    def _seal(self, index: int) -> None:
        """Make the shard of a journal's rows, and name it in the manifest."""
        journal = self._journal(index)
        self._check_read(index, len(journal.entries))
        if len(journal.entries) != self._read[index]:
            raise RuntimeError(f"{len(journal.entries)} rows of {self._read[index]} posts in {journal.path}")
        journal.sync()
        if index in self._changed or index >= len(self.manifest.shards):
            path = self.folder / self._file(index)
            if self._write is None:
                with writing.replace_file(path) as file:
                    file.writelines(row + b"\n" for row in journal.rows())
            else:
                read = (paths.paths_from(Document.from_json(row), self.folder) for row in journal.rows())
                self._write(read, path)
            self.manifest.shards[index : index + 1] = [shard_of(path, journal)]
            self.place.keep(path, here=False)
            self._save_manifest()
        del self._journals[index]
        if self.manifest.shards[index].again:  # the next process makes some of its rows again
            journal.close()
        else:
            journal.remove()

    def _save_manifest(self) -> None:
        self.manifest.save(self.folder)
        self.place.keep(self.folder / MANIFEST)

    def _journal(self, index: int) -> RowJournal:
        """The rows of a shard that is not finished, as a stopped process left them."""
        if index not in self._journals:
            check_regular_file(self.folder / self._file(index))
            self._journals[index] = journal = RowJournal(self._journal_path(index))
            if index >= len(self.manifest.shards) and len(journal.entries) < self._size:
                journal.keep_first(len(journal.entries) // self._unit * self._unit)
        return self._journals[index]

    def _file(self, index: int) -> str:
        return self._files[index] if self._files else f"part-{index + 1:05d}{self._suffix}"

    def _journal_path(self, index: int) -> Path:
        return self.folder / f".{self._files[index] if self._files else f'part-{index + 1:05d}'}.rows"

    def _other_posts(self, found: str) -> OtherJob:
        return OtherJob(
            found,
            expected="the posts that the folder was begun with",
            where=self.place.where,
            remedy="give these posts, name another --out, or begin anew with --restart, which removes the rows there",
        )


def _remove_temporary_files(folder: Path) -> None:
    """What a process left that was killed while it moved a file into place. The folder is held: nobody else writes."""
    for path in folder.glob(".*.tmp"):
        if path.is_file():
            path.unlink()
