"""How a vision-language model is asked: how much at once, and what it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openmie.data import images as pictures
from openmie.data.document import Document, Image
from openmie.errors import ErrorRecord, ImageError, RecipeError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One way to ask, for all documents."""

    window: int = 8000  # characters of text in one request; a longer text is asked about in parts
    overlap: int | None = None  # characters that two parts share, so that no name so long is cut; None: a tenth
    images: int = 8  # pictures in one request; of more frames, evenly many
    context: str = ""  # generator whose caption is shown too; default: the caption that a user gave
    family: str = ""  # of the model's box coordinates (`openmie.vlm.boxes.families`); default: by its name
    max_pixels: int = 0  # of images as the model is let see them (family qwen2.5-vl); 0: the family's default
    everywhere: bool = False  # names are given once, and all their occurrences are mentions
    constrained: bool | None = None  # hold answers to their JSON Schema or grammar; None: but no server to a grammar
    patches: bool = True  # pfa: show the candidates of the main image, by letters
    fenced: bool = True  # pfa: the text stands between marks; False: as in training, for a model that was fine-tuned

    def __post_init__(self) -> None:
        wrong = [f"{name}={getattr(self, name)}" for name in ("window", "images") if getattr(self, name) < 1]
        wrong += [f"overlap={self.overlap}"] * (not 0 <= self.shared < self.window / 2)
        if wrong:
            raise RecipeError(
                wrong[0],
                expected="at least 1 character and image, an overlap below half of the window",
                where="Asking",
                remedy="window=8000 and images=8 are usual",
            )

    @property
    def shared(self) -> int:
        """Characters that two parts of a text share."""
        return self.window // 10 if self.overlap is None else self.overlap


def note(document: Document, what: str, found: str, expected: str, remedy: str) -> ErrorRecord:
    where = f"document {document.id}, {what}"
    return ErrorRecord(where=where, found=found, expected=expected, remedy=remedy)


def shown(document: Document, most: int) -> tuple[list[tuple[Image, Picture]], list[ErrorRecord]]:
    """The main images and frames that can be read, at most so many, with what is not shown and why.

    Main images come first, then frames in their order; of more frames than there is room for, evenly spread ones, the
    first and the last among them.
    """
    main = [i for i in document.images if i.kind == "main"]
    frames = [i for i in document.images if i.kind == "frame"]
    chosen = [*main[:most], *spread(frames, most - len(main))]
    errors = []
    if beyond := len(main) + len(frames) - len(chosen):
        errors.append(
            note(
                document,
                "images",
                f"{len(main) + len(frames)} images and frames",
                f"at most {most}",
                f"{beyond} were not shown, evenly spread: raise the number of images a request",
            )
        )
    found: list[tuple[Image, Picture]] = []
    known: dict[str, Any] = {}
    for image in chosen:
        picture = pictures.image_or_crop(document, image, known)
        if isinstance(picture, ImageError):
            errors.append(
                picture.record.model_copy(
                    update={"where": f"document {document.id}, {picture.record.where or 'image ' + image.id}"}
                )
            )
        else:
            found.append((image, picture))
    return found, errors


def spread(items: Sequence[Image], most: int) -> list[Image]:
    """At most so many, evenly spread over all, with the first and, of two or more, the last."""
    if most < 1 or len(items) <= most:
        return list(items) if most >= 1 else []
    if most == 1:
        return [items[0]]
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
