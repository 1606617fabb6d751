"""The neighbourhood of an entity as one page: a drawing with faces, and the posts below (`templates/graph.html`).

The page asks no host for anything and runs no script but ours; texts, names and file names are escaped.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from openmie.data.document import Box, Image
from openmie.data.images import crop, load_small
from openmie.data.small_pictures import MinSize
from openmie.errors import ErrorRecord, ImageError
from openmie.formats.image_paths import resolve_path
from openmie.graph.layout import HEIGHT, WIDTH, Point, place_entities
from openmie.graph.link_labels import LinkCurve, place_link_labels
from openmie.graph.neighbourhood import (
    DrawnEntity,
    DrawnLink,
    DrawnPost,
    Neighbourhood,
    Sight,
    find_entity,
    graph_folder,
    read_neighbourhood,
)
from openmie.graph.query import open_store
from openmie.report.label_colours import assign_colours
from openmie.report.markup import number, render, script
from openmie.report.page import POLICY, save_page
from openmie.report.posts import embedded
from openmie.report.style import style_sheet

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIDE = 128  # pixels of a thumbnail
FINE = 512  # pixels of a photograph's longer side at least, of which thumbnails are cut
LONGEST_LABEL = 22  # characters of a name in the drawing
BEND = 26  # how far several links between two entities are bent apart
SAID, NAMED = 5.8, 7.4  # width of a character of a label, and of a name


def write_neighbourhood(
    store: str | os.PathLike[str],
    entity: str,
    out: str | os.PathLike[str],
    *,
    steps: int = 1,
    most: int = 30,
    image_dir: str | os.PathLike[str] | None = None,
) -> Neighbourhood:
    """Write the page of an entity.

    Args:
        store: as for `openmie.graph.query.open_store`.
        entity: name, key or IRI, as for `find_entity`.
        out: the page.
        steps: how many links away from the entity.
        most: entities that are drawn at most.
        image_dir: a folder that images may lie in, besides that of the graph; None: the working folder.

    Returns:
        What is drawn.

    Raises:
        OpenMIEError: no store there, or no such entity.
        OutputError: a path that cannot be written.
        MissingPackageError: pyoxigraph or NetworkX is not installed.
    """
    opened = open_store(store)
    found = read_neighbourhood(opened, find_entity(opened, entity), steps, most)
    pictures = _Thumbnails(graph_folder(store), image_dir if image_dir is not None else os.curdir)
    save_page(out, _page(found, pictures))
    found.unread = len(pictures.unread)
    return found


class _Thumbnails:
    """Faces and other boxes, cut from their images; one that cannot be read is left out."""

    def __init__(self, folder: str, images: str | os.PathLike[str]) -> None:
        self.folder, self.images = folder, images
        self.known: dict[tuple[str, Any], str] = {}
        self.unread: set[str] = set()

    def of(self, sight: Sight) -> str:
        """As a `data:` address; "" for none."""
        key = sight.path, sight.box
        if key not in self.known:
            self.known[key] = self._cut(sight)
            if not self.known[key]:
                self.unread.add(sight.image)
        return self.known[key]

    def _cut(self, sight: Sight) -> str:
        path = resolve_path(sight.path, self.folder, self.images) if sight.path else ""
        if not path or isinstance(path, ErrorRecord):
            return ""
        try:
            whole, size = load_small(path, MinSize(longer=FINE))
            part = crop(whole, Image(kind="object", id=sight.image, box=_squared(sight, size)), size)
        except ImageError:
            return ""
        return embedded(_reduced(part))


def _squared(sight: Sight, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A square around the upper part of a box, where the face of a standing person is; inside the picture."""
    x0, y0, x1, y1 = sight.box
    side = min(max(x1 - x0, min(y1 - y0, (x1 - x0) * 1.25)), *size)
    left = min(max((x0 + x1 - side) / 2, 0.0), size[0] - side)
    top = min(max(y0 - side * 0.05, 0.0), size[1] - side)
    return left, top, left + side, top + side


def _reduced(picture: Picture) -> Picture:
    found = picture.copy()
    found.thumbnail((SIDE, SIDE))
    return found


def _page(found: Neighbourhood, pictures: _Thumbnails) -> Markup:
    source, allowed = script("graph.js")
    numbers = {iri: n for n, iri in enumerate(found.entities)}
    posts = {post.iri: n for n, post in enumerate(found.posts)}
    colours = assign_colours(entity.type for entity in found.entities.values())
    places = place_entities(list(found.entities), ((x.head, x.tail) for x in found.links), found.centre)
    centre = found.entities[found.centre]
    nodes = [
        _node(entity, numbers, places, colours, posts, pictures, entity is centre) for entity in found.entities.values()
    ]
    around = f"{_count(len(nodes) - 1, 'entity', 'entities')} around it"
    left = f"; {_count(found.left_out, 'more entity', 'more entities')} left out" if found.left_out else ""
    counts = f"{around}, {_count(len(found.posts), 'post', 'posts')}"
    return render(
        "graph.html",
        policy=f"{POLICY}; script-src {allowed}",
        title=centre.name,
        intro=f"{centre.type or 'entity'}, in {_count(centre.documents, 'document', 'documents')}. {counts}{left}.",
        style=Markup(style_sheet()),
        sections=[],
        width=WIDTH,
        height=HEIGHT,
        nodes=nodes,
        links=_links(found.links, numbers, places, nodes, posts),
        legend=list(colours.items()),
        posts=[_post(post, numbers, found.entities, colours) for post in found.posts],
        script=source,
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _node(
    entity: DrawnEntity,
    numbers: Mapping[str, int],
    places: Mapping[str, Point],
    colours: Mapping[str, int],
    posts: Mapping[str, int],
    pictures: _Thumbnails,
    centre: bool,
) -> dict[str, Any]:
    x, y = places[entity.iri]
    sights = [(pictures.of(s), posts.get(s.document)) for s in entity.sights]
    faces = [(src, post) for src, post in sights if src]
    name = entity.name if len(entity.name) <= LONGEST_LABEL else entity.name[: LONGEST_LABEL - 1] + "…"
    return {
        "number": numbers[entity.iri],
        "name": entity.name,
        "short": name,
        "type": entity.type,
        "initial": next((c for c in entity.name if c.isalnum()), "?").upper(),
        "look": f"c{colours[entity.type]}" if entity.type in colours else "",
        "documents": entity.documents,
        "x": number(x),
        "y": number(y),
        "at": (x, y),
        "radius": 40 if centre else 26,
        "half": round(NAMED * len(name) / 2),
        "face": faces[0][0] if faces else "",
        "faces": faces,
        "centre": centre,
    }


def _links(
    links: list[DrawnLink],
    numbers: Mapping[str, int],
    places: Mapping[str, Point],
    nodes: list[dict[str, Any]],
    posts: Mapping[str, int],
) -> list[dict[str, Any]]:
    """Relations of one direction between two entities share a line; who is seen together has a dashed one."""
    merged: dict[tuple[str, str, bool], dict[str, None]] = {}
    told: dict[tuple[str, str, bool], dict[str, None]] = {}
    for link in links:
        if link.head != link.tail:
            key = link.head, link.tail, bool(link.label)
            merged.setdefault(key, {})[link.label or "seen together"] = None
            told.setdefault(key, {}).update(dict.fromkeys(link.documents))
    lines: dict[frozenset[str], int] = {}
    found, curves = list[dict[str, Any]](), list[LinkCurve]()
    for (head, tail, relation), labels in merged.items():
        pair = frozenset((head, tail))
        bend = (0, 1, -1)[lines.get(pair, 0) % 3] * BEND * (1 if numbers[head] < numbers[tail] else -1)
        lines[pair] = lines.get(pair, 0) + 1
        ends, documents = (numbers[head], numbers[tail]), told[head, tail, relation]
        curves.append(link_curve(places[head], places[tail], bend))
        label = (", ".join(labels) if relation else "") + (f" ×{len(documents)}" if len(documents) > 1 else "")
        found.append({
            "ends": ends, "relation": relation, "label": label, "bend": bend,
            "path": link_path(curves[-1], nodes[ends[1]]["radius"], nodes[ends[1]]["half"]),
            "posts": " ".join(str(posts[d]) for d in documents if d in posts),
        })  # fmt: skip
    shares = place_link_labels(curves, [SAID * len(drawn["label"]) for drawn in found], _node_boxes(nodes))
    for drawn, curve, share in zip(found, curves, shares):
        x, y = curve.at(share)
        drawn.update(x=number(x), y=number(y), share=number(share))
    return found


def _node_boxes(nodes: list[dict[str, Any]]) -> Iterator[Box]:
    """Discs, and the names below them."""
    for node in nodes:
        (x, y), radius, half = node["at"], node["radius"], node["half"]
        yield x - radius, y - radius, x + radius, y + radius
        yield x - half, y + radius + 4, x + half, y + radius + 22


def link_curve(head: Point, tail: Point, bend: float) -> LinkCurve:
    """The curve from one node to another; `graph.js` has the same formula."""
    dx, dy = tail[0] - head[0], tail[1] - head[1]
    length = math.hypot(dx, dy) or 1.0
    middle = (head[0] + tail[0]) / 2, (head[1] + tail[1]) / 2
    return LinkCurve(head, (middle[0] - dy / length * 2 * bend, middle[1] + dx / length * 2 * bend), tail)


def link_path(curve: LinkCurve, radius: float, half: float) -> str:
    """The curve as a path that ends at the edge of its tail, or below its name, of which `half` is half the width.

    `graph.js` has the same formula.
    """
    head, control, tail = curve
    dx, dy = control[0] - tail[0], control[1] - tail[1]
    share = (radius + 5) / (math.hypot(dx, dy) or 1.0)
    if dy > 0 and abs(dx) / dy * (radius + 22) < half:  # from below, through the name
        share = min((radius + 26) / dy, 1.0)
    end = tail[0] + dx * share, tail[1] + dy * share
    points = [number(value) for point in (head, control, end) for value in point]
    return "M{} {}Q{} {} {} {}".format(*points)


def _post(
    post: DrawnPost, numbers: Mapping[str, int], entities: Mapping[str, DrawnEntity], colours: Mapping[str, int]
) -> dict[str, Any]:
    """Its text cut at the mentions; of mentions that overlap, the first and longest is marked."""
    pieces: list[dict[str, Any]] = []
    at = 0
    for place in post.places:
        if place.start < at or place.end > len(post.text):
            continue
        entity = entities[place.entity]
        pieces.append({"text": post.text[at : place.start], "number": None})
        look = f"c{colours[entity.type]}" if entity.type in colours else ""
        marked = {"text": post.text[place.start : place.end], "number": numbers[place.entity]}
        pieces.append({**marked, "look": look, "name": entity.name, "type": entity.type})
        at = place.end
    pieces.append({"text": post.text[at:], "number": None})
    return {
        "id": post.id,
        "pieces": pieces,
        "entities": " ".join(sorted({str(numbers[p.entity]) for p in post.places})),
    }
