"""A Document in a notebook: one card, with a style sheet that ends at its edge."""

from __future__ import annotations

from markupsafe import Markup

from openmie.data.document import Document
from openmie.report.comparison import compare, view_labels
from openmie.report.label_colours import assign_colours
from openmie.report.posts import render_cards
from openmie.report.style import card_style

LONGEST = 480  # pixels of a picture's longer side


def notebook_html(document: Document) -> str:
    """The document as HTML to be put into another page. No script, no request; all texts are escaped."""
    view = compare(document)
    card = render_cards([view], 1, assign_colours(view_labels(view)), LONGEST)
    return str(Markup('<div class="openmie"><style>{}</style>{}</div>').format(Markup(card_style()), card))
