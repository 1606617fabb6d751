"""What a photograph shows: objects with class and box, and lines of text with box; as values, and as Regions.

    read_photograph("photo.jpg")                     # -> Photograph(objects=..., lines=...)
    with_photographs([document, ...])                # -> the documents with regions

An object becomes a Region whose label is its class ("person"), a line one whose label is "WORDS" and whose `text` has
them. Neither is `of` a mention: see `links`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from openmie.base import objects as detection
from openmie.base import ocr
from openmie.base.objects import Found, ObjectDetector
from openmie.base.ocr import Line, LineReader
from openmie.data.document import Box, Document, Image, Region
from openmie.data.images import load_small
from openmie.data.small_pictures import MinSize, SmallPicture
from openmie.errors import ErrorRecord, ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

WORDS = "WORDS"  # label of the region of a line
SEEN = ("main", "frame")  # kinds of images that are looked at; the others are parts of these, or generated
PIXELS_AT_ONCE = 1 << 23  # of photographs that are held in memory at once, or one photograph
DETECTOR_SIDE = 832  # of the longer side: twice what the detector reads
READER_SIDE = 2000  # and what the reader of words does


class Photograph(NamedTuple):
    """What one photograph shows."""

    objects: tuple[Found, ...] = ()
    lines: tuple[Line, ...] = ()

    def regions(self, image: str) -> tuple[Region, ...]:
        """Regions in the image of this id: objects first, best first; then lines, from top to bottom."""
        seen = (Region(image=image, box=x.box, label=x.label, score=x.score) for x in self.objects)
        read = (Region(image=image, box=x.box, label=WORDS, text=x.text, score=x.score) for x in self.lines)
        return (*seen, *read)

    def scaled(self, seen: tuple[int, int], original: tuple[int, int]) -> Photograph:
        """The same with boxes in pixels of the original, where a smaller picture was seen; (width, height) each."""
        if seen == original:
            return self
        across, down = (whole / small for small, whole in zip(seen, original))
        objects = tuple(x._replace(box=_times(x.box, across, down)) for x in self.objects)
        return Photograph(objects, tuple(x._replace(box=_times(x.box, across, down)) for x in self.lines))


class PhotographReader:
    """Looks at photographs. Both models are loaded when the first photograph is read.

    Args:
        detector: of objects; None: the one that is installed with openmie.
        lines: reader of words; None: that of the extra `ocr`, and no words where it is not installed.
        threshold: lowest score of an object.
        text_threshold: lowest score of a line.
        words: read words too, which takes about five times as long as finding objects.
    """

    def __init__(
        self,
        detector: ObjectDetector | None = None,
        lines: LineReader | None = None,
        *,
        threshold: float = detection.THRESHOLD,
        text_threshold: float = ocr.THRESHOLD,
        words: bool = True,
    ) -> None:
        self._detector, self._lines, self._words = detector, lines, words
        self.threshold, self.text_threshold = threshold, text_threshold

    @property
    def min_size(self) -> MinSize:
        """How large photographs are read."""
        words = self._words and (self._lines or not ocr.missing_packages())
        return MinSize(longer=READER_SIDE if words else DETECTOR_SIDE)

    def read(self, pictures: Sequence[Picture]) -> list[Photograph]:
        """What each photograph shows.

        Args:
            pictures: upright RGB, as `load_image` returns them.
        """
        if not pictures:
            return []
        detector = self._detector or detection.default_detector()
        reader = (self._lines or ocr.default_reader()) if self._words else None
        found = detector.detect(pictures, self.threshold)
        lines = [reader.read(picture, self.text_threshold) if reader else [] for picture in pictures]
        return [Photograph(tuple(x), tuple(y)) for x, y in zip(found, lines)]


def read_photograph(image: Image | str | os.PathLike[str], reader: PhotographReader | None = None) -> Photograph:
    """Objects and lines of text in a photograph.

    Args:
        image: an `Image` with a path or pixels, or a path.
        reader: None: the models that are installed with openmie.

    Returns:
        Objects and lines, their boxes in pixels of the upright original.

    Raises:
        ImageError: it cannot be read.
    """
    reader = reader or PhotographReader()
    picture, size = load_small(image, reader.min_size)
    return reader.read([picture])[0].scaled(picture.size, size)


def with_photographs(documents: Iterable[Document], reader: PhotographReader | None = None) -> list[Document]:
    """Documents with the regions of what their photographs show added.

    Main images and frames are looked at. An image that cannot be read is recorded in its document's `errors`; nothing
    else of the document changes, and the others are read.

    Args:
        documents: with images, or without.
        reader: None: the models that are installed with openmie.

    Returns:
        The documents, in order; sizes of images that were read are filled in where they were unknown.
    """
    reader, out = reader or PhotographReader(), list(documents)
    held: list[tuple[int, Image, SmallPicture]] = []

    def look() -> None:
        for (n, image, small), photograph in zip(held, reader.read([small.picture for _, _, small in held])):
            out[n] = _with_regions(out[n], image, small.size, photograph.scaled(small.picture.size, small.size))
        held.clear()

    for n, image in [(n, x) for n, document in enumerate(out) for x in document.images if x.kind in SEEN]:
        loaded = _loaded(out[n], image, reader.min_size)
        if isinstance(loaded, ErrorRecord):
            out[n] = out[n].replace(errors=(*out[n].errors, loaded))
            continue
        if sum(x.picture.width * x.picture.height for *_, x in (*held, (n, image, loaded))) > PIXELS_AT_ONCE:
            look()
        held.append((n, image, loaded))
    look()
    return out


def _loaded(document: Document, image: Image, min_size: MinSize) -> SmallPicture | ErrorRecord:
    try:
        return load_small(image, min_size)
    except ImageError as error:
        where = f"document {document.id}, {error.record.where or f'image {image.id}'}"
        return error.record.model_copy(update={"where": where})


def _times(box: Box, across: float, down: float) -> Box:
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def _with_regions(document: Document, image: Image, size: tuple[int, int], photograph: Photograph) -> Document:
    width, height = size
    sized = image.model_copy(update={"width": width, "height": height}) if not (image.width and image.height) else image
    images = tuple(sized if x.id == image.id else x for x in document.images)
    return document.replace(images=images, regions=(*document.regions, *photograph.regions(image.id)))
