"""A training example of a vision-language model: prompt, images and the answer to learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openmie.data import images
from openmie.data.document import Document, Image
from openmie.errors import ImageError
from openmie.vlm.generate import Request

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(frozen=True, kw_only=True)
class SFTExample:
    """One prompt with its answer. Images are read when `pictures` is called, not before."""

    document: Document  # that holds the images; its gold is not read
    prompt: str
    answer: str
    images: tuple[Image, ...] = ()  # in the order of the prompt
    system: str = ""

    @property
    def id(self) -> str:
        return self.document.id

    def pictures(self) -> tuple[Picture, ...]:
        """Upright RGB pictures in the order of the prompt. Errors: `ImageError` for one that cannot be read."""
        known: dict[str, Any] = {}
        found = [images.image_or_crop(self.document, image, known) for image in self.images]
        for picture in found:
            if isinstance(picture, ImageError):
                raise picture
        return tuple(found)  # type: ignore[arg-type]

    def request(self) -> Request:
        """The prompt with its images, as a backend takes it."""
        return Request(prompt=self.prompt, images=self.pictures(), system=self.system)
