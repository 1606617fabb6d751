"""In front of any backend: a request that was answered is not sent again, and a row of failures ends the job."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from openmie.errors import ErrorRecord
from openmie.vlm.backends.answer_store import AnswerStore, StoredRequest
from openmie.vlm.backends.shared_pause import UnusableServer
from openmie.vlm.generate import Answer, Backend, Grammar, Request, answer_one
from openmie.vlm.usage import JobUsage

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

T = TypeVar("T")
MAX_HITS_AHEAD = 256  # stored answers that are looked up ahead while nothing is asked
MAX_FAILURES = 16  # requests one after the other without an answer, before a person is to look


class Cached:
    """A backend with a store of answers: requests that were answered before are served from it.

    Args:
        backend: the model that answers the others.
        store: its answers, or the file of such a store; None: nothing is kept, and equal requests of one job are sent
            once all the same.
        max_failures: requests that may fail one after the other; one more ends the job. 0: any number.

    Raises:
        CacheError: a file that is no store, of another layout, or damaged.
    """

    def __init__(
        self,
        backend: Backend,
        store: AnswerStore | str | os.PathLike[str] | None,
        max_failures: int = MAX_FAILURES,
    ) -> None:
        self.backend, self.max_failures = backend, max_failures
        self.store = store if store is None or isinstance(store, AnswerStore) else AnswerStore(store)
        self.usage = JobUsage()

    @property
    def name(self) -> str:
        """The name of the backend's model."""
        return self.backend.name

    def facts(self) -> dict[str, Any]:
        """The facts of the backend."""
        return dict(self._facts)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return self.backend.facts()

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        """The text of one answer. Raises `GenerationError` where there is none."""
        return answer_one(self, images, prompt, schema)

    def __len__(self) -> int:
        """The number of stored answers."""
        return 0 if self.store is None else len(self.store)

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        """Answers in the order of the requests; failures of the backend as records."""
        return restore_order(self.answers_as_completed(requests))

    def answers_as_completed(self, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """(index, answer) in the order of completion, stored before it is yielded; equal requests are sent once.

        Raises:
            UnusableServer: more than `max_failures` requests failed one after the other.
        """
        numbered, failures = enumerate(requests), _Failures(self.max_failures, self.name)
        while (first := next(numbered, None)) is not None:
            for number, answer in self._answer_some(chain([first], numbered), failures):
                self.usage.add(answer)
                yield number, answer
                failures.check()

    def _answer_some(
        self, numbered: Iterator[tuple[int, Request]], failures: _Failures
    ) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """Answers until `MAX_HITS_AHEAD` stored ones wait and nothing is asked, or the requests end."""
        hits: deque[tuple[int, Answer | ErrorRecord]] = deque()
        sent: list[StoredRequest] = []  # in the order in which the backend gets the requests
        waiting: dict[str, list[int]] = {}  # key -> indices of the requests that wait for it

        def missing() -> Iterator[Request]:
            while (waiting or len(hits) < MAX_HITS_AHEAD) and (item := next(numbered, None)) is not None:
                number, request = item
                asked = StoredRequest.of(self._facts, request)
                if asked.key in waiting:
                    waiting[asked.key].append(number)
                elif self.store is not None and (stored := self.store.get(asked.key)) is not None:
                    hits.append((number, stored))
                else:
                    waiting[asked.key] = [number]
                    sent.append(asked)
                    failures.sent += 1
                    yield request

        begun = failures.sent
        for order, answer in answers_as_completed(self.backend, missing()):
            failures.count(begun + order, answer)
            if isinstance(answer, Answer) and self.store is not None:
                self.store.put(sent[order], answer)
            first, *others = waiting.pop(sent[order].key)
            repeated = Answer(**{**vars(answer), "cached": True}) if isinstance(answer, Answer) else answer
            yield first, answer
            yield from ((number, repeated) for number in others)
            yield from _drained(hits)
        yield from _drained(hits)


class _Failures:
    """Requests without an answer, one after the other: those that were sent after the last answer had come."""

    def __init__(self, most: int, model: str) -> None:
        self.most, self.model, self.sent = most, model, 0
        self._row, self._since = 0, 0
        self._last: ErrorRecord | None = None

    def count(self, order: int, answer: Answer | ErrorRecord) -> None:
        """Count what came of the request that was sent at this place."""
        if not isinstance(answer, ErrorRecord):
            self._row, self._since = 0, self.sent
        elif order >= self._since:
            self._row, self._last = self._row + 1, answer

    def check(self) -> None:
        if self.most and self._row >= self.most and self._last is not None:
            reason, self._row = self._last, 0
            raise UnusableServer(
                f"{self.most} requests one after the other have no answer ({reason.found})",
                expected="answers",
                where=reason.where or f"model {self.model}",
                remedy=f"{reason.remedy or 'look at the reason'}. Is that as it should be? To go on whatever fails, "
                "set max_failures to 0 (--vlm-option max_failures=0; of caption --max-failures 0)",
            )


def _drained(queue: deque[T]) -> Iterator[T]:
    while queue:
        yield queue.popleft()


def answers_as_completed(backend: Backend, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
    """(index, answer) of a backend: in the order of completion where it has that method, else in order."""
    method = getattr(backend, "answers_as_completed", None)
    return method(requests) if method is not None else enumerate(backend.answers(requests))


def restore_order(items: Iterable[tuple[int, T]]) -> Iterator[T]:
    """Put indexed items back into order.

    Args:
        items: (index, item); the indices are 0, 1, ..., each once.

    Returns:
        The items by increasing index, each as soon as all before it have come.
    """
    early: dict[int, T] = {}
    due = 0
    for number, item in items:
        early[number] = item
        while due in early:
            yield early.pop(due)
            due += 1
