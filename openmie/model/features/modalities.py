"""Which modalities a document has in a form that an encoder could read: by its layers and files, nothing is opened."""

from __future__ import annotations

import os
from typing import Any

from openmie.data.document import Document, Image
from openmie.model.features.images import select_images
from openmie.nn.encode.inputs import EncoderInputs


def modalities_of(document: Document, inputs: EncoderInputs) -> frozenset[str]:
    """Roles of streams, such as `vision` and `generated`, that are not empty for a document.

    Args:
        document: with words or text.
        inputs: what the encoder reads, see `EncoderInputs`; its context is no `*`.
    """
    found = {"text"} if document.text.strip() else set()
    if inputs.context and document.caption(inputs.context).strip():
        found.add("context")
    if inputs.phrases and any(p.text.strip() for p in document.phrases):
        found.add("phrases")
    first = 1 + inputs.objects
    for slot, image in select_images(document, inputs):
        side, role = divmod(slot, first) if not inputs.max_frames else (0, 0)
        name = (("vision", "objects"), ("generated", "generated_objects"))[side][role > 0]
        if name not in found and _exists(document, image):
            found.add(name)
    if "objects" in found and not inputs.main_image_with_objects:
        found.add("vision")
    return frozenset(found)


def _exists(document: Document, image: Any) -> bool:
    """Whether an image has pixels or a file, or lies in one that has."""
    seen: set[str] = set()
    while isinstance(image, Image) and image.id not in seen:
        seen.add(image.id)
        if image.pixels is not None:
            return True
        if image.path or image.box is None:
            return bool(image.path) and os.path.isfile(image.path)
        image = document.image(image.parent) if image.parent else document.main_image
    return False
