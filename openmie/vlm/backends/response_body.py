"""Reads the body of a response of OpenAI's chat protocol: one object, or a stream of events put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TRUNCATED = frozenset({"length", "max_tokens", "model_length"})  # the last two: Anthropic's, Mistral's
_FILTERED = frozenset({"content_filter", "safety", "refusal", "sensitive", "prohibited_content"})


class MalformedResponse(Exception):
    """A body that is no answer of the protocol, or half of one: worth another try."""


@dataclass(frozen=True)
class ResponseBody:
    """The first choice of a response.

    Args:
        text: the answer; "" for none.
        reasoning: reasoning in a field of its own.
        refusal: why there is no answer; "" where the model did not refuse.
        finish: why the answer ended, as the server says it.
        prompt_tokens: tokens of the prompt; 0 where the server does not tell.
        tokens: generated tokens.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    finish: str = ""
    prompt_tokens: int = 0
    tokens: int = 0

    @property
    def truncated(self) -> bool:
        """Whether the answer ended at its limit of tokens."""
        return self.finish.lower() in _TRUNCATED


def read_body(raw: bytes) -> ResponseBody:
    """Read the body of a response.

    Args:
        raw: the body, of an answer at once or of a stream of events (`data: {...}`).

    Raises:
        MalformedResponse: a body that is no answer of the protocol.
    """
    data = _joined(raw) if raw.lstrip()[:5] in (b"data:", b"event") or raw.lstrip()[:1] == b":" else _json(raw)
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        error = data.get("error") if isinstance(data, dict) else None
        raise MalformedResponse(
            f"an error in place of an answer: {str(error)[:200]}" if error else "a body without an answer"
        )
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    finish = str(first.get("finish_reason") or "")
    filtered = finish.lower() in _FILTERED and f"filtered by the server ({finish})"
    return ResponseBody(
        text=_text(message.get("content")),
        reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
        refusal=str(message.get("refusal") or filtered or ""),
        finish=finish,
        prompt_tokens=_count(usage, "prompt_tokens", "input_tokens"),
        tokens=_count(usage, "completion_tokens", "output_tokens"),
    )


def _text(content: Any) -> str:
    """The text of a message's content: a text, or a list of parts of which those of reasoning are left out."""
    if isinstance(content, list):
        parts = (p.get("text") for p in content if isinstance(p, dict) and p.get("type") in ("text", "output_text"))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise MalformedResponse(f"a body of {len(raw)} bytes that is no JSON ({str(error)[:120]})") from None


def _joined(raw: bytes) -> dict[str, Any]:
    """The events of a stream as one answer; one that neither ends nor gives a reason to end was cut off."""
    joined: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": []}
    finish, usage, ended = "", {}, False
    for event in _events(raw):
        if event is None:
            ended = True
            continue
        if event.get("error"):
            return {"error": event["error"]}
        if isinstance(event.get("usage"), dict):
            usage = event["usage"]
        for choice in event.get("choices") or ():
            if not isinstance(choice, dict) or choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or choice.get("message") or {}
            joined["content"].append(_text(delta.get("content")))
            joined["reasoning_content"].append(_text(delta.get("reasoning_content") or delta.get("reasoning")))
            joined["refusal"].append(_text(delta.get("refusal")))
            finish = str(choice.get("finish_reason") or finish)
    if not ended and not finish:
        raise MalformedResponse(f"a stream of {len(raw)} bytes that was cut off")
    message = {name: "".join(parts) for name, parts in joined.items()}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def _events(raw: bytes) -> Iterator[dict[str, Any] | None]:
    """The objects of a stream; None for its end."""
    for line in raw.decode("utf8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name != "data" or not value.strip():
            continue
        if value.strip() == "[DONE]":
            yield None
            continue
        event = _json(value.encode())
        if isinstance(event, dict):
            yield event


def _count(usage: Mapping[str, Any], *names: str) -> int:
    values = (usage.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and value >= 0), 0)
