"""Backends of vision-language models: weights on this machine, a server, and a response cache in front of either."""

from __future__ import annotations

import os
from typing import Any

from openmie.errors import ModelError
from openmie.vlm.backends.response_cache import Cached
from openmie.vlm.generate import Backend


def connect(model: str, endpoint: str = "", cache: str | os.PathLike[str] | None = None, **settings: Any) -> Backend:
    """Connect to a vision-language model by name.

    Args:
        model: hub id, folder, or the server's name of the model.
        endpoint: base URL of a server with OpenAI's protocol, such as "http://localhost:8000/v1"; "": load the model
            on this machine.
        cache: sqlite file that keeps answers; None: no response cache.
        **settings: fields of `Endpoint` (with an endpoint) or of `Local`; those that are None keep their defaults.

    Returns:
        `Endpoint(endpoint, model, ...)` or `Local(model, ...)`, behind a `Cached` where a cache is named.

    Raises:
        ModelError: settings that are invalid, or a local model without torch and transformers installed.
        CacheError: a cache file that cannot be used.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    backend: Backend
    if endpoint:
        from openmie.vlm.backends.endpoint import Endpoint

        backend = Endpoint(endpoint, model, **given)
    else:
        backend = _local(model, given)
    return backend if cache is None else Cached(backend, cache)


def _local(model: str, settings: dict[str, Any]) -> Backend:
    try:
        from openmie.vlm.backends.local import Local
    except ImportError as error:
        raise ModelError(
            f"{model!r} cannot be run on this machine: {error}",
            expected="torch and transformers, which run models here",
            remedy="install both, or name a server that runs the model (--endpoint URL)",
        ) from None
    return Local(model, **settings)
