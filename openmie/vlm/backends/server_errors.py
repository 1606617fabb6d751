"""What a status other than 200 stands for: another try, a pause of all, the end of the job, or a lost request."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from openmie.vlm.backends.server_parameters import refusal_text
from openmie.vlm.backends.shared_pause import UnusableServer
from openmie.vlm.generate import GenerationError

RETRY_STATUSES = frozenset({408, 409})  # and 5xx
_UNKNOWN_MODEL = re.compile(
    r"model.{0,120}(not (be )?found|not exist|unknown|not supported)|pinned to .*; requested", re.IGNORECASE | re.DOTALL
)
_OF_THE_CONTENT = re.compile(r"moderat|flagged|content.?(filter|policy)", re.IGNORECASE)


class RetryableTry(Exception):
    """A try that failed, where another may not."""


class SlowDown(Exception):
    """The server asks all to slow down. `wait`: for how many seconds, if it says so."""

    def __init__(self, found: str, wait: float | None = None) -> None:
        super().__init__(found)
        self.wait = wait


class Unreachable(Exception):
    """Nobody listens at the address."""


def status_error(error: Any, where: str, key_env: str, redacted: Callable[[str], str]) -> Exception:
    """The error that a status other than 200 stands for.

    Args:
        error: the client's (openai.APIStatusError).
        where: model and server.
        key_env: environment variable of the key.
        redacted: takes the key out of a text.
    """
    status, wait = error.status_code, retry_after(error.response.headers)
    words = str(error.message)
    if re.fullmatch(r"Error code: \d+", words):  # the client drops what is not under error.message
        words = " - ".join(part for part in (words, refusal_text(error.body)) if part)
    message = redacted(f"status {status}: {' '.join(words.split())[:300]}")
    if remedy := _remedy_of_all(status, str(getattr(error, "code", "")), words, key_env):
        return UnusableServer(message, expected="status 200", where=where, remedy=remedy)
    if status == 429 or (wait is not None and status >= 500):
        return SlowDown(message, wait)
    if status in RETRY_STATUSES or status >= 500:
        return RetryableTry(message)
    remedy = "check this request: is the text too long, or are there too many images?"
    return GenerationError(message, expected="status 200", remedy=remedy)


def _remedy_of_all(status: int, code: str, message: str, key_env: str) -> str:
    """What to do about a status that all requests would get; "" for one that is due to this request or moment."""
    if status == 401:
        return f"set a key that the server knows in the environment variable {key_env}"
    if status == 402 or (status == 429 and code == "insufficient_quota"):
        return "look at the credit and the limits of your account, then run again"
    if status == 403 and not _OF_THE_CONTENT.search(message):
        return "ask for access to the model"
    if status == 404 or code == "model_not_found" or (status == 400 and _UNKNOWN_MODEL.search(message)):
        return "check base_url, which ends in /v1 with most servers, and the model's name"
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, as a number or a date; None where it gives none that can be read."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        try:
            wait = float(value) / scale
        except ValueError:
            try:
                wait = parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                continue
        if wait == wait:  # not NaN
            return max(0.0, wait)
    return None
