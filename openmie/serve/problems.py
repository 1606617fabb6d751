"""Errors as `application/problem+json` (RFC 9457) with the four facts of an ErrorRecord, and no path of the server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from openmie.errors import ErrorRecord, OpenMIEError, sentences

MEDIA_TYPE = "application/problem+json"
_PATH = re.compile(r"(?<![\w:/.])(?:/(?!v1/)[^\s/'\",:;()]+){2,}/?|(?<!\w)[A-Za-z]:\\[^\s'\",;()]+|\\\\[^\s'\",;()]+")


class Problem(OpenMIEError):
    """An error with the HTTP status that tells it.

    Args:
        status: of the answer.
        record: where, found, expected and remedy.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, record: ErrorRecord, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(record.found, expected=record.expected, remedy=record.remedy, where=record.where)
        self.status, self.headers = status, dict(headers or {})

    @classmethod
    def of_facts(
        cls, status: int, found: str, expected: str, remedy: str, where: str = "", retry_after: int = 0
    ) -> Problem:
        """A problem from its four facts.

        Args:
            status: of the answer.
            found: what was found.
            expected: what was expected.
            remedy: what to do.
            where: where it was found.
            retry_after: seconds after which the request may be sent again; 0: no such header.
        """
        record = ErrorRecord(where=where, found=found, expected=expected, remedy=remedy)
        return cls(status, record, {"Retry-After": str(retry_after)} if retry_after else None)

    @classmethod
    def of_error(cls, error: OpenMIEError, status: int = 422) -> Problem:
        """The problem for an error that a request causes; paths in it are left out."""
        return error if isinstance(error, Problem) else cls(status, without_paths(error.record))


def without_paths(record: ErrorRecord) -> ErrorRecord:
    """The record, each path of a file in it replaced by `(path)`."""
    facts = {name: _PATH.sub("(path)", getattr(record, name)) for name in ("where", "found", "expected", "remedy")}
    return record.model_copy(update=facts)


def body_of(problem: Problem) -> dict[str, Any]:
    """The problem as JSON values."""
    record = problem.record
    return {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": sentences(record),
        "where": record.where,
        "found": record.found,
        "expected": record.expected,
        "remedy": record.remedy,
    }


def response(problem: Problem) -> Response:
    """The answer that tells a problem."""
    content = json.dumps(body_of(problem), ensure_ascii=False).encode()
    return Response(content, problem.status, problem.headers, MEDIA_TYPE)


def internal_error() -> Problem:
    """An error that is the server's own: nothing of its cause is told, the log has it."""
    return Problem.of_facts(
        500, "an error of the server", "an answer", "ask whoever runs the server to look at its log"
    )
