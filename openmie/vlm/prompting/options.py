"""How a vision-language model is prompted: how much text and how many images a request has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openmie.data.document import Document, Image
from openmie.errors import ErrorRecord, ImageError, RecipeError
from openmie.vlm.sent_picture import SentPicture, picture_to_send


@dataclass(frozen=True, kw_only=True)
class PromptOptions:
    """How documents are prompted.

    Args:
        window: characters of text in one request; a longer text is split into overlapping windows.
        overlap: characters that two windows share, so that no shorter name is cut; None: a tenth of the window.
        images: images in one request; of more frames, evenly spaced ones are used.
        max_side: pixels of the longer side of each image, at most; 0: as it is; None: 2016 on a server, as it is here.
        context: generator of the caption that the prompt contains; "": the caption that a user gave.
        family: how the model writes boxes (a key of `openmie.vlm.boxes.families.ADAPTERS`); "": by the model's name.
        max_pixels: area of the largest image that the model gets (family qwen2.5-vl); 0: the family's default.
        all_occurrences: the model names each name once, and all its occurrences become mentions.
        constrained: decode under the JSON Schema or grammar of the answer; None: yes, except a grammar on a server.
        patches: format pfa: the candidate regions of the main image are shown, with letters.
        injection_guard: format pfa: the text stands between marks; False: as in fine-tuning.
        passes: requests about one window, whose answers are united (`passes`).
        before: characters in front of a window that its request shows as context; nothing is taken from there.
        pictures_once: the pictures go with the first window alone; None: yes, unless boxes are asked for.
        shown_examples: examples in one request; of fewer, all.
        nearest: the examples that are nearest to the text are shown; False: always the first of the file.
        instructions: what the model is told beside the task.

    Raises:
        RecipeError: a window or number of images or passes below 1, a negative number of characters, an overlap of half
            the window or more.
    """

    window: int = 8000
    overlap: int | None = None
    images: int = 8
    max_side: int | None = None
    context: str = ""
    family: str = ""
    max_pixels: int = 0
    all_occurrences: bool = False
    constrained: bool | None = None
    patches: bool = True
    injection_guard: bool = True
    passes: int = 1
    before: int = 0
    pictures_once: bool | None = None
    shown_examples: int = 3
    nearest: bool = True
    instructions: str = ""

    def __post_init__(self) -> None:
        for name, least in (("window", 1), ("images", 1), ("passes", 1), ("shown_examples", 1), ("before", 0)):
            if getattr(self, name) < least:
                raise RecipeError(
                    f"{name}={getattr(self, name)}",
                    expected=f"at least {least}",
                    where="PromptOptions",
                    remedy="leave it out for the default (window=8000, images=8, passes=1, shown_examples=3, before=0)",
                )
        if self.max_side is not None and self.max_side < 0:
            raise RecipeError(
                f"max_side={self.max_side}",
                expected="pixels, or 0 for pictures as they are",
                where="PromptOptions",
                remedy="leave it out for the default",
            )
        if not 0 <= self.shared_characters < self.window / 2:
            raise RecipeError(
                f"overlap={self.overlap}",
                expected=f"less than half of the window of {self.window} characters",
                where="PromptOptions",
                remedy="leave it out for a tenth of the window",
            )

    def shows_pictures(self, window: int, boxes: bool) -> bool:
        """Whether the request about a window, 0 for the first, has the pictures; `boxes`: whether any are asked for."""
        return window == 0 or not (not boxes if self.pictures_once is None else self.pictures_once)

    @property
    def shared_characters(self) -> int:
        """Characters that two windows of a text share."""
        return self.window // 10 if self.overlap is None else self.overlap


def document_record(document: Document, what: str, found: str, expected: str, remedy: str) -> ErrorRecord:
    """A record about a part of a document."""
    where = f"document {document.id}, {what}"
    return ErrorRecord(where=where, found=found, expected=expected, remedy=remedy)


def load_images(
    document: Document, most: int, max_side: int | None
) -> tuple[list[tuple[Image, SentPicture]], list[ErrorRecord]]:
    """Load the main images and frames of a document for one request.

    Main images come first, then frames in their order; of more frames than there is room for, evenly spaced ones.

    Args:
        document: the document.
        most: largest number of images.
        max_side: pixels of the longer side of each, at most; 0 or None: any.

    Returns:
        (image, picture) of each image that could be read, and a record for each that is left out.
    """
    main = [i for i in document.images if i.kind == "main"]
    frames = [i for i in document.images if i.kind == "frame"]
    chosen = [*main[:most], *evenly_spaced(frames, most - len(main))]
    errors = []
    if omitted := len(main) + len(frames) - len(chosen):
        errors.append(
            document_record(
                document,
                "images",
                f"{len(main) + len(frames)} images and frames, of which {omitted} were not shown",
                f"at most {most} in one request; evenly spaced ones were used",
                f"set images to more than {most}, if the model reads so many",
            )
        )
    loaded: list[tuple[Image, SentPicture]] = []
    cache: dict[str, Any] = {}
    for image in chosen:
        picture = picture_to_send(document, image, cache, max_side or 0)
        if isinstance(picture, ImageError):
            where = f"document {document.id}, {picture.record.where or 'image ' + image.id}"
            errors.append(picture.record.model_copy(update={"where": where}))
        else:
            loaded.append((image, picture))
    return loaded, errors


def evenly_spaced(items: Sequence[Image], most: int) -> list[Image]:
    """At most `most` items, evenly spaced over all, with the first and, of two or more, the last."""
    if most < 1 or len(items) <= most:
        return list(items) if most >= 1 else []
    if most == 1:
        return [items[0]]
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
