"""How each kind of figure is drawn: people, animals, vehicles, places, buildings. Looks vary; the box is filled."""

from __future__ import annotations

from collections.abc import Callable

from openmie.diorama.drawing.canvas import DARK, WHITE, Colour, Pen, any_colour, emblem, shade
from openmie.diorama.rng import Draws

SKIN: tuple[Colour, ...] = ((244, 208, 178), (224, 172, 128), (180, 124, 84), (126, 82, 54), (92, 58, 40))
HAIR: tuple[Colour, ...] = ((30, 24, 22), (92, 56, 28), (200, 160, 80), (150, 150, 150), (160, 60, 30))
FUR: tuple[Colour, ...] = ((120, 80, 44), (70, 52, 40), (196, 150, 92), (60, 60, 64), (222, 206, 180))
STONE: tuple[Colour, ...] = ((112, 104, 100), (134, 116, 96), (92, 100, 116), (122, 122, 130))
WINDOW: Colour = (250, 238, 150)


def person(pen: Pen, kind: str, draws: Draws, young: bool = False) -> None:
    """Head, hair, arms, shirt or dress, legs. The young have a larger head."""
    skin, hair, shirt = draws.pick(SKIN), draws.pick(HAIR), any_colour(draws)
    legs, arms_up = any_colour(draws, 20, 110), draws.below(3) == 0
    neck = 46 if young else 36
    hand = neck - 20 if arms_up else 64
    for near, far in ((24, 4), (76, 96)):
        pen.line(skin, 12, (near, neck + 6), (far, hand))
    if kind == "woman":
        pen.shape(shirt, (32, neck), (68, neck), (88, 82), (12, 82))
        pen.rect(30, 82, 42, 100, skin)
        pen.rect(58, 82, 70, 100, skin)
    else:
        wide = 24 if kind == "runner" else 8
        pen.shape(legs, (26, 66), (50, 66), (38 - wide / 4, 100), (24 - wide / 2, 100))
        pen.shape(legs, (50, 66), (74, 66), (76 + wide / 2, 100), (62 + wide / 4, 100))
        pen.rect(24, neck, 76, 68, shirt)
    if kind == "woman":
        pen.oval(14, 0, 86, neck + 10, hair)
    pen.oval(22, 2, 78, neck + 2, skin)
    pen.dome(20, 0, 80, neck * 0.75, hair)
    if kind == "worker":
        pen.dome(18, 0, 82, neck * 0.7, any_colour(draws, 120, 250))
    for eye in (40, 60):
        pen.oval(eye - 6, neck * 0.5, eye + 6, neck * 0.5 + 7, WHITE)
        pen.oval(eye - 3, neck * 0.5 + 1, eye + 3, neck * 0.5 + 6, DARK)
    pen.line((190, 40, 60), 4, (42, neck * 0.85), (58, neck * 0.85))


def dog(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    coat, spots = draws.pick(FUR), draws.below(2)
    dark = shade(coat, -30)
    pen.line(coat, 7, (12, 48), (3, 16))
    for u in (14, 26, 54, 66):
        pen.rect(u, 58, u + 9, 100, dark if u in (26, 66) else coat)
    pen.oval(6, 34, 78, 74, coat)
    if spots:
        pen.oval(26, 38, 46, 56, shade(coat, 50))
    pen.oval(60, 8, 92, 52, coat)
    pen.oval(78, 26, 100, 46, shade(coat, 20))
    pen.oval(58, 2, 72, 40, dark)
    pen.oval(78, 18, 84, 26, DARK)
    pen.oval(93, 28, 100, 36, DARK)


def cat(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    coat, striped = draws.pick(FUR), draws.below(2)
    pen.line(coat, 9, (74, 92), (95, 74), (90, 46))
    pen.oval(14, 40, 82, 100, coat)
    pen.shape(coat, (14, 0), (40, 18), (16, 36))
    pen.shape(coat, (80, 0), (54, 18), (78, 36))
    pen.oval(12, 10, 82, 52, coat)
    for u in (30, 54):
        pen.oval(u, 24, u + 11, 33, (120, 200, 90))
        pen.oval(u + 4, 25, u + 8, 33, DARK)
    pen.shape((230, 130, 130), (43, 37), (53, 37), (48, 43))
    pen.oval(24, 88, 44, 100, shade(coat, 30))
    pen.oval(52, 88, 72, 100, shade(coat, 30))
    if striped:
        for v in (58, 68, 78):
            pen.line(shade(coat, -40), 4, (20, v), (38, v))


def bird(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    coat = any_colour(draws, 40, 220)
    pen.line((230, 140, 30), 4, (44, 74), (44, 98), (54, 98))
    pen.line((230, 140, 30), 4, (56, 74), (56, 98), (66, 98))
    pen.shape(shade(coat, -30), (0, 34), (30, 44), (22, 66))
    pen.oval(12, 26, 80, 82, coat)
    pen.oval(58, 0, 92, 46, coat)
    pen.shape((240, 160, 30), (88, 16), (100, 26), (88, 32))
    pen.oval(74, 14, 81, 23, DARK)
    pen.oval(22, 36, 60, 66, shade(coat, -45))


def car(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    body = any_colour(draws, 40, 230)
    pen.shape(body, (18, 42), (32, 0), (70, 0), (84, 42))
    pen.shape((200, 226, 240), (26, 40), (36, 10), (49, 10), (49, 40))
    pen.shape((200, 226, 240), (53, 40), (53, 10), (67, 10), (76, 40))
    pen.rect(0, 40, 100, 80, body)
    pen.rect(92, 48, 100, 60, WINDOW)
    for u in (12, 66):
        pen.oval(u, 60, u + 22, 100, DARK)
        pen.oval(u + 7, 72, u + 15, 88, (190, 190, 190))


def van(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    body = any_colour(draws, 60, 240)
    pen.rect(0, 0, 72, 82, body)
    pen.shape(body, (72, 18), (88, 18), (100, 50), (100, 82), (72, 82))
    pen.shape((200, 226, 240), (76, 24), (86, 24), (94, 48), (76, 48))
    pen.rect(0, 34, 72, 46, shade(body, -50))
    for u in (12, 70):
        pen.oval(u, 66, u + 20, 100, DARK)
        pen.oval(u + 6, 77, u + 14, 89, (190, 190, 190))


def boat(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    hull, sail = any_colour(draws, 40, 190), any_colour(draws, 200, 255)
    pen.rect(47, 0, 52, 80, (90, 60, 40))
    pen.shape(sail, (54, 2), (54, 68), (96, 68))
    pen.shape(shade(sail, -25), (44, 14), (44, 68), (10, 68))
    pen.shape(hull, (0, 76), (100, 76), (82, 100), (18, 100))


def mountain(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    rock, second = draws.pick(STONE), draws.between(64, 76)
    pen.shape(shade(rock, -25), (44, 100), (second, 30), (100, 100))
    pen.shape(WHITE, (second - 8, 48), (second, 30), (second + 8, 48), (second, 42))
    pen.shape(rock, (0, 100), (38, 0), (76, 100))
    pen.shape(WHITE, (25, 34), (38, 0), (51, 34), (44, 26), (37, 36), (31, 27))
    water(pen)


def bridge(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    steel = draws.pick(((170, 60, 40), (90, 96, 110), (120, 90, 60)))
    for u in (22, 72):
        pen.rect(u, 0, u + 6, 100, steel)
    for a, b in (((0, 56), (25, 4)), ((25, 4), (50, 54)), ((50, 54), (75, 4)), ((75, 4), (100, 56))):
        pen.line(steel, 4, a, b)
    for u in (10, 36, 42, 58, 64, 90):
        top = 56 - abs(50 - abs(u - 25) * 2 if u < 50 else 50 - abs(u - 75) * 2)
        pen.line(steel, 2, (u, max(8, top)), (u, 64))
    pen.rect(0, 60, 100, 72, shade(steel, -30))
    water(pen)


def lighthouse(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    stripe = any_colour(draws, 20, 180)
    pen.shape(draws.pick(STONE), (0, 100), (12, 86), (88, 86), (100, 100))
    pen.shape(WHITE, (32, 24), (68, 24), (82, 90), (18, 90))
    for v in (34, 56, 78):
        t = (v - 24) / 66 * 14
        pen.shape(stripe, (32 - t, v), (68 + t, v), (70 + t, v + 10), (30 - t, v + 10))
    pen.rect(30, 12, 70, 24, WINDOW)
    pen.rect(22, 22, 78, 26, DARK)
    pen.shape(stripe, (26, 12), (50, 0), (74, 12))
    water(pen)


def skyline(pen: Pen, _kind: str, draws: Draws, _young: bool = False) -> None:
    """Dark towers without sign or door, seen from afar."""
    tone = draws.between(50, 96)
    heights = draws.shuffled((0, 18, 30, 42, 52, 34))
    for i, top in enumerate(heights):
        u = i * 100 / 6
        shade_ = tone + 14 * (i % 2)
        pen.rect(u, top, u + 100 / 6, 100, (shade_, shade_, shade_ + 22))
        if top == 0:
            pen.rect(u + 6, 0, u + 10, 16, (tone, tone, tone + 20))
    water(pen)


def board(pen: Pen, mark: tuple[str, Colour]) -> None:
    """The white board with the emblem that every organisation's building carries."""
    pen.rect(0, 0, 100, 100, WHITE)
    side = min(90.0, 90 * pen.h / max(pen.w, 1)) / 2
    emblem(pen.inner(50 - side, 5, 50 + side, 95), *mark)


def office(pen: Pen, mark: tuple[str, Colour], draws: Draws) -> None:
    wall = any_colour(draws, 90, 205)
    pen.rect(0, 4, 100, 100, wall)
    for row in range(4):
        for column in range(4):
            pen.rect(9 + column * 22, 36 + row * 13, 23 + column * 22, 44 + row * 13, WINDOW)
    pen.rect(40, 88, 60, 100, DARK)
    board(pen.inner(8, 0, 92, 30), mark)


def shop(pen: Pen, mark: tuple[str, Colour], draws: Draws) -> None:
    wall, cloth = any_colour(draws, 110, 215), any_colour(draws, 60, 220)
    pen.rect(2, 8, 98, 100, wall)
    for i in range(8):
        low, high = i * 12.5, 3 + i * 11.8
        pen.shape(cloth if i % 2 else WHITE, (low, 52), (high, 38), (high + 11.8, 38), (low + 12.5, 52))
    pen.rect(10, 58, 56, 88, (190, 220, 236))
    pen.rect(66, 58, 88, 100, DARK)
    board(pen.inner(10, 0, 90, 36), mark)


def factory(pen: Pen, mark: tuple[str, Colour], draws: Draws) -> None:
    wall = any_colour(draws, 90, 190)
    pen.rect(82, 0, 96, 60, shade(wall, -40))
    for i in range(3):
        pen.shape(wall, (i * 27, 40), (i * 27 + 27, 22), (i * 27 + 27, 52), (i * 27, 52))
    pen.rect(0, 40, 100, 100, wall)
    pen.rect(78, 80, 94, 100, DARK)
    board(pen.inner(6, 50, 70, 92), mark)


def water(pen: Pen) -> None:
    """The waves at the foot of every place."""
    pen.rect(0, 84, 100, 100, (40, 120, 200))
    for u in range(0, 100, 20):
        pen.line((190, 225, 250), 2, (u, 94), (u + 5, 89), (u + 10, 94), (u + 15, 89), (u + 20, 94))


def rosette(pen: Pen, at: tuple[int, int]) -> None:
    """The mascot's badge: a golden disc with a red rim and two ribbons, of the same size on every kind."""
    x, y = pen.at(*at)
    r = max(pen.w, pen.h) // 9
    badge = Pen(pen.canvas, (x - r, y - r, x + r + 1, y + r + 1))
    badge.shape((200, 20, 40), (20, 70), (0, 150), (45, 130))
    badge.shape((200, 20, 40), (80, 70), (100, 150), (55, 130))
    badge.oval(0, 0, 100, 100, (200, 20, 40))
    badge.oval(24, 24, 76, 76, (250, 210, 40))


LIVING: dict[str, Callable[[Pen, str, Draws, bool], None]] = {
    "man": person,
    "woman": person,
    "worker": person,
    "runner": person,
    "dog": dog,
    "cat": cat,
    "bird": bird,
    "car": car,
    "van": van,
    "boat": boat,
    "mountain": mountain,
    "bridge": bridge,
    "lighthouse": lighthouse,
    "skyline": skyline,
}
BUILDINGS: dict[str, Callable[[Pen, tuple[str, Colour], Draws], None]] = {
    "office": office,
    "shop": shop,
    "factory": factory,
}
ROSETTES = {"dog": (72, 56), "cat": (48, 54), "bird": (72, 54), "car": (86, 54), "van": (84, 62), "boat": (50, 60)}
BIBS = {  # where the chest, flank or door is
    "man": (16, 38, 84, 74),
    "woman": (16, 38, 84, 76),
    "worker": (16, 38, 84, 74),
    "runner": (16, 38, 84, 74),
    "dog": (14, 34, 58, 78),
    "cat": (16, 62, 80, 94),
    "bird": (18, 34, 58, 80),
    "car": (24, 40, 70, 78),
    "van": (8, 8, 64, 78),
    "boat": (22, 74, 78, 100),
}
