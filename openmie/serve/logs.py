"""Structured logs: one JSON object a line on stderr, without texts, labels, images, tokens or query strings."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("openmie.serve")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON; only the fields that this module gives it."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        facts = {"time": when, "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps({**facts, **getattr(record, "facts", {})}, ensure_ascii=True)


def event(name: str, level: int = logging.INFO, **facts: Any) -> None:
    """Log an event.

    Args:
        name: what happened.
        level: of `logging`.
        **facts: JSON values; nothing that a client wrote.
    """
    LOGGER.log(level, name, extra={"facts": facts})


def failure(where: str, error: BaseException) -> None:
    """Log an error by its type and the lines of code that it passed: its message may hold a client's text."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    event("failure", logging.ERROR, where=where, error=type(error).__name__, at=places)


def to_stderr() -> None:
    """Write the events to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    LOGGER.handlers, LOGGER.propagate = [handler], False
    LOGGER.setLevel(logging.INFO)
