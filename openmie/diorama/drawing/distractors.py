"""Objects that no post names: distractors, and the clutter of an unrelated image."""

from __future__ import annotations

from collections.abc import Callable

from openmie.diorama.drawing.canvas import DARK, WHITE, BoxCanvas, any_colour, shade
from openmie.diorama.rng import RandomStream

WOOD = (128, 84, 48)
GOLD = (224, 178, 40)


def umbrella(canvas: BoxCanvas, rng: RandomStream) -> None:
    cloth = any_colour(rng)
    canvas.rect(48, 40, 53, 94, DARK)
    canvas.ring(34, 84, 53, 100, DARK, 4)
    canvas.dome(0, 0, 100, 90, cloth)
    canvas.shape(shade(cloth, -40), (50, 0), (34, 45), (66, 45))


def table(canvas: BoxCanvas, rng: RandomStream) -> None:
    wood = shade(WOOD, rng.randint(-30, 60))
    canvas.rect(6, 12, 16, 100, shade(wood, -25))
    canvas.rect(84, 12, 94, 100, shade(wood, -25))
    canvas.rect(0, 0, 100, 22, wood)


def chair(canvas: BoxCanvas, rng: RandomStream) -> None:
    wood = any_colour(rng, 50, 190)
    canvas.rect(0, 0, 14, 100, wood)
    canvas.rect(84, 54, 98, 100, wood)
    canvas.rect(0, 48, 100, 62, shade(wood, -25))
    canvas.rect(14, 8, 26, 40, shade(wood, 30))


def lamp(canvas: BoxCanvas, rng: RandomStream) -> None:
    cloth = any_colour(rng, 120, 250)
    canvas.rect(45, 36, 55, 96, DARK)
    canvas.rect(18, 92, 82, 100, DARK)
    canvas.shape(cloth, (28, 0), (72, 0), (100, 42), (0, 42))


def ball(canvas: BoxCanvas, rng: RandomStream) -> None:
    skin = any_colour(rng)
    canvas.oval(0, 0, 100, 100, skin)
    canvas.ring(0, 0, 100, 100, shade(skin, -60), 4)
    canvas.line(shade(skin, -60), 5, (8, 30), (92, 70))
    canvas.line(shade(skin, -60), 5, (30, 92), (70, 8))


def gift(canvas: BoxCanvas, rng: RandomStream) -> None:
    paper, ribbon = any_colour(rng), any_colour(rng, 120, 255)
    canvas.rect(0, 24, 100, 100, paper)
    canvas.rect(42, 24, 58, 100, ribbon)
    canvas.rect(0, 54, 100, 68, ribbon)
    canvas.shape(ribbon, (50, 26), (18, 0), (14, 22))
    canvas.shape(ribbon, (50, 26), (82, 0), (86, 22))


def plant(canvas: BoxCanvas, rng: RandomStream) -> None:
    leaf = (rng.randint(20, 90), rng.randint(120, 190), rng.randint(20, 80))
    for tip, v in ((0, 28), (100, 28), (20, 4), (80, 4), (50, 0)):
        canvas.shape(leaf, (44, 66), (tip, v), (56, 66))
    canvas.shape((176, 96, 60), (20, 62), (80, 62), (70, 100), (30, 100))


def trophy(canvas: BoxCanvas, rng: RandomStream) -> None:
    metal = rng.choice((GOLD, (190, 196, 204), (190, 124, 62)))
    canvas.ring(0, 6, 40, 46, metal, 7)
    canvas.ring(60, 6, 100, 46, metal, 7)
    canvas.shape(metal, (16, 0), (84, 0), (70, 48), (54, 62), (46, 62), (30, 48))
    canvas.rect(44, 58, 56, 84, metal)
    canvas.rect(22, 84, 78, 100, DARK)


def cup(canvas: BoxCanvas, rng: RandomStream) -> None:
    clay = any_colour(rng, 90, 245)
    canvas.ring(62, 20, 100, 70, shade(clay, -30), 7)
    canvas.rect(0, 4, 78, 86, clay)
    canvas.oval(0, 72, 78, 100, clay)
    canvas.oval(0, 0, 78, 16, WHITE)


DISTRACTOR_DRAWERS: dict[str, Callable[[BoxCanvas, RandomStream], None]] = {
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
