"""Train, dev and test of one's own posts: by a hash of seed and id, and no post in two splits, whatever its id.

Posts go together that have an id, a text or an image in common, or images that only scaling and compression tell apart;
so do posts with the same value in a column that is named, such as the author's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from openmie.data.document import Document
from openmie.data.image_likeness import difference_hash, file_digest, near_pairs
from openmie.errors import CorpusError

SHARES: Mapping[str, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}
_ADDRESS = re.compile(r"https?://\S+|\s+")


@dataclass
class PostGroups:
    """What is known of posts that are to be split: added one by one, kept as keys.

    Args:
        columns: names of `source`, or `id`: posts of one value go together.
        images: whether images are compared; they are opened for it.
    """

    columns: Sequence[str] = ()
    images: bool = True
    ids: list[str] = field(default_factory=list)
    _root: list[int] = field(default_factory=list)
    _first: dict[tuple[str, str], int] = field(default_factory=dict)
    _hashes: list[tuple[int, int | None]] = field(default_factory=list)  # of the first post with an image, and its hash

    def add(self, document: Document) -> None:
        """Take a post in; its number is that of those before it."""
        number = len(self.ids)
        self.ids.append(document.id)
        self._root.append(number)
        text = _ADDRESS.sub(" ", document.text).strip().casefold()
        keys = [("id", document.id), ("text", text)] if text else [("id", document.id)]
        keys += [(f"column {c}", str(document.source[c])) for c in self.columns if document.source.get(c) is not None]
        for image in document.images if self.images else ():
            if digest := file_digest(image):
                keys.append(("image", digest))
                if ("image", digest) not in self._first:
                    self._hashes.append((number, difference_hash(image)))
        for key in keys:
            self._join(number, self._first.setdefault(key, number))

    def groups(self) -> list[list[int]]:
        """Numbers of the posts that go together, in their order."""
        for a, b in near_pairs([value for _, value in self._hashes]):
            self._join(self._hashes[a][0], self._hashes[b][0])
        found: dict[int, list[int]] = {}
        for number in range(len(self.ids)):
            found.setdefault(self._find(number), []).append(number)
        return list(found.values())

    def split(self, seed: int, shares: Mapping[str, float] = SHARES) -> list[str]:
        """The split of each post, in their order.

        Groups are taken in the order of a hash of seed and least id, each into the split that lacks most posts for its
        share; so neither the order of the posts nor the platform matters.

        Args:
            seed: of the hash.
            shares: split -> share of the posts, in any unit; a split of share 0 stays empty.

        Raises:
            CorpusError: shares below 0, or fewer groups than splits.
        """
        wanted = {name: share for name, share in shares.items() if share > 0}
        groups, whole = self.groups(), sum(wanted.values())
        if not wanted or min(shares.values()) < 0 or len(groups) < len(wanted):
            raise CorpusError(
                f"{len(groups)} posts, or groups that go together, for shares of {list(shares.values())}",
                expected="at least one for each split, and shares of 0 or more",
                where="split",
                remedy="add posts, or ask for fewer splits, such as --shares 0.9,0.1,0",
            )
        rank = {min(self.ids[n] for n in group): group for group in groups}
        order = sorted(rank, key=lambda id: hashlib.sha256(f"{seed}\0{id}".encode("utf-8", "replace")).digest())
        lacking = {name: len(self.ids) * share / whole for name, share in wanted.items()}
        chosen = [""] * len(self.ids)
        empty = list(wanted)
        for n, id in enumerate(order):
            open_ = empty if len(order) - n <= len(empty) else list(wanted)  # no split stays empty
            name = max(open_, key=lambda split: lacking[split])
            lacking[name] -= len(rank[id])
            empty = [split for split in empty if split != name]
            for number in rank[id]:
                chosen[number] = name
        return chosen

    def _find(self, number: int) -> int:
        while self._root[number] != number:
            self._root[number] = number = self._root[self._root[number]]
        return number

    def _join(self, a: int, b: int) -> None:
        first, second = sorted((self._find(a), self._find(b)))
        self._root[second] = first


def split_posts(
    documents: Iterable[Document],
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
    columns: Sequence[str] = (),
    images: bool = True,
) -> dict[str, list[Document]]:
    """Split posts into train, dev and test.

    Args:
        documents: the posts.
        seed: of the order.
        shares: split -> share of the posts.
        columns: names in `source`; posts of one value go together.
        images: whether images are compared.

    Returns:
        Split -> its documents, in their order.

    Raises:
        CorpusError: fewer groups of posts than splits, or shares below 0.
    """
    known, kept = PostGroups(columns, images), []
    for document in documents:
        known.add(document)
        kept.append(document)
    chosen = known.split(seed, shares)
    return {name: [d for d, split in zip(kept, chosen) if split == name] for name in shares}
