"""Backends of vision-language models: weights on this machine, a server, and a response cache in front of either."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from openmie.errors import ModelError
from openmie.model.hub_names import check_model_name
from openmie.vlm.backends.response_cache import Cached
from openmie.vlm.generate import Backend

_MAY_BE_NONE = ("max_tokens", "temperature")  # fields of `Endpoint` of which None says: not sent
OWN_LIMITS = {  # fields of `Endpoint` that an address may carry for its server alone, behind #
    "concurrency": int, "timeout": float, "retries": int, "retry_delay": float, "max_retry_delay": float, "key_env": str
}  # fmt: skip


def connect(
    model: str, endpoint: str | Sequence[str] = "", cache: str | os.PathLike[str] | None = None, **settings: Any
) -> Backend:
    """Connect to a vision-language model by name.

    Args:
        model: hub id, folder, or the server's name of the model.
        endpoint: base URL of a server with OpenAI's protocol, such as "http://localhost:8000/v1", or of several, which
            share the requests; limits of one alone stand behind it: "http://localhost:8000/v1#concurrency=4,key_env=B"
            (`OWN_LIMITS`). "": load the model on this machine.
        cache: file that keeps answers (`answer_store`); None: none does.
        **settings: fields of `Endpoint` (with an endpoint) or of `Local`; those that are None keep their defaults,
            but the limit of tokens and the temperature are then not sent to a server.

    Returns:
        `Endpoint(endpoint, model, ...)`, `Endpoints` of several, or `Local(model, ...)`; behind a `Cached` where a
        cache is named.

    Raises:
        ModelError: settings that are invalid, or a local model without torch and transformers installed.
        CacheError: a cache file that cannot be used.
    """
    if not endpoint:
        check_model_name(model, expected="a vision-language model: a hub id, or a folder")
    given = {n: value for n, value in settings.items() if value is not None or (endpoint and n in _MAY_BE_NONE)}
    kind = backend_class(endpoint)
    backend: Backend = _servers(kind, addresses(endpoint), model, given) if endpoint else kind(model, **given)
    return backend if cache is None else Cached(backend, cache)


def addresses(endpoint: str | Sequence[str]) -> list[str]:
    """The addresses of one or several servers."""
    return [endpoint] if isinstance(endpoint, str) else list(endpoint)


def _servers(kind: Any, named: Sequence[str], model: str, given: dict[str, Any]) -> Backend:
    """The server of each address, with the limits that stand behind it."""
    found = []
    for address in named:
        url, _, own = address.partition("#")
        found.append(kind(url, model, **given | _own_limits(own)))
    if len(found) == 1:
        return found[0]
    from openmie.vlm.backends.several_endpoints import Endpoints

    return Endpoints(found)


def _own_limits(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            found[name] = OWN_LIMITS[name](value)
        except (KeyError, ValueError):
            raise ModelError(
                f"{part!r} behind the # of an address",
                expected=f"NAME=VALUE of {', '.join(OWN_LIMITS)}, with commas between them",
                where="endpoint",
                remedy="write for example http://localhost:8000/v1#concurrency=4",
            ) from None
    return found


def backend_class(endpoint: str | Sequence[str]) -> Any:
    """`Endpoint` where an address is given, else `Local`, which needs torch and transformers.

    Raises:
        ModelError: a local model where torch or transformers is not installed.
    """
    if endpoint:
        from openmie.vlm.backends.endpoint import Endpoint

        return Endpoint
    try:
        import transformers  # noqa: F401

        from openmie.vlm.backends.local import Local
    except ImportError as error:
        raise ModelError(
            f"no model can be run on this machine: {error}",
            expected="torch and transformers, which run models here",
            remedy="install both, or name a server that runs the model (--endpoint URL)",
        ) from None
    return Local
