"""One model behind several servers: each request goes to the server with the fewest in flight that may be asked now.

    Endpoints([Endpoint("http://a:8000/v1", "qwen"), Endpoint("http://b:8000/v1", "qwen", concurrency=32)])

Each server has its own key, limits and pause: one that asks to slow down (status 429) pauses alone, and its requests go
to the others. A request that failed at one server is tried at another first. A server that cannot be used (nobody
listens, a key that it does not take, a model that it does not know: `UnusableServer`) is left out, which is told on
stderr; the job ends with the last one. Where an answer came from is no part of its key.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from openmie.errors import ErrorRecord, ModelError
from openmie.vlm.backends import openai_protocol
from openmie.vlm.backends.answer_store import NOT_OF_THE_ANSWER
from openmie.vlm.backends.async_pool import AsyncPool
from openmie.vlm.backends.endpoint import Endpoint, import_openai
from openmie.vlm.backends.response_cache import restore_order
from openmie.vlm.backends.shared_pause import SharedPause, UnusableServer
from openmie.vlm.generate import Answer, Grammar, Request, answer_one

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(eq=False)
class _Server:
    endpoint: Endpoint
    pause: SharedPause
    sent: int = 0
    failures: int = 0  # one after the other; each counts like a request in flight: quick to fail is not idle
    ended: UnusableServer | None = None


class Endpoints:
    """Servers that answer alike.

    Args:
        endpoints: one of each address, alike in all that decides an answer.

    Raises:
        ModelError: none, two of one address, or settings of the answer that differ.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        facts = [{k: v for k, v in e.facts().items() if k not in NOT_OF_THE_ANSWER} for e in self.endpoints]
        addresses = {e.base_url.rstrip("/") for e in self.endpoints}
        if not facts or len(addresses) < len(facts) or any(f != facts[0] for f in facts):
            raise ModelError(
                f"{len(facts)} servers, {len(addresses)} addresses",
                expected="one or more, each with an address of its own, the same model and the same settings",
                remedy="name each server once",
            )
        self._pool = AsyncPool()
        self._held: tuple[Any, list[_Server], asyncio.Event] | None = None

    @property
    def name(self) -> str:
        """The model's name on the servers."""
        return self.endpoints[0].name

    def facts(self) -> dict[str, Any]:
        """What determines an answer: the facts of the first server, from which the others differ by their address."""
        return self.endpoints[0].facts()

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        """The text of one answer. Raises `GenerationError` where there is none."""
        return answer_one(self, images, prompt, schema)

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        """Answers in the order of the requests; a record for each request that failed."""
        return restore_order(self.answers_as_completed(requests))

    def answers_as_completed(self, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """(index, answer) in the order of completion.

        Raises:
            UnusableServer: no server is left.
        """
        import_openai()
        if self._held and all(server.ended for server in self._held[1]):
            self._held = None  # another job: perhaps they are back
        return self._pool.map_unordered(requests, self._answer, sum(e.concurrency for e in self.endpoints))

    def _state(self) -> tuple[list[_Server], asyncio.Event]:
        """The servers on this loop, and the event that one of them may have become free."""
        loop = asyncio.get_running_loop()
        if self._held is None or self._held[0] is not loop:
            self._held = (loop, [_Server(e, e.pause()) for e in self.endpoints], asyncio.Event())
        return self._held[1:]

    async def _answer(self, request: Request) -> Answer | ErrorRecord:
        server = self._state()[0][0]
        try:
            messages = await asyncio.to_thread(openai_protocol.build_messages, request, server.endpoint.image_format)
        except Exception as error:  # of its images: the other requests go on
            return server.endpoint.recorded(error)
        return await self._with_retries(messages, request)

    async def _with_retries(self, messages: list[dict[str, Any]], request: Request) -> Answer | ErrorRecord:
        tried = set[_Server]()
        tries = 0
        while True:
            server, ticket = await self._turn(tried)
            endpoint = server.endpoint
            try:
                found = await endpoint.try_once(messages, request, server.pause, ticket)
                if isinstance(found, str) and found:
                    server.pause.failed(found, endpoint.patience)
            except UnusableServer as error:
                self._leave_out(server, error)
                continue
            except Exception as error:
                return endpoint.recorded(error)
            finally:
                server.pause.leave()
                self._state()[1].set()
            if not isinstance(found, str):
                server.failures = 0
                return found
            if not found:  # it is paused, which is no fault of this request
                continue
            tries, server.failures = tries + 1, server.failures + 1
            tried.add(server)
            if tries > endpoint.retries:
                return endpoint.gave_up(found, tries)
            if not any(other not in tried and not other.ended for other in self._state()[0]):
                await asyncio.sleep(endpoint.delay(tries))

    async def _turn(self, tried: Collection[_Server]) -> tuple[_Server, float]:
        """The server that the request goes to, and the ticket of its pause; waits for one.

        Args:
            tried: servers at which it failed, which are asked again where there is no other.
        """
        servers, changed = self._state()
        while True:
            usable = [s for s in servers if not s.ended]
            if not usable:
                raise next(s.ended for s in reversed(servers) if s.ended)
            others = [s for s in usable if s not in tried]
            waits = {s: s.pause.seconds_left() for s in usable}
            chosen = others if any(waits[s] in (0.0, inf) for s in others) else usable
            if free := [s for s in chosen if not waits[s]]:
                server = min(free, key=lambda s: (s.pause.open + s.failures, s.sent))
                server.sent += 1
                return server, server.pause.take()
            changed.clear()
            soonest = min(waits[s] for s in chosen)
            try:
                await asyncio.wait_for(changed.wait(), None if soonest == inf else soonest)
            except TimeoutError:
                continue

    def _leave_out(self, server: _Server, error: UnusableServer) -> None:
        """Ask a server no more. Raises its error where it is the last one."""
        if server.ended:
            return
        server.ended = error
        left = sum(not s.ended for s in self._state()[0])
        if not left:
            raise error
        others = f"{left} other server{'s' * (left > 1)}"
        print(
            f"{server.endpoint.where} is left out: {error.record.found}. The job goes on with {others}.",
            file=sys.stderr,
        )
