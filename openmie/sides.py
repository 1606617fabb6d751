"""Which images of a document an encoder reads, and what the corpus says of how well they fit the text."""

from __future__ import annotations

import math
from typing import Any

from openmie.document import Document, Image

SCORES = ("strong", "weak")  # names of relevance scores: of a whole image, and of its objects (TMR; Zheng et al., 2023)


def wanted(document: Document, encode: Any) -> list[tuple[int, Image]]:
    """(slot, image): 0 the main image, n its n-th object; behind them, with `generated`, those made from the text.

    An object is a candidate that is given and never gold: an image of kind `object` or, where there is none, `patch`.
    An encoder with `full=False` reads the main image only where the document has no object.
    """
    inside = objects(document, made=False)[: encode.objects]
    main = document.main_image if getattr(encode, "full", True) or not inside else None
    found = [(0, main), *enumerate(inside, 1)]
    if getattr(encode, "generated", False):
        inside, first = objects(document, made=True)[: encode.objects], 1 + encode.objects
        found += [(first, generated(document)), *enumerate(inside, first + 1)]
    return [(slot, image) for slot, image in found if image is not None]


def objects(document: Document, made: bool) -> list[Image]:
    """Candidates cut from the image made from the text, or else from any image that was not made."""
    dream = generated(document)
    dreams = {i.id for i in document.images if i.kind == "generated"}
    inside = [i for i in document.images if i.kind in ("object", "patch")]
    if made:
        inside = [i for i in inside if dream is not None and i.parent == dream.id]
    else:
        inside = [i for i in inside if i.parent not in dreams]
    return [i for i in inside if i.kind == "object"] or inside


def generated(document: Document) -> Image | None:
    """The first image that was made from the text."""
    return next((i for i in document.images if i.kind == "generated"), None)


def relevance(document: Document, encode: Any) -> list[float]:
    """The scores of the main image and, with `generated`, of the one made from the text.

    NaN where there is none, or one that float32 cannot hold.
    """
    sides = [document.main_image, *([generated(document)] if getattr(encode, "generated", False) else [])]
    known = [dict(image.relevance) if image is not None else {} for image in sides]
    found = [scores.get(name, math.nan) for scores in known for name in SCORES]
    return [score if abs(score) < 1e38 else math.nan for score in found]
