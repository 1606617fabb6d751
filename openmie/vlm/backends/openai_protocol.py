"""OpenAI's chat protocol: a request as the body that is sent, and the body that comes back as an answer.

Pictures travel inside the body as `data:` URLs, so no server has to fetch anything. How a server is told of a schema
differs (`DIALECTS`): `openai` knows response_format and no grammars; `vllm` the same, and grammars under
structured_outputs; `guided` is vLLM before 0.12 (guided_json, guided_grammar); `plain` is a server that knows neither,
such as `transformers serve`: the prompt has to say what the answer should look like.
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
Format = Literal["png", "jpeg"]
QUALITY = 95  # of JPEG
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL | re.IGNORECASE)


class Broken(Exception):
    """A body that is no answer of the protocol, whole or half: worth another try."""


def body(request: Request, dialect: Dialect, format: Format) -> dict[str, Any]:
    """Messages, and what holds the answer to its schema. `GenerationError`: a grammar the server cannot be told."""
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_url(p, format)}} for p in request.images
    ]
    said = [*parts, {"type": "text", "text": _utf8(request.prompt)}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": said if parts else _utf8(request.prompt)}]
    if request.system:
        messages.insert(0, {"role": "system", "content": _utf8(request.system)})
    return {"messages": messages, **_held(request.schema, dialect)}


def data_url(picture: Picture, format: Format) -> str:
    """The picture in the address: PNG keeps each pixel, JPEG is about a tenth of it."""
    out = io.BytesIO()
    picture.convert("RGB").save(out, format=format.upper(), **({"quality": QUALITY} if format == "jpeg" else {}))
    return f"data:image/{format};base64,{base64.b64encode(out.getvalue()).decode()}"


def _utf8(text: str) -> str:
    """Half of a UTF-16 pair, which no body can hold, becomes a question mark."""
    return text.encode("utf8", "replace").decode("utf8")


def _held(schema: Mapping[str, Any] | Grammar | None, dialect: Dialect) -> dict[str, Any]:
    if schema is None or dialect == "plain":
        return {}
    if isinstance(schema, Grammar):
        if dialect == "openai":
            raise GenerationError(
                "a grammar, of which OpenAI's protocol knows nothing",
                expected="a JSON Schema",
                remedy="with vLLM, say dialect=vllm",
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


def answer(raw: bytes, request: Request, dialect: Dialect, seconds: float) -> Answer:
    """The answer in a body.

    `Broken`: no answer of the protocol. `GenerationError`: an answer that says nothing usable: refused, empty, blank to
    its limit, no JSON where the server was to hold it to a schema. One that was cut has finish="length", unless what is
    there is whole JSON and the rest was blanks.
    """
    choice, usage = _choice(raw)
    message, finish = choice["message"], choice.get("finish_reason")
    refused = message.get("refusal") or (finish == "content_filter" and "filtered by the server")
    if refused:
        raise GenerationError(
            f"a refusal: {str(refused)[:200]}",
            expected="an answer",
            remedy="look at the images and the text of this request",
        )
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        kind = "no text" if not text else f"{len(text)} blanks"
        raise GenerationError(
            f"{kind}, ended by {finish}",
            expected="an answer",
            remedy="another prompt or model; a model that thinks aloud needs more max_tokens",
        )
    cut = finish == "length"
    if dialect != "plain" and request.schema is not None and not isinstance(request.schema, Grammar):
        if _json(text):
            text, cut = text.strip(), False
        elif not cut:
            raise GenerationError(
                f"no JSON, though a schema was sent: {text[:200]!r}",
                expected="JSON",
                remedy="the server may not know response_format: say dialect=plain",
            )
    return Answer(
        text=text,
        finish="length" if cut else "stop",
        prompt_tokens=_count(usage, "prompt_tokens"),
        tokens=_count(usage, "completion_tokens"),
        seconds=seconds,
    )


def _choice(raw: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Broken(f"a body of {len(raw)} bytes that is no JSON ({str(error)[:120]})") from None
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        said = data.get("error") if isinstance(data, dict) else None
        raise Broken(f"an error in place of an answer: {str(said)[:200]}" if said else "a body without an answer")
    usage = data.get("usage")
    return first, usage if isinstance(usage, dict) else {}


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


def _json(text: str) -> bool:
    """JSON, bare or behind a code fence."""
    fenced = _FENCE.fullmatch(text)
    try:
        json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return False
    return True
