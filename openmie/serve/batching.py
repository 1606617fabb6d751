"""Dynamic batching: posts of all clients wait in one queue for a model, which predicts those of one query together.

While the model works, further posts arrive; they are the next batch. An idle model waits for a moment, so that clients
that send at the same time are served together. All of the queue's state belongs to the event loop; the model runs in
one thread of its own, so that no two batches compete for its memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from openmie.data.document import Document
from openmie.errors import OpenMIEError
from openmie.serve import logs
from openmie.serve.metrics import Metrics
from openmie.serve.post_request import Post
from openmie.serve.problems import Problem, internal_error
from openmie.serve.served_model import ModelQuery
from openmie.serve.settings import Settings
from openmie.serve.uploads import open_files, with_paths, without_image_paths

IMAGE_WEIGHT = 7  # texts that take a model as long as one image, roughly: a batch has `batch_size` of text and images


@dataclass(frozen=True, eq=False)
class _Waiting:
    post: Post
    query: ModelQuery
    answer: asyncio.Future[Document]
    weight: int


class BatchQueue:
    """The queue of one model.

    Args:
        name: of the model, in metrics.
        settings: sizes and times.
        metrics: where batches are counted.
    """

    def __init__(self, name: str, settings: Settings, metrics: Metrics) -> None:
        self.name, self.settings, self.metrics = name, settings, metrics
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._freed = asyncio.Condition()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"model-{name}")
        self._task: asyncio.Task[None] | None = None
        self._seconds_per_post, self._accepted = 0.1, 0

    def start(self) -> None:
        """Begin to predict; called in the event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Predict what was accepted, and end: what waits, what waits for a place, and what the model is reading."""
        if self._task is not None:
            while self._accepted and not self._task.done():
                await asyncio.sleep(0.01)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.to_thread(self._thread.shutdown)

    def __len__(self) -> int:
        return len(self._waiting)

    async def predict(self, post: Post, query: ModelQuery, *, patient: bool = False) -> Document:
        """The prediction of a post.

        Args:
            post: with its images.
            query: what is asked of the model.
            patient: wait for a place in a full queue, instead of an error.

        Raises:
            Problem: the queue is full (429), or the time is over (504).
        """
        self._accepted += 1
        try:
            return await self._predict(post, query, patient)
        finally:
            self._accepted -= 1

    async def _predict(self, post: Post, query: ModelQuery, patient: bool) -> Document:
        if patient:
            async with self._freed:
                await self._freed.wait_for(lambda: len(self._waiting) < self.settings.max_waiting)
        if len(self._waiting) >= self.settings.max_waiting:
            raise Problem.of_facts(
                429,
                f"{len(self._waiting)} posts that wait for this model",
                f"fewer than {self.settings.max_waiting}",
                "send the request again after the seconds of Retry-After",
                retry_after=max(round(len(self._waiting) * self._seconds_per_post), 1),
            )
        loop = asyncio.get_running_loop()
        one = _Waiting(post, query, loop.create_future(), 1 + IMAGE_WEIGHT * len(post.files))
        self._waiting.append(one)
        self._arrived.set()
        try:
            return await asyncio.wait_for(one.answer, self.settings.timeout)
        except TimeoutError:
            raise Problem.of_facts(
                504,
                f"no prediction within {self.settings.timeout:g} seconds",
                "a post that the model reads in time",
                "send shorter texts or fewer images at a time, or raise --timeout",
                retry_after=1,
            ) from None

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                await self._linger()
            if batch := self._next_batch():
                await _to_its_end(self._answer(batch))
            async with self._freed:
                self._freed.notify_all()

    async def _linger(self) -> None:
        """Wait while posts arrive, for `batch_wait` seconds at most."""
        until, before = monotonic() + self.settings.batch_wait, 0
        while before < len(self._waiting) < self.settings.batch_size and monotonic() < until:
            before = len(self._waiting)
            await asyncio.sleep(self.settings.batch_wait / 4)

    def _next_batch(self) -> list[_Waiting]:
        """The first post that still waits, and those behind it of the same query, up to `batch_size`."""
        left: deque[_Waiting] = deque()
        batch: list[_Waiting] = []
        weight = 0
        while self._waiting:
            one = self._waiting.popleft()
            if one.answer.done():  # its client has gone, or its time is over
                continue
            fits = not batch or (
                one.query.key == batch[0].query.key and weight + one.weight <= self.settings.batch_size
            )
            if fits:
                batch.append(one)
                weight += one.weight
            else:
                left.append(one)
        self._waiting = left
        return batch

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        """Predict a batch; one that fails is predicted post by post, so that no post harms another."""
        began = monotonic()
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, _predict_together, batch)
        except Exception as error:  # whatever a model raises, the service goes on
            if len(batch) > 1:
                for one in batch:
                    await self._answer([one])
                return
            problem = Problem.of_error(error) if isinstance(error, OpenMIEError) else internal_error()
            if not isinstance(error, OpenMIEError):
                logs.failure("prediction", error)
            if not batch[0].answer.done():
                batch[0].answer.set_exception(problem)
            return
        seconds = monotonic() - began
        self._seconds_per_post += 0.2 * (seconds / len(batch) - self._seconds_per_post)
        self.metrics.predicted(self.name, len(batch), seconds)
        for one, document in zip(batch, found, strict=True):
            if not one.answer.done():
                one.answer.set_result(document)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that goes on, and is awaited, where the task that awaits it is cancelled."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _predict_together(batch: Sequence[_Waiting]) -> list[Document]:
    """In the model's thread: the images of the batch are files in memory for as long as it takes."""
    with open_files([file for one in batch for file in one.post.files]) as paths:
        left = iter(paths)
        documents = [with_paths(one.post.document, [next(left) for _ in one.post.files]) for one in batch]
        found = batch[0].query.predict(documents)
        if [x.id for x in found] != [x.id for x in documents]:
            raise RuntimeError("the model answered other documents than it was given")
        return [without_image_paths(document) for document in found]
