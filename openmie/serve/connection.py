"""Work that is given up when its client goes: a post that nobody waits for takes no place in a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from openmie.serve.problems import Problem

Result = TypeVar("Result")


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of some work for a client.

    Args:
        request: whose body was read.
        work: is cancelled when the client goes.

    Raises:
        Problem: the client has gone; nobody reads it.
    """
    task, gone = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Problem.of_facts(408, "a client that has gone", "one that waits for its answer", "wait longer")
    finally:
        task.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
