"""Which family a model's boxes are of: figures of known place are shown, asked for, and read by every adapter.

A figure is a coloured rectangle, ellipse or triangle on a plain ground beside one of another colour, in pictures of
several sizes and shapes, each also as a file whose EXIF turns it. The right adapter gives a mean IoU near that of the
model's eye; wrong ones fall behind on the sizes where they differ.
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
from openmie.data.document import Box
from openmie.errors import ErrorRecord, RecipeError
from openmie.vlm.boxes.coordinates import Coordinates, model_of
from openmie.vlm.boxes.families import ADAPTERS
from openmie.vlm.generate import Backend, Request
from openmie.vlm.prompting import tolerant_json as loose_json
from openmie.vlm.prompting.windows import iou

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIZES = ((320, 240), (240, 360), (1280, 720), (720, 1280), (900, 900), (112, 84), (1500, 500), (640, 480))
COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "green": (20, 140, 50), "orange": (240, 150, 20)}
SHAPES = ("rectangle", "ellipse", "triangle")
ALIKE = 0.02  # adapters whose mean IoUs differ by less say the same
FITS = 0.5  # mean IoU below which none fits
OWN = "in the coordinates that you write boxes in"  # where the family is not known
FORM = {
    "type": "object", "required": ["box"], "additionalProperties": False,
    "properties": {"box": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}},
}  # fmt: skip
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_INVERSE = {
    1: None,
    2: 0,
    3: 3,
    4: 1,
    5: 5,
    6: 2,
    7: 6,
    8: 4,
}  # EXIF orientation -> Pillow's transposition that it undoes


@dataclass(frozen=True)
class Probe:
    """An upright picture with one figure that is asked for, and where it is."""

    picture: Picture
    colour: str
    shape: str
    box: Box


@dataclass(frozen=True)
class Report:
    """Mean IoU of each adapter over all probes (0 where an answer has no box), and the share above 0.5."""

    model: str
    family: str  # that extraction takes; "": none is known by the model's name
    found: dict[str, tuple[float, float]]  # family -> (mean IoU, share of boxes with an IoU above 0.5)
    asked: int
    records: tuple[ErrorRecord, ...]  # what was not answered, or had no box

    @property
    def fitting(self) -> tuple[str, ...]:
        """The families that fit, the best first; several where they write boxes alike."""
        best = max(mean for mean, _ in self.found.values())
        if best < FITS:
            return ()
        order = sorted(self.found, key=lambda name: -self.found[name][0])
        return tuple(name for name in order if self.found[name][0] > best - ALIKE)

    def advice(self) -> str:
        """What a user should do."""
        if not self.fitting:
            return f"no family fits: {self.model} may not have been taught boxes, or writes them in another way"
        if self.family in self.fitting:
            return f"{self.family}, which openmie takes for {self.model}, fits"
        taken = f"openmie takes {self.family} for {self.model}, which does not fit" if self.family else \
            f"openmie knows no family of {self.model}"  # fmt: skip
        return f"{taken}: extract with --set family={self.fitting[0]}"


def examine(backend: Backend, number: int = 16, seed: int = 0, family: str = "", max_pixels: int = 0) -> Report:
    """Ask for the figures in so many pictures, as extraction would ask.

    Errors: a number below 1, a family that is named and not known.
    """
    if number < 1:
        raise RecipeError(f"{number} pictures", expected="at least 1", where="doctor boxes", remedy="16 are usual")
    known = _known(family, model_of(backend), max_pixels)
    shown = list(probes(number, seed))
    totals = {name: [0.0] * number for name in ADAPTERS}
    records: list[ErrorRecord] = []
    for n, (probe, answer) in enumerate(zip(shown, backend.answers(_request(p, known) for p in shown), strict=True)):
        values = None if isinstance(answer, ErrorRecord) else _values(answer.text)
        if values is None:
            told = answer if isinstance(answer, ErrorRecord) else ErrorRecord(
                where=f"picture {n + 1}", found=repr(answer.text[:120]), expected="four numbers",
                remedy="it counts as a box beside the figure")  # fmt: skip
            records.append(told)
            continue
        for name, adapter in ADAPTERS.items():
            adapter = known.adapter if known and known.family == name else adapter
            box = adapter.decode(values, probe.picture.size)
            totals[name][n] = iou(probe.box, box) if box else 0.0
    found = {name: (sum(x) / number, sum(i > 0.5 for i in x) / number) for name, x in totals.items()}
    return Report(backend.name, known.family if known else "", found, number, tuple(records))


def _known(family: str, model: str, max_pixels: int) -> Coordinates | None:
    try:
        return Coordinates.of(family, model, max_pixels)
    except RecipeError:
        if family:
            raise
        return None


def _request(probe: Probe, known: Coordinates | None) -> Request:
    size = f" It has {probe.picture.width} x {probe.picture.height} pixels." if known and known.tells_sizes else ""
    words = f"as a box {known.words}" if known else OWN
    return Request(
        prompt=f"Where in the picture is the {probe.colour} {probe.shape}?{size} Answer with its box alone, {words}, "
        'as JSON: {"box": [number, number, number, number]}',
        images=(probe.picture,), schema=FORM,
    )  # fmt: skip


def _values(text: str) -> Sequence[Any] | None:
    """The four numbers of an answer: of its JSON, or the only four that it has."""
    value = loose_json.read(text, ["box", "bbox_2d"]).value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("box", value.get("bbox_2d"))
    if isinstance(value, list) and len(value) == 4:
        return value
    numbers = _NUMBER.findall(text)
    return [float(n) for n in numbers] if len(numbers) == 4 else None


def probes(number: int, seed: int = 0) -> Iterator[Probe]:
    """Pictures with figures, every second one read from a file that EXIF turns, through all eight orientations."""
    draw = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        for n in range(number):
            picture, colour, shape, box = _drawn(SIZES[n % len(SIZES)], draw)
            turned = Path(folder) / f"{n}.png"
            if n % 2:
                _save_turned(picture, turned, 1 + n // 2 % 8)
                picture = images.load_image(turned)
            yield Probe(picture, colour, shape, box)


def _drawn(size: tuple[int, int], draw: Random) -> tuple[Picture, str, str, Box]:
    """A figure, and one of another colour in the other half of the longer side."""
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
    """Drawn so that it touches all four sides of its box, last pixels included."""
    left, top, right, bottom = box
    if shape == "triangle":
        pen.polygon([((left + right) // 2, top), (right, bottom), (left, bottom)], fill=colour)
    elif shape == "ellipse":
        pen.ellipse(box, fill=colour)
    else:
        pen.rectangle(box, fill=colour)


def _save_turned(picture: Picture, path: Path, orientation: int) -> None:
    """A file that shows the picture once it is turned as its EXIF says."""
    import PIL.Image

    way = _INVERSE[orientation]
    turned = picture if way is None else picture.transpose(PIL.Image.Transpose(way))
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    turned.save(path, exif=exif)
