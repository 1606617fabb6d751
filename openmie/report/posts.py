"""One post as HTML: its image with boxes, its text with what is named in it, its relations and captions."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from openmie.data.document import Image
from openmie.data.images import load_image
from openmie.errors import ImageError
from openmie.report.box_labels import place_labels
from openmie.report.comparison import BoxView, DocumentView, RelationView, SpanNode, SpanView, Verdict, nest_spans
from openmie.report.markup import attribute, isolated, number, text

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LONGEST = 960  # pixels of an embedded image's longer side
SMALL = 512  # up to here an image is embedded without loss
SHOWN = 320  # pixels that an image is wide on the page, about: for placing names
FRAMES = 12  # video frames shown; more are counted
SIGNS: Mapping[Verdict, str] = {"": "", "right": "✓", "wrong": "✗", "missed": "missed"}


def post(view: DocumentView, colours: Mapping[str, int]) -> str:
    """The whole card."""
    document = view.document
    pictures = [
        _picture(image, [f for f in view.frames if f.image == image.id], colours) for image in view.images[:FRAMES]
    ]
    left = len(view.images) - FRAMES
    if left > 0:
        pictures.append(f'<p class="quiet">{left} more images are not shown.</p>')
    parts = [_text(view, colours), _links(view, colours), _told(view), _errors(view)]
    side = f'<div class="images">{"".join(pictures)}</div>' if pictures else ""
    return (
        f'<article class="post{"" if side else " bare"}"><h3>{isolated(document.id)} {_tally(view)}</h3>'
        f'{side}<div class="said">{"".join(parts)}</div></article>'
    )


def _tally(view: DocumentView) -> str:
    if not view.compared:
        return ""
    every = [s.verdict for s in (*view.spans, *view.unlocated)]
    every += [k.verdict for k in view.links] + [f.verdict for f in view.frames]
    counts = [(every.count(v), v) for v in ("right", "wrong", "missed")]
    return '<span class="tally">' + " · ".join(f'<span class="{v}">{n} {v}</span>' for n, v in counts if n) + "</span>"


def _class(label: str, verdict: str, colours: Mapping[str, int]) -> str:
    return " ".join(filter(None, (f"c{colours[label]}" if label in colours else "", verdict)))


def _picture(image: Image, frames: Sequence[BoxView], colours: Mapping[str, int]) -> str:
    name = "Image" if image.kind == "main" else f"{image.kind.capitalize()} image"
    if image.time is not None:
        name += f" at {image.time:g} s"
    try:
        picture = load_image(image)
    except ImageError as error:
        return f'<figure class="image"><p class="unread"><b>{name} not read.</b> {isolated(error)}</p></figure>'
    width, height = picture.size
    boxes = _boxes(frames, width, height, colours)
    shown = ", ".join(f"{f.name or 'a region'} ({' '.join(filter(None, (f.label, f.verdict)))})" for f in frames)
    alt = attribute(f"{name} of the post" + (f"; boxes around {shown}" if frames else "; no boxes"))
    caption = "" if image.kind == "main" else f"<figcaption>{text(name)}</figcaption>"
    return (
        f'<figure class="image"><div class="boxed"><img alt="{alt}" width="{width}" height="{height}" '
        f'src="{embedded(picture)}">{boxes}</div>{caption}</figure>'
    )


def embedded(picture: Picture) -> str:
    """The picture as a `data:` address, scaled down to `LONGEST`."""
    picture = picture.copy()
    picture.thumbnail((LONGEST, LONGEST))
    file, lossless = io.BytesIO(), max(picture.size) <= SMALL
    picture.save(file, "PNG", optimize=True) if lossless else picture.save(file, "JPEG", quality=85)
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{base64.b64encode(file.getvalue()).decode()}"


def _boxes(frames: Sequence[BoxView], width: int, height: int, colours: Mapping[str, int]) -> str:
    """Frames and their names, placed in percent of the image."""
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
        look = _class(frame.label, frame.verdict, colours)
        sides = f"left:{left}%;top:{top}%;right:{right}%;bottom:{bottom}%"
        parts.append(f'<span class="box {look}" style="{sides}"></span>')
        if name:
            at = f"left:{number(100 * spot.x / SHOWN)}%;{vertical[spot.side]}"
            parts.append(f'<span class="name {look}" style="{at}">{isolated(name)}</span>')
    return f'<span aria-hidden="true">{"".join(parts)}</span>' if parts else ""


def _text(view: DocumentView, colours: Mapping[str, int]) -> str:
    document = view.document
    roots, crossing = nest_spans(view.spans)
    language = f' lang="{attribute(document.lang)}"' if document.lang else ""
    body = _marked(document.text, roots, 0, len(document.text), colours)
    parts = [f'<p class="text" dir="auto"{language}>{body or "<span class=quiet>no text</span>"}</p>']
    for title, spans in (("Crossing another mention", crossing), ("Named, but not in the text", view.unlocated)):
        if spans:
            chips = " ".join(_mark(text(s.text), s, colours) for s in spans)
            parts.append(f'<p class="also"><span class="quiet">{title}:</span> {chips}</p>')
    return "".join(parts)


def _marked(whole: str, nodes: Iterable[SpanNode], start: int, end: int, colours: Mapping[str, int]) -> str:
    """`whole[start:end]` with its mentions marked, those inside others too."""
    parts, at = [], start
    for node in nodes:
        span = node.span
        parts.append(text(whole[at : span.start]))
        parts.append(_mark(_marked(whole, node.inside, span.start, span.end, colours), span, colours))
        at = span.end
    return "".join([*parts, text(whole[at:end])])


def _mark(inner: str, span: SpanView, colours: Mapping[str, int]) -> str:
    return f'<mark class="{_class(span.label, span.verdict, colours)}">{inner}{_badge(span)}</mark>'


def _badge(part: SpanView | RelationView) -> str:
    label, sign = isolated(part.label), SIGNS[part.verdict]
    gold = f' <span class="gold">gold&nbsp;{isolated(part.instead)}</span>' if part.instead else ""
    if not part.label and not sign:
        return ""
    shown = "&nbsp;".join(filter(None, (f'<span class="label">{label}</span>' if part.label else "", sign)))
    spoken = f'<span class="spoken"> ({part.verdict})</span>' if part.verdict in ("right", "wrong") else ""
    return f'<span class="badge" dir="ltr">{shown}{spoken}{gold}</span>'


def _links(view: DocumentView, colours: Mapping[str, int]) -> str:
    if not view.links:
        return ""

    def end(name: str, label: str) -> str:
        return f'<td><span class="chip {_class(label, "", colours)}">{isolated(name)}</span></td>'

    rows = "".join(
        f'<tr>{end(k.head, k.head_label)}<td class="relation {k.verdict}"><span class="arrow">{_badge(k)}</span></td>'
        f"{end(k.tail, k.tail_label)}</tr>"
        for k in view.links
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Head", "Relation", "Tail"))
    return (
        f'<div class="scroll"><table class="relations"><caption>Relations</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _told(view: DocumentView) -> str:
    """Captions, and the summary beside its gold."""
    document = view.document
    rows = [(f"Caption, {name}", caption) for name, caption in document.captions.items()]
    if document.summary:
        rows.append(("Summary", document.summary))
    if view.gold_summary and view.gold_summary != document.summary:
        rows.append(("Summary, gold", view.gold_summary))
    items = "".join(f'<div><dt>{isolated(name)}</dt><dd dir="auto">{text(told)}</dd></div>' for name, told in rows)
    return f'<dl class="told">{items}</dl>' if items else ""


def _errors(view: DocumentView) -> str:
    items = "".join(f"<li>{isolated(error)}</li>" for error in view.document.errors)
    return f'<ul class="errors" aria-label="Errors">{items}</ul>' if items else ""
