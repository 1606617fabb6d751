"""OpenAI's batch files: requests written into files, answers read from files, at half the price of single calls.

A line of a request file is {"custom_id", "method", "url", "body"}; `custom_id` is the key of the answer in the store
(`openmie.vlm.backends.answer_store`). A line of an answer file is {"custom_id", "response": {"status_code", "body"},
"error"}, in any order. What is read lands in the store, so that the job itself asks for nothing.

Source: OpenAI's Batch API guide (platform.openai.com/docs/guides/batch, read 2026-11-30): at most 50,000 requests and
200 MB a file. vLLM's `run-batch` reads and writes the same lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openmie.data import replace_file as writing
from openmie.errors import CorpusError, ErrorRecord, OpenMIEError
from openmie.vlm.backends import openai_protocol
from openmie.vlm.backends.answer_store import AnswerStore, StoredRequest
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.backends.response_body import MalformedResponse
from openmie.vlm.generate import Request

FILE_REQUESTS = 50_000
FILE_BYTES = 190 << 20  # below 200 MB of either kind


@dataclass
class BatchFiles:
    """Writes requests into `requests-0001.jsonl` and so on, and remembers them in the store.

    Args:
        folder: where the files go; new, or empty.
        endpoint: model and settings; nothing is sent to it.
        store: of the answers.
        written: requests so far.
        known: those that were answered before.
        files: those that were written.
    """

    folder: Path
    endpoint: Endpoint
    store: AnswerStore
    written: int = 0
    known: int = 0
    files: list[Path] = field(default_factory=list)
    _lines: list[bytes] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)

    def add(self, stored: StoredRequest, request: Request) -> None:
        """Write a request whose answer is not known."""
        if stored.key in self._keys or self.store.get(stored.key) is not None:
            self.known += 1
            return
        self._keys.add(stored.key)
        line = {"custom_id": stored.key, "method": "POST", "url": "/v1/chat/completions",
                "body": self.endpoint.body(request)}  # fmt: skip
        raw = json.dumps(line, ensure_ascii=False).encode("utf8", "replace") + b"\n"
        if len(self._lines) >= FILE_REQUESTS or sum(map(len, self._lines)) + len(raw) > FILE_BYTES:
            self.close()
        self._lines.append(raw)
        self.written += 1
        schema = request.schema if isinstance(request.schema, dict) else None
        self.store.expect(stored, self.endpoint.dialect, json.dumps(schema) if schema is not None else "")

    def close(self) -> None:
        """Write what is left into a file."""
        if self._lines:
            path = self.folder / f"requests-{len(self.files) + 1:04d}.jsonl"
            with writing.replace_file(path) as file:
                file.writelines(self._lines)
            self.files.append(path)
            self._lines = []


def read_answers(path: Path, store: AnswerStore) -> Iterator[ErrorRecord | None]:
    """Put the answers of a batch file into the store.

    Args:
        path: of an answer file, or of the file of errors that comes with it.
        store: where the requests were remembered.

    Returns:
        For each line None, or a record of why it is no answer; such a request stays to be asked.

    Raises:
        CorpusError: a file that cannot be read.
    """
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _read_line(line, f"{path}, line {number}", store)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CorpusError(reason, expected="a batch file", where=str(path), remedy="check the path") from None


def _read_line(line: bytes, where: str, store: AnswerStore) -> ErrorRecord | None:
    expected = "a line of a batch file's answers"
    try:
        data = json.loads(line)
        key, response, error = str(data["custom_id"]), data.get("response") or {}, data.get("error")
        status, body = response.get("status_code", 0), response.get("body")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ErrorRecord(where=where, found="no answer", expected=expected, remedy="download the file again")
    if store.get(key) is not None:
        return None
    known = store.expected(key)
    if known is None:
        remedy = "read it with the --cache that it was written with"
        return ErrorRecord(where=where, found=f"unknown custom_id {key[:80]!r}", expected=expected, remedy=remedy)
    asked, dialect, schema = known
    if error or status != 200:
        found = f"status {status}: {str(error or body)[:200]}"
        return ErrorRecord(where=where, found=found, expected="status 200", remedy="write and send it again, or ask it")
    try:
        request = Request(prompt=asked.prompt, schema=json.loads(schema) if schema else None, system=asked.system)
        answer = openai_protocol.parse_response(json.dumps(body).encode(), request, _dialect(dialect), 0.0)
    except (MalformedResponse, OpenMIEError) as problem:
        found = problem.record.found if isinstance(problem, OpenMIEError) else str(problem)
        return ErrorRecord(where=where, found=found, expected="an answer", remedy="write and send it again, or ask it")
    store.put(asked, answer)
    store.forget(key)
    return None


def _dialect(name: str) -> Any:
    return name if name in openai_protocol.DIALECTS else "plain"
