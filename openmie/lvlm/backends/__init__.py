"""One way to name a model: on this machine, or behind a server, with or without a memory."""

from __future__ import annotations

import os
from typing import Any

from openmie.lvlm.backends.cache import Cached
from openmie.lvlm.generate import Backend


def connect(model: str, endpoint: str = "", cache: str | os.PathLike[str] | None = None, **settings: Any) -> Backend:
    """`Endpoint(endpoint, model, ...)` where an address is given, else `Local(model, ...)`; `Cached` where a file is.

    `settings` are fields of the one that is meant; those that are None are left to its default.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    backend: Backend
    if endpoint:
        from openmie.lvlm.backends.endpoint import Endpoint

        backend = Endpoint(endpoint, model, **given)
    else:
        from openmie.lvlm.backends.local import Local

        backend = Local(model, **given)
    return backend if cache is None else Cached(backend, cache)
