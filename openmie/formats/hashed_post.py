"""A hash of a post, by which a folder of results knows what its rows were made from."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

from openmie.data.document import Document
from openmie.errors import ErrorRecord


@dataclass(frozen=True)
class HashedPost:
    """A post that was read elsewhere.

    Args:
        hash: as `hash_post` makes it.
        read: whether it is a document, not the record of one that could not be read.
    """

    hash: str
    read: bool


def hash_post(post: Document | ErrorRecord) -> str:
    """A hash of what was read, wherever the file and its images lie."""
    if isinstance(post, ErrorRecord):
        whole: list[Any] = [post.found]
    else:
        names = [os.path.basename(image.path) for image in post.images]
        layers = post.model_dump(mode="json", include={"mentions", "chains", "relations", "captions", "source"})
        whole = [post.id, post.text, names, layers]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]
