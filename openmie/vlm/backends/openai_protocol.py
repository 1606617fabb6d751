"""OpenAI's chat protocol: builds a request's body, and parses the body of a response.

Images travel inside the body as `data:` URLs, so no server has to fetch anything. Servers differ in how a
schema is sent (`DIALECTS`): `openai` knows response_format and no grammars; `vllm` the same, and grammars under
structured_outputs; `guided` is vLLM before 0.12 (guided_json, guided_grammar); `plain` is a server that knows neither,
such as `transformers serve`: the prompt alone describes the answer's form.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from openmie.vlm.generate import Answer, GenerationError, Grammar, Request

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Dialect = Literal["openai", "vllm", "guided", "plain"]
DIALECTS: tuple[Dialect, ...] = ("openai", "vllm", "guided", "plain")
ImageFormat = Literal["png", "jpeg"]
JPEG_QUALITY = 95
_CODE_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL | re.IGNORECASE)


class MalformedResponse(Exception):
    """A body that is no answer of the protocol, or half of one: worth another try."""


def request_body(request: Request, dialect: Dialect, image_format: ImageFormat) -> dict[str, Any]:
    """Build the body of a request: messages, and the fields that constrain the answer to its schema.

    Raises:
        GenerationError: a grammar for a server that takes none.
    """
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_url(p, image_format)}} for p in request.images
    ]
    text = _utf8(request.prompt)
    content = [*parts, {"type": "text", "text": text}] if parts else text
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if request.system:
        messages.insert(0, {"role": "system", "content": _utf8(request.system)})
    return {"messages": messages, **_constraint_fields(request.schema, dialect)}


def data_url(picture: Picture, image_format: ImageFormat) -> str:
    """The image as a `data:` URL. PNG keeps each pixel; JPEG has about a tenth of the bytes."""
    out = io.BytesIO()
    options = {"quality": JPEG_QUALITY} if image_format == "jpeg" else {}
    picture.convert("RGB").save(out, format=image_format.upper(), **options)
    return f"data:image/{image_format};base64,{base64.b64encode(out.getvalue()).decode()}"


def _utf8(text: str) -> str:
    """Replace lone surrogates, which no body can hold, by question marks."""
    return text.encode("utf8", "replace").decode("utf8")


def _constraint_fields(schema: Mapping[str, Any] | Grammar | None, dialect: Dialect) -> dict[str, Any]:
    if schema is None or dialect == "plain":
        return {}
    if isinstance(schema, Grammar):
        if dialect == "openai":
            raise GenerationError(
                "OpenAI's protocol has no grammars",
                expected="a JSON Schema",
                remedy="with vLLM, set dialect=vllm",
            )
        return {
            "extra_body": {"structured_outputs": {"grammar": schema.text}}
            if dialect == "vllm"
            else {"guided_grammar": schema.text}
        }
    if dialect == "guided":
        return {"extra_body": {"guided_json": dict(schema)}}
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": dict(schema), "strict": True},
        }
    }


def parse_response(raw: bytes, request: Request, dialect: Dialect, seconds: float) -> Answer:
    """Parse the body of a response.

    Args:
        raw: the body.
        request: the request that it answers.
        dialect: how the schema was sent.
        seconds: time that the server took.

    Returns:
        The answer. A truncated one has finish="length", unless its text is whole JSON followed by blanks.

    Raises:
        MalformedResponse: a body that is no answer of the protocol.
        GenerationError: an unusable answer: refused, empty, blank up to its limit, or no JSON although the server
            was to follow a schema.
    """
    choice, usage = _first_choice(raw)
    message, finish = choice["message"], choice.get("finish_reason")
    refusal = message.get("refusal") or (finish == "content_filter" and "filtered by the server")
    if refusal:
        raise GenerationError(
            f"a refusal: {str(refusal)[:200]}",
            expected="an answer",
            remedy="check the images and the text of this request",
        )
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        kind = "no text" if not text else f"{len(text)} blanks"
        raise GenerationError(
            f"answer has {kind} (finish_reason {finish})",
            expected="an answer",
            remedy="try another prompt or model; a reasoning model needs more max_tokens",
        )
    truncated = finish == "length"
    if dialect != "plain" and request.schema is not None and not isinstance(request.schema, Grammar):
        if _is_json(text):
            text, truncated = text.strip(), False
        elif not truncated:
            raise GenerationError(
                f"answer is no JSON, though a schema was sent: {text[:200]!r}",
                expected="JSON",
                remedy="set dialect=plain if the server does not support response_format",
            )
    return Answer(
        text=text,
        finish="length" if truncated else "stop",
        prompt_tokens=_count(usage, "prompt_tokens"),
        tokens=_count(usage, "completion_tokens"),
        seconds=seconds,
    )


def _first_choice(raw: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise MalformedResponse(f"a body of {len(raw)} bytes that is no JSON ({str(error)[:120]})") from None
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        message = data.get("error") if isinstance(data, dict) else None
        raise MalformedResponse(
            f"an error in place of an answer: {str(message)[:200]}" if message else "a body without an answer"
        )
    usage = data.get("usage")
    return first, usage if isinstance(usage, dict) else {}


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


def _is_json(text: str) -> bool:
    """Whether the text is JSON, bare or in a code fence."""
    fenced = _CODE_FENCE.fullmatch(text)
    try:
        json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return False
    return True
