"""A memory in front of any backend, in one sqlite file: what was answered once is not asked again.

The key is a sha256 over all that decides an answer: the backend's facts (model, revision, parameters), prompt, system
message, schema or grammar, and size and RGB bytes of each image, with the version of this code. Only whole answers are
kept: no failure, nothing empty, nothing that was cut at its length. An answer is stored as soon as it is there,
whatever its neighbours do, so that a killed job pays for none twice; several processes may share the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from openmie import __version__
from openmie.data.replace_file import kind
from openmie.errors import ErrorRecord, OpenMIEError
from openmie.vlm.generate import Answer, Backend, Grammar, Request, answer_one

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

T = TypeVar("T")
CODE = 1  # raise it when this package puts the same request to a model in other words
LAYOUT = 1  # of the file; another one is refused
WAIT = 60.0  # seconds for another process to end its writing
AHEAD = 256  # answers from memory that may wait for one from the backend
_TABLE = """CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL, tokens INTEGER NOT NULL, seconds REAL NOT NULL) WITHOUT ROWID"""


class CacheError(OpenMIEError):
    """The file of a cache cannot be used."""


def picture_key(picture: Picture) -> str:
    """What a picture is known by: sha256 of its size and RGB bytes."""
    rgb = picture.convert("RGB")
    return hashlib.sha256(f"{rgb.width}x{rgb.height}:".encode() + rgb.tobytes()).hexdigest()


def request_key(facts: Mapping[str, Any], request: Request) -> str:
    """What an answer is known by."""
    schema: Any = request.schema
    if schema is not None:
        schema = {"grammar": schema.text} if isinstance(schema, Grammar) else {"json": dict(schema)}
    whole = {
        "backend": facts,
        "prompt": request.prompt,
        "system": request.system,
        "schema": schema,
        "images": [picture_key(p) for p in request.images],
        "code": [__version__, CODE],
    }
    text = json.dumps(whole, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Cached:
    """A backend that remembers. `path` is made where it is not there. `CacheError`: it is no cache, or damaged."""

    def __init__(self, backend: Backend, path: str | os.PathLike[str]) -> None:
        self.backend, self.path = backend, Path(path)
        self._lock = threading.Lock()
        self._open: tuple[int, sqlite3.Connection] | None = None  # process id: no connection outlives a fork
        self._do(lambda file: None)

    @property
    def name(self) -> str:
        return self.backend.name

    def facts(self) -> dict[str, Any]:
        return dict(self._facts)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return self.backend.facts()

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        return answer_one(self, images, prompt, schema)

    def __len__(self) -> int:
        """How many answers are kept."""
        return int(self._do(lambda file: file.execute("SELECT count(*) FROM answers").fetchone()[0]))

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        return in_order(self.completed(requests))

    def completed(self, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """(number, answer) as they come, each stored before it is given; equal requests are asked once."""
        numbered = enumerate(requests)
        while (first := next(numbered, None)) is not None:
            yield from self._some(chain([first], numbered))

    def _some(self, numbered: Iterator[tuple[int, Request]]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """Answers until `AHEAD` of memory wait at once or the requests end."""
        known: deque[tuple[int, Answer | ErrorRecord]] = deque()
        asked: list[str] = []  # keys, in the order in which the backend is asked
        numbers: dict[str, list[int]] = {}  # key -> requests that wait for it

        def missing() -> Iterator[Request]:
            while len(known) < AHEAD and (item := next(numbered, None)) is not None:
                number, request = item
                key = request_key(self._facts, request)
                if key in numbers:
                    numbers[key].append(number)
                elif (found := self._get(key)) is not None:
                    known.append((number, found))
                else:
                    numbers[key] = [number]
                    asked.append(key)
                    yield request

        for order, found in completed(self.backend, missing()):
            if isinstance(found, Answer) and found.finish == "stop" and found.text.strip():
                self._put(asked[order], found)
            first, *others = numbers.pop(asked[order])
            again = Answer(**{**vars(found), "cached": True}) if isinstance(found, Answer) else found
            yield first, found
            yield from ((number, again) for number in others)
            yield from _drained(known)
        yield from _drained(known)

    def _get(self, key: str) -> Answer | None:
        row = self._do(
            lambda file: file.execute(
                "SELECT text, prompt_tokens, tokens, seconds FROM answers WHERE key = ?", (key,)
            ).fetchone()
        )
        if row is None:
            return None
        return Answer(text=row[0], prompt_tokens=row[1], tokens=row[2], seconds=row[3], cached=True)

    def _put(self, key: str, answer: Answer) -> None:
        text = answer.text.encode("utf8", "replace").decode("utf8")  # half of a UTF-16 pair is no text
        row = (key, self.name, text, answer.prompt_tokens, answer.tokens, answer.seconds)
        self._do(lambda file: file.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row))

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._lock:
                return work(self._connection())
        except sqlite3.Error as error:
            busy = "locked" in str(error) or "busy" in str(error)
            raise CacheError(
                f"{error}", expected="an sqlite file of answers", where=f"cache {self.path}",
                remedy="wait for the other processes, and start again" if busy else
                "check the disk; move the file away to begin a new one (its answers will be asked again)",
            ) from error  # fmt: skip

    def _connection(self) -> sqlite3.Connection:
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), self._opened())
        return self._open[1]

    def _opened(self) -> sqlite3.Connection:
        if os.path.exists(self.path) and not self.path.is_file():
            raise CacheError(
                kind(self.path),
                expected="an sqlite file of answers, or nothing yet",
                where=f"cache {self.path}",
                remedy="name another file; what is there was not touched",
            )
        if not self.path.parent.is_dir():
            raise CacheError(
                f"no folder {self.path.parent}",
                expected="a folder to write to",
                where=f"cache {self.path}",
                remedy="make it first",
            )
        file = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(file)
        except BaseException:
            file.close()
            raise
        return file

    def _prepare(self, file: sqlite3.Connection) -> None:
        """Write-ahead log, so that readers and a writer do not wait for each other, and the table."""
        until = time.monotonic() + WAIT
        while True:
            try:
                file.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:  # the change of mode does not wait for others by itself
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute("BEGIN IMMEDIATE")
        layout = file.execute("PRAGMA user_version").fetchone()[0]
        others = file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if layout not in (0, LAYOUT) or (layout == 0 and others):
            file.execute("ROLLBACK")
            raise CacheError(
                f"a database of layout {layout}",
                expected=f"a cache of layout {LAYOUT}, or no file",
                where=f"cache {self.path}",
                remedy="name another file",
            )
        file.execute(_TABLE)
        file.execute(f"PRAGMA user_version = {LAYOUT}")
        file.execute("COMMIT")


def _drained(known: deque[T]) -> Iterator[T]:
    while known:
        yield known.popleft()


def completed(backend: Backend, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
    """(number, answer) of a backend, in the order of completion where it has one."""
    own = getattr(backend, "completed", None)
    return own(requests) if own is not None else enumerate(backend.answers(requests))


def in_order(items: Iterable[tuple[int, T]]) -> Iterator[T]:
    """Numbered items from 0, each number once, put back into order."""
    early: dict[int, T] = {}
    due = 0
    for number, item in items:
        early[number] = item
        while due in early:
            yield early.pop(due)
            due += 1
