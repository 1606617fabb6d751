"""Posts as HTML: images with boxes, text with marked mentions, relations and captions (`templates/posts.html`)."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from openmie.data.document import Document, Image, Mention
from openmie.data.images import load_small
from openmie.data.provenance import describe, own_columns, read_provenance
from openmie.data.small_pictures import MinSize
from openmie.errors import ImageError
from openmie.report.box_labels import place_labels
from openmie.report.comparison import BoxView, DocumentView, SpanNode, Verdict, nest_spans, view_labels
from openmie.report.entity_numbers import number_entities
from openmie.report.label_colours import assign_colours
from openmie.report.markup import number, plain, render

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LONGEST = 960  # pixels of an embedded image's longer side
SMALL = 512  # up to here an image is embedded without loss
SHOWN = 320  # width of an image on the page in pixels, about: for placing names
LONGEST_VALUE = 500  # characters of a user's own column that are shown
FRAMES = 12  # video frames shown; more are counted
Show = Callable[[Image], tuple[str, tuple[int, int]]]  # an image's address, and its (width, height)
SIGNS: Mapping[Verdict, str] = {"": "", "right": "✓", "wrong": "✗", "missed": "missed"}


def render_posts(views: Sequence[DocumentView]) -> Markup:
    """A legend, and a card per post."""
    colours = assign_colours(label for view in views for label in view_labels(view))
    look = partial(_class, colours=colours)
    return render(
        "posts.html",
        posts=[_post(view, look, partial(_embed, longest=LONGEST)) for view in views],
        legend=list(colours.items()),
        compared=any(view.compared for view in views),
        signs=SIGNS,
        look=look,
    )


def render_cards(
    views: Sequence[DocumentView], first: int, colours: Mapping[str, int], longest: int, show: Show | None = None
) -> Markup:
    """Cards alone, without a legend, to be found and filtered: `openmie.report.view` puts them on pages.

    Args:
        views: posts.
        first: number of the first one, which makes their anchors (#p1).
        colours: label -> number, of all pages.
        longest: of a picture's sides, in pixels.
        show: what makes the address of an image, and its (width, height); None: its pixels, in the page.
    """
    look, show = partial(_class, colours=colours), show or partial(_embed, longest=longest)
    posts = [{**_post(view, look, show), **_findable(view, number)} for number, view in enumerate(views, first)]
    return render("posts.html", posts=posts, legend=None, compared=False, signs=SIGNS, look=look)


def _findable(view: DocumentView, number: int) -> dict[str, Any]:
    """Anchor, labels and failure of a card, its own columns and where it comes from."""
    told = read_provenance(view.document)
    columns = [(name, _short(value)) for name, value in own_columns(view.document).items()]
    return {
        "anchor": f"p{number}",
        "labels": json.dumps(found_labels(view.document)),
        "failed": has_failed(view.document),
        "more": [*columns, *([("Predicted by", describe(told))] if told else [])],
    }


def found_labels(document: Document) -> list[str]:
    """The labels of all that was found in a document, sorted; control characters are codes."""
    layers = (document.mentions, document.chains, document.relations, document.regions)
    return sorted({plain(item.label) for layer in layers for item in layer} - {""})


def has_failed(document: Document) -> bool:
    """Whether something of the document could not be read or done, which notes do not say."""
    return any(not error.note for error in document.errors)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + " …"


def _post(view: DocumentView, look: Any, show: Show) -> dict[str, Any]:
    """What the template shows of one post."""
    document = view.document
    roots, crossing = nest_spans(view.spans)
    also = (("Crossing another mention", crossing), ("Named, but not in the text", view.unlocated))
    return {
        "id": document.id,
        "compared": view.compared,
        "tally": _tally(view),
        "images": [_image(i, [f for f in view.frames if f.image == i.id], look, show) for i in view.images[:FRAMES]],
        "more_images": max(len(view.images) - FRAMES, 0),
        "lang": document.lang,
        "pieces": _pieces(document.text, roots, 0, len(document.text)),
        "also": [(title, spans) for title, spans in also if spans],
        "relations": view.links,
        "chains": [] if view.compared else _chains(document),
        "descriptions": _descriptions(view),
        "errors": document.errors,
        "anchor": "",
        "more": [],
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
    words = [f.name for f in view.frames if f.words]
    rows = [("Words in the image", " / ".join(words))] if words else []
    rows += [(f"Caption, {name}", caption) for name, caption in document.captions.items()]
    if document.summary:
        rows.append(("Summary", document.summary))
    if view.gold_summary and view.gold_summary != document.summary:
        rows.append(("Summary, gold", view.gold_summary))
    return rows


def _chains(document: Document) -> list[dict[str, Any]]:
    """The mentions of each chain of two or more; its score is that of the second: one alone is no chain."""
    numbers = number_entities(document)
    rows = []
    for chain in document.chains:
        found = [m for m in map(document.find, chain.mentions) if isinstance(m, Mention)]
        names = [
            {"text": m.text, "label": chain.label or m.label, "entity": numbers.get(m.id, 0), "score": m.score}
            for m in found
        ]
        certain = sorted((1.0 if m.score is None else m.score for m in found), reverse=True)
        rows += [{"names": names, "score": certain[1]}] if len(names) > 1 else []
    return rows


def _embed(image: Image, longest: int) -> tuple[str, tuple[int, int]]:
    picture, size = thumbnail(image, longest)
    return embedded(picture, lossless=longest == LONGEST), size


def _image(image: Image, frames: Sequence[BoxView], look: Any, show: Show) -> dict[str, Any]:
    name = "Image" if image.kind == "main" else f"{image.kind.capitalize()} image"
    if image.time is not None:
        name += f" at {image.time:g} s"
    try:
        source, (width, height) = show(image)
    except ImageError as error:
        return {"name": name, "error": str(error)}
    frames = sorted(frames, key=lambda f: -_area(f))  # the smaller lie above the larger, to be pointed at
    shown = ", ".join(f"{f.name or 'a region'} ({' '.join(filter(None, (f.label, f.verdict)))})" for f in frames)
    shown = shown.replace(" ()", "")
    return {
        "name": name,
        "error": "",
        "alt": f"{name} of the post" + (f"; boxes around {shown}" if frames else "; no boxes"),
        "width": width,
        "height": height,
        "src": source,
        "boxes": _boxes(frames, width, height, look),
        "caption": "" if image.kind == "main" else name,
    }


def thumbnail(image: Image, longest: int) -> tuple[Picture, tuple[int, int]]:
    """The picture, its longer side at most so many pixels, and the (width, height) of the upright original."""
    picture, size = load_small(image, MinSize(longer=longest))
    if max(picture.size) > longest:
        picture = picture.copy()
        picture.thumbnail((longest, longest))
    return picture, size


def embedded(picture: Picture, lossless: bool = True) -> str:
    """The picture as a `data:` address, small ones as they are; else, and without `lossless`, photographs as JPEG."""
    file = io.BytesIO()
    lossless = max(picture.size) <= SMALL if lossless else picture.getcolors(256) is not None
    picture.save(file, "PNG", optimize=True) if lossless else picture.save(file, "JPEG", quality=85)
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{base64.b64encode(file.getvalue()).decode()}"


def _area(frame: BoxView) -> float:
    left, top, right, bottom = frame.box
    return abs(right - left) * abs(bottom - top)


def _boxes(frames: Sequence[BoxView], width: int, height: int, look: Any) -> list[dict[str, Any]]:
    """Boxes and their names, placed in percent of the image."""
    scale = SHOWN / width
    boxes = [(max(a, 0.0), max(b, 0.0), min(c, width), min(d, height)) for a, b, c, d in (f.box for f in frames)]
    signs = ["" if f.verdict in ("", "missed") else f" {SIGNS[f.verdict]}" for f in frames]
    names = ["" if f.words else (f.name or f.label) + sign for f, sign in zip(frames, signs)]
    sizes = [(min(7.4 * len(name) + 14, 200), 20.0) if name else (0.0, 0.0) for name in names]
    found = place_labels(
        [(a * scale, b * scale, c * scale, d * scale) for a, b, c, d in boxes], sizes, SHOWN, height * scale
    )
    parts: list[dict[str, Any]] = []
    for frame, (x0, y0, x1, y1), name, spot in zip(frames, boxes, names, found):
        left, top, right, bottom = (number(100 * v) for v in (x0 / width, y0 / height, 1 - x1 / width, 1 - y1 / height))
        above = number(100 - 100 * y0 / height)
        down = spot.y - y0 * scale
        inside = f"top:calc({top}% + {number(down)}px)" if down else f"top:{top}%"
        vertical = {"above": f"bottom:{above}%", "inside": inside, "below": f"top:{number(100 * y1 / height)}%"}
        sides = f"left:{left}%;top:{top}%;right:{right}%;bottom:{bottom}%"
        at = f"left:{number(100 * spot.x / SHOWN)}%;{vertical[spot.side]}"
        kind = look(frame.label, frame.verdict) + " words" * frame.words
        hint = f"{frame.name} ({frame.label})" if frame.label and frame.name != frame.label else frame.name
        drawn = {"look": kind, "sides": sides, "name": name, "at": at, "title": hint}
        parts.append({**drawn, "entity": frame.entity, "part": frame.part, "score": frame.score})
    return parts
