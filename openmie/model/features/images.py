"""Images of a document: which an encoder reads, in which slots, what is known of them, and their pixels."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openmie.data import images
from openmie.data.document import Document, Image
from openmie.data.small_pictures import FULL, MinSize
from openmie.errors import ErrorRecord, ImageError
from openmie.model.features.encoded_document import EncodedDocument
from openmie.nn.encode.inputs import EncoderInputs

SCORES = ("strong", "weak")  # names of relevance scores: of a whole image, and of its objects (TMR; Zheng et al., 2023)


def select_images(document: Document, inputs: EncoderInputs) -> list[tuple[int, Image]]:
    """The images of a document that an encoder reads, each with its slot; called once, by the featurizer.

    Slot 0 is the main image, slot n its n-th object; behind them, with `generated`, stand those generated from the
    text. An object is a candidate that is given and never gold: an image of kind `object` or, where there is none,
    `patch`. Without `main_image_with_objects` the main image is read only where the document has no object. With
    `max_frames` frames are read alone, in the order of time; of a document without frames its main image, as the only
    one. An encoder that reads no images has none.
    """
    if not inputs.reads_images:
        return []
    if most := inputs.max_frames:
        found = frames(document)
        kept = [found[len(found) * i // most] for i in range(most)] if len(found) > most else found
        return list(enumerate(kept))
    inside = objects(document, generated=False)[: inputs.objects]
    main = document.main_image if inputs.main_image_with_objects or not inside else None
    chosen = [(0, main), *enumerate(inside, 1)]
    if inputs.generated:
        inside, first = objects(document, generated=True)[: inputs.objects], 1 + inputs.objects
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
    where, remedy = f"document {document.id}, frames", "evenly spaced ones were read: raise encode.max_frames"
    return ErrorRecord(where=where, found=f"{len(found)} frames", expected=f"at most {most}", remedy=remedy)


def objects(document: Document, generated: bool) -> list[Image]:
    """Candidates cut from the image that was generated from the text, or else from any image that was not."""
    source = generated_image(document)
    parents = {i.id for i in document.images if i.kind == "generated"}
    inside = [i for i in document.images if i.kind in ("object", "patch")]
    if generated:
        inside = [i for i in inside if source is not None and i.parent == source.id]
    else:
        inside = [i for i in inside if i.parent not in parents]
    return [i for i in inside if i.kind == "object"] or inside


def generated_image(document: Document) -> Image | None:
    """The first image that was generated from the text."""
    return next((i for i in document.images if i.kind == "generated"), None)


def image_identity(document: Document) -> int:
    """A number that two documents share if they are of one image, in any process; 0 without an image.

    The main image counts, else the first one: by its file's real path, or its pixels where they are in memory. Of an
    image that is only named, the name and the captions count: names such as `main` are unique in a document alone.
    """
    image = document.main_image or next(iter(document.images), None)
    if image is None:
        return 0
    if image.pixels is not None:
        content = b"pixels" + np.ascontiguousarray(image.pixels).tobytes()
    elif image.path:
        content = b"path" + _real_path(image.path).encode("utf8", "surrogatepass")
    elif document.captions:
        content = b"name" + repr((image.id, sorted(document.captions.items()))).encode("utf8", "surrogatepass")
    else:
        return 0
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True) or 1


def _real_path(path: str) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:  # a path that no file system has, such as one with a NUL
        return path


def relevance(document: Document, inputs: EncoderInputs) -> list[float]:
    """The scores of the main image and, with `generated`, of the one generated from the text.

    NaN where there is none, or one that float32 cannot hold.
    """
    scored = [document.main_image, *([generated_image(document)] if inputs.generated else [])]
    known = [dict(image.relevance) if image is not None else {} for image in scored]
    found = [scores.get(name, math.nan) for scores in known for name in SCORES]
    return [score if abs(score) < 1e38 else math.nan for score in found]


def read_images(encoded: EncodedDocument, inputs: EncoderInputs) -> list[tuple[int, Any]]:
    """(slot, upright RGB picture) of the selected images, in full size; see `pictures_of`."""
    return list(pictures_of(encoded, inputs))


def pictures_of(encoded: EncodedDocument, inputs: EncoderInputs, min_size: MinSize = FULL) -> Iterator[tuple[int, Any]]:
    """(slot, upright RGB picture) of the selected images, one after the other; one that cannot be read leaves a record.

    Where no object can be read, the main image is read in their place.

    Args:
        encoded: whose images are read.
        inputs: what the encoder reads.
        min_size: of the sides of a picture that is needed: large ones are made smaller while they are read.
    """
    known: dict[str, Any] = {}  # pictures by image id: several objects may lie in one
    found, whole = False, {image.id for _, image in encoded.images if image.path or image.pixels is not None}
    cut = any(image.id not in whole for _, image in encoded.images)
    for slot, image in encoded.images:
        picture = _open(encoded, image, known, min_size)
        if picture is not None:
            found = True
            yield slot, picture
        if not cut:
            known.clear()  # nothing is cut from a frame: of many, one is held
    main = None if inputs.max_frames else encoded.document.main_image
    if not found and main is not None and (picture := _open(encoded, main, known, min_size)) is not None:
        yield 0, picture


def _open(encoded: EncodedDocument, image: Image, known: dict[str, Any], min_size: MinSize) -> Any:
    if f"image {image.id}" in encoded.errors:
        return None
    found = images.image_or_crop(encoded.document, image, known, min_size)
    if isinstance(found, ImageError):
        where = f"document {encoded.document.id}, {found.record.where}"
        encoded.errors[f"image {image.id}"] = found.record.model_copy(update={"where": where})
        return None
    return found


def image_sizes(selected: Sequence[tuple[int, Image]]) -> list[tuple[Image, tuple[int, int] | None]]:
    """The selected images in the order of their slots, and the size of each where it can be known."""
    found: list[tuple[Image, tuple[int, int] | None]] = []
    for _, image in selected:
        try:
            found.append((image, images.image_size(image)))
        except ImageError:  # the batch, which opens it, leaves the record
            found.append((image, None))
    return found


def collate_images(
    documents: Sequence[EncodedDocument],
    inputs: EncoderInputs,
    process: Callable[[Sequence[Any]], Tensor],
    states: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Image inputs of a batch: pixels by `process`, or the cached `states` by the keys that documents hold.

    One picture is held at a time: each becomes its pixels before the next one is read.
    """
    found: list[tuple[int, int, Any]] = []  # document, slot, pixels (1, 3, H, W) or cached states
    cached = all("vision" in d.cached for d in documents)
    read: dict[int, list[tuple[int, Any]]] = {}  # by the records of a document, which all of its pairs share
    pictures: list[tuple[int, Any]]
    for i, d in enumerate(documents):
        if cached:
            pictures = [(s, states[key]) for s, key in d.cached["vision"]]
        else:
            if id(d.errors) not in read:
                read[id(d.errors)] = [(s, process([p])) for s, p in pictures_of(d, inputs, needed_size(process))]
            pictures = read[id(d.errors)]
        if inputs.default_picture and not pictures:
            pictures = [(slot, None) for slot in range(1, 1 + inputs.objects)] or [(0, None)]
        found += [(i, slot, picture) for slot, picture in pictures]
    if not found:
        return {}
    index = {"image": torch.tensor([f[0] for f in found]), "slot": torch.tensor([f[1] for f in found])}
    if inputs.max_frames:
        selected = [dict(d.images) for d in documents]
        times = [selected[i][slot].time for i, slot, _ in found]
        index["frame_seconds"] = torch.tensor([torch.nan if t is None else t for t in times])
    scores = torch.tensor([relevance(d.document, inputs) for d in documents])  # (B, 2) or (B, 4)
    index |= {"relevance": scores} if not scores.isnan().all() else {}
    content = [f[2] for f in found]
    return index | ({"vision_states": torch.stack(content)} if cached else {"pixels": _stacked(content, process)})


def needed_size(process: Callable[[Sequence[Any]], Tensor]) -> MinSize:
    """How large pictures must be for a backbone's preprocessing; one that does not say reads them in full size."""
    return getattr(process, "min_size", FULL)


def _stacked(pixels: Sequence[Tensor | None], process: Callable[[Sequence[Any]], Tensor]) -> Tensor:
    """(K, 3, H, W); None stands for the default picture, which is zero after the preprocessing."""
    from PIL import Image as Pillow

    real = [p for p in pixels if p is not None] or [process([Pillow.new("RGB", (8, 8))])]
    # `cat`, not `stack`: it keeps the layout of `process`, and convolutions over channels-last pixels are faster
    return torch.cat([torch.zeros_like(real[0]) if p is None else p for p in pixels])


def masked_modalities(encoded: EncodedDocument, inputs: EncoderInputs, object_stream: bool) -> list[str]:
    """Modalities that the encoder reads and the document does not have, or not in a form that can be read.

    Args:
        object_stream: whether objects are a stream of their own; else they and the main image are one, `vision`.
    """
    document, main = encoded.document, encoded.document.main_image
    kept = [image for slot, image in encoded.images if slot == 0 or inputs.max_frames or not object_stream]
    kept += [main] if main is not None and not inputs.max_frames else []
    read = any(f"image {image.id}" not in encoded.errors for image in kept)
    missing = ["vision"] if inputs.reads_images and not read else []
    missing += ["text"] if inputs.max_frames and not document.words else []
    return missing + (["context"] if inputs.context and not len(encoded.context) else [])
