"""Settings of the service: tokens, and bounds on what a request may hold and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the service.

    Args:
        tokens: any of them opens the service; compared in constant time.
        rate: requests per second that a token may send on average; 0: any number.
        burst: requests that a token may send at once.
        max_body: bytes of a request's body.
        max_text: code points of a text.
        max_images: images of a post.
        max_pixels: of an image, told from its header before it is decoded.
        max_labels: entity types, and relations, of a request.
        max_held: bytes of all bodies that are held at once; a request beyond them gets status 429.
        max_waiting: posts that may wait for a model; a request beyond them gets status 429.
        batch_size: posts that a model reads together at most.
        batch_wait: seconds that a model waits at most for further posts when it is idle.
        timeout: seconds from a post's acceptance to its answer; after that, status 504.
        body_timeout: seconds in which a body must have arrived; after that, status 408.
        annotations: folder that the page saves gold annotation to; None: it saves none.
    """

    tokens: tuple[str, ...]
    rate: float = 100.0
    burst: int = 200
    max_body: int = 32 * MEBIBYTE
    max_text: int = 200_000
    max_images: int = 8
    max_pixels: int = 32_000_000
    max_labels: int = 100
    max_held: int = 128 * MEBIBYTE
    max_waiting: int = 256
    batch_size: int = 32
    batch_wait: float = 0.01
    timeout: float = 120.0
    body_timeout: float = 30.0
    annotations: Path | None = None
