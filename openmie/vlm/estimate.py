"""What a job will ask for, counted before the first call: requests, tokens, bytes and, with a price, cost.

told = Estimate(backend)
for document in predict(Unasked(backend, told.add), documents, ...):
    told.posts += 1
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openmie.errors import ErrorRecord
from openmie.vlm.backends.answer_store import StoredRequest
from openmie.vlm.backends.response_cache import Cached
from openmie.vlm.generate import Answer, Grammar, Request, answer_one
from openmie.vlm.sent_picture import encoded

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LETTERS_A_TOKEN = 4  # of text in the Latin alphabet; of other writing, each character counts as a token
PIXELS_A_TOKEN = 784  # 28 x 28, as Qwen2.5-VL reads pictures; other models count 750 (Claude) to about 1,500 (GPT-4o)
FEW = 20  # answers from which on their mean tells how long answers are
_NOT_ASKED = ErrorRecord(found="not asked", expected="an answer", remedy="run the command without --estimate")


class Unasked:
    """In place of a model: it is given requests, and answers none of them.

    Args:
        backend: the model that would be asked, with its store.
        take: is called with each request.
    """

    def __init__(self, backend: Cached, take: Callable[[StoredRequest, Request], None]) -> None:
        self.backend, self._take = backend, take

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.backend.name

    def facts(self) -> dict[str, Any]:
        """The facts of the model."""
        return self.backend.facts()

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        """A record for each request."""
        facts = self.facts()
        for request in requests:
            self._take(StoredRequest.of(facts, request), request)
            yield _NOT_ASKED

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        """Raises `GenerationError`: nothing is asked."""
        return answer_one(self, images, prompt, schema)


@dataclass
class Estimate:
    """What a job asks for.

    Args:
        backend: the model, with its store.
        posts: documents.
        requests: those that would be sent.
        known: those whose answer is stored, or that equal another one of the job.
        prompt_tokens: about so many.
        bytes: of the bodies that a server would be sent.
    """

    backend: Cached
    posts: int = 0
    requests: int = 0
    known: int = 0
    prompt_tokens: int = 0
    bytes: int = 0
    _keys: set[str] = field(default_factory=set)

    def add(self, stored: StoredRequest, request: Request) -> None:
        """Count a request."""
        store = self.backend.store
        if stored.key in self._keys or (store is not None and store.get(stored.key) is not None):
            self.known += 1
            return
        self._keys.add(stored.key)
        self.requests += 1
        texts = request.system + request.prompt
        self.prompt_tokens += text_tokens(texts) + sum(picture_tokens(p.size) for p in request.images)
        kind = self.backend.facts().get("pictures")  # None: a model here, which is sent nothing
        if kind is not None:
            shown = sum(-(-len(encoded(p, kind)[0]) // 3) * 4 + 60 for p in request.images)
            schema = 0 if request.schema is None or isinstance(request.schema, Grammar) else _json_bytes(request.schema)
            self.bytes += shown + _json_bytes(texts) + schema + 150

    def answer_tokens(self) -> tuple[int, str]:
        """(tokens of all answers, where the number is from): the mean of the stored ones, else the limit."""
        facts, store = self.backend.facts(), self.backend.store
        for model, answers, _, tokens, *_ in store.stats() if store is not None else ():
            if model == facts.get("model") and answers >= FEW:
                return round(self.requests * tokens / answers), f"as its {answers:,} known answers"
        most = facts.get("max_tokens")
        return (self.requests * most, "max_tokens of each") if most else (0, "without a limit of tokens")

    def lines(self, price: tuple[float, float] | None = None) -> list[tuple[str, str]]:
        """(what, how much) for people.

        Args:
            price: of a million prompt tokens and of a million answer tokens.
        """
        answers, origin = self.answer_tokens()
        most = "about" if origin.startswith("as") else "at most"
        found = [
            ("posts", f"{self.posts:,}"),
            ("requests", f"{self.requests:,}, and {self.known:,} whose answers are known"),
            ("prompt tokens", f"about {self.prompt_tokens:,}"),
            ("answer tokens", f"{most} {answers:,} ({origin})"),
            ("bytes to send", f"{self.bytes:,}"),
        ]
        if price:
            cost = (self.prompt_tokens * price[0] + answers * price[1]) / 1e6
            found.append(("cost", f"{most} {cost:.2f}, at {price[0]:g} and {price[1]:g} a million tokens"))
        return found


def text_tokens(text: str) -> int:
    """About how many tokens a text has."""
    plain = sum(character < "\u0250" for character in text)
    return -(-plain // LETTERS_A_TOKEN) + len(text) - plain


def picture_tokens(size: tuple[int, int]) -> int:
    """About how many tokens a picture has.

    Args:
        size: (width, height) as it is sent.
    """
    return -(-size[0] * size[1] // PIXELS_A_TOKEN)


def _json_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf8", "replace"))
