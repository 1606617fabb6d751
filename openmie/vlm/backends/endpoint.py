"""A vision-language model behind any server with OpenAI's chat protocol: vLLM, `transformers serve`, a hosted one.

    Endpoint("http://localhost:8000/v1", "Qwen/Qwen2.5-VL-7B-Instruct", dialect="vllm")

Each request is tried `retries` times more where another try can help: no connection, a time-out, the statuses 408, 409,
429 and 5xx, half a body. Between tries it waits twice as long each time, by chance up to half less, or as long as the
server says (Retry-After). A try ends after `timeout` seconds whatever trickles in, so a request ends after
(retries + 1) * (timeout + longest) seconds at most: with an answer, or with an `ErrorRecord` in its place. The key is
read from the environment at each call, sent as the server's bearer token, and blotted out of all that is said.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openmie.errors import ErrorRecord, ModelError, OpenMIEError
from openmie.vlm.backends import openai_protocol as wire
from openmie.vlm.backends.async_pool import Flight
from openmie.vlm.backends.response_cache import in_order
from openmie.vlm.generate import Answer, GenerationError, Grammar, Request, answer_one

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST = 16 << 20  # bytes of a body
AGAIN = frozenset({408, 409, 429})  # and 5xx
NO_KEY = "EMPTY"  # what servers that want no key are sent


class _Again(Exception):
    """A try that failed, where another may not. `wait`: seconds that the server asks for."""

    def __init__(self, found: str, wait: float | None = None) -> None:
        super().__init__(found)
        self.wait = wait


@dataclass(frozen=True)
class Endpoint:
    """Nothing is sent before the first request. Errors: `ModelError` for settings that cannot be."""

    base_url: str  # up to and with /v1
    model: str  # as the server names it
    revision: str = ""  # what is known of its weights: part of a cache's key, not sent
    key_env: str = "OPENAI_API_KEY"  # variable of the environment with the key; where it is not set, none is sent
    timeout: float = 120.0  # seconds of one try, in all
    retries: int = 5
    pause: float = 1.0  # seconds before the second try; doubled each time
    longest: float = 60.0  # seconds of any one pause; a server that asks for more is not asked again
    concurrency: int = 8  # requests at a time
    max_tokens: int | None = 512  # None: the server's own limit
    temperature: float | None = 0.0  # None: the server's own
    dialect: wire.Dialect = "openai"  # how the server is told of a schema or grammar
    pictures: wire.Format = "png"  # how pictures are sent; jpeg is smaller, and not exact
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)  # more fields of the body, as JSON values

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.username or url.password:
            shown = "one with a name or password" if url.username or url.password else repr(self.base_url)
            raise ModelError(
                f"base_url {shown}",
                expected="http(s)://HOST/v1, without credentials",
                remedy=f"put the key into the variable {self.key_env}",
            )
        numbers = (
            ("timeout", self.timeout > 0),
            ("retries", self.retries >= 0),
            ("pause", self.pause >= 0),
            ("longest", self.longest >= 0),
            ("concurrency", self.concurrency >= 1),
            ("max_tokens", self.max_tokens is None or self.max_tokens >= 1),
            ("temperature", self.temperature is None or self.temperature >= 0),
            ("dialect", self.dialect in wire.DIALECTS),
            ("pictures", self.pictures in ("png", "jpeg")),
        )
        if wrong := [name for name, right in numbers if not right]:
            raise ModelError(
                f"{wrong[0]}={getattr(self, wrong[0])!r}",
                expected=f"positive numbers; dialect one of {', '.join(wire.DIALECTS)}; pictures png or jpeg",
                remedy="correct it, or leave it out",
            )
        try:
            json.dumps(dict(self.extra), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"extra that JSON cannot hold ({error})", expected="JSON values", remedy="give it as it is sent"
            ) from None
        self.__dict__["_flight"] = Flight()

    @property
    def name(self) -> str:
        return self.model

    def facts(self) -> dict[str, Any]:
        names = ("base_url", "model", "revision", "max_tokens", "temperature", "dialect", "pictures")
        return {"backend": "endpoint", **{n: getattr(self, n) for n in names}, "extra": dict(self.extra)}

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        return answer_one(self, images, prompt, schema)

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        return in_order(self.completed(requests))

    def completed(self, requests: Iterable[Request]) -> Iterator[tuple[int, Answer | ErrorRecord]]:
        """(number, answer) as they come: what a cache stores must not wait for a slower neighbour."""
        _library()
        return self.__dict__["_flight"].over(requests, self._answer, self.concurrency)

    async def _answer(self, request: Request) -> Answer | ErrorRecord:
        try:
            sent = await asyncio.to_thread(wire.body, request, self.dialect, self.pictures)
            return await self._tries(sent, request)
        except OpenMIEError as error:
            found = self._blotted(error.record.found)
            return error.record.model_copy(update={"where": self._where, "found": found})
        except Exception as error:  # whatever the client or a picture raises, the other requests go on
            return self._record(f"{type(error).__name__}: {str(error)[:300]}", "an answer", "look at this request")

    async def _tries(self, sent: Mapping[str, Any], request: Request) -> Answer | ErrorRecord:
        told = ""
        for number in range(self.retries + 1):
            started = time.monotonic()
            try:
                raw = await asyncio.wait_for(self._sent(sent), self.timeout)
                return wire.answer(raw, request, self.dialect, time.monotonic() - started)
            except TimeoutError:
                told, wait = f"no whole answer in {self.timeout:g} seconds", None
            except wire.Broken as error:
                told, wait = str(error), None
            except _Again as error:
                told, wait = str(error), error.wait
            if wait is not None and wait > self.longest:
                return self._record(
                    f"{told}, and is to be asked again in {wait:.0f} seconds",
                    f"a pause of {self.longest:g} seconds at most",
                    "run again later; what is answered is not asked again where there is a cache",
                )
            if number < self.retries:
                most = min(self.longest, self.pause * 2**number)
                await asyncio.sleep(random.uniform(most / 2, most) if wait is None else wait)
        return self._record(f"{told}, {self.retries + 1} times", "an answer", "see to the server, then run again")

    async def _sent(self, sent: Mapping[str, Any]) -> bytes:
        """The body of one try's response."""
        openai = _library()
        limits = {
            k: v for k, v in (("max_tokens", self.max_tokens), ("temperature", self.temperature)) if v is not None
        }
        extra = {**self.extra, **sent.get("extra_body", {})}
        asked = {**limits, **{k: v for k, v in sent.items() if k != "extra_body"}, "model": self.model}
        client = self._client(openai)
        parts, size = [], 0
        try:
            async with client.chat.completions.with_streaming_response.create(**asked, extra_body=extra) as response:
                async for part in response.iter_bytes():
                    parts.append(part)
                    if (size := size + len(part)) > MOST:
                        raise GenerationError(
                            f"a body of more than {MOST >> 20} MiB", expected="an answer", remedy="see to the server"
                        )
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except (openai.OpenAIError, OSError) as error:
            raise _Again(f"no connection: {error.__cause__ or error}") from None
        except Exception as error:
            if isinstance(error, OpenMIEError) or "httpx" not in type(error).__module__:
                raise
            raise _Again(f"a connection that broke ({type(error).__name__}: {str(error)[:120]})") from None
        return b"".join(parts)

    def _refused(self, error: Any) -> Exception:
        """What a status other than 200 means."""
        status = error.status_code
        told = f"status {status}: {' '.join(str(error.message).split())[:300]}"
        if status in AGAIN or status >= 500:
            return _Again(told, _retry_after(error.response.headers))
        remedy = {
            401: f"put a key that the server knows into the variable {self.key_env}",
            403: "ask for access",
            404: "check base_url, which ends in /v1 with most servers, and the model's name",
        }
        return GenerationError(
            told,
            expected="status 200",
            remedy=remedy.get(status, "look at this request: is it too long, has it too many images?"),
        )

    def _client(self, openai: Any) -> Any:
        """One client a loop and key; redirects, which could lead anywhere, are not followed."""
        key, loop = os.environ.get(self.key_env, "").strip() or NO_KEY, asyncio.get_running_loop()
        kept = self.__dict__.get("_kept")
        if kept is None or kept[:2] != (key, loop):
            client = openai.AsyncOpenAI(
                base_url=self.base_url,
                api_key=key,
                max_retries=0,
                timeout=self.timeout,
                http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=self.timeout),
            )
            kept = self.__dict__["_kept"] = (key, loop, client)
        return kept[2]

    @property
    def _where(self) -> str:
        return f"model {self.model} at {self.base_url}"

    def _record(self, found: str, expected: str, remedy: str) -> ErrorRecord:
        return ErrorRecord(where=self._where, found=self._blotted(found), expected=expected, remedy=remedy)

    def _blotted(self, text: str) -> str:
        key = os.environ.get(self.key_env, "").strip()
        return text.replace(key, "***") if key else text


def _library() -> Any:
    try:
        return import_module("openai")
    except ImportError as error:
        raise ModelError(
            f"no package openai ({error})", expected="it, to speak with a server", remedy="pip install 'openmie[lvlm]'"
        ) from None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, by its number or date; None where it says nothing that can be read."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        said = headers.get(name, "").strip()
        try:
            wait = float(said) / scale
        except ValueError:
            try:
                wait = parsedate_to_datetime(said).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                continue
        if wait == wait:  # not NaN
            return max(0.0, wait)
    return None
