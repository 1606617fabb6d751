"""Things that no post names: distractors, and what fills an unrelated image."""

from __future__ import annotations

from collections.abc import Callable

from openmie.diorama.drawing.canvas import DARK, WHITE, Pen, any_colour, shade
from openmie.diorama.rng import Draws

WOOD = (128, 84, 48)
GOLD = (224, 178, 40)


def umbrella(pen: Pen, draws: Draws) -> None:
    cloth = any_colour(draws)
    pen.rect(48, 40, 53, 94, DARK)
    pen.ring(34, 84, 53, 100, DARK, 4)
    pen.dome(0, 0, 100, 90, cloth)
    pen.shape(shade(cloth, -40), (50, 0), (34, 45), (66, 45))


def table(pen: Pen, draws: Draws) -> None:
    wood = shade(WOOD, draws.between(-30, 60))
    pen.rect(6, 12, 16, 100, shade(wood, -25))
    pen.rect(84, 12, 94, 100, shade(wood, -25))
    pen.rect(0, 0, 100, 22, wood)


def chair(pen: Pen, draws: Draws) -> None:
    wood = any_colour(draws, 50, 190)
    pen.rect(0, 0, 14, 100, wood)
    pen.rect(84, 54, 98, 100, wood)
    pen.rect(0, 48, 100, 62, shade(wood, -25))
    pen.rect(14, 8, 26, 40, shade(wood, 30))


def lamp(pen: Pen, draws: Draws) -> None:
    cloth = any_colour(draws, 120, 250)
    pen.rect(45, 36, 55, 96, DARK)
    pen.rect(18, 92, 82, 100, DARK)
    pen.shape(cloth, (28, 0), (72, 0), (100, 42), (0, 42))


def ball(pen: Pen, draws: Draws) -> None:
    skin = any_colour(draws)
    pen.oval(0, 0, 100, 100, skin)
    pen.ring(0, 0, 100, 100, shade(skin, -60), 4)
    pen.line(shade(skin, -60), 5, (8, 30), (92, 70))
    pen.line(shade(skin, -60), 5, (30, 92), (70, 8))


def gift(pen: Pen, draws: Draws) -> None:
    paper, ribbon = any_colour(draws), any_colour(draws, 120, 255)
    pen.rect(0, 24, 100, 100, paper)
    pen.rect(42, 24, 58, 100, ribbon)
    pen.rect(0, 54, 100, 68, ribbon)
    pen.shape(ribbon, (50, 26), (18, 0), (14, 22))
    pen.shape(ribbon, (50, 26), (82, 0), (86, 22))


def plant(pen: Pen, draws: Draws) -> None:
    leaf = (draws.between(20, 90), draws.between(120, 190), draws.between(20, 80))
    for tip, v in ((0, 28), (100, 28), (20, 4), (80, 4), (50, 0)):
        pen.shape(leaf, (44, 66), (tip, v), (56, 66))
    pen.shape((176, 96, 60), (20, 62), (80, 62), (70, 100), (30, 100))


def trophy(pen: Pen, draws: Draws) -> None:
    metal = draws.pick((GOLD, (190, 196, 204), (190, 124, 62)))
    pen.ring(0, 6, 40, 46, metal, 7)
    pen.ring(60, 6, 100, 46, metal, 7)
    pen.shape(metal, (16, 0), (84, 0), (70, 48), (54, 62), (46, 62), (30, 48))
    pen.rect(44, 58, 56, 84, metal)
    pen.rect(22, 84, 78, 100, DARK)


def cup(pen: Pen, draws: Draws) -> None:
    clay = any_colour(draws, 90, 245)
    pen.ring(62, 20, 100, 70, shade(clay, -30), 7)
    pen.rect(0, 4, 78, 86, clay)
    pen.oval(0, 72, 78, 100, clay)
    pen.oval(0, 0, 78, 16, WHITE)


DRAWN: dict[str, Callable[[Pen, Draws], None]] = {
    "umbrella": umbrella,
    "table": table,
    "chair": chair,
    "lamp": lamp,
    "ball": ball,
    "gift": gift,
    "plant": plant,
    "trophy": trophy,
    "cup": cup,
}
