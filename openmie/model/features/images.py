"""Which images of a document an encoder reads, and what the corpus says of how well they fit the text."""

from __future__ import annotations

import math

import numpy as np

from openmie.data.document import Document, Image
from openmie.errors import ErrorRecord
from openmie.nn.encode.inputs import EncoderInputs

SCORES = ("strong", "weak")  # names of relevance scores: of a whole image, and of its objects (TMR; Zheng et al., 2023)


def select_images(document: Document, inputs: EncoderInputs) -> list[tuple[int, Image]]:
    """(slot, image): 0 the main image, n its n-th object; behind them, with `generated`, those made from the text.

    An object is a candidate that is given and never gold: an image of kind `object` or, where there is none, `patch`.
    Without `main_image_with_objects` the main image is read only where the document has no object. With `max_frames`
    frames are read alone, in the order of time; of a document without frames its main image, as the only one.
    """
    if most := inputs.max_frames:
        found = frames(document)
        kept = [found[len(found) * i // most] for i in range(most)] if len(found) > most else found
        return list(enumerate(kept))
    inside = objects(document, made=False)[: inputs.objects]
    main = document.main_image if inputs.main_image_with_objects or not inside else None
    chosen = [(0, main), *enumerate(inside, 1)]
    if inputs.generated:
        inside, first = objects(document, made=True)[: inputs.objects], 1 + inputs.objects
        chosen += [(first, generated_image(document)), *enumerate(inside, first + 1)]
    return [(slot, image) for slot, image in chosen if image is not None]


def frames(document: Document) -> list[Image]:
    """Frames in the order of time, those without a time as they stand; without any, the main image."""
    found = [i for i in document.images if i.kind == "frame"]
    if all(i.time is not None for i in found):
        found.sort(key=lambda i: i.time or 0.0)
    return found or [i for i in [document.main_image] if i is not None]


def word_timestamps(document: Document) -> np.ndarray:
    """(T,) seconds at which each word is said: the middle of the first time span that it begins in, else NaN."""
    found = np.full(len(document.words), np.nan, dtype=np.float32)
    starts = np.array([w.start for w in document.words], dtype=np.int64)
    for start, end, begin, finish in reversed(document.times):
        found[(starts >= start) & (starts < end)] = (begin + finish) / 2
    return found


def skipped_frames(document: Document, inputs: EncoderInputs) -> ErrorRecord | None:
    """A record where a document has more frames than the encoder reads."""
    most = inputs.max_frames
    if not most or not inputs.reads_images or len(found := frames(document)) <= most:
        return None
    where, remedy = f"document {document.id}, frames", "evenly spaced ones were read: raise encode.frames"
    return ErrorRecord(where=where, found=f"{len(found)} frames", expected=f"at most {most}", remedy=remedy)


def objects(document: Document, made: bool) -> list[Image]:
    """Candidates cut from the image made from the text, or else from any image that was not made."""
    source = generated_image(document)
    made_from_text = {i.id for i in document.images if i.kind == "generated"}
    inside = [i for i in document.images if i.kind in ("object", "patch")]
    if made:
        inside = [i for i in inside if source is not None and i.parent == source.id]
    else:
        inside = [i for i in inside if i.parent not in made_from_text]
    return [i for i in inside if i.kind == "object"] or inside


def generated_image(document: Document) -> Image | None:
    """The first image that was made from the text."""
    return next((i for i in document.images if i.kind == "generated"), None)


def relevance(document: Document, inputs: EncoderInputs) -> list[float]:
    """The scores of the main image and, with `generated`, of the one made from the text.

    NaN where there is none, or one that float32 cannot hold.
    """
    sides = [document.main_image, *([generated_image(document)] if inputs.generated else [])]
    known = [dict(image.relevance) if image is not None else {} for image in sides]
    found = [scores.get(name, math.nan) for scores in known for name in SCORES]
    return [score if abs(score) < 1e38 else math.nan for score in found]
