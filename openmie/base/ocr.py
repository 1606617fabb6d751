"""Words in photographs: the OCR package `rapidocr` (extra `ocr`), with the models that are installed with it.

PP-OCRv6 in its small form: a detector of lines, and a recogniser of English and Chinese characters. Nothing is fetched.
A line counts from a score of 0.8 up: of 24 lines below that score in 30 photographs of posts, 20 were single characters
or marks that nobody wrote, and so are lines without a letter or digit at any score.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from openmie.data.document import Box
from openmie.errors import MissingPackageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

NEEDED = ("rapidocr", "onnxruntime")
THRESHOLD = 0.8


class Line(NamedTuple):
    """A line of text in a photograph."""

    text: str
    box: Box  # x0, y0, x1, y1 in pixels of the photograph; around a line that is written aslant
    score: float  # confidence of the recogniser, in [0, 1]


class LineReader(Protocol):
    """What reads the lines of a photograph."""

    def read(self, picture: Picture, threshold: float = THRESHOLD) -> list[Line]:
        """Lines of at least this score, from top to bottom."""


class RapidOcr:
    """The reader of `rapidocr`.

    Args:
        engine: its `RapidOCR`, or what is called like it: an array (H, W, 3), blue first, to `boxes` (N, 4, 2), `txts`
            and `scores`, each None where nothing was found.
    """

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    @classmethod
    def load(cls, threads: int = 1) -> RapidOcr:
        """The reader with its models.

        Args:
            threads: number of threads of onnxruntime.

        Raises:
            MissingPackageError: the extra `ocr` is not installed.
        """
        if lacking := missing_packages():
            raise MissingPackageError(
                f"words in photographs need the package {lacking[0]}, which is not installed",
                remedy="install it: pip install 'openmie[ocr]'",
            )
        from rapidocr import RapidOCR

        runtime = "EngineConfig.onnxruntime."
        numbers = {f"{runtime}{kind}_op_num_threads": threads for kind in ("intra", "inter")}
        return cls(RapidOCR(params={"Global.log_level": "critical", "Global.text_score": 0.0, **numbers}))

    def read(self, picture: Picture, threshold: float = THRESHOLD) -> list[Line]:
        """Lines of a photograph, in the order of the engine, which is from top to bottom.

        Args:
            picture: upright RGB, as `load_image` returns it.
            threshold: lowest score.
        """
        found = self.engine(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))
        if found.boxes is None or found.txts is None or found.scores is None:
            return []
        lines = (
            Line(" ".join(text.split()), around(corners, picture.size), float(score))
            for corners, text, score in zip(found.boxes, found.txts, found.scores)
        )
        return [x for x in lines if x.score >= threshold and any(c.isalnum() for c in x.text) and has_area(x.box)]


def around(corners: Sequence[Sequence[float]], size: tuple[int, int]) -> Box:
    """The upright box around four corners (4, 2), within a photograph of (width, height)."""
    x, y = ([min(max(float(corner[k]), 0.0), side) for corner in corners] for k, side in enumerate(size))
    return min(x), min(y), max(x), max(y)


def has_area(box: Box) -> bool:
    return box[2] > box[0] and box[3] > box[1]


def missing_packages() -> list[str]:
    """Packages of the extra `ocr` that are not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


@cache
def default_reader() -> LineReader | None:
    """The reader, loaded once; None where the extra `ocr` is not installed, which is logged once as a warning."""
    import torch

    try:
        return RapidOcr.load(torch.get_num_threads())
    except MissingPackageError as error:
        logging.getLogger("openmie").warning("Words in photographs are not read: %s", error)
        return None
