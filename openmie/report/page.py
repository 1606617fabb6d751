"""The page: scores, curves and posts in one HTML file that asks for nothing outside itself and runs nothing."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.report import charts
from openmie.report.charts import Bars, Curves, Table
from openmie.report.comparison import DocumentView, compare, view_labels
from openmie.report.label_colours import assign_colours
from openmie.report.markup import attribute, isolated, text
from openmie.report.posts import post
from openmie.report.style import style_sheet

# Escaping keeps strangers' text from becoming markup; this line keeps markup from becoming a script or a request.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def write(
    path: str | os.PathLike[str],
    *,
    title: str,
    intro: str = "",
    tables: Sequence[Table | Bars] = (),
    curves: Sequence[Curves] = (),
    documents: Iterable[Document | tuple[Document, Document]] = (),
    notes: Sequence[str] = (),
    symmetric: Collection[str] = (),
    heading: str = "Training",
) -> Path:
    """Write the report and return its path. Folders that are missing are made. `heading` stands over the curves.

    `documents` are predictions, or `(gold, predicted)` pairs, whose mentions, relations and boxes are then shown as
    right, wrong or missed (a box is right where it covers a gold box of the same thing by more than half). Relations
    with a label in `symmetric` are compared either way round. Equal input gives equal bytes.
    """
    posts = [compare(document, symmetric) for document in documents]
    scores = [charts.bars(t) if isinstance(t, Bars) else charts.table(t) for t in tables]
    sections = [
        ("scores", "Scores", _cards(scores)),
        ("curves", heading, _cards([charts.curves(c) for c in curves])),
        ("posts", "Posts", _posts(posts)),
        ("notes", "Notes", _notes(notes)),
    ]
    sections = [s for s in sections if s[2]]
    links = "".join(f'<li><a href="#{id}">{name}</a></li>' for id, name, _ in sections)
    body = "".join(
        f'<section id="{id}" aria-labelledby="{id}-title"><h2 id="{id}-title">{name}</h2>{inside}</section>'
        for id, name, inside in sections
    )
    whole = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{attribute(POLICY)}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{attribute(title)}</title>'
        f"<style>{style_sheet()}</style></head><body><header><h1>{isolated(title)}</h1>"
        f"{f'<p class=intro>{text(intro)}</p>' if intro else ''}"
        f"{f'<nav aria-label=Contents><ul>{links}</ul></nav>' if len(sections) > 1 else ''}</header>"
        f"<main>{body}</main><footer>Written by openmie.</footer></body></html>\n"
    )
    target = Path(path)
    writing.make_folder(target.parent)
    writing.replace_text(target, whole)
    return target


def _cards(figures: Sequence[str]) -> str:
    return f'<div class="cards">{"".join(figures)}</div>' if figures else ""


def _posts(posts: Sequence[DocumentView]) -> str:
    if not posts:
        return ""
    colours = assign_colours(label for view in posts for label in view_labels(view))
    return _legend(colours, any(view.compared for view in posts)) + "".join(post(view, colours) for view in posts)


def _legend(colours: dict[str, int], compared: bool) -> str:
    swatches = "".join(f'<li><span class="chip c{i}">{isolated(label)}</span></li>' for label, i in colours.items())
    verdicts = (
        '<ul aria-label="Marks"><li><mark class="right">right<span class="badge">✓</span></mark></li>'
        '<li><mark class="wrong">wrong<span class="badge">✗ <span class="gold">gold what it is</span></span>'
        '</mark></li><li><mark class="missed">in gold only<span class="badge">missed</span></mark></li></ul>'
    )
    return (
        f'<div class="legend">{f"<ul aria-label=Labels>{swatches}</ul>" if swatches else ""}'
        f"{verdicts if compared else ''}</div>"
    )


def _notes(notes: Sequence[str]) -> str:
    return f'<ul class="notes">{"".join(f"<li>{text(note)}</li>" for note in notes)}</ul>' if notes else ""
