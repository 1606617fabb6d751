"""The protocol of vision-language models: images and a prompt in, text out.

    backend.generate(images, prompt, schema=None) -> str         one answer, or an error
    backend.answers(requests) -> Iterator[Answer | ErrorRecord]  many, in order, one for one; a failure harms no other

Backends are in `openmie.vlm.backends`: `Local` (a transformers model on this machine), `Endpoint` (any server with
OpenAI's protocol), and `Cached`, a response cache in front of either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from openmie.errors import ErrorRecord, OpenMIEError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from openmie.vlm.sent_picture import SentPicture

Finish = Literal["stop", "length"]  # the model ended the answer itself, or it was truncated at `max_tokens`


class GenerationError(OpenMIEError):
    """A model gave no usable answer to one request."""


@dataclass(frozen=True)
class Grammar:
    """A context-free grammar that constrains an answer.

    Args:
        text: the grammar in Lark's notation, as llguidance reads it.
    """

    text: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """One prompt with its images.

    Args:
        prompt: the user message.
        images: upright RGB pictures (Pillow), or pictures with the bytes that are sent, in the order in which the
            prompt refers to them.
        schema: what the answer must follow: a JSON Schema, a `Grammar`, or None (free text).
        system: the system message; "": the model's own default.
    """

    prompt: str
    images: tuple[Picture | SentPicture, ...] = ()
    schema: Mapping[str, Any] | Grammar | None = None
    system: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The text that a model generated, and what it cost.

    Args:
        text: the generated text without special tokens.
        finish: "stop", or "length" for an answer that was truncated at the limit of tokens.
        prompt_tokens: tokens of the prompt, images included; 0 where a server does not tell.
        tokens: generated tokens.
        seconds: wall-clock time of the generation, divided by the batch size.
        cached: True for an answer from a response cache: nothing was generated.
    """

    text: str
    finish: Finish = "stop"
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cached: bool = False


class Backend(Protocol):
    """A vision-language model that answers requests."""

    @property
    def name(self) -> str:
        """The model's name, as captions and predictions cite it."""
        ...

    def facts(self) -> dict[str, Any]:
        """All that determines an answer beside the request, as JSON values: model, revision, sampling parameters."""
        ...

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        """Answers in order, one for one. Requests are consumed lazily; one that fails for good gives its record."""
        ...

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        """The text of one answer. Raises `GenerationError` where there is none."""
        ...


def answer_one(
    backend: Backend, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
) -> str:
    """Implement `generate` by `answers`, for backends to share."""
    (answer,) = backend.answers([Request(prompt=prompt, images=tuple(images), schema=schema)])
    if isinstance(answer, ErrorRecord):
        raise GenerationError.of(answer)
    return answer.text
