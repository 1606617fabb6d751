"""From a layout to pixels: background, distractors, figures, flags and sign, at twice the size, then reduced."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from openmie.diorama.drawing.canvas import DARK, EMBLEMS, NAMED, WHITE, Colour, Pen, any_colour, emblem, shade
from openmie.diorama.drawing.distractors import DRAWN, GOLD
from openmie.diorama.drawing.figures import BIBS, BUILDINGS, LIVING, ROSETTES, rosette
from openmie.diorama.drawing.layout import GRID, Layout, Placed, Rect
from openmie.diorama.rng import Draws

SUPER = 2  # canvas pixels per image pixel
Mark = tuple[str, Colour]


def render(layout: Layout, size: int, noise: int, draws: Draws) -> np.ndarray:
    """(size, size, 3) uint8."""
    side = size * SUPER
    picture = Pillow.new("RGB", (side, side), layout.sky)
    scale = Canvas(ImageDraw.Draw(picture), side)
    scale.pen((0, layout.horizon, GRID, GRID)).rect(0, 0, 100, 100, layout.ground)
    for thing in layout.behind:
        DRAWN[thing.kind](scale.pen(thing.box), draws)
    if layout.sign == "present_in":
        stage(scale, draws)
    for placed, colour in zip(layout.figures, layout.flags):
        flag(scale, placed, colour)
    mark = (draws.pick(EMBLEMS), any_colour(draws, 20, 190))
    stripes = (any_colour(draws, 20, 120), any_colour(draws, 200, 255))
    for placed in layout.figures:
        figure(scale, placed, mark if layout.sign == "member_of" else None, draws)
        if layout.sign == "peer":
            striped_bib(scale.pen(placed.box), placed.kind, stripes)
        if layout.sign == "member_of" and placed.kind in BIBS:
            emblem_bib(scale.pen(placed.box), placed.kind, mark)
        if placed.figure and placed.figure.young:
            balloon(scale, placed, draws)
        if placed.kind in ROSETTES:
            rosette(scale.pen(placed.box), ROSETTES[placed.kind])
    overhead(scale, layout, draws)
    for thing in layout.front:
        DRAWN[thing.kind](scale.pen(thing.box), draws)
    return noisy(np.asarray(picture.reduce(SUPER)), noise, draws)


class Canvas:
    """Grid boxes to pens on a canvas of `side` pixels."""

    def __init__(self, draw: ImageDraw.ImageDraw, side: int) -> None:
        self.draw, self.side = draw, side

    def pen(self, box: Rect, mirrored: bool = False) -> Pen:
        x0, y0, x1, y1 = (v * self.side // GRID for v in box)
        return Pen(self.draw, (x0, y0, x1, y1), mirrored)


def noisy(pixels: np.ndarray, amplitude: int, draws: Draws) -> np.ndarray:
    """Pixels plus independent whole grey levels, uniform in -amplitude .. amplitude."""
    if not amplitude:
        return pixels.copy()
    table = (np.arange(256) * (2 * amplitude + 1) // 256 - amplitude).astype(np.int16)
    return np.clip(pixels + table[draws.octets(pixels.size)].reshape(pixels.shape), 0, 255).astype(np.uint8)


def figure(scale: Canvas, placed: Placed, mark: Mark | None, draws: Draws) -> None:
    pen = scale.pen(placed.box, mirrored=bool(draws.below(2)))
    own = (draws.pick(EMBLEMS), any_colour(draws, 20, 190))
    if placed.kind in BUILDINGS:
        BUILDINGS[placed.kind](pen, mark or own, draws)
    elif placed.kind in LIVING:
        LIVING[placed.kind](pen, placed.kind, draws, bool(placed.figure and placed.figure.young))
    else:
        DRAWN[placed.kind](pen, draws)


def flag(scale: Canvas, placed: Placed, colour: str) -> None:
    """A pole behind the middle of the figure's cell, whatever stands there, with a flag towards the nearer edge."""
    x, foot = placed.cell
    away = -1 if x < GRID // 2 else 1
    scale.pen((x - 2, 8, x + 2, foot + 4)).rect(0, 0, 100, 100, DARK)
    ends = sorted((x, x + away * 46))
    scale.pen((ends[0], 8, ends[1], 40)).rect(0, 0, 100, 100, NAMED[colour])


def balloon(scale: Canvas, young: Placed, draws: Draws) -> None:
    """What every young figure holds, in the part of its cell that it leaves free."""
    x, top = (young.box[0] + young.box[2]) // 2, young.box[1]
    skin = (draws.between(220, 255), draws.between(60, 110), draws.between(150, 220))
    scale.pen((x - 1, top - 16, x + 1, top + 8)).rect(0, 0, 100, 100, DARK)
    pen = scale.pen((x - 18, top - 52, x + 18, top - 10))
    pen.oval(0, 0, 100, 90, skin)
    pen.shape(skin, (50, 80), (34, 100), (66, 100))
    pen.oval(22, 14, 42, 36, WHITE)


def stage(scale: Canvas, draws: Draws) -> None:
    """A wide platform of planks under both figures, and two cones of light."""
    wood, top = shade((120, 60, 50), draws.between(-20, 30)), draws.between(170, 190)
    light = scale.pen((0, 0, GRID, GRID))
    light.shape((255, 244, 190), (0, 0), (8, 75), (44, 75))
    light.shape((255, 244, 190), (100, 0), (92, 75), (56, 75))
    platform = scale.pen((0, top, GRID, GRID))
    platform.rect(0, 0, 100, 100, wood)
    for u in range(0, 100, 10):
        platform.rect(u, 26, u + 4, 100, shade(wood, -45))
    platform.rect(0, 0, 100, 14, shade(wood, 60))


def striped_bib(pen: Pen, kind: str, colours: tuple[Colour, Colour]) -> None:
    bib = pen.inner(*BIBS[kind])
    for i in range(5):
        bib.rect(i * 20, 0, i * 20 + 20, 100, colours[i % 2])


def emblem_bib(pen: Pen, kind: str, mark: Mark) -> None:
    bib = pen.inner(*BIBS[kind])
    bib.rect(0, 0, 100, 100, WHITE)
    emblem(bib.inner(14, 8, 86, 92), *mark)


def overhead(scale: Canvas, layout: Layout, draws: Draws) -> None:
    """Signs between the figures: a heart or two rings, a map pin."""
    x, y = layout.sign_at
    pen = scale.pen((x - 30, y - 28, x + 30, y + 28))
    if layout.sign == "couple" and draws.below(2):
        pen.ring(0, 20, 58, 80, GOLD, 9)
        pen.ring(42, 20, 100, 80, GOLD, 9)
    elif layout.sign == "couple":
        red = (draws.between(200, 240), draws.between(20, 60), draws.between(60, 120))
        pen.oval(0, 0, 54, 58, red)
        pen.oval(46, 0, 100, 58, red)
        pen.shape(red, (4, 42), (96, 42), (50, 100))
    elif layout.sign == "locate_at":
        blue = any_colour(draws, 20, 120)
        pen.oval(18, 0, 82, 66, blue)
        pen.shape(blue, (22, 48), (78, 48), (50, 100))
        pen.oval(36, 16, 64, 46, WHITE)
