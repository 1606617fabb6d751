"""OpenAI's chat protocol: builds a request's body, and parses the body of a response.

Images travel inside the body as `data:` URLs, so no server has to fetch anything. Servers differ in how a
schema is sent (`DIALECTS`): `openai` knows response_format and no grammars; `vllm` the same, and grammars under
structured_outputs; `guided` is vLLM before 0.12 (guided_json, guided_grammar); `plain` is a server that knows neither,
such as `transformers serve`: the prompt alone describes the answer's form. Whatever the dialect, a server that refuses
what it is sent is asked in another way (`server_parameters`), and JSON is read behind a sentence or reasoning.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from openmie.vlm.backends.portable_schema import portable_schema
from openmie.vlm.backends.response_body import ResponseBody, read_body
from openmie.vlm.backends.server_parameters import RequestForm
from openmie.vlm.generate import Answer, GenerationError, Grammar, Request
from openmie.vlm.prompting.tolerant_json import read_json
from openmie.vlm.reasoning import without_reasoning
from openmie.vlm.sent_picture import SentPicture, encoded

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Dialect = Literal["openai", "vllm", "guided", "plain"]
DIALECTS: tuple[Dialect, ...] = ("openai", "vllm", "guided", "plain")
ImageFormat = Literal["auto", "png", "jpeg"]
_CODE_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL | re.IGNORECASE)


def build_messages(request: Request, image_format: ImageFormat) -> list[dict[str, Any]]:
    """The messages of a request: the system message, where there is one, and the user's with its images."""
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_url(p, image_format)}} for p in request.images
    ]
    text = _utf8(request.prompt)
    content = [*parts, {"type": "text", "text": text}] if parts else text
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if request.system:
        messages.insert(0, {"role": "system", "content": _utf8(request.system)})
    return messages


def request_fields(
    messages: list[dict[str, Any]],
    schema: Mapping[str, Any] | Grammar | None,
    dialect: Dialect,
    form: RequestForm,
    max_tokens: int | None = None,
    temperature: float | None = None,
) -> dict[str, Any]:
    """The fields of a request's body, as its server accepts them.

    Args:
        messages: from `build_messages`.
        schema: what the answer must follow.
        dialect: how a schema is sent, as long as the server accepts it.
        form: which fields the server accepts.
        max_tokens: generated tokens at most; None: not sent.
        temperature: of sampling; None: not sent.

    Raises:
        GenerationError: a grammar for a server that takes none.
    """
    fields: dict[str, Any] = {"messages": messages if form.system else _without_system(messages)}
    if max_tokens is not None and form.limit:
        fields[form.limit] = max_tokens
    if temperature is not None and form.temperature:
        fields["temperature"] = temperature
    if form.stream:
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    return fields | _constraint_fields(schema, dialect, form.schema)


def with_extra(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with those that a user adds or replaces; one that is None is not sent."""
    extra = {**extra, **fields.get("extra_body", {})}
    kept = {name: value for name, value in fields.items() if name not in extra and name != "extra_body"}
    return {**kept, "extra_body": {name: value for name, value in extra.items() if value is not None}}


def _without_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with the system message at the head of the user's text."""
    if messages[0]["role"] != "system":
        return messages
    head, content = messages[0]["content"], messages[1]["content"]
    if isinstance(content, str):
        return [{"role": "user", "content": f"{head}\n\n{content}"}]
    return [{"role": "user", "content": [*content[:-1], {"type": "text", "text": f"{head}\n\n{content[-1]['text']}"}]}]


def data_url(picture: Picture | SentPicture, image_format: ImageFormat) -> str:
    """The image as a `data:` URL: as `openmie.vlm.sent_picture` encodes it."""
    data, kind = encoded(picture, image_format)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _utf8(text: str) -> str:
    """Replace lone surrogates, which no body can hold, by question marks."""
    return text.encode("utf8", "replace").decode("utf8")


def _constraint_fields(schema: Mapping[str, Any] | Grammar | None, dialect: Dialect, step: str) -> dict[str, Any]:
    if schema is None or dialect == "plain" or step == "plain":
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
    if step == "json_object":
        return {"response_format": {"type": "json_object"}}
    schema = portable_schema(schema) if step == "portable" else dict(schema)
    if dialect == "guided":
        return {"extra_body": {"guided_json": schema}}
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
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
        The answer, without reasoning. A truncated one has finish="length", unless its text is whole JSON followed by
        blanks.

    Raises:
        MalformedResponse: a body that is no answer of the protocol.
        GenerationError: an unusable answer: refused, empty, blank up to its limit, reasoning alone, or without JSON
            although the server was to follow a schema.
    """
    body = read_body(raw)
    if body.refusal:
        raise GenerationError(
            f"a refusal: {body.refusal[:200]}",
            expected="an answer",
            remedy="check the images and the text of this request",
        )
    text = without_reasoning(body.text, request.prompt)
    if not text.strip():
        raise _no_text(body)
    truncated = body.truncated
    if dialect != "plain" and request.schema is not None and not isinstance(request.schema, Grammar):
        if _is_json(text):
            text, truncated = text.strip(), False
        elif not truncated and read_json(text, tuple(request.schema.get("properties", ()))).value is None:
            raise GenerationError(
                f"answer is no JSON, though a schema was sent: {text[:200]!r}",
                expected="JSON",
                remedy="set dialect=plain if the server does not support response_format",
            )
    return Answer(
        text=text,
        finish="length" if truncated else "stop",
        prompt_tokens=body.prompt_tokens,
        tokens=body.tokens,
        seconds=seconds,
    )


def _no_text(body: ResponseBody) -> GenerationError:
    """The error of an answer in which nothing is said."""
    reasoning = body.reasoning.strip() or body.text.strip()
    kind = f"{len(body.text)} blanks" if body.text and not reasoning else "no text"
    if reasoning:
        kind = f"{len(reasoning)} characters of reasoning and {kind}"
    return GenerationError(
        f"answer has {kind} (finish_reason {body.finish or None})",
        expected="an answer",
        remedy="raise max_tokens, which the reasoning used up"
        if reasoning
        else "try another prompt or model; a reasoning model needs more max_tokens",
    )


def _is_json(text: str) -> bool:
    """Whether the text is JSON, bare or in a code fence."""
    fenced = _CODE_FENCE.fullmatch(text)
    try:
        json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return False
    return True
