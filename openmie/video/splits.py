"""Train, dev and test by video: all clips of one are in one split.

M3D's own splits are by clip: 59 English and 72 Chinese videos are in its dev and its test split.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from openmie.data.document import Document
from openmie.errors import CorpusError

SHARES: Mapping[str, float] = {"train": 8, "dev": 1, "test": 1}


def split_by_video(
    documents: Iterable[Document], seed: int = 0, shares: Mapping[str, float] = SHARES
) -> dict[str, list[Document]]:
    """Split documents by video, so that no video is in two splits.

    Videos are assigned from large to small, each to the split that lacks most clips; videos of equal size in the order
    of a hash of seed and name, so neither the order of documents nor the platform matters.

    Args:
        documents: `source["video"]` names the video of each.
        seed: of the hash.
        shares: split -> share of the documents.

    Returns:
        Split -> its documents, in their order.

    Raises:
        CorpusError: a document without a video, or fewer videos than splits.
    """
    clips: dict[str, list[Document]] = defaultdict(list)
    for d in documents:
        if not (video := d.source.get("video")):
            raise CorpusError(
                f"document {d.id!r} of no video",
                expected="`video` in its source",
                where="split",
                remedy="split what `openmie video build` or `import` wrote",
            )
        clips[str(video)].append(d)
    if len(clips) < len(shares):
        raise CorpusError(
            f"{len(clips)} videos",
            expected=f"at least {len(shares)}, one a split",
            where="split",
            remedy="clips of one video are never in two splits: add videos",
        )
    total, whole = sum(map(len, clips.values())), sum(shares.values())
    deficit = {name: total * share / whole for name, share in shares.items()}
    chosen: dict[str, str] = {}
    queue = sorted(clips, key=lambda v: (-len(clips[v]), hashlib.sha256(f"{seed}\0{v}".encode()).digest()))
    for n, video in enumerate(queue):
        left = [name for name in shares if name not in chosen.values()]
        open_ = left if len(queue) - n <= len(left) else list(shares)  # no split stays empty
        chosen[video] = name = max(open_, key=lambda s: deficit[s])
        deficit[name] -= len(clips[video])
    order = [d for found in clips.values() for d in found]
    return {name: [d for d in order if chosen[str(d.source["video"])] == name] for name in shares}
