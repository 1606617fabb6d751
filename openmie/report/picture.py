"""One post as a picture: its image with boxes at the left, what it says and what was found in it at the right."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from openmie.data.document import Document, Image
from openmie.data.images import load_image
from openmie.errors import ImageError
from openmie.report.box_labels import place_labels
from openmie.report.comparison import NO_RELATION, BoxView, DocumentView, RelationView, compare, nest_spans
from openmie.report.comparison import view_labels as labels_of
from openmie.report.label_colours import COLOURS, NO_LABEL, assign_colours
from openmie.report.text_layout import Atom, TextPen, break_lines, split_atoms

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

INK, QUIET, PAPER, LINE = "#1b2027", "#565f6b", "#ffffff", "#d4d9e0"
FINE = 2  # everything is drawn so much larger and then reduced: Pillow smooths text but not shapes


def picture(
    document: Document, width: int = 1200, font: str | os.PathLike[str] | None = None, labels: Sequence[str] = ()
) -> Picture:
    """Draw a document as a picture.

    Args:
        document: relations with the label `None` are left out.
        width: in pixels; the height follows.
        font: a TrueType file; None: Pillow's own font, which has Latin letters only.
        labels: pictures with the same labels share their colours; default: those of the document.

    Returns:
        An RGB image. An image of the document that cannot be read becomes a panel with the reason.
    """
    import PIL.Image
    from PIL import ImageDraw

    view = compare(document)
    colours = assign_colours(labels or labels_of(view))
    pen = TextPen(unit=max(round(width * FINE * 0.025), 12), path=os.fspath(font) if font else None)
    full, pad = width * FINE, round(width * FINE * 0.035)
    shown = _image(view, pen, round(full * 0.36), colours)
    left = pad + (shown.width + pad if shown else 0)
    write = partial(_said, view, pen, left, full - pad - left, colours)
    blank = ImageDraw.Draw(PIL.Image.new("RGB", (1, 1)))
    said = write(blank, 0)  # once to measure, once to draw
    inner = max(said, shown.height if shown else 0)
    canvas = PIL.Image.new("RGB", (full, round(inner) + 2 * pad), PAPER)
    draw = ImageDraw.Draw(canvas)
    if shown:
        canvas.paste(shown, (pad, pad + round((inner - shown.height) / 2)))
    write(draw, pad + (inner - said) / 2)
    edge = FINE
    draw.rectangle((0, 0, canvas.width - 1, canvas.height - 1), outline=LINE, width=edge)
    return canvas.reduce(FINE)


def _colour(label: str, colours: Mapping[str, int]) -> str:
    return COLOURS[colours[label]][0] if label in colours else NO_LABEL[0]


def _wash(colour: str, share: float = 0.14) -> tuple[int, ...]:
    """A colour thinned with white."""
    return tuple(round(255 - share * (255 - int(colour[i : i + 2], 16))) for i in (1, 3, 5))


def _image(view: DocumentView, pen: TextPen, width: int, colours: Mapping[str, int]) -> Picture | None:
    """The first image at this width (or at a height of 1.25 of it), with its boxes."""
    import PIL.Image
    from PIL import ImageDraw

    if not view.images:
        return None
    image: Image = view.images[0]
    try:
        original = load_image(image)
    except ImageError as error:
        panel = PIL.Image.new("RGB", (width, width * 2 // 3), "#edf0f4")
        told = [Atom(w, pen.width(w, 0.7)) for w in split_atoms(pen.drawable(f"Image not read: {error.record.found}"))]
        _draw_lines(ImageDraw.Draw(panel), break_lines(told, width * 0.88), pen, (width * 0.06, width * 0.06), size=0.7)
        return panel
    scale = min(width / original.width, 1.25 * width / original.height)
    drawn = original.resize((max(round(original.width * scale), 1), max(round(original.height * scale), 1)))
    _boxes(ImageDraw.Draw(drawn), [f for f in view.frames if f.image == image.id], scale, drawn.size, pen, colours)
    return drawn


def _boxes(
    draw: ImageDraw,
    frames: list[BoxView],
    scale: float,
    size: tuple[int, int],
    pen: TextPen,
    colours: Mapping[str, int],
) -> None:
    """Frames with a white line on either side, and their names."""
    boxes = [
        (max(a * scale, 0.0), max(b * scale, 0.0), min(c * scale, size[0] - 1.0), min(d * scale, size[1] - 1.0))
        for a, b, c, d in (f.box for f in frames)
    ]
    names = [pen.drawable(f.name or f.label) for f in frames]
    high, space = pen.unit * 1.0, pen.unit * 0.3
    found = place_labels(boxes, [(pen.width(n, 0.72) + 2 * space, high) for n in names], *size)
    for frame, (x0, y0, x1, y1) in zip(frames, boxes):
        if x1 - x0 < 1 or y1 - y0 < 1:
            continue
        for grow, width, colour in ((FINE, 4 * FINE, "#ffffff"), (0, 2 * FINE, _colour(frame.label, colours))):
            draw.rectangle((x0 - grow, y0 - grow, x1 + grow, y1 + grow), outline=colour, width=width)
    for frame, name, spot in zip(frames, names, found):
        if name:
            far = (spot.x + pen.width(name, 0.72) + 2 * space, spot.y + high)
            draw.rounded_rectangle((spot.x, spot.y, *far), pen.unit * 0.14, fill=_colour(frame.label, colours))
            draw.text((spot.x + space, spot.y + high / 2), name, "#ffffff", pen.font(0.72), anchor="lm")


def _said(
    view: DocumentView, pen: TextPen, x: float, width: float, colours: Mapping[str, int], draw: ImageDraw, y: float
) -> float:
    """Text, then relations, from `y` down; returns how high they are."""
    top = y
    y += _draw_lines(draw, break_lines(_atoms(view, pen), width), pen, (x, y), view, colours)
    links = [k for k in view.links if k.label != NO_RELATION]
    if links:
        y += pen.unit * 0.7
    for link in links:
        y += _draw_link(draw, link, pen, (x, y), width, colours) + pen.unit * 0.45
    return y - top


def _roots(view: DocumentView) -> list[Any]:
    return [node.span for node in nest_spans(view.spans)[0]]


def _atoms(view: DocumentView, pen: TextPen) -> list[Atom]:
    """The running text; of mentions that lie in each other, the outer one is marked."""
    text, at = view.document.text, 0
    atoms: list[Atom] = []
    gap, edge = pen.unit * 0.22, Atom("", pen.unit * 0.2)

    def add(part: str, chip: int = -1) -> None:
        atoms.extend(Atom(w, 0 if w == "\n" else pen.width(w), chip) for w in split_atoms(pen.drawable(part)))

    for i, span in enumerate(_roots(view)):
        add(text[at : span.start])
        atoms.append(edge)
        add(text[span.start : span.end], i)
        if span.label:
            atoms.append(Atom(span.label, pen.width(span.label, 0.62) + gap, i, badge=True))
        atoms.append(edge)
        at = span.end
    add(text[at:])
    return atoms


def _draw_lines(
    draw: ImageDraw,
    rows: list[list[tuple[float, Atom]]],
    pen: TextPen,
    at: tuple[float, float],
    view: DocumentView | None = None,
    colours: Mapping[str, int] | None = None,
    size: float = 1.0,
) -> float:
    """Marks first, then the text on them; returns the height."""
    step = pen.unit * 1.75 * size
    marks = [_colour(s.label, colours or {}) for s in _roots(view)] if view else []
    for row, line in enumerate(rows):
        middle = at[1] + (row + 0.5) * step
        for chip in sorted({a.chip for _, a in line if a.chip >= 0}):
            here = [(x, x + a.width) for x, a in line if a.chip == chip]
            x0, x1 = at[0] + here[0][0] - pen.unit * 0.14, at[0] + here[-1][1] + pen.unit * 0.14
            low = middle + pen.unit * 0.66
            draw.rounded_rectangle((x0, middle - pen.unit * 0.66, x1, low), pen.unit * 0.2, fill=_wash(marks[chip]))
            draw.rectangle((x0 + pen.unit * 0.1, low - 2 * FINE, x1 - pen.unit * 0.1, low), fill=marks[chip])
        for x, atom in line:
            if atom.badge:
                spot = (at[0] + x + pen.unit * 0.22, middle)
                draw.text(spot, atom.text, marks[atom.chip], pen.font(0.62), anchor="lm", stroke_width=0.6)
            elif not atom.text.isspace():
                draw.text((at[0] + x, middle), atom.text, INK if view else QUIET, pen.font(size), anchor="lm")
    return step * len(rows)


def _draw_link(
    draw: ImageDraw, link: RelationView, pen: TextPen, at: tuple[float, float], width: float, colours: Mapping[str, int]
) -> float:
    """head -- label -> tail, the tail on a line of its own where they do not fit; returns the height."""
    size, space, high = 0.8, pen.unit * 0.35, pen.unit * 1.3
    named = (link.head, link.head_label), (link.tail, link.tail_label)
    ends = [(pen.drawable(name), _colour(label, colours)) for name, label in named]
    label, dash = pen.drawable(link.label), pen.unit * 0.9
    widths = [pen.width(name, size) + 2 * space for name, _ in ends]
    x, y = at
    for i, ((name, colour), wide) in enumerate(zip(ends, widths)):
        if i and x + wide > at[0] + width:
            x, y = at[0] + dash, y + high + pen.unit * 0.25
        draw.rectangle((x, y, x + wide, y + high), fill=_wash(colour))
        draw.rectangle((x, y, x + 3 * FINE, y + high), fill=colour)
        draw.text((x + space + FINE, y + high / 2), name, INK, pen.font(size), anchor="lm")
        x += wide
        if i == 0:
            x = _draw_arrow(draw, label, pen, (x, y + high / 2), dash, size)
    return y + high - at[1]


def _draw_arrow(draw: ImageDraw, label: str, pen: TextPen, at: tuple[float, float], dash: float, size: float) -> float:
    """A line, the label in its gap, and a head (the default font has no arrow); returns where it ends."""
    (x, y), gap, tip = at, pen.unit * 0.25, pen.unit * 0.2
    x += gap
    for last in (False, True):
        draw.line((x, y, x + dash - (tip if last else 0), y), QUIET, round(1.5 * FINE))
        x += dash
        if not last:
            draw.text((x + gap, y), label, INK, pen.font(size), anchor="lm")
            x += pen.width(label, size) + 2 * gap
    draw.polygon([(x, y), (x - tip * 1.5, y - tip), (x - tip * 1.5, y + tip)], QUIET)
    return x + gap
