"""The layout of an image: integers on a grid of 256 x 256, before anything is drawn.

The cells of figures have the same distribution of sizes and positions for every type; within its cell a figure's
proportions decide its box. Background, horizon and distractors are independent of the figures' types.
"""

from __future__ import annotations

from dataclasses import dataclass

from openmie.diorama.posts.distributions import CLUTTER, Figure, Scene
from openmie.diorama.rng import RandomStream

GRID = 256
Rect = tuple[int, int, int, int]  # x0, y0, x1, y1 on the grid, half-open
ONE_SIDE = (124, 172)  # of a cell, when one figure is there
TWO_SIDE = (100, 120)  # when two are
YOUNG = 52  # percent of a grown figure's cell
MAX_OCCLUSION = 10  # percent of a figure's box that a distractor in front may cover
PEOPLE = ("man", "woman", "worker", "runner")
ANIMALS = ("dog", "cat", "bird")
VEHICLES = ("car", "van", "boat")
KINDS = {
    "PER": PEOPLE,
    "MISC": (*ANIMALS, *VEHICLES),
    "LOC": ("mountain", "bridge", "lighthouse", "skyline"),
    "ORG": ("office", "shop", "factory"),
}  # looks of each type, each as likely in every scene
DISTRACTORS = (
    "umbrella",
    "table",
    "chair",
    "lamp",
    "ball",
    "gift",
    "plant",
    "trophy",
    "cup",
)  # clutter and distractors
KINDS[CLUTTER] = DISTRACTORS
PROPORTIONS = {  # width, height in percent of the cell; the longer is 100
    "man": (60, 100),
    "woman": (60, 100),
    "worker": (60, 100),
    "runner": (66, 100),
    "dog": (100, 78),
    "cat": (70, 100),
    "bird": (100, 80),
    "car": (100, 56),
    "van": (100, 66),
    "boat": (90, 100),
    "mountain": (100, 76),
    "bridge": (100, 62),
    "lighthouse": (52, 100),
    "skyline": (100, 74),
    "office": (72, 100),
    "shop": (100, 82),
    "factory": (100, 84),
    "umbrella": (90, 100),
    "table": (100, 64),
    "chair": (62, 100),
    "lamp": (50, 100),
    "ball": (100, 100),
    "gift": (100, 96),
    "plant": (70, 100),
    "trophy": (76, 100),
    "cup": (100, 84),
}


@dataclass(frozen=True)
class PlacedObject:
    """One object with its kind and its box."""

    kind: str
    box: Rect
    figure: Figure | None = None  # None: a distractor
    cell: tuple[int, int] = (0, 0)  # a figure's: its centre


@dataclass(frozen=True)
class Layout:
    """A whole image, still as integers."""

    horizon: int
    sky: tuple[int, int, int]
    ground: tuple[int, int, int]
    figures: tuple[PlacedObject, ...]  # from left to right
    behind: tuple[PlacedObject, ...]  # distractors drawn before the figures
    front: tuple[PlacedObject, ...]  # and after them, covering little
    flags: tuple[str, ...]  # colours, left and right
    sign: str
    sign_at: tuple[int, int]  # its centre

    @property
    def distractors(self) -> tuple[PlacedObject, ...]:
        return self.behind + self.front


def box_of_kind(kind: str, centre: tuple[int, int], side: int) -> Rect:
    """The box of an object of this kind in the middle of its cell."""
    w, h = (side * p // 100 for p in PROPORTIONS[kind])
    x, y = centre[0] - w // 2, centre[1] - h // 2
    return x, y, x + w, y + h


def sample_cells(rng: RandomStream, n: int) -> list[tuple[tuple[int, int], int]]:
    """Centre and side of n = 1 or 2 cells, independent of what is placed in them."""
    if n == 1:
        side = rng.randint(*ONE_SIDE)
        half = side // 2
        return [((rng.randint(half + 4, GRID - 4 - half), rng.randint(half + 24, GRID - 6 - half)), side)]
    out = []
    for left in (4, GRID // 2):
        side = rng.randint(*TWO_SIDE)
        half = side // 2
        x = rng.randint(left + half, left + GRID // 2 - 4 - half)
        out.append(((x, rng.randint(half + 72, GRID - 6 - half)), side))
    return out


def place_figure(figure: Figure, kind: str, cell: tuple[tuple[int, int], int]) -> PlacedObject:
    (x, y), side = cell
    if not figure.young:
        return PlacedObject(kind, box_of_kind(kind, (x, y), side), figure, (x, y))
    small = side * YOUNG // 100
    return PlacedObject(kind, box_of_kind(kind, (x, y + (side - small) // 2), small), figure, (x, y))


def sample_layout(scene: Scene, flags: tuple[str, ...], distractors: int, rng: RandomStream) -> Layout:
    """Sample all integers of one image. What does not depend on the figures is sampled first."""
    horizon = rng.randint(104, 176)
    sky, ground = _muted(rng, 185, 235), _muted(rng, 95, 160)
    small = [_sample_distractor(rng) for _ in range(rng.randbelow(distractors + 1))]
    spots = sample_cells(rng, len(scene.figures))
    sign_at = (GRID // 2 + rng.randint(-6, 6), rng.randint(34, 40))
    kinds = _kinds(scene, rng)
    figures = tuple(place_figure(f, k, c) for f, k, c in zip(scene.figures, kinds, spots))
    front = tuple(t for t in small if all(covered(t.box, f.box) <= MAX_OCCLUSION for f in figures))
    behind = tuple(t for t in small if t not in front)
    return Layout(horizon, sky, ground, figures, behind, front, flags, scene.sign, sign_at)


def _muted(rng: RandomStream, low: int, high: int) -> tuple[int, int, int]:
    """A grey with a tint."""
    grey = rng.randint(low, high)
    return grey + rng.randint(-16, 16), grey + rng.randint(-16, 16), grey + rng.randint(-16, 16)


def _sample_distractor(rng: RandomStream) -> PlacedObject:
    side = rng.randint(32, 56)
    half = side // 2
    kind = rng.choice(DISTRACTORS)
    return PlacedObject(
        kind, box_of_kind(kind, (rng.randint(half, GRID - half), rng.randint(half + 60, GRID - half)), side)
    )


def _kinds(scene: Scene, rng: RandomStream) -> list[str]:
    """Kinds of the figures. The child of an animal is of its parent's kind, as is the small copy of a vehicle."""
    first = [rng.choice(KINDS[f.type]) for f in scene.figures]
    if any(f.young and f.type == "MISC" for f in scene.figures):
        return [first[0]] * 2
    return first


def covered(front: Rect, box: Rect) -> int:
    """Percent of `box` that lies under `front`."""
    w = min(front[2], box[2]) - max(front[0], box[0])
    h = min(front[3], box[3]) - max(front[1], box[1])
    return 100 * max(w, 0) * max(h, 0) // ((box[2] - box[0]) * (box[3] - box[1]))
