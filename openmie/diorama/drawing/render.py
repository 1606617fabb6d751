"""From a layout to pixels: background, distractors, figures, flags and sign, at twice the size, then reduced."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from openmie.diorama.drawing.canvas import DARK, EMBLEMS, NAMED, WHITE, BoxCanvas, Colour, any_colour, emblem, shade
from openmie.diorama.drawing.distractors import DISTRACTOR_DRAWERS, GOLD
from openmie.diorama.drawing.figures import BIBS, BUILDING_DRAWERS, FIGURE_DRAWERS, ROSETTES, rosette
from openmie.diorama.drawing.layout import GRID, Layout, PlacedObject, Rect
from openmie.diorama.rng import RandomStream

SUPERSAMPLING = 2  # drawn pixels per image pixel
Mark = tuple[str, Colour]


def render(layout: Layout, size: int, noise: int, rng: RandomStream) -> np.ndarray:
    """Render a layout: (size, size, 3) uint8."""
    side = size * SUPERSAMPLING
    picture = Pillow.new("RGB", (side, side), layout.sky)
    grid = GridCanvas(ImageDraw.Draw(picture), side)
    grid.box_canvas((0, layout.horizon, GRID, GRID)).rect(0, 0, 100, 100, layout.ground)
    for distractor in layout.behind:
        DISTRACTOR_DRAWERS[distractor.kind](grid.box_canvas(distractor.box), rng)
    if layout.sign == "present_in":
        stage(grid, rng)
    for placed, colour in zip(layout.figures, layout.flags):
        flag(grid, placed, colour)
    mark = (rng.choice(EMBLEMS), any_colour(rng, 20, 190))
    stripes = (any_colour(rng, 20, 120), any_colour(rng, 200, 255))
    for placed in layout.figures:
        draw_figure(grid, placed, mark if layout.sign == "member_of" else None, rng)
        if layout.sign == "peer":
            striped_bib(grid.box_canvas(placed.box), placed.kind, stripes)
        if layout.sign == "member_of" and placed.kind in BIBS:
            emblem_bib(grid.box_canvas(placed.box), placed.kind, mark)
        if placed.figure and placed.figure.young:
            balloon(grid, placed, rng)
        if placed.kind in ROSETTES:
            rosette(grid.box_canvas(placed.box), ROSETTES[placed.kind])
    overhead(grid, layout, rng)
    for distractor in layout.front:
        DISTRACTOR_DRAWERS[distractor.kind](grid.box_canvas(distractor.box), rng)
    return noisy(np.asarray(picture.reduce(SUPERSAMPLING)), noise, rng)


class GridCanvas:
    """Converts boxes on the layout grid to canvases on an image of `side` pixels."""

    def __init__(self, draw: ImageDraw.ImageDraw, side: int) -> None:
        self.draw, self.side = draw, side

    def box_canvas(self, box: Rect, mirrored: bool = False) -> BoxCanvas:
        x0, y0, x1, y1 = (v * self.side // GRID for v in box)
        return BoxCanvas(self.draw, (x0, y0, x1, y1), mirrored)


def noisy(pixels: np.ndarray, amplitude: int, rng: RandomStream) -> np.ndarray:
    """Pixels plus independent whole grey levels, uniform in -amplitude .. amplitude."""
    if not amplitude:
        return pixels.copy()
    table = (np.arange(256) * (2 * amplitude + 1) // 256 - amplitude).astype(np.int16)
    return np.clip(pixels + table[rng.random_bytes(pixels.size)].reshape(pixels.shape), 0, 255).astype(np.uint8)


def draw_figure(grid: GridCanvas, placed: PlacedObject, mark: Mark | None, rng: RandomStream) -> None:
    canvas = grid.box_canvas(placed.box, mirrored=bool(rng.randbelow(2)))
    own = (rng.choice(EMBLEMS), any_colour(rng, 20, 190))
    if placed.kind in BUILDING_DRAWERS:
        BUILDING_DRAWERS[placed.kind](canvas, mark or own, rng)
    elif placed.kind in FIGURE_DRAWERS:
        FIGURE_DRAWERS[placed.kind](canvas, placed.kind, rng, bool(placed.figure and placed.figure.young))
    else:
        DISTRACTOR_DRAWERS[placed.kind](canvas, rng)


def flag(grid: GridCanvas, placed: PlacedObject, colour: str) -> None:
    """A pole behind the middle of the figure's cell, whatever stands there, with a flag towards the nearer edge."""
    x, foot = placed.cell
    away = -1 if x < GRID // 2 else 1
    grid.box_canvas((x - 2, 8, x + 2, foot + 4)).rect(0, 0, 100, 100, DARK)
    ends = sorted((x, x + away * 46))
    grid.box_canvas((ends[0], 8, ends[1], 40)).rect(0, 0, 100, 100, NAMED[colour])


def balloon(grid: GridCanvas, young: PlacedObject, rng: RandomStream) -> None:
    """What every young figure holds, in the part of its cell that it leaves free."""
    x, top = (young.box[0] + young.box[2]) // 2, young.box[1]
    skin = (rng.randint(220, 255), rng.randint(60, 110), rng.randint(150, 220))
    grid.box_canvas((x - 1, top - 16, x + 1, top + 8)).rect(0, 0, 100, 100, DARK)
    canvas = grid.box_canvas((x - 18, top - 52, x + 18, top - 10))
    canvas.oval(0, 0, 100, 90, skin)
    canvas.shape(skin, (50, 80), (34, 100), (66, 100))
    canvas.oval(22, 14, 42, 36, WHITE)


def stage(grid: GridCanvas, rng: RandomStream) -> None:
    """A wide platform of planks under both figures, and two cones of light."""
    wood, top = shade((120, 60, 50), rng.randint(-20, 30)), rng.randint(170, 190)
    light = grid.box_canvas((0, 0, GRID, GRID))
    light.shape((255, 244, 190), (0, 0), (8, 75), (44, 75))
    light.shape((255, 244, 190), (100, 0), (92, 75), (56, 75))
    platform = grid.box_canvas((0, top, GRID, GRID))
    platform.rect(0, 0, 100, 100, wood)
    for u in range(0, 100, 10):
        platform.rect(u, 26, u + 4, 100, shade(wood, -45))
    platform.rect(0, 0, 100, 14, shade(wood, 60))


def striped_bib(canvas: BoxCanvas, kind: str, colours: tuple[Colour, Colour]) -> None:
    bib = canvas.inner(*BIBS[kind])
    for i in range(5):
        bib.rect(i * 20, 0, i * 20 + 20, 100, colours[i % 2])


def emblem_bib(canvas: BoxCanvas, kind: str, mark: Mark) -> None:
    bib = canvas.inner(*BIBS[kind])
    bib.rect(0, 0, 100, 100, WHITE)
    emblem(bib.inner(14, 8, 86, 92), *mark)


def overhead(grid: GridCanvas, layout: Layout, rng: RandomStream) -> None:
    """Signs between the figures: a heart or two rings, a map pin."""
    x, y = layout.sign_at
    canvas = grid.box_canvas((x - 30, y - 28, x + 30, y + 28))
    if layout.sign == "couple" and rng.randbelow(2):
        canvas.ring(0, 20, 58, 80, GOLD, 9)
        canvas.ring(42, 20, 100, 80, GOLD, 9)
    elif layout.sign == "couple":
        red = (rng.randint(200, 240), rng.randint(20, 60), rng.randint(60, 120))
        canvas.oval(0, 0, 54, 58, red)
        canvas.oval(46, 0, 100, 58, red)
        canvas.shape(red, (4, 42), (96, 42), (50, 100))
    elif layout.sign == "locate_at":
        blue = any_colour(rng, 20, 120)
        canvas.oval(18, 0, 82, 66, blue)
        canvas.shape(blue, (22, 48), (78, 48), (50, 100))
        canvas.oval(36, 16, 64, 46, WHITE)
