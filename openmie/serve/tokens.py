"""Tokens that open the service: compared in constant time, each with its own rate."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections.abc import Sequence
from time import monotonic

from openmie.errors import OpenMIEError
from openmie.serve.problems import Problem
from openmie.serve.settings import Settings

MIN_LENGTH = 16


def generate_token() -> str:
    """A new token of 256 random bits."""
    return secrets.token_urlsafe(32)


def check_tokens(tokens: Sequence[str]) -> tuple[str, ...]:
    """Tokens that a user chose.

    Raises:
        OpenMIEError: none, one that is short, or one with other characters than a header can hold.
    """
    for token in tokens:
        if len(token) < MIN_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
            raise OpenMIEError(
                f"a token of {len(token)} characters" if len(token) < MIN_LENGTH else "a token with odd characters",
                expected=f"at least {MIN_LENGTH} letters, digits and signs of ASCII, without blanks",
                remedy="leave it out: one is generated and printed",
            )
    if not tokens:
        raise OpenMIEError("no token", expected="at least one", remedy="leave the file out: one is generated")
    return tuple(tokens)


class TokenCheck:
    """Finds out whose request it is, and how often they may ask.

    Args:
        settings: tokens and rates.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._digests = [hashlib.sha256(token.encode()).digest() for token in settings.tokens]
        self._buckets = [(float(settings.burst), monotonic()) for _ in self._digests]

    def check(self, authorization: str | None) -> int:
        """The number of the token in an Authorization header.

        Args:
            authorization: the header's value; None: there is none.

        Raises:
            Problem: no token, or a wrong one (401); more requests than its rate allows (429).
        """
        scheme, _, token = (authorization or "").partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        known = [hmac.compare_digest(digest, one) for one in self._digests]  # all of them, whichever it is
        if scheme.lower() != "bearer" or True not in known:
            raise Problem(401, _UNKNOWN, {"WWW-Authenticate": "Bearer"})
        number = known.index(True)
        self._count(number)
        return number

    def _count(self, number: int) -> None:
        rate = self.settings.rate
        if not rate:
            return
        left, then = self._buckets[number]
        now = monotonic()
        left = min(left + (now - then) * rate, float(self.settings.burst))
        if left < 1:
            self._buckets[number] = left, now
            raise Problem.of_facts(
                429,
                "more requests than this token may send",
                f"{rate:g} per second on average",
                "send the request again after the seconds of Retry-After; /v1/extract/batch takes many posts at once",
                retry_after=max(math.ceil((1 - left) / rate), 1),
            )
        self._buckets[number] = left - 1, now


_UNKNOWN = Problem.of_facts(
    401,
    "no valid token",
    "the header `Authorization: Bearer TOKEN`",
    "send the token that `openmie serve` printed, or that its file has",
).record
