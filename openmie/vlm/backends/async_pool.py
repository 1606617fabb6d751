"""Many calls at once, some at a time: coroutines on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")
AHEAD = 16  # how often `most` calls may be begun beyond the oldest that is still open


class Flight:
    """An event loop that is started when first needed, anew in a forked process, and ends with the interpreter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: tuple[int, asyncio.AbstractEventLoop] | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._loop[0] != os.getpid():
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="openmie endpoint", daemon=True).start()
                self._loop = (os.getpid(), loop)
            return self._loop[1]

    def over(
        self, items: Iterable[A], call: Callable[[A], Coroutine[Any, Any, B]], most: int
    ) -> Iterator[tuple[int, B]]:
        """(number, result) of each item in the order of completion, `most` calls at a time.

        Items are taken lazily, and `AHEAD * most` at most beyond the oldest open call. A call that raises ends all;
        those that are open when the caller stops are cancelled.
        """
        loop, done = self.loop(), queue.SimpleQueue[int]()
        numbered, under_way = enumerate(items), dict[int, Future[B]]()
        number, more = -1, True
        try:
            while True:
                while more and len(under_way) < most and number - min(under_way, default=number) < AHEAD * most:
                    item = next(numbered, None)
                    if item is None:
                        more = False
                        break
                    number = item[0]
                    future = under_way[number] = asyncio.run_coroutine_threadsafe(call(item[1]), loop)
                    future.add_done_callback(partial(_put, done, number))
                if not under_way:
                    return
                first = done.get()
                yield first, under_way.pop(first).result()
        finally:
            for future in under_way.values():
                future.cancel()


def _put(done: queue.SimpleQueue[int], number: int, _: object) -> None:
    done.put(number)
