"""Where the entities of a neighbourhood are drawn: a force layout (Kamada and Kawai), spread so that none overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

WIDTH, HEIGHT = 980, 640  # of the drawing
MARGIN_X, MARGIN_Y = 80, 60
LEAST = (118.0, 92.0)  # between two nodes that are side by side, and between one above the other
Point = tuple[float, float]


def place_entities(entities: Sequence[str], links: Iterable[tuple[str, str]], centre: str) -> dict[str, Point]:
    """Positions in a drawing of `WIDTH` x `HEIGHT`; equal arguments give equal ones.

    Args:
        entities: ids.
        links: pairs of them.
        centre: the one that all others surround.

    Raises:
        MissingPackageError: NetworkX is not installed.
    """
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(entities)
    graph.add_edges_from(pair for pair in links if pair[0] != pair[1])
    graph.add_edges_from((centre, other) for other in _unreached(graph, centre))
    found = networkx.kamada_kawai_layout(graph)
    return _spread(_scaled({e: (float(x), float(y)) for e, (x, y) in found.items()}), centre)


def _unreached(graph: object, centre: str) -> list[str]:
    import networkx

    return [e for e in graph if not networkx.has_path(graph, centre, e)]  # type: ignore[attr-defined]


def _scaled(points: Mapping[str, Point]) -> dict[str, Point]:
    """Stretched to the margins; what lies on one line is put in the middle."""
    sides = []
    for axis, (size, margin) in enumerate(((WIDTH, MARGIN_X), (HEIGHT, MARGIN_Y))):
        values = [p[axis] for p in points.values()]
        low, high = min(values), max(values)
        reach = (size - 2 * margin) / (high - low) if high - low > 1e-6 else 0.0
        sides.append([size / 2 + (value - (low + high) / 2) * reach for value in values])
    return dict(zip(points, zip(*sides)))


def _spread(points: Mapping[str, Point], centre: str, rounds: int = 300) -> dict[str, Point]:
    """Push apart what is nearer than `LEAST`; the centre stays."""
    found = {e: list(p) for e, p in points.items()}
    names = list(found)
    for _ in range(rounds):
        moved = False
        for at, a in enumerate(names):
            for b in names[at + 1 :]:
                moved |= _push(found[a], found[b], a == centre, b == centre)
        for p in found.values():
            p[0] = min(max(p[0], MARGIN_X), WIDTH - MARGIN_X)
            p[1] = min(max(p[1], MARGIN_Y), HEIGHT - MARGIN_Y)
        if not moved:
            break
    return {e: (p[0], p[1]) for e, p in found.items()}


def _push(a: list[float], b: list[float], a_stays: bool, b_stays: bool) -> bool:
    """Move two points apart along the line between them; whether they were too near."""
    dx, dy = (b[0] - a[0]) / LEAST[0], (b[1] - a[1]) / LEAST[1]
    distance = math.hypot(dx, dy)
    if distance >= 1:
        return False
    dx, dy, distance = (dx, dy, distance) if distance > 1e-6 else (0.6, 0.8, 1e-6)
    step = (1 - distance) / 2 / max(distance, 0.05)
    move = dx * step * LEAST[0] / 2, dy * step * LEAST[1] / 2
    for point, sign, stays in ((a, -1, a_stays), (b, 1, b_stays)):
        if not stays:
            point[0] += sign * move[0]
            point[1] += sign * move[1]
    return True
