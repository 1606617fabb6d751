"""Posts as HTML: images with boxes, text with marked mentions, relations and captions (`templates/posts.html`)."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from openmie.data.document import Image
from openmie.data.images import load_image
from openmie.errors import ImageError
from openmie.report.box_labels import place_labels
from openmie.report.comparison import BoxView, DocumentView, SpanNode, Verdict, nest_spans, view_labels
from openmie.report.label_colours import assign_colours
from openmie.report.markup import number, render

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LONGEST = 960  # pixels of an embedded image's longer side
SMALL = 512  # up to here an image is embedded without loss
SHOWN = 320  # width of an image on the page in pixels, about: for placing names
FRAMES = 12  # video frames shown; more are counted
SIGNS: Mapping[Verdict, str] = {"": "", "right": "✓", "wrong": "✗", "missed": "missed"}


def render_posts(views: Sequence[DocumentView]) -> Markup:
    """A legend, and a card per post."""
    colours = assign_colours(label for view in views for label in view_labels(view))
    look = partial(_class, colours=colours)
    return render(
        "posts.html",
        posts=[_post(view, look) for view in views],
        legend=list(colours.items()),
        compared=any(view.compared for view in views),
        signs=SIGNS,
        look=look,
    )


def _post(view: DocumentView, look: Any) -> dict[str, Any]:
    """What the template shows of one post."""
    document = view.document
    roots, crossing = nest_spans(view.spans)
    also = (("Crossing another mention", crossing), ("Named, but not in the text", view.unlocated))
    return {
        "id": document.id,
        "compared": view.compared,
        "tally": _tally(view),
        "images": [_image(i, [f for f in view.frames if f.image == i.id], look) for i in view.images[:FRAMES]],
        "more_images": max(len(view.images) - FRAMES, 0),
        "lang": document.lang,
        "pieces": _pieces(document.text, roots, 0, len(document.text)),
        "also": [(title, spans) for title, spans in also if spans],
        "relations": view.links,
        "descriptions": _descriptions(view),
        "errors": document.errors,
    }


def _tally(view: DocumentView) -> list[tuple[int, str]]:
    every = [s.verdict for s in (*view.spans, *view.unlocated)]
    every += [k.verdict for k in view.links] + [f.verdict for f in view.frames]
    counts: list[tuple[int, str]] = [(every.count(v), v) for v in ("right", "wrong", "missed")]
    return [(n, v) for n, v in counts if n]


def _class(label: str, verdict: str, colours: Mapping[str, int]) -> str:
    """Class names of something with this label and verdict."""
    return " ".join(filter(None, (f"c{colours[label]}" if label in colours else "", verdict)))


def _pieces(text: str, nodes: Iterable[SpanNode], start: int, end: int) -> list[dict[str, Any]]:
    """`text[start:end]` as plain text and marked spans, nested like the mentions."""
    pieces: list[dict[str, Any]] = []
    at = start
    for node in nodes:
        span = node.span
        pieces.append({"text": text[at : span.start], "span": None})
        pieces.append({"span": span, "inside": _pieces(text, node.inside, span.start, span.end)})
        at = span.end
    pieces.append({"text": text[at:end], "span": None})
    return [p for p in pieces if p["span"] or p["text"]]


def _descriptions(view: DocumentView) -> list[tuple[str, str]]:
    """Captions, and the summary beside its gold."""
    document = view.document
    rows = [(f"Caption, {name}", caption) for name, caption in document.captions.items()]
    if document.summary:
        rows.append(("Summary", document.summary))
    if view.gold_summary and view.gold_summary != document.summary:
        rows.append(("Summary, gold", view.gold_summary))
    return rows


def _image(image: Image, frames: Sequence[BoxView], look: Any) -> dict[str, Any]:
    name = "Image" if image.kind == "main" else f"{image.kind.capitalize()} image"
    if image.time is not None:
        name += f" at {image.time:g} s"
    try:
        picture = load_image(image)
    except ImageError as error:
        return {"name": name, "error": str(error)}
    width, height = picture.size
    shown = ", ".join(f"{f.name or 'a region'} ({' '.join(filter(None, (f.label, f.verdict)))})" for f in frames)
    return {
        "name": name,
        "error": "",
        "alt": f"{name} of the post" + (f"; boxes around {shown}" if frames else "; no boxes"),
        "width": width,
        "height": height,
        "src": embedded(picture),
        "boxes": _boxes(frames, width, height, look),
        "caption": "" if image.kind == "main" else name,
    }


def embedded(picture: Picture) -> str:
    """The picture as a `data:` address, scaled down to `LONGEST`."""
    picture = picture.copy()
    picture.thumbnail((LONGEST, LONGEST))
    file, lossless = io.BytesIO(), max(picture.size) <= SMALL
    picture.save(file, "PNG", optimize=True) if lossless else picture.save(file, "JPEG", quality=85)
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{base64.b64encode(file.getvalue()).decode()}"


def _boxes(frames: Sequence[BoxView], width: int, height: int, look: Any) -> list[dict[str, str]]:
    """Boxes and their names, placed in percent of the image."""
    scale = SHOWN / width
    boxes = [(max(a, 0.0), max(b, 0.0), min(c, width), min(d, height)) for a, b, c, d in (f.box for f in frames)]
    signs = ["" if f.verdict in ("", "missed") else f" {SIGNS[f.verdict]}" for f in frames]
    names = [(f.name or f.label) + sign for f, sign in zip(frames, signs)]
    sizes = [(min(7.4 * len(name) + 14, 200), 20.0) for name in names]
    found = place_labels(
        [(a * scale, b * scale, c * scale, d * scale) for a, b, c, d in boxes], sizes, SHOWN, height * scale
    )
    parts = []
    for frame, (x0, y0, x1, y1), name, spot in zip(frames, boxes, names, found):
        left, top, right, bottom = (number(100 * v) for v in (x0 / width, y0 / height, 1 - x1 / width, 1 - y1 / height))
        above = number(100 - 100 * y0 / height)
        vertical = {"above": f"bottom:{above}%", "inside": f"top:{top}%", "below": f"top:{number(100 * y1 / height)}%"}
        sides = f"left:{left}%;top:{top}%;right:{right}%;bottom:{bottom}%"
        at = f"left:{number(100 * spot.x / SHOWN)}%;{vertical[spot.side]}"
        parts.append({"look": look(frame.label, frame.verdict), "sides": sides, "name": name, "at": at})
    return parts
