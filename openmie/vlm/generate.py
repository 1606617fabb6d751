"""What every large vision-language model is to openmie: images and a prompt in, text out.

    backend.generate(images, prompt, schema=None) -> str         one answer, or an error
    backend.answers(requests) -> Iterator[Answer | ErrorRecord]  many, in order, one for one; a failure harms no other

In `openmie.vlm.backends`: `local` (a transformers model on this machine), `endpoint` (any server with OpenAI's
protocol), and `cache`, which puts a memory in front of either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from openmie.errors import ErrorRecord, OpenMIEError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Finish = Literal["stop", "length"]  # ended by itself, or cut at the most tokens that were allowed


class GenerationError(OpenMIEError):
    """A model gave no usable answer to one request."""


@dataclass(frozen=True)
class Grammar:
    """A context-free grammar that an answer has to follow, in Lark's notation as llguidance reads it."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """One thing to be answered: upright RGB pictures in the order of the prompt, and what the answer must look like."""

    prompt: str
    images: tuple[Picture, ...] = ()
    schema: Mapping[str, Any] | Grammar | None = None  # a JSON Schema, a grammar, or nothing
    system: str = ""  # system message; empty: the model's own default


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model said, and what it cost."""

    text: str
    finish: Finish = "stop"
    prompt_tokens: int = 0
    tokens: int = 0  # of the answer
    seconds: float = 0.0
    cached: bool = False  # served from memory: nothing was generated


class Backend(Protocol):
    """A model that answers requests."""

    @property
    def name(self) -> str:
        """The model, as captions and predictions name it."""
        ...

    def facts(self) -> dict[str, Any]:
        """All that decides an answer beside the request, as JSON values: model, revision, parameters of generation."""
        ...

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        """Answers in order, one for one; requests are taken lazily. A request that fails for good gives its record."""
        ...

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        """One answer's text. Errors: `GenerationError` where there is none."""
        ...


def answer_one(
    backend: Backend, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
) -> str:
    """`generate` by way of `answers`, for backends to share."""
    (found,) = backend.answers([Request(prompt=prompt, images=tuple(images), schema=schema)])
    if isinstance(found, ErrorRecord):
        raise GenerationError.of(found)
    return found.text
