"""A response cache in front of any backend, in one sqlite file: a request that was answered is not sent again.

The key is a sha256 over all that determines an answer: the backend's facts (model, revision, parameters), prompt,
system message, schema or grammar, size and RGB bytes of each image, and the version of this code. Only complete answers
are stored: no failure, no empty and no truncated answer (unless `keep_truncated`, for the store of one job). An answer
is stored as soon as it arrives, whatever its neighbours do, so that a killed job pays for none twice; several processes
may share the file.
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
from openmie.data.replace_file import describe_path
from openmie.errors import ErrorRecord, OpenMIEError
from openmie.vlm.generate import Answer, Backend, Grammar, Request, answer_one

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

T = TypeVar("T")
CODE_VERSION = 1  # increase it when this package words the same request differently
LAYOUT_VERSION = 1  # of the file; any other is rejected
LOCK_TIMEOUT = 60.0  # seconds to wait for another process that writes
MAX_HITS_AHEAD = 256  # cached answers that may wait for one from the backend
_TABLE = """CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL, tokens INTEGER NOT NULL, seconds REAL NOT NULL) WITHOUT ROWID"""
_TRUNCATED = _TABLE.replace("EXISTS answers", "EXISTS truncated").replace(
    "seconds REAL", "finish TEXT NOT NULL, seconds REAL"
)


class CacheError(OpenMIEError):
    """A cache file cannot be used."""


def image_key(picture: Picture) -> str:
    """The sha256 of an image's size and RGB bytes."""
    rgb = picture.convert("RGB")
    return hashlib.sha256(f"{rgb.width}x{rgb.height}:".encode() + rgb.tobytes()).hexdigest()


def request_key(facts: Mapping[str, Any], request: Request) -> str:
    """The key of the answer to a request by a backend with these facts."""
    schema: Any = request.schema
    if schema is not None:
        schema = {"grammar": schema.text} if isinstance(schema, Grammar) else {"json": dict(schema)}
    whole = {
        "backend": facts,
        "prompt": request.prompt,
        "system": request.system,
        "schema": schema,
        "images": [image_key(p) for p in request.images],
        "code": [__version__, CODE_VERSION],
    }
    text = json.dumps(whole, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Cached:
    """A backend with a response cache: requests that were answered before are served from the file.

    Args:
        backend: the model that answers the others.
        path: sqlite file of the cache; created where it does not exist. Several processes may share it.
        keep_truncated: store answers that are truncated or empty too, so that a job that goes on pays for none again.

    Raises:
        CacheError: a file that is no cache, of another layout, or damaged.
    """

    def __init__(self, backend: Backend, path: str | os.PathLike[str], keep_truncated: bool = False) -> None:
        self.backend, self.path, self.keep_truncated = backend, Path(path), keep_truncated
        self._lock = threading.Lock()
        self._open: tuple[int, sqlite3.Connection] | None = None  # with its process id: none outlives a fork
        self._execute(lambda file: None)

    @property
    def name(self) -> str:
        """The name of the backend's model."""
        return self.backend.name

    def facts(self) -> dict[str, Any]:
        """The facts of the backend."""
        return dict(self._facts)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return self.backend.facts()

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        """The text of one answer. Raises `GenerationError` where there is none."""
        return answer_one(self, images, prompt, schema)

    def __len__(self) -> int:
        """The number of stored answers."""
        return int(self._execute(lambda file: file.execute("SELECT count(*) FROM answers").fetchone()[0]))

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        """Answers in the order of the requests; failures of the backend as records."""
        return restore_order(self.answers_as_completed(requests))

    def answers_as_completed(self, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """(index, answer) in the order of completion, stored before it is yielded; equal requests are sent once."""
        numbered = enumerate(requests)
        while (first := next(numbered, None)) is not None:
            yield from self._answer_some(chain([first], numbered))

    def _answer_some(self, numbered: Iterator[tuple[int, Request]]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """Answers until `MAX_HITS_AHEAD` cached ones wait at once or the requests end."""
        hits: deque[tuple[int, Answer | ErrorRecord]] = deque()
        sent: list[str] = []  # keys, in the order in which the backend gets the requests
        waiting: dict[str, list[int]] = {}  # key -> indices of the requests that wait for it

        def missing() -> Iterator[Request]:
            while len(hits) < MAX_HITS_AHEAD and (item := next(numbered, None)) is not None:
                number, request = item
                key = request_key(self._facts, request)
                if key in waiting:
                    waiting[key].append(number)
                elif (stored := self._get(key)) is not None:
                    hits.append((number, stored))
                else:
                    waiting[key] = [number]
                    sent.append(key)
                    yield request

        for order, answer in answers_as_completed(self.backend, missing()):
            if isinstance(answer, Answer):
                self._put(sent[order], answer)
            first, *others = waiting.pop(sent[order])
            repeated = Answer(**{**vars(answer), "cached": True}) if isinstance(answer, Answer) else answer
            yield first, answer
            yield from ((number, repeated) for number in others)
            yield from _drained(hits)
        yield from _drained(hits)

    def _get(self, key: str) -> Answer | None:
        row = self._execute(
            lambda file: file.execute(
                "SELECT text, prompt_tokens, tokens, seconds FROM answers WHERE key = ?", (key,)
            ).fetchone()
        )
        if row is None:
            return self._get_truncated(key) if self.keep_truncated else None
        return Answer(text=row[0], prompt_tokens=row[1], tokens=row[2], seconds=row[3], cached=True)

    def _get_truncated(self, key: str) -> Answer | None:
        statement = "SELECT text, finish, prompt_tokens, tokens, seconds FROM truncated WHERE key = ?"
        row = self._execute(lambda file: file.execute(statement, (key,)).fetchone())
        names = ("text", "finish", "prompt_tokens", "tokens", "seconds")
        return None if row is None else Answer(**dict(zip(names, row)), cached=True)

    def _put(self, key: str, answer: Answer) -> None:
        text = answer.text.encode("utf8", "replace").decode("utf8")  # lone surrogates cannot be stored
        if answer.finish != "stop" or not text.strip():
            if self.keep_truncated:
                cut = (key, self.name, text, answer.prompt_tokens, answer.tokens, answer.finish, answer.seconds)
                statement = "INSERT OR IGNORE INTO truncated VALUES (?, ?, ?, ?, ?, ?, ?)"
                self._execute(lambda file: file.execute(statement, cut))
            return
        row = (key, self.name, text, answer.prompt_tokens, answer.tokens, answer.seconds)
        self._execute(lambda file: file.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row))

    def _execute(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._lock:
                return statement(self._connection())
        except sqlite3.Error as error:
            busy = "locked" in str(error) or "busy" in str(error)
            raise CacheError(
                f"cache cannot be read or written: {error}", expected="an sqlite file of answers",
                where=f"cache {self.path}",
                remedy="wait for the other processes, then run again" if busy else
                "check the disk; move the file away to start a new cache (its answers are then generated again)",
            ) from error  # fmt: skip

    def _connection(self) -> sqlite3.Connection:
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), self._opened())
        return self._open[1]

    def _opened(self) -> sqlite3.Connection:
        if os.path.exists(self.path) and not self.path.is_file():
            raise CacheError(
                describe_path(self.path),
                expected="an sqlite file of answers, or nothing yet",
                where=f"cache {self.path}",
                remedy="name another file; this one was not changed",
            )
        if not self.path.parent.is_dir():
            raise CacheError(
                f"there is no folder {self.path.parent}",
                expected="a folder to write to",
                where=f"cache {self.path}",
                remedy="create it first",
            )
        file = sqlite3.connect(self.path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(file)
        except BaseException:
            file.close()
            raise
        return file

    def _prepare(self, file: sqlite3.Connection) -> None:
        """Create the table, with a write-ahead log so that readers and a writer do not wait for each other."""
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                file.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:  # the change of mode does not wait for others by itself
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute("BEGIN IMMEDIATE")
        layout = file.execute("PRAGMA user_version").fetchone()[0]
        others = file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if layout not in (0, LAYOUT_VERSION) or (layout == 0 and others):
            file.execute("ROLLBACK")
            raise CacheError(
                f"a database of layout {layout}",
                expected=f"a cache of layout {LAYOUT_VERSION}, or no file",
                where=f"cache {self.path}",
                remedy="name another file",
            )
        file.execute(_TABLE)
        if self.keep_truncated:
            file.execute(_TRUNCATED)
        file.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
        file.execute("COMMIT")


def _drained(queue: deque[T]) -> Iterator[T]:
    while queue:
        yield queue.popleft()


def answers_as_completed(backend: Backend, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
    """(index, answer) of a backend: in the order of completion where it has that method, else in order."""
    method = getattr(backend, "answers_as_completed", None)
    return method(requests) if method is not None else enumerate(backend.answers(requests))


def restore_order(items: Iterable[tuple[int, T]]) -> Iterator[T]:
    """Put indexed items back into order.

    Args:
        items: (index, item); the indices are 0, 1, ..., each once.

    Returns:
        The items by increasing index, each as soon as all before it have come.
    """
    early: dict[int, T] = {}
    due = 0
    for number, item in items:
        early[number] = item
        while due in early:
            yield early.pop(due)
            due += 1
