"""Lettered patches: candidate boxes of the main image, and which of them shows which mention.

A patch is an image of kind `patch` or `object` that was cut from the main image; the first is a, then b, ..., z, aa,
ab, ... A mention is shown by the patch that its region lies on: the region's image is the patch, or its box is the
patch's, or else the patch that overlaps it most, with an IoU above 0.5 (GMNER's rule for candidates; Yu et al., 2023).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from openmie.data.document import Box, Chain, Document, Image, Region
from openmie.metrics.grounding import iou_matrix

LETTER = re.compile(r"[a-z]{1,3}")
NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)


def letter(index: int) -> str:
    """a, ..., z, aa, ab, ...: the name of the patch of this index from 0."""
    name, index = "", index + 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(ord("a") + rest) + name
    return name


def patches(document: Document) -> tuple[Image, ...]:
    """The patches of the main image in their order, which is that of their letters."""
    main = document.main_image
    of = {"", main.id} if main else {""}
    return tuple(i for i in document.images if i.kind in ("patch", "object") and i.parent in of)


def patch_location(document: Document, patch: Image) -> tuple[str, Box]:
    """Where a patch is: image id and box; of a patch that does not say its box, itself and all of it."""
    if patch.box is None:
        return patch.id, (0.0, 0.0, float(patch.width or 0), float(patch.height or 0))
    main = document.main_image
    return patch.parent or (main.id if main else patch.id), patch.box


def mentions_by_patch(document: Document, given: Document | None = None, iou: float = 0.5) -> dict[str, list[int]]:
    """Letter -> places (from 0) of the mentions that the patch of this letter shows, in the order of letters.

    The patches are those of `given`, by default the document's own: gold and prediction are read on the same ones. A
    region on an image that is not there and is called like a letter stands for itself (an answer read without its
    images).
    """
    base = given or document
    found: dict[str, set[int]] = defaultdict(set)
    candidates = patches(base)
    known = {i.id for i in base.images}
    numbers = _numbers(document)
    for region in document.regions:
        if not (of := numbers.get(region.of)):
            continue
        name = region.image if region.image not in known and LETTER.fullmatch(region.image) else ""
        index = None if name else _closest_patch(base, candidates, region, iou)
        if name or index is not None:
            found[name or letter(index or 0)].update(of)
    return {name: sorted(found[name]) for name in sorted(found, key=lambda x: (len(x), x))}


def _numbers(document: Document) -> dict[str, list[int]]:
    """Id of a mention or chain -> places of its mentions."""
    at = {m.id: [n] for n, m in enumerate(document.mentions)}
    chains = {c.id: [n for m in c.mentions for n in at.get(m, ())] for c in document.chains if isinstance(c, Chain)}
    return {**chains, **at}


def _closest_patch(document: Document, candidates: Sequence[Image], region: Region, iou: float) -> int | None:
    """The patch that a region lies on, by the strictest comparison that fits any."""
    locations = [patch_location(document, patch) for patch in candidates]
    for n, (patch, location) in enumerate(zip(candidates, locations)):
        if region.image == patch.id or (region.image, region.box) == location:
            return n
    shares = iou_matrix([region], [Region(image=image, box=box) for image, box in locations])[0] if locations else []
    best = max(range(len(locations)), key=lambda n: shares[n], default=None)
    return best if best is not None and shares[best] > iou else None
