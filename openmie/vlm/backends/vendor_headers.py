"""Keeps the headers that name a vendor's organisation and project from other servers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

VENDOR_HOST = "openai.com"


def without_vendor_headers(client: Any, base_url: str) -> None:
    """Drop the organisation and project that the client read from the environment, unless it talks to the vendor.

    The client sends them to any server (OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_CUSTOM_HEADERS), and other vendors may
    refuse them or keep them.

    Args:
        client: of the package openai; it is changed.
        base_url: the server's address.
    """
    host = (urlsplit(base_url).hostname or "").lower()
    if host == VENDOR_HOST or host.endswith(f".{VENDOR_HOST}"):
        return
    client.organization = client.project = None
    own = getattr(client, "_custom_headers", None) or {}
    client._custom_headers = {name: value for name, value in own.items() if not name.lower().startswith("openai-")}
