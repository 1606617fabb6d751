"""How each kind of figure is drawn: people, animals, vehicles, places, buildings. Looks vary; the box is filled."""

from __future__ import annotations

from collections.abc import Callable

from openmie.diorama.drawing.canvas import DARK, WHITE, BoxCanvas, Colour, any_colour, emblem, shade
from openmie.diorama.rng import RandomStream

SKIN: tuple[Colour, ...] = ((244, 208, 178), (224, 172, 128), (180, 124, 84), (126, 82, 54), (92, 58, 40))
HAIR: tuple[Colour, ...] = ((30, 24, 22), (92, 56, 28), (200, 160, 80), (150, 150, 150), (160, 60, 30))
FUR: tuple[Colour, ...] = ((120, 80, 44), (70, 52, 40), (196, 150, 92), (60, 60, 64), (222, 206, 180))
STONE: tuple[Colour, ...] = ((112, 104, 100), (134, 116, 96), (92, 100, 116), (122, 122, 130))
WINDOW: Colour = (250, 238, 150)


def person(canvas: BoxCanvas, kind: str, rng: RandomStream, young: bool = False) -> None:
    """Head, hair, arms, shirt or dress, legs. The young have a larger head."""
    skin, hair, shirt = rng.choice(SKIN), rng.choice(HAIR), any_colour(rng)
    legs, arms_up = any_colour(rng, 20, 110), rng.randbelow(3) == 0
    neck = 46 if young else 36
    hand = neck - 20 if arms_up else 64
    for near, far in ((24, 4), (76, 96)):
        canvas.line(skin, 12, (near, neck + 6), (far, hand))
    if kind == "woman":
        canvas.shape(shirt, (32, neck), (68, neck), (88, 82), (12, 82))
        canvas.rect(30, 82, 42, 100, skin)
        canvas.rect(58, 82, 70, 100, skin)
    else:
        wide = 24 if kind == "runner" else 8
        canvas.shape(legs, (26, 66), (50, 66), (38 - wide / 4, 100), (24 - wide / 2, 100))
        canvas.shape(legs, (50, 66), (74, 66), (76 + wide / 2, 100), (62 + wide / 4, 100))
        canvas.rect(24, neck, 76, 68, shirt)
    if kind == "woman":
        canvas.oval(14, 0, 86, neck + 10, hair)
    canvas.oval(22, 2, 78, neck + 2, skin)
    canvas.dome(20, 0, 80, neck * 0.75, hair)
    if kind == "worker":
        canvas.dome(18, 0, 82, neck * 0.7, any_colour(rng, 120, 250))
    for eye in (40, 60):
        canvas.oval(eye - 6, neck * 0.5, eye + 6, neck * 0.5 + 7, WHITE)
        canvas.oval(eye - 3, neck * 0.5 + 1, eye + 3, neck * 0.5 + 6, DARK)
    canvas.line((190, 40, 60), 4, (42, neck * 0.85), (58, neck * 0.85))


def dog(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    coat, spots = rng.choice(FUR), rng.randbelow(2)
    dark = shade(coat, -30)
    canvas.line(coat, 7, (12, 48), (3, 16))
    for u in (14, 26, 54, 66):
        canvas.rect(u, 58, u + 9, 100, dark if u in (26, 66) else coat)
    canvas.oval(6, 34, 78, 74, coat)
    if spots:
        canvas.oval(26, 38, 46, 56, shade(coat, 50))
    canvas.oval(60, 8, 92, 52, coat)
    canvas.oval(78, 26, 100, 46, shade(coat, 20))
    canvas.oval(58, 2, 72, 40, dark)
    canvas.oval(78, 18, 84, 26, DARK)
    canvas.oval(93, 28, 100, 36, DARK)


def cat(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    coat, striped = rng.choice(FUR), rng.randbelow(2)
    canvas.line(coat, 9, (74, 92), (95, 74), (90, 46))
    canvas.oval(14, 40, 82, 100, coat)
    canvas.shape(coat, (14, 0), (40, 18), (16, 36))
    canvas.shape(coat, (80, 0), (54, 18), (78, 36))
    canvas.oval(12, 10, 82, 52, coat)
    for u in (30, 54):
        canvas.oval(u, 24, u + 11, 33, (120, 200, 90))
        canvas.oval(u + 4, 25, u + 8, 33, DARK)
    canvas.shape((230, 130, 130), (43, 37), (53, 37), (48, 43))
    canvas.oval(24, 88, 44, 100, shade(coat, 30))
    canvas.oval(52, 88, 72, 100, shade(coat, 30))
    if striped:
        for v in (58, 68, 78):
            canvas.line(shade(coat, -40), 4, (20, v), (38, v))


def bird(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    coat = any_colour(rng, 40, 220)
    canvas.line((230, 140, 30), 4, (44, 74), (44, 98), (54, 98))
    canvas.line((230, 140, 30), 4, (56, 74), (56, 98), (66, 98))
    canvas.shape(shade(coat, -30), (0, 34), (30, 44), (22, 66))
    canvas.oval(12, 26, 80, 82, coat)
    canvas.oval(58, 0, 92, 46, coat)
    canvas.shape((240, 160, 30), (88, 16), (100, 26), (88, 32))
    canvas.oval(74, 14, 81, 23, DARK)
    canvas.oval(22, 36, 60, 66, shade(coat, -45))


def car(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    body = any_colour(rng, 40, 230)
    canvas.shape(body, (18, 42), (32, 0), (70, 0), (84, 42))
    canvas.shape((200, 226, 240), (26, 40), (36, 10), (49, 10), (49, 40))
    canvas.shape((200, 226, 240), (53, 40), (53, 10), (67, 10), (76, 40))
    canvas.rect(0, 40, 100, 80, body)
    canvas.rect(92, 48, 100, 60, WINDOW)
    for u in (12, 66):
        canvas.oval(u, 60, u + 22, 100, DARK)
        canvas.oval(u + 7, 72, u + 15, 88, (190, 190, 190))


def van(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    body = any_colour(rng, 60, 240)
    canvas.rect(0, 0, 72, 82, body)
    canvas.shape(body, (72, 18), (88, 18), (100, 50), (100, 82), (72, 82))
    canvas.shape((200, 226, 240), (76, 24), (86, 24), (94, 48), (76, 48))
    canvas.rect(0, 34, 72, 46, shade(body, -50))
    for u in (12, 70):
        canvas.oval(u, 66, u + 20, 100, DARK)
        canvas.oval(u + 6, 77, u + 14, 89, (190, 190, 190))


def boat(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    hull, sail = any_colour(rng, 40, 190), any_colour(rng, 200, 255)
    canvas.rect(47, 0, 52, 80, (90, 60, 40))
    canvas.shape(sail, (54, 2), (54, 68), (96, 68))
    canvas.shape(shade(sail, -25), (44, 14), (44, 68), (10, 68))
    canvas.shape(hull, (0, 76), (100, 76), (82, 100), (18, 100))


def mountain(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    rock, second = rng.choice(STONE), rng.randint(64, 76)
    canvas.shape(shade(rock, -25), (44, 100), (second, 30), (100, 100))
    canvas.shape(WHITE, (second - 8, 48), (second, 30), (second + 8, 48), (second, 42))
    canvas.shape(rock, (0, 100), (38, 0), (76, 100))
    canvas.shape(WHITE, (25, 34), (38, 0), (51, 34), (44, 26), (37, 36), (31, 27))
    water(canvas)


def bridge(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    steel = rng.choice(((170, 60, 40), (90, 96, 110), (120, 90, 60)))
    for u in (22, 72):
        canvas.rect(u, 0, u + 6, 100, steel)
    for a, b in (((0, 56), (25, 4)), ((25, 4), (50, 54)), ((50, 54), (75, 4)), ((75, 4), (100, 56))):
        canvas.line(steel, 4, a, b)
    for u in (10, 36, 42, 58, 64, 90):
        top = 56 - abs(50 - abs(u - 25) * 2 if u < 50 else 50 - abs(u - 75) * 2)
        canvas.line(steel, 2, (u, max(8, top)), (u, 64))
    canvas.rect(0, 60, 100, 72, shade(steel, -30))
    water(canvas)


def lighthouse(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    stripe = any_colour(rng, 20, 180)
    canvas.shape(rng.choice(STONE), (0, 100), (12, 86), (88, 86), (100, 100))
    canvas.shape(WHITE, (32, 24), (68, 24), (82, 90), (18, 90))
    for v in (34, 56, 78):
        t = (v - 24) / 66 * 14
        canvas.shape(stripe, (32 - t, v), (68 + t, v), (70 + t, v + 10), (30 - t, v + 10))
    canvas.rect(30, 12, 70, 24, WINDOW)
    canvas.rect(22, 22, 78, 26, DARK)
    canvas.shape(stripe, (26, 12), (50, 0), (74, 12))
    water(canvas)


def skyline(canvas: BoxCanvas, _kind: str, rng: RandomStream, _young: bool = False) -> None:
    """Dark towers without sign or door, seen from afar."""
    tone = rng.randint(50, 96)
    heights = rng.shuffled((0, 18, 30, 42, 52, 34))
    for i, top in enumerate(heights):
        u = i * 100 / 6
        shade_ = tone + 14 * (i % 2)
        canvas.rect(u, top, u + 100 / 6, 100, (shade_, shade_, shade_ + 22))
        if top == 0:
            canvas.rect(u + 6, 0, u + 10, 16, (tone, tone, tone + 20))
    water(canvas)


def board(canvas: BoxCanvas, mark: tuple[str, Colour]) -> None:
    """The white board with the emblem that every organisation's building carries."""
    canvas.rect(0, 0, 100, 100, WHITE)
    side = min(90.0, 90 * canvas.h / max(canvas.w, 1)) / 2
    emblem(canvas.inner(50 - side, 5, 50 + side, 95), *mark)


def office(canvas: BoxCanvas, mark: tuple[str, Colour], rng: RandomStream) -> None:
    wall = any_colour(rng, 90, 205)
    canvas.rect(0, 4, 100, 100, wall)
    for row in range(4):
        for column in range(4):
            canvas.rect(9 + column * 22, 36 + row * 13, 23 + column * 22, 44 + row * 13, WINDOW)
    canvas.rect(40, 88, 60, 100, DARK)
    board(canvas.inner(8, 0, 92, 30), mark)


def shop(canvas: BoxCanvas, mark: tuple[str, Colour], rng: RandomStream) -> None:
    wall, cloth = any_colour(rng, 110, 215), any_colour(rng, 60, 220)
    canvas.rect(2, 8, 98, 100, wall)
    for i in range(8):
        low, high = i * 12.5, 3 + i * 11.8
        canvas.shape(cloth if i % 2 else WHITE, (low, 52), (high, 38), (high + 11.8, 38), (low + 12.5, 52))
    canvas.rect(10, 58, 56, 88, (190, 220, 236))
    canvas.rect(66, 58, 88, 100, DARK)
    board(canvas.inner(10, 0, 90, 36), mark)


def factory(canvas: BoxCanvas, mark: tuple[str, Colour], rng: RandomStream) -> None:
    wall = any_colour(rng, 90, 190)
    canvas.rect(82, 0, 96, 60, shade(wall, -40))
    for i in range(3):
        canvas.shape(wall, (i * 27, 40), (i * 27 + 27, 22), (i * 27 + 27, 52), (i * 27, 52))
    canvas.rect(0, 40, 100, 100, wall)
    canvas.rect(78, 80, 94, 100, DARK)
    board(canvas.inner(6, 50, 70, 92), mark)


def water(canvas: BoxCanvas) -> None:
    """The waves at the foot of every place."""
    canvas.rect(0, 84, 100, 100, (40, 120, 200))
    for u in range(0, 100, 20):
        canvas.line((190, 225, 250), 2, (u, 94), (u + 5, 89), (u + 10, 94), (u + 15, 89), (u + 20, 94))


def rosette(canvas: BoxCanvas, at: tuple[int, int]) -> None:
    """The mascot's badge: a golden disc with a red rim and two ribbons, of the same size on every kind."""
    x, y = canvas.at(*at)
    r = max(canvas.w, canvas.h) // 9
    badge = BoxCanvas(canvas.image_draw, (x - r, y - r, x + r + 1, y + r + 1))
    badge.shape((200, 20, 40), (20, 70), (0, 150), (45, 130))
    badge.shape((200, 20, 40), (80, 70), (100, 150), (55, 130))
    badge.oval(0, 0, 100, 100, (200, 20, 40))
    badge.oval(24, 24, 76, 76, (250, 210, 40))


FIGURE_DRAWERS: dict[str, Callable[[BoxCanvas, str, RandomStream, bool], None]] = {
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
BUILDING_DRAWERS: dict[str, Callable[[BoxCanvas, tuple[str, Colour], RandomStream], None]] = {
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
