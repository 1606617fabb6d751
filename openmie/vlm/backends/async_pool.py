"""A pool of concurrent calls: coroutines on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class AsyncPool:
    """An event loop that is started when first needed, anew in a forked process, and ends with the interpreter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: tuple[int, asyncio.AbstractEventLoop] | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The running event loop of this process."""
        with self._lock:
            if self._loop is None or self._loop[0] != os.getpid():
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="openmie endpoint", daemon=True).start()
                self._loop = (os.getpid(), loop)
            return self._loop[1]

    def map_unordered(
        self, items: Iterable[A], call: Callable[[A], Coroutine[Any, Any, B]], concurrency: int
    ) -> Iterator[tuple[int, B]]:
        """Call a coroutine function on each item, `concurrency` calls at a time.

        Items are consumed lazily, as calls end and their results are taken; one that hangs keeps no other waiting. A
        call that raises ends the iteration; open calls are cancelled when the caller stops.

        Args:
            items: arguments of the calls.
            call: coroutine function of one argument.
            concurrency: the largest number of open calls.

        Returns:
            (index, result) of each item, in the order of completion.
        """
        loop, done = self.loop(), queue.SimpleQueue[int]()
        numbered, running = enumerate(items), dict[int, Future[_Outcome[B]]]()
        more = True
        try:
            while True:
                while more and len(running) < concurrency:
                    item = next(numbered, None)
                    if item is None:
                        more = False
                        break
                    number = item[0]
                    future = running[number] = asyncio.run_coroutine_threadsafe(_outcome(call(item[1])), loop)
                    future.add_done_callback(partial(_put, done, number))
                if not running:
                    return
                first = done.get()
                outcome = running.pop(first).result()
                if outcome.error is not None:
                    raise outcome.error
                yield first, outcome.result  # type: ignore[misc]
        finally:
            for future in running.values():
                future.cancel()


@dataclass
class _Outcome(Generic[B]):
    """What a call returned or raised: of several that raise, the first is raised here and no other is logged."""

    result: B | None = None
    error: Exception | None = None


async def _outcome(call: Coroutine[Any, Any, B]) -> _Outcome[B]:
    try:
        return _Outcome(await call)
    except Exception as error:
        return _Outcome(error=error)


def _put(done: queue.SimpleQueue[int], number: int, _: object) -> None:
    done.put(number)
