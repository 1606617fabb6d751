"""One pause for all requests to a server: what it tells one of them, all of them keep to.

    ticket = await pause.turn()      # waits while the server is left alone
    pause.hold(ticket, seconds)      # it asked to slow down (429): nobody sends for so long
    pause.unreachable(ticket)        # nobody listens there: all wait, twice as long each time
    pause.answered()                 # one more request at a time, slowly
    pause.leave()

After a pause one request goes alone. Each answer then lets a share of one more go at a time, as TCP probes a line. All
is called on one event loop, so nothing is locked.
"""

from __future__ import annotations

import asyncio
import random
import sys
from math import inf
from time import monotonic

from openmie.vlm.generate import GenerationError

FAILED_TRIES = 16  # tries one after the other, the first ones of a job, that no server answers
HELD_PAUSES = 16  # pauses one after the other without an answer in between
HELD_SECONDS = 600.0  # and how long they last at least, before they end a job
TOLD = 10.0  # seconds from which on a pause is told


class UnusableServer(GenerationError):
    """No request can be answered, this one or another: the job ends, and a person is to look."""


class SharedPause:
    """When requests to one server may be sent.

    Args:
        where: the server, for errors.
        concurrency: requests at a time, at most.
        tries: of a connection, before the server counts as down.
        first: seconds of the first pause where the server names none; doubled each time.
        longest: seconds of any one such pause.
    """

    def __init__(self, where: str, concurrency: int, tries: int, first: float, longest: float) -> None:
        self.where, self.concurrency, self.tries = where, concurrency, tries
        self.first, self.longest = first, longest
        self._allowed = float(concurrency)
        self.open = 0  # requests in flight
        self._until = 0.0  # nobody sends before
        self._began = -1.0  # of the last pause
        self._pauses = 0  # without an answer in between
        self._since = 0.0  # of the first of these
        self._answered = False
        self._failed: list[float] = []  # times of the first failed tries, while there is no answer
        self._changed: asyncio.Event | None = None

    async def turn(self) -> float:
        """Wait until a request may be sent. The ticket is the time of its sending."""
        if self._changed is None:
            self._changed = asyncio.Event()
        while left := self.seconds_left():
            if left < inf:
                await asyncio.sleep(left)
            else:
                self._changed.clear()
                await self._changed.wait()
        return self.take()

    def seconds_left(self) -> float:
        """Seconds until a request may be sent; 0: now; infinity: as many are in flight as may be."""
        if (left := self._until - monotonic()) > 0:
            return left
        return inf if self.open >= max(int(self._allowed), 1) else 0.0

    def take(self) -> float:
        """A request is sent now; its ticket."""
        self.open += 1
        return monotonic()

    def leave(self) -> None:
        """A request has ended, or will try again."""
        self.open -= 1
        self._wake()

    def answered(self) -> None:
        """The server answered a request."""
        self._pauses, self._answered = 0, True
        self._allowed = min(self._allowed + 1 / self._allowed, float(self.concurrency))
        self._wake()

    def hold(self, ticket: float, wait: float | None, reason: str) -> None:
        """The server asked to slow down.

        Args:
            ticket: of the request that was told so.
            wait: seconds that it asks to wait; None: it does not say.
            reason: what it said.

        Raises:
            UnusableServer: it says so again and again, and answers nothing.
        """
        if self._is_news(ticket):
            if self._pauses == 1:
                self._since = monotonic()
            lasted = monotonic() - self._since
            if self._pauses > HELD_PAUSES and lasted > HELD_SECONDS:
                raise UnusableServer(
                    f"{reason}, {self._pauses} times one after the other in {lasted:.0f} seconds",
                    expected="an answer now and then",
                    where=self.where,
                    remedy="look at the limits of your account, or at the load of the server; then run again",
                )
        seconds = self._delay() if wait is None else wait
        if seconds >= TOLD and self._until < monotonic() + seconds - TOLD:
            print(f"{self.where} asks to wait: all requests to it pause for {seconds:.0f} seconds.", file=sys.stderr)
        self._wait(seconds)

    def unreachable(self, ticket: float, reason: str) -> None:
        """Nobody listens at the address.

        Args:
            ticket: of the request that found out.
            reason: what was found.

        Raises:
            UnusableServer: so many tries failed one after the other.
        """
        if self._is_news(ticket) and self._pauses >= self.tries:
            raise UnusableServer(
                f"{reason}, {self._pauses} times",
                expected="a server that answers",
                where=self.where,
                remedy="check the server, then run again: is it started, and is the address right?",
            )
        self._wait(self._delay())

    def failed(self, reason: str, least: float) -> None:
        """A try failed in another way, which may be due to the request, unless no request was answered at all.

        Args:
            reason: what was found.
            least: seconds that the failures last at least before they end the job.

        Raises:
            UnusableServer: so many tries failed, and none was answered.
        """
        if self._answered:
            return
        self._failed.append(monotonic())
        if len(self._failed) >= FAILED_TRIES and self._failed[-1] - self._failed[0] >= least:
            raise UnusableServer(
                f"{reason}; the first {len(self._failed)} tries failed, and no request was answered",
                expected="a server that answers",
                where=self.where,
                remedy="check the server, then run again",
            )

    def _is_news(self, ticket: float) -> bool:
        """Whether a request was sent after the last pause, and so begins another; counts it."""
        if ticket < self._began:
            return False
        self._began = monotonic()
        self._pauses += 1
        self._allowed = 1.0
        return True

    def _delay(self) -> float:
        longest = min(self.longest, self.first * 2.0 ** (max(self._pauses, 1) - 1))
        return random.uniform(longest / 2, longest)

    def _wait(self, seconds: float) -> None:
        self._until = max(self._until, monotonic() + seconds)

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
