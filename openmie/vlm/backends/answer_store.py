"""The answers that were paid for, in one sqlite file that all jobs share.

The key of an answer is a sha256 of what decides it: model, settings, prompt, system message, schema or grammar, and the
pictures as they are sent; neither the server's address nor openmie's version. Kept are prompt, answer, tokens and time,
so that `openmie answers` can list, export and prune them. An answer is stored as soon as it arrives; several processes
may share the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from openmie.data.replace_file import describe_path
from openmie.errors import OpenMIEError
from openmie.vlm.generate import Answer, Grammar, Request
from openmie.vlm.sent_picture import picture_key

T = TypeVar("T")
VARIABLE = "OPENMIE_ANSWERS"  # names another file than the user's, or `none`
NONE = "none"
LAYOUT_VERSION = 2  # of the file; any other is rejected
LOCK_TIMEOUT = 60.0  # seconds to wait for another process that writes
NOT_OF_THE_ANSWER = frozenset({"base_url"})  # facts of a backend that do not decide what it answers
_COLUMNS = "key, model, settings, prompt, system, pictures, text, finish, prompt_tokens, tokens, seconds, time"
_ANSWERS = """CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, model TEXT NOT NULL, settings TEXT NOT NULL,
    prompt TEXT NOT NULL, system TEXT NOT NULL, pictures TEXT NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, tokens INTEGER NOT NULL, seconds REAL NOT NULL, time TEXT NOT NULL) WITHOUT ROWID"""
_WAITING = """CREATE TABLE IF NOT EXISTS waiting (key TEXT PRIMARY KEY, model TEXT NOT NULL, settings TEXT NOT NULL,
    prompt TEXT NOT NULL, system TEXT NOT NULL, pictures TEXT NOT NULL, dialect TEXT NOT NULL, schema TEXT NOT NULL,
    time TEXT NOT NULL) WITHOUT ROWID"""


class CacheError(OpenMIEError):
    """A file of answers cannot be used."""


@dataclass(frozen=True)
class StoredRequest:
    """What is kept of a request.

    Args:
        key: of its answer.
        model: name of the model.
        settings: facts of the backend that decide the answer, as JSON.
        prompt: the user message.
        system: the system message.
        pictures: their keys, as JSON.
    """

    key: str
    model: str
    settings: str
    prompt: str
    system: str
    pictures: str

    @classmethod
    def of(cls, facts: Mapping[str, Any], request: Request) -> StoredRequest:
        """The request to a backend with these facts."""
        settings = {name: value for name, value in facts.items() if name not in NOT_OF_THE_ANSWER}
        schema: Any = request.schema
        if schema is not None:
            schema = {"grammar": schema.text} if isinstance(schema, Grammar) else {"json": dict(schema)}
        shown = [picture_key(picture) for picture in request.images]
        whole = {
            "backend": settings, "prompt": request.prompt, "system": request.system, "schema": schema, "images": shown
        }  # fmt: skip
        key = hashlib.sha256(_json(whole).encode()).hexdigest()
        model, prompt, system = str(facts.get("model", "")), _storable(request.prompt), _storable(request.system)
        return cls(key, model, _json(settings), prompt, system, _json(shown))


def request_key(facts: Mapping[str, Any], request: Request) -> str:
    """The key of the answer to a request by a backend with these facts."""
    return StoredRequest.of(facts, request).key


def default_path() -> Path | None:
    """The user's file of answers, or the one that the environment names; None: `none` is named."""
    if named := os.environ.get(VARIABLE, ""):
        return None if named == NONE else Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "openmie" / "answers.sqlite"


def open_store(path: str | os.PathLike[str] | None = None) -> AnswerStore | None:
    """The store of a file, or the user's.

    Args:
        path: the file; "none": no store; None: `default_path`, which is made; where it cannot be, this is said on
            stderr and nothing is stored.

    Raises:
        CacheError: a file that was named and cannot be used.
    """
    if path is not None:
        return None if os.fspath(path) == NONE else AnswerStore(path)
    if (place := default_path()) is None:
        return None
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return AnswerStore(place)
    except (OSError, CacheError) as error:
        print(f"No answer is kept: {error} (--cache FILE names another place)", file=sys.stderr)
        return None


class AnswerStore:
    """Answers by their keys.

    Args:
        path: sqlite file; created where it does not exist. Several processes may share it.

    Raises:
        CacheError: a file that is no store, of another layout, or damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._open: tuple[int, sqlite3.Connection] | None = None  # with its process id: none outlives a fork
        self.execute(lambda file: None)

    def __len__(self) -> int:
        """The number of stored answers."""
        return int(self.execute(lambda file: file.execute("SELECT count(*) FROM answers").fetchone()[0]))

    def get(self, key: str) -> Answer | None:
        """The answer of this key, with `cached` set."""
        names = ("text", "finish", "prompt_tokens", "tokens", "seconds")
        statement = f"SELECT {', '.join(names)} FROM answers WHERE key = ?"
        row = self.execute(lambda file: file.execute(statement, (key,)).fetchone())
        return None if row is None else Answer(**dict(zip(names, row)), cached=True)

    def put(self, request: StoredRequest, answer: Answer) -> None:
        """Store an answer, a truncated one too, which was paid; one without text is none."""
        text = _storable(answer.text)
        if not text.strip():
            return
        usage = (answer.finish, answer.prompt_tokens, answer.tokens, answer.seconds, _now())
        row = (*vars(request).values(), text, *usage)
        marks = ", ".join("?" * len(row))
        self.execute(lambda file: file.execute(f"INSERT OR IGNORE INTO answers ({_COLUMNS}) VALUES ({marks})", row))

    def expect(self, request: StoredRequest, dialect: str, schema: str) -> None:
        """Remember a request whose answer comes in a batch file.

        Args:
            request: what is asked.
            dialect: how its schema is sent.
            schema: its JSON Schema, as JSON; "": none.
        """
        row = (*vars(request).values(), dialect, schema, _now())
        marks = ", ".join("?" * len(row))
        self.execute(lambda file: file.execute(f"INSERT OR REPLACE INTO waiting VALUES ({marks})", row))

    def expected(self, key: str) -> tuple[StoredRequest, str, str] | None:
        """(request, dialect, schema) of a request that was written into a batch file."""
        row = self.execute(lambda file: file.execute("SELECT * FROM waiting WHERE key = ?", (key,)).fetchone())
        return None if row is None else (StoredRequest(*row[:6]), row[6], row[7])

    def forget(self, key: str) -> None:
        """An answer of a batch file has come."""
        self.execute(lambda file: file.execute("DELETE FROM waiting WHERE key = ?", (key,)))

    def rows(self, model: str = "") -> Iterator[dict[str, Any]]:
        """The answers, oldest first, as JSON values; of one model where it is named."""
        names = [name.strip() for name in _COLUMNS.split(",")]
        statement = f"SELECT {_COLUMNS} FROM answers WHERE ? IN ('', model) ORDER BY time, key"
        for row in self.execute(lambda file: file.execute(statement, (model,))):
            found = dict(zip(names, row))
            yield {**found, "settings": json.loads(found["settings"]), "pictures": json.loads(found["pictures"])}

    def stats(self) -> list[tuple[str, int, int, int, float, str, str]]:
        """(model, answers, prompt tokens, answer tokens, seconds, time of the oldest, of the newest) of each model."""
        statement = (
            "SELECT model, count(*), sum(prompt_tokens), sum(tokens), sum(seconds), min(time), max(time)"
            " FROM answers GROUP BY model ORDER BY model"
        )
        return list(self.execute(lambda file: file.execute(statement).fetchall()))

    def prune(self, before: str = "", model: str = "") -> int:
        """Remove answers, and requests of batch files whose answers never came.

        Args:
            before: time (ISO, UTC); older ones are removed; "": all.
            model: only those of this model; "": of all.

        Returns:
            How many answers were removed.
        """
        where, values = "WHERE (? = '' OR time < ?) AND ? IN ('', model)", (before, before, model)

        def remove(file: sqlite3.Connection) -> int:
            file.execute(f"DELETE FROM waiting {where}", values)
            removed = file.execute(f"DELETE FROM answers {where}", values).rowcount
            file.execute("VACUUM")
            return removed

        return self.execute(remove)

    def execute(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        """Run a statement. CacheError: the file cannot be read or written."""
        try:
            with self._lock:
                return statement(self._connection())
        except sqlite3.Error as error:
            busy = "locked" in str(error) or "busy" in str(error)
            raise CacheError(
                f"answers cannot be read or written: {error}", expected="an sqlite file of answers",
                where=f"cache {self.path}",
                remedy="wait for the other processes, then run again" if busy else
                "check the disk; move the file away to start a new one (its answers are then generated again)",
            ) from error  # fmt: skip

    def _connection(self) -> sqlite3.Connection:
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), self._opened())
        return self._open[1]

    def _opened(self) -> sqlite3.Connection:
        if os.path.exists(self.path) and not self.path.is_file():
            raise self._error(
                describe_path(self.path), "an sqlite file of answers, or nothing yet", "name another file; this one "
                "was not changed",
            )  # fmt: skip
        if not self.path.parent.is_dir():
            raise self._error(f"there is no folder {self.path.parent}", "a folder to write to", "create it first")
        file = sqlite3.connect(self.path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(file)
        except BaseException:
            file.close()
            raise
        return file

    def _error(self, found: str, expected: str, remedy: str) -> CacheError:
        return CacheError(found, expected=expected, where=f"cache {self.path}", remedy=remedy)

    def _prepare(self, file: sqlite3.Connection) -> None:
        """Create the tables, with a write-ahead log so that readers and a writer do not wait for each other."""
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
            raise self._error(
                f"a database of layout {layout}", f"answers of layout {LAYOUT_VERSION}, or no file", "name another file"
            )
        file.execute(_ANSWERS)
        file.execute(_WAITING)
        file.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
        file.execute("COMMIT")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _storable(text: str) -> str:
    """Text without lone surrogates, which cannot be stored."""
    return text.encode("utf8", "replace").decode("utf8")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
