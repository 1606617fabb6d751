"""Batches of the posts that a folder of results lacks, for readers that work beside the process that writes it.

A batch has the hashes of all posts that went by, by which the writer knows them, and those to be predicted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.formats.hashed_post import HashedPost, hash_post
from openmie.formats.sharded_output import FinishedPlaces
from openmie.inference.post_lines import encode

_PASSED = 4096  # finished posts that one batch tells of at most


@dataclass
class PostBatch:
    """Some posts, one after the other.

    Args:
        hashed: all of them.
        lines: those that are to be predicted, as `post_lines.encode` writes them.
    """

    hashed: list[HashedPost] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    def columns(self) -> dict[str, bytes]:
        """As two columns of bytes."""
        rows = [[post.hash, post.read] for post in self.hashed]
        return {"hashed": json.dumps(rows).encode(), "lines": b"\n".join(self.lines)}

    @classmethod
    def of_columns(cls, hashed: bytes, lines: bytes) -> PostBatch:
        """The inverse of `columns`."""
        return cls([HashedPost(*row) for row in json.loads(hashed)], lines.split(b"\n") if lines else [])


def batches_of(posts: Iterable[Document | ErrorRecord], finished: FinishedPlaces, size: int) -> Iterator[PostBatch]:
    """Batches in the order of the posts.

    Args:
        posts: all posts of the job.
        finished: places of those that have rows.
        size: posts of a batch that are to be predicted.
    """
    batch = PostBatch()
    for at, post in enumerate(posts):
        batch.hashed.append(HashedPost(hash_post(post), isinstance(post, Document)))
        if at not in finished:
            batch.lines.append(encode(post))
        if len(batch.lines) == size or len(batch.hashed) - len(batch.lines) >= _PASSED:
            yield batch
            batch = PostBatch()
    if batch.hashed:
        yield batch
