"""The report: scores, curves and posts in one HTML file that makes no request and runs no script."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from markupsafe import Markup

from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.report import charts
from openmie.report.charts import Bars, Curves, Table
from openmie.report.comparison import compare
from openmie.report.dots import Dots, render_dots
from openmie.report.markup import render, text
from openmie.report.posts import render_posts
from openmie.report.style import style_sheet

# Escaping keeps text from becoming markup; this policy keeps markup from becoming a script or a request.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def write(
    path: str | os.PathLike[str],
    *,
    title: str,
    intro: str = "",
    tables: Sequence[Table | Bars | Dots] = (),
    curves: Sequence[Curves] = (),
    documents: Iterable[Document | tuple[Document, Document]] = (),
    notes: Sequence[str] = (),
    symmetric: Collection[str] = (),
    heading: str = "Training",
) -> Path:
    """Write a report as one self-contained HTML file.

    Args:
        path: the file; missing folders are created.
        title: of the page.
        intro: a paragraph below the title.
        tables: scores, as tables, bars or a matrix of dots.
        curves: losses or scores over steps.
        documents: predictions, or `(gold, predicted)` pairs, whose mentions, relations and boxes are then marked as
            right, wrong or missed (a box is right if its IoU with a gold box of the same entity exceeds 0.5).
        notes: one paragraph each, at the end.
        symmetric: labels of relations that are compared in either direction.
        heading: above the curves.

    Returns:
        The path. Equal arguments give equal bytes.

    Raises:
        DocumentError: a pair that is not of one document.
        OutputError: a path that cannot be written.
    """
    scores = [_rendered(t) for t in tables]
    views = [compare(document, symmetric) for document in documents]
    sections = [
        ("scores", "Scores", _cards(scores)),
        ("curves", heading, _cards([charts.render_curves(c) for c in curves])),
        ("posts", "Posts", render_posts(views) if views else ""),
        ("notes", "Notes", _notes(notes)),
    ]
    page = render(
        "page.html",
        policy=POLICY,
        title=title,
        intro=intro,
        style=Markup(style_sheet()),
        sections=[s for s in sections if s[2]],
    )
    return save_page(path, page)


def _rendered(figure: Table | Bars | Dots) -> Markup:
    if isinstance(figure, Dots):
        return render_dots(figure)
    return charts.render_bars(figure) if isinstance(figure, Bars) else charts.render_table(figure)


def save_page(path: str | os.PathLike[str], page: Markup) -> Path:
    """Write a rendered page; missing folders are created."""
    target = Path(path)
    writing.make_folder(target.parent)
    writing.replace_text(target, str(page) + "\n")
    return target


def _cards(figures: Sequence[Markup]) -> Markup:
    return Markup('<div class="cards">{}</div>').format(Markup("").join(figures)) if figures else Markup("")


def _notes(notes: Sequence[str]) -> Markup:
    items = Markup("").join(Markup("<li>{}</li>").format(text(note)) for note in notes)
    return Markup('<ul class="notes">{}</ul>').format(items) if notes else Markup("")
