"""Finds out how a model writes boxes: it locates figures of known position, and every adapter decodes its answers.

A figure is a coloured rectangle, ellipse or triangle on a plain background beside one of another colour, in pictures of
several sizes and aspect ratios, every second one read from a file with an EXIF orientation. The right adapter gets the
mean IoU that the model's localisation allows; wrong ones fall behind on the sizes where they differ.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from openmie.data import images
from openmie.data.box_iou import box_iou
from openmie.data.document import Box
from openmie.errors import ErrorRecord, RecipeError
from openmie.vlm.boxes.coordinates import BoxFormat, UnknownBoxFamily, model_type
from openmie.vlm.boxes.families import ADAPTERS
from openmie.vlm.generate import Backend, Request
from openmie.vlm.prompting.box_items import BOX_FIELDS
from openmie.vlm.prompting.tolerant_json import read_json

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIZES = ((320, 240), (240, 360), (1280, 720), (720, 1280), (900, 900), (112, 84), (1500, 500), (640, 480))
COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "green": (20, 140, 50), "orange": (240, 150, 20)}
SHAPES = ("rectangle", "ellipse", "triangle")
TIE_MARGIN = 0.02  # adapters whose mean IoUs differ by less are tied
MIN_MEAN_IOU = 0.5  # below it no adapter fits
UNKNOWN_FORMAT = "in the coordinates that you write boxes in"  # in the prompt, where the family is unknown
ANSWER_SCHEMA = {
    "type": "object", "required": ["box"], "additionalProperties": False,
    "properties": {"box": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}},
}  # fmt: skip
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_INVERSE = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation -> Pillow's inverse transposition


@dataclass(frozen=True)
class BoxProbe:
    """An upright picture, the figure in it that is asked for, and the figure's box in pixels."""

    picture: Picture
    colour: str
    shape: str
    box: Box


@dataclass(frozen=True)
class ProbeReport:
    """How well each adapter reads a model's boxes.

    Args:
        model: the model's name.
        family: the family that extraction uses for the model; "": none is known.
        scores: family -> (mean IoU, share of boxes with an IoU above 0.5), both in [0, 1]; 0 for an answer without box.
        probes: number of probes.
        records: errors: requests without an answer, and answers without a box.
    """

    model: str
    family: str
    scores: dict[str, tuple[float, float]]
    probes: int
    records: tuple[ErrorRecord, ...]

    @property
    def fitting(self) -> tuple[str, ...]:
        """The families that fit, the best first; several where they write boxes alike."""
        best = max(mean for mean, _ in self.scores.values())
        if best < MIN_MEAN_IOU:
            return ()
        order = sorted(self.scores, key=lambda name: -self.scores[name][0])
        return tuple(name for name in order if self.scores[name][0] > best - TIE_MARGIN)

    def advice(self) -> str:
        """One sentence on what to do."""
        if not self.fitting:
            return f"No family fits: {self.model} may not be trained on boxes, or writes them in another way."
        if self.family in self.fitting:
            return f"Family {self.family}, which openmie uses for {self.model}, fits."
        state = (
            f"Family {self.family}, which openmie uses for {self.model}, does not fit"
            if self.family
            else f"openmie knows no family of {self.model}"
        )
        return f"{state}: extract with --vlm-option family={self.fitting[0]}"


def probe_boxes(
    backend: Backend, number: int = 16, seed: int = 0, family: str = "", max_pixels: int = 0
) -> ProbeReport:
    """Ask a model for figures of known position, in the words of extraction.

    Args:
        backend: the model.
        number: number of pictures.
        seed: of the pictures.
        family: the family whose words are used; "": by the model.
        max_pixels: area of the largest image that the model gets; 0: the family's default.

    Returns:
        The scores of all adapters.

    Raises:
        RecipeError: a number below 1, or an unknown family.
    """
    if number < 1:
        raise RecipeError(f"number={number}", expected="at least 1", where="probe_boxes", remedy="16 is the default")
    known = _known_format(family, model_type(backend), max_pixels)
    shown = list(make_probes(number, seed))
    totals = {name: [0.0] * number for name in ADAPTERS}
    records: list[ErrorRecord] = []
    for n, (probe, answer) in enumerate(zip(shown, backend.answers(_request(p, known) for p in shown), strict=True)):
        values = None if isinstance(answer, ErrorRecord) else _values(answer.text)
        if values is None:
            if isinstance(answer, ErrorRecord):
                records.append(answer)
            else:
                problem = f"no box in the answer {answer.text[:120]!r}"
                count = "it was scored as an IoU of 0"
                records.append(
                    ErrorRecord(where=f"picture {n + 1}", found=problem, expected="four numbers", remedy=count)
                )
            continue
        for name, adapter in ADAPTERS.items():
            adapter = known.adapter if known and known.family == name else adapter
            box = adapter.decode(values, probe.picture.size)
            totals[name][n] = box_iou(probe.box, box) if box else 0.0
    scores = {name: (sum(x) / number, sum(i > 0.5 for i in x) / number) for name, x in totals.items()}
    return ProbeReport(backend.name, known.family if known else "", scores, number, tuple(records))


def _known_format(family: str, model: str, max_pixels: int) -> BoxFormat | None:
    try:
        return BoxFormat.of(family, model, max_pixels)
    except UnknownBoxFamily:
        if family:
            raise
        return None


def _request(probe: BoxProbe, known: BoxFormat | None) -> Request:
    needs_size = known is not None and known.needs_image_size
    size = f" It has {probe.picture.width} x {probe.picture.height} pixels." if needs_size else ""
    words = f"as a box {known.description}" if known else UNKNOWN_FORMAT
    return Request(
        prompt=f"Where in the picture is the {probe.colour} {probe.shape}?{size} Answer with its box alone, {words}, "
        'as JSON: {"box": [number, number, number, number]}',
        images=(probe.picture,), schema=ANSWER_SCHEMA,
    )  # fmt: skip


def _values(text: str) -> Sequence[Any] | None:
    """The four numbers of an answer: of its JSON, or the only four that it has."""
    value = read_json(text, BOX_FIELDS).value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = next((value[field] for field in BOX_FIELDS if field in value), None)
    if isinstance(value, list) and len(value) == 4:
        return value
    numbers = _NUMBER.findall(text)
    return [float(n) for n in numbers] if len(numbers) == 4 else None


def make_probes(number: int, seed: int = 0) -> Iterator[BoxProbe]:
    """Draw probes; every second one is read from a file with an EXIF orientation, through all eight."""
    draw = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        for n in range(number):
            picture, colour, shape, box = _draw(SIZES[n % len(SIZES)], draw)
            turned = Path(folder) / f"{n}.png"
            if n % 2:
                _save_turned(picture, turned, 1 + n // 2 % 8)
                picture = images.load_image(turned)
            yield BoxProbe(picture, colour, shape, box)


def _draw(size: tuple[int, int], draw: Random) -> tuple[Picture, str, str, Box]:
    """Draw a figure, and one of another colour in the other half of the longer side."""
    import PIL.Image
    import PIL.ImageDraw

    picture = PIL.Image.new("RGB", size, (235, 235, 228))
    pen = PIL.ImageDraw.Draw(picture)
    colours, wide = draw.sample(sorted(COLOURS), 2), size[0] >= size[1]
    halves = [(0, size[0] // 2, 0, size[1]), (size[0] // 2, size[0], 0, size[1])] if wide else \
        [(0, size[0], 0, size[1] // 2), (0, size[0], size[1] // 2, size[1])]  # fmt: skip
    draw.shuffle(halves)
    made = []
    for colour, (left, right, top, bottom) in zip(colours, halves):
        w, h = (max(int(side * draw.uniform(0.3, 0.8)), 8) for side in (right - left, bottom - top))
        x, y = draw.randint(left, right - w), draw.randint(top, bottom - h)
        shape = draw.choice(SHAPES)
        _figure(pen, shape, (x, y, x + w - 1, y + h - 1), COLOURS[colour])
        made.append((picture, colour, shape, (float(x), float(y), float(x + w), float(y + h))))
    return made[0]


def _figure(pen: Any, shape: str, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> None:
    """Draw a figure that touches all four sides of its box, last pixels included."""
    left, top, right, bottom = box
    if shape == "triangle":
        pen.polygon([((left + right) // 2, top), (right, bottom), (left, bottom)], fill=colour)
    elif shape == "ellipse":
        pen.ellipse(box, fill=colour)
    else:
        pen.rectangle(box, fill=colour)


def _save_turned(picture: Picture, path: Path, orientation: int) -> None:
    """Save a picture transposed, with the EXIF orientation that restores it."""
    import PIL.Image

    way = _INVERSE[orientation]
    turned = picture if way is None else picture.transpose(PIL.Image.Transpose(way))
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    turned.save(path, exif=exif)
