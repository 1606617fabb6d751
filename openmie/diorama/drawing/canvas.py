"""A canvas that draws inside a box, in percent of its width and height."""

from __future__ import annotations

from typing import Any

from openmie.diorama.drawing.layout import Rect
from openmie.diorama.rng import RandomStream

Colour = tuple[int, int, int]
DARK: Colour = (40, 40, 48)
WHITE: Colour = (248, 248, 248)
NAMED: dict[str, Colour] = {
    "red": (220, 30, 40),
    "blue": (40, 70, 220),
    "green": (20, 150, 50),
    "yellow": (250, 215, 20),
    "purple": (140, 40, 190),
    "orange": (250, 120, 10),
    "black": (16, 16, 20),
    "cyan": (20, 205, 225),
}
STAR = ((50, 0), (63, 37), (100, 38), (70, 60), (82, 98), (50, 75), (18, 98), (30, 60), (0, 38), (37, 37))


class BoxCanvas:
    """Draws on a Pillow `ImageDraw` inside `box`; 0 is its left or upper edge, 100 its right or lower one."""

    def __init__(self, image_draw: Any, box: Rect, mirrored: bool = False) -> None:
        self.image_draw, self.mirrored = image_draw, mirrored
        self.x, self.y, self.w, self.h = box[0], box[1], box[2] - box[0] - 1, box[3] - box[1] - 1

    def at(self, u: float, v: float) -> tuple[int, int]:
        """Percent to canvas pixels."""
        u = 100 - u if self.mirrored else u
        return self.x + round(self.w * u / 100), self.y + round(self.h * v / 100)

    def _corners(self, u0: float, v0: float, u1: float, v1: float) -> tuple[int, int, int, int]:
        (x0, y0), (x1, y1) = self.at(u0, v0), self.at(u1, v1)
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def rect(self, u0: float, v0: float, u1: float, v1: float, fill: Colour) -> None:
        self.image_draw.rectangle(self._corners(u0, v0, u1, v1), fill=fill)

    def oval(self, u0: float, v0: float, u1: float, v1: float, fill: Colour) -> None:
        self.image_draw.ellipse(self._corners(u0, v0, u1, v1), fill=fill)

    def ring(self, u0: float, v0: float, u1: float, v1: float, colour: Colour, thick: float) -> None:
        self.image_draw.ellipse(self._corners(u0, v0, u1, v1), outline=colour, width=self.thick(thick))

    def dome(self, u0: float, v0: float, u1: float, v1: float, fill: Colour) -> None:
        """The upper half of an ellipse."""
        self.image_draw.pieslice(self._corners(u0, v0, u1, v1), 180, 360, fill=fill)

    def shape(self, fill: Colour, *points: tuple[float, float]) -> None:
        self.image_draw.polygon([self.at(u, v) for u, v in points], fill=fill)

    def line(self, colour: Colour, thick: float, *points: tuple[float, float]) -> None:
        self.image_draw.line([self.at(u, v) for u, v in points], fill=colour, width=self.thick(thick))

    def thick(self, percent: float) -> int:
        """Of the mean side, at least two canvas pixels."""
        return max(2, round((self.w + self.h) * percent / 200))

    def inner(self, u0: float, v0: float, u1: float, v1: float) -> BoxCanvas:
        """A canvas for a part of this box."""
        x0, y0, x1, y1 = self._corners(u0, v0, u1, v1)
        return BoxCanvas(self.image_draw, (x0, y0, x1 + 1, y1 + 1), self.mirrored)


def shade(colour: Colour, by: int) -> Colour:
    """Lighter (by > 0) or darker, kept in range."""
    return tuple(min(255, max(0, c + by)) for c in colour)  # type: ignore[return-value]


def any_colour(rng: RandomStream, low: int = 30, high: int = 225) -> Colour:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


EMBLEMS = ("disc", "star", "diamond", "cross")


def emblem(canvas: BoxCanvas, kind: str, colour: Colour) -> None:
    """Draw one of EMBLEMS, filling the canvas."""
    if kind == "disc":
        canvas.oval(5, 5, 95, 95, colour)
    elif kind == "star":
        canvas.shape(colour, *STAR)
    elif kind == "diamond":
        canvas.shape(colour, (50, 0), (95, 50), (50, 100), (5, 50))
    else:
        canvas.rect(36, 2, 64, 98, colour)
        canvas.rect(2, 36, 98, 64, colour)
