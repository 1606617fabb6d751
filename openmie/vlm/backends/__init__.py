"""One way to name a model: on this machine, or behind a server, with or without a memory."""

from __future__ import annotations

import os
from typing import Any

from openmie.vlm.backends.response_cache import Cached
from openmie.vlm.generate import Backend


def connect(model: str, endpoint: str = "", cache: str | os.PathLike[str] | None = None, **settings: Any) -> Backend:
    """`Endpoint(endpoint, model, ...)` where an address is given, else `Local(model, ...)`; `Cached` where a file is.

    `settings` are fields of the one that is meant; those that are None are left to its default.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    backend: Backend
    if endpoint:
        from openmie.vlm.backends.endpoint import Endpoint

        backend = Endpoint(endpoint, model, **given)
    else:
        from openmie.vlm.backends.local import Local

        backend = Local(model, **given)
    return backend if cache is None else Cached(backend, cache)
