"""A vision-language model behind any server with OpenAI's chat protocol: vLLM, `transformers serve`, a hosted one.

    Endpoint("http://localhost:8000/v1", "Qwen/Qwen2.5-VL-7B-Instruct", dialect="vllm")

A request is retried `retries` times where another try can help: a broken connection, a time-out, the statuses 408, 409
and 5xx, a truncated body. The delay doubles each time, with random jitter down to one half. A try ends after `timeout`
seconds whatever has arrived; a request ends with an answer, or with an `ErrorRecord` in its place.

What the server says to one request holds for all (`shared_pause`). Asked to slow down (status 429, or one with
Retry-After), all pause for as long as it says, then probe slowly; no request fails of that. A server that nobody
reaches, a key that it does not take (401, 403), no credit (402) and a model that it does not know end the job:
`UnusableServer`. A field that it refuses is written in another way, or left out (`server_parameters`).
The key is read from the environment at each call, sent as the server's bearer token, and redacted from all messages.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openmie.errors import ErrorRecord, ModelError, OpenMIEError
from openmie.vlm.backends import openai_protocol
from openmie.vlm.backends.async_pool import AsyncPool
from openmie.vlm.backends.chat_call import call_as_accepted
from openmie.vlm.backends.response_body import MalformedResponse
from openmie.vlm.backends.response_cache import restore_order
from openmie.vlm.backends.server_errors import RetryableTry, SlowDown, Unreachable, status_error
from openmie.vlm.backends.server_parameters import RequestForm, ServerParameters
from openmie.vlm.backends.shared_pause import SharedPause, UnusableServer
from openmie.vlm.backends.vendor_headers import without_vendor_headers
from openmie.vlm.generate import Answer, GenerationError, Grammar, Request, answer_one

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

NO_KEY = "EMPTY"  # sent to servers that require no key
Messages = list[dict[str, Any]]
CONNECT_SECONDS = 10.0  # until a server counts as out of reach
_RUN_AGAIN = "check the server, then run again"


@dataclass(frozen=True)
class Endpoint:
    """A model behind a server with OpenAI's chat protocol. Nothing is sent before the first request.

    Args:
        base_url: address up to and with "/v1", without credentials.
        model: the model's name on the server.
        revision: what is known of its weights: part of a cache's key, not sent.
        key_env: environment variable that holds the key; where it is not set, no key is sent.
        timeout: seconds of one try in all.
        retries: tries after the first.
        retry_delay: seconds before the second try; doubled each time.
        max_retry_delay: seconds of any one delay, unless the server asks for more.
        concurrency: requests at a time.
        max_tokens: generated tokens at most; None: not sent, so the server's own limit.
        temperature: 0 is greedy; None: not sent, so the server's own.
        dialect: how a schema or grammar is sent (`openai_protocol`), until the server refuses it: "openai", "vllm",
            "guided", "plain".
        image_format: how images are sent: "auto" (the file's own bytes where they are small and upright, else JPEG),
            "jpeg", or "png" (each pixel as it is).
        extra_body: more fields of the request's body, as JSON values; one that is None is not sent.

    Raises:
        ModelError: invalid settings; and at the first request where the package openai is not installed.
    """

    base_url: str
    model: str
    revision: str = ""
    key_env: str = "OPENAI_API_KEY"
    timeout: float = 120.0
    retries: int = 5
    retry_delay: float = 1.0
    max_retry_delay: float = 60.0
    concurrency: int = 8
    max_tokens: int | None = 512
    temperature: float | None = 0.0
    dialect: openai_protocol.Dialect = "openai"
    image_format: openai_protocol.ImageFormat = "auto"
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.username or url.password:
            shown = "with a name or password in it" if url.username or url.password else repr(self.base_url)
            raise ModelError(
                f"invalid base_url {shown}",
                expected="http(s)://HOST/v1, without credentials",
                remedy=f"set the key in the environment variable {self.key_env}",
            )
        checks = (
            ("timeout", self.timeout > 0, "a number above 0"),
            ("retries", self.retries >= 0, "0 or more"),
            ("retry_delay", self.retry_delay >= 0, "seconds, 0 or more"),
            ("max_retry_delay", self.max_retry_delay >= 0, "seconds, 0 or more"),
            ("concurrency", self.concurrency >= 1, "at least 1"),
            ("max_tokens", self.max_tokens is None or self.max_tokens >= 1, "at least 1"),
            ("temperature", self.temperature is None or self.temperature >= 0, "0 or more"),
            ("dialect", self.dialect in openai_protocol.DIALECTS, f"one of {', '.join(openai_protocol.DIALECTS)}"),
            ("image_format", self.image_format in ("auto", "png", "jpeg"), "auto, png or jpeg"),
        )
        for name, valid, expected in checks:
            if not valid:
                raise ModelError(
                    f"{name}={getattr(self, name)!r}", expected=expected, remedy="correct it, or leave it out"
                )
        try:
            json.dumps(dict(self.extra_body), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"setting extra_body cannot be written as JSON ({error})",
                expected="JSON values",
                remedy="give the fields as they are sent",
            ) from None
        self.__dict__["_pool"] = AsyncPool()
        self.__dict__["_accepted"] = ServerParameters(self.where)

    @property
    def name(self) -> str:
        """The model's name on the server."""
        return self.model

    def facts(self) -> dict[str, Any]:
        """What determines an answer: a part of a cache's key, whose names never change."""
        names = ("base_url", "model", "revision", "max_tokens", "temperature", "dialect")
        values = {n: getattr(self, n) for n in names}
        return {"backend": "endpoint", **values, "pictures": self.image_format, "extra": dict(self.extra_body)}

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        """The text of one answer. Raises `GenerationError` where there is none."""
        return answer_one(self, images, prompt, schema)

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        """Answers in the order of the requests; a record for each request that failed."""
        return restore_order(self.answers_as_completed(requests))

    def answers_as_completed(self, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """(index, answer) in the order of completion: a cache stores an answer before a slower neighbour is ready."""
        import_openai()
        return self.__dict__["_pool"].map_unordered(requests, self._answer, self.concurrency)

    def body(self, request: Request) -> dict[str, Any]:
        """The whole body of a request, as a batch file has it: with the fields that the server is known to accept."""
        messages = openai_protocol.build_messages(request, self.image_format)
        fields = self._fields(messages, request, self._parameters.form)
        return {**{k: v for k, v in fields.items() if k != "extra_body"}, **fields.get("extra_body", {})}

    def _fields(self, messages: Messages, request: Request, form: RequestForm) -> dict[str, Any]:
        limits = (self.max_tokens, self.temperature)
        known = openai_protocol.request_fields(messages, request.schema, self.dialect, form, *limits)
        return {**openai_protocol.with_extra(known, self.extra_body), "model": self.model}

    async def _answer(self, request: Request) -> Answer | ErrorRecord:
        try:
            messages = await asyncio.to_thread(openai_protocol.build_messages, request, self.image_format)
            return await self._with_retries(messages, request)
        except UnusableServer:
            raise
        except Exception as error:  # whatever the client or an image raises, the other requests go on
            return self.recorded(error)

    def recorded(self, error: Exception) -> ErrorRecord:
        """What is in the place of an answer where a request raised an error."""
        if isinstance(error, OpenMIEError):
            found = self._redacted(error.record.found)
            return error.record.model_copy(update={"where": self.where, "found": found})
        return self._record(
            f"request failed with {type(error).__name__}: {str(error)[:300]}",
            "an answer",
            "check this request's images and text",
        )

    def gave_up(self, failure: str, tries: int) -> ErrorRecord:
        """What is in the place of an answer where so many tries failed."""
        return self._record(f"{failure}, {tries} times", "an answer", _RUN_AGAIN)

    async def _with_retries(self, messages: Messages, request: Request) -> Answer | ErrorRecord:
        failure, tries, pause = "", 0, self.pause()
        while tries <= self.retries:
            ticket = await pause.turn()
            try:
                found = await self.try_once(messages, request, pause, ticket)
            finally:
                pause.leave()
            if not isinstance(found, str):
                return found
            if not found:  # all were asked to wait, which is no fault of this request
                continue
            failure, tries = found, tries + 1
            pause.failed(failure, self.patience)
            if tries <= self.retries:
                await asyncio.sleep(self.delay(tries))
        return self.gave_up(failure, tries)

    def delay(self, tries: int) -> float:
        """Seconds before the next try, after so many that failed."""
        longest = min(self.max_retry_delay, self.retry_delay * 2.0 ** (tries - 1))
        return random.uniform(longest / 2, longest)

    async def try_once(self, messages: Messages, request: Request, pause: SharedPause, ticket: float) -> Answer | str:
        """An answer, or how the try failed; "" for a try that does not count."""
        started = time.monotonic()
        try:
            raw = await asyncio.wait_for(self._post(messages, request), self.timeout)
            dialect = "plain" if self._parameters.form.schema == "plain" else self.dialect
            answer = openai_protocol.parse_response(raw, request, dialect, time.monotonic() - started)
        except TimeoutError:
            return f"no whole answer in {self.timeout:g} seconds"
        except (MalformedResponse, RetryableTry) as error:
            return self._redacted(str(error))
        except SlowDown as error:
            pause.hold(ticket, error.wait, self._redacted(str(error)))
            return ""
        except Unreachable as error:
            pause.unreachable(ticket, self._redacted(str(error)))
            return ""
        except UnusableServer:
            raise
        except GenerationError:  # an answer that is none to this request
            pause.answered()
            raise
        pause.answered()
        return answer

    @property
    def patience(self) -> float:
        """Seconds that a server which has answered nothing may go on failing: the delays of one request."""
        return sum(min(self.max_retry_delay, self.retry_delay * 2.0**n) for n in range(self.retries)) / 2

    async def _post(self, messages: Messages, request: Request) -> bytes:
        """The raw body of one try's response."""
        openai = import_openai()

        def fields(form: RequestForm) -> dict[str, Any]:
            return self._fields(messages, request, form)

        try:
            return await call_as_accepted(openai, self._client(openai), fields, self._parameters, request)
        except openai.APIStatusError as error:
            raise status_error(error, self.where, self.key_env, self._redacted) from None

    @property
    def _parameters(self) -> ServerParameters:
        """What is known of the fields that the server accepts."""
        return self.__dict__["_accepted"]

    def _client(self, openai: Any) -> Any:
        """One client for each loop and key; redirects, which could lead anywhere, are not followed."""
        key, loop = os.environ.get(self.key_env, "").strip() or NO_KEY, asyncio.get_running_loop()
        held = self.__dict__.get("_held")
        if held is None or held[:2] != (key, loop):
            limits = {"timeout": self.timeout, "connect": min(self.timeout, CONNECT_SECONDS)}
            timeout = openai.Timeout(**limits)
            client = openai.AsyncOpenAI(
                base_url=self.base_url,
                api_key=key,
                max_retries=0,
                timeout=timeout,
                http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout),
            )
            without_vendor_headers(client, self.base_url)
            held = self.__dict__["_held"] = (key, loop, client)
        return held[2]

    def pause(self) -> SharedPause:
        """The pause of all requests on this loop."""
        loop = asyncio.get_running_loop()
        held = self.__dict__.get("_paused")
        if held is None or held[0] is not loop:
            pause = SharedPause(self.where, self.concurrency, self.retries + 1, self.retry_delay, self.max_retry_delay)
            held = self.__dict__["_paused"] = (loop, pause)
        return held[1]

    @property
    def where(self) -> str:
        """How records call model and server."""
        return f"model {self.model} at {self.base_url}"

    def _record(self, found: str, expected: str, remedy: str) -> ErrorRecord:
        return ErrorRecord(where=self.where, found=self._redacted(found), expected=expected, remedy=remedy)

    def _redacted(self, text: str) -> str:
        key = os.environ.get(self.key_env, "").strip()
        return text.replace(key, "***") if key else text


def is_unavailable(record: ErrorRecord) -> bool:
    """Whether a record of an `Endpoint` says that the server could not be asked, be it the network or a limit.

    Such a request may be answered another time; one that the server refused for what is in it, will not.
    """
    return not record.note and record.remedy.startswith(_RUN_AGAIN)


def import_openai() -> Any:
    """The package openai. ModelError: it is not installed."""
    try:
        return import_module("openai")
    except ImportError as error:
        raise ModelError(
            f"package openai is not installed ({error})",
            expected="this package, which talks to servers",
            remedy="install it: pip install 'openmie[endpoint]'",
        ) from None
