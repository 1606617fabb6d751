"""Sends one request of OpenAI's chat protocol, in the fields that its server accepts, and receives the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openmie.errors import OpenMIEError
from openmie.vlm.backends.server_errors import RetryableTry, Unreachable
from openmie.vlm.backends.server_parameters import RequestForm, ServerParameters, refusal_text
from openmie.vlm.generate import GenerationError, Request

MAX_BODY_BYTES = 16 << 20


async def call_as_accepted(
    openai: Any,
    client: Any,
    fields: Callable[[RequestForm], Mapping[str, Any]],
    parameters: ServerParameters,
    request: Request,
) -> bytes:
    """Send a request, again without what the server refuses, as long as the refusal says what that is.

    Args:
        openai: the package.
        client: of that package.
        fields: the fields of the body, in a form.
        parameters: what is known of the server; it learns from the refusals.
        request: the request.

    Returns:
        The body of the response with status 200.

    Raises:
        openai.APIStatusError: the first refusal, where no form is accepted.
        RetryableTry, Unreachable: no response, or half of one.
        GenerationError: a response that is too large.
    """
    form, refused = parameters.form, None
    while True:
        sent = fields(form)
        try:
            body = await _call(openai, client, sent)
        except openai.APIStatusError as error:
            refused = refused or error
            following = parameters.next_form(form, sent, request, error.status_code, refusal_text(error.body))
            if following is None:
                raise refused from None
            form = following
        else:
            parameters.accept(form)
            return body


async def _call(openai: Any, client: Any, sent: Mapping[str, Any]) -> bytes:
    """The body of a response with status 200."""
    parts, size = [], 0
    try:
        async with client.chat.completions.with_streaming_response.create(**sent) as response:
            async for part in response.iter_bytes():
                parts.append(part)
                if (size := size + len(part)) > MAX_BODY_BYTES:
                    raise GenerationError(
                        f"response has more than {MAX_BODY_BYTES >> 20} MiB",
                        expected="an answer",
                        remedy="check the server",
                    )
    except openai.APIStatusError:
        raise
    except (openai.OpenAIError, OSError) as error:
        kind = Unreachable if type(error.__cause__).__name__.startswith("Connect") else RetryableTry
        raise kind(f"no connection: {error.__cause__ or error}") from None
    except Exception as error:
        if isinstance(error, OpenMIEError) or "httpx" not in type(error).__module__:
            raise
        raise RetryableTry(f"connection broke ({type(error).__name__}: {str(error)[:120]})") from None
    return b"".join(parts)
