"""What every request passes first: token, rate, size of the body; and last: log, metrics, and errors as problems.

An ASGI middleware. Health, readiness and the page's own files need no token; everything else does, unknown paths
included, so that nobody without a token learns what there is.
"""

from __future__ import annotations

import asyncio
import secrets
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openmie.errors import OpenMIEError
from openmie.serve import logs
from openmie.serve.metrics import Metrics
from openmie.serve.problems import Problem, internal_error, response
from openmie.serve.settings import Settings
from openmie.serve.tokens import TokenCheck

OPEN = ("/", "/health", "/ready", "/favicon.ico")
OPEN_BELOW = "/page/"  # files of the page, which hold nothing of anybody
SECURITY_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class RequestGuard:
    """The middleware.

    Args:
        application: behind the gate.
        settings: tokens and bounds.
        metrics: where requests are counted.
    """

    def __init__(self, application: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.application, self.settings, self.metrics = application, settings, metrics
        self.tokens, self.held = TokenCheck(settings), 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        answer = _Answer(send, secrets.token_hex(8))
        body = _Body(self, receive)
        try:
            await self._pass(scope, body, answer)
        except Exception as error:  # one error of one request: the service goes on
            if not isinstance(error, OpenMIEError):
                logs.failure("request", error)
            if not answer.began:
                problem = Problem.of_error(error) if isinstance(error, OpenMIEError) else internal_error()
                await response(problem)(scope, receive, answer)
        finally:
            self.held -= body.size
            self._tell(scope, answer, body.size)

    async def _pass(self, scope: Scope, body: _Body, answer: _Answer) -> None:
        headers = Request(scope).headers
        path = scope["path"]
        if path not in OPEN and not path.startswith(OPEN_BELOW):
            scope["token"] = self.tokens.check(headers.get("authorization"))
        body.announce(headers.get("content-length"))
        if headers.get("content-encoding", "identity") != "identity":
            raise Problem.of_facts(415, "a compressed body", "a body as it is", "leave Content-Encoding out")
        await self.application(scope, body, answer)

    def _tell(self, scope: Scope, answer: _Answer, size: int) -> None:
        seconds = monotonic() - answer.since
        route = getattr(scope.get("route"), "path", "other")  # never what a client wrote
        self.metrics.answered(route, answer.status, seconds)
        logs.event(
            "request",
            request=answer.id,
            method=scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "PUT", "DELETE") else "other",
            route=route,
            status=answer.status,
            token=scope.get("token"),
            bytes=size,
            milliseconds=round(1000 * seconds, 1),
        )


class _Body:
    """Receives the body of a request within its bounds.

    Args:
        gate: counts the bytes of all bodies that are held.
        receive: of the server.
    """

    def __init__(self, gate: RequestGuard, receive: Receive) -> None:
        self.gate, self.receive, self.size, self.read = gate, receive, 0, 0
        self.until = monotonic() + gate.settings.body_timeout
        self.done = False

    def announce(self, length: str | None) -> None:
        """Reserve as many bytes as a request says that it has."""
        if length is not None and length.isdecimal():
            self._hold(int(length[:20]))

    def _hold(self, size: int) -> None:
        most, all_bodies = self.gate.settings.max_body, self.gate.settings.max_held
        if size > most:
            raise Problem.of_facts(
                413, f"a body of {size:,} bytes", f"at most {most:,}", "send fewer posts or smaller images at a time"
            )
        more = size - self.size
        if more > 0:
            if self.gate.held + more > all_bodies:
                raise Problem.of_facts(
                    429,
                    "too many large requests at once",
                    f"{all_bodies:,} bytes in all",
                    "send the request again after the seconds of Retry-After",
                    retry_after=2,
                )
            self.gate.held += more
            self.size = size

    async def __call__(self) -> Message:
        if self.done:  # what comes now is that the client goes
            return await self.receive()
        try:
            async with asyncio.timeout(self.until - monotonic()):
                message = await self.receive()
        except TimeoutError:
            raise Problem.of_facts(
                408,
                "a body that does not arrive",
                f"all of it within {self.gate.settings.body_timeout:g} seconds",
                "send less at a time",
            ) from None
        self.read += len(message.get("body", b""))
        self._hold(max(self.read, self.size))
        self.done = not message.get("more_body", False)
        return message


class _Answer:
    """Sends an answer, with the headers that all have.

    Args:
        send: of the server.
        id: of the request.
    """

    def __init__(self, send: Send, id: str) -> None:
        self.send, self.id, self.status, self.began, self.since = send, id, 500, False, monotonic()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began, self.status = True, message["status"]
            own: list[Any] = list(message.get("headers", []))
            named = {name.lower() for name, _ in own}
            own += [header for header in SECURITY_HEADERS if header[0] not in named]
            message = {**message, "headers": [*own, (b"x-request-id", self.id.encode())]}
        await self.send(message)
