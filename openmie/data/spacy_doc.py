"""Documents as spaCy's `Doc`: mentions become spans of exactly their code points, where spaCy's tokens allow it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from openmie.errors import MissingPackageError

if TYPE_CHECKING:
    from openmie.data.document import Document, Mention

GROUP = "mentions"  # name of the span group
UNTYPED = "ENTITY"  # label of a mention without a type: spaCy's entities must have one


def to_spacy(document: Document, nlp: Any = None) -> Any:
    """A document's text and mentions as a `spacy.tokens.Doc`.

    `doc.spans["mentions"]` holds a span for each mention that the text contains, in their order, with the mention's
    label and id (`span.id_`); `doc.ents` those of them that do not overlap, the longest first.
    `doc.user_data["openmie"]` holds `scores` and `relations` by id, `expanded` and `source`.

    Args:
        document: any document; regions, chains and images are left out.
        nlp: a pipeline, which tokenizes and annotates the text; its own entities are replaced. A mention that begins or
            ends inside of one of its tokens is widened to whole tokens: its id stands in `expanded`, and a warning says
            so. None: the document's words are the tokens, cut where a mention begins or ends, so that every span is
            exact.

    Returns:
        A `Doc` whose `text` is the document's.

    Raises:
        MissingPackageError: spaCy is not installed.
    """
    try:
        from spacy.tokens import Doc
        from spacy.util import filter_spans
        from spacy.vocab import Vocab
    except ImportError:
        raise MissingPackageError(
            "this needs the package spacy, which is not installed", remedy="install it: pip install 'openmie[pos]'"
        ) from None
    if nlp is None:
        tokens = list(_tokens(document))
        doc = Doc(Vocab(), words=[t for t, _ in tokens], spaces=[s for _, s in tokens])
    else:
        doc = nlp(document.text)
    mentions = [m for m in document.mentions if m.status != "unlocated"]
    expanded = [m.id for m in mentions if doc.char_span(m.start, m.end) is None]
    spans = [_span(doc, m) for m in mentions]
    doc.spans[GROUP] = spans
    doc.ents = filter_spans(spans)
    doc.user_data["openmie"] = {
        "scores": {m.id: m.score for m in mentions},
        "relations": [(r.head, r.label, r.tail, r.score) for r in document.relations],
        "expanded": expanded,
        "source": document.source,
    }
    if expanded:
        warnings.warn(
            f"{len(expanded)} of {len(spans)} mentions begin or end inside of a token of spaCy and were widened to "
            'whole tokens; doc.user_data["openmie"]["expanded"] lists them',
            stacklevel=3,
        )
    return doc


def _span(doc: Any, mention: Mention) -> Any:
    return doc.char_span(
        mention.start,
        mention.end,
        label=mention.label or UNTYPED,
        span_id=mention.id,
        alignment_mode="expand",  # the same span wherever tokens end where the mention does
    )


def _tokens(document: Document) -> Iterator[tuple[str, bool]]:
    """Tokens, and whether a single blank follows: together they are the text, cut at words and mentions.

    A blank that follows a token belongs to it, unless a mention begins or ends with it; other white space is a token of
    its own, as in spaCy's tokenizer.
    """
    from openmie.text.words import split_words

    text = document.text
    cuts = {0, len(text)}
    for start, end in document.words or split_words(text):
        cuts |= {start, end}
    starts, ends = {m.start for m in document.mentions}, {m.end for m in document.mentions}
    places = sorted(cuts | starts | ends)
    token = ""
    for start, end in pairwise(places):
        piece = text[start:end]
        if token and piece[0] == " " and start not in starts and start + 1 not in ends:
            yield token, True
            token = piece[1:]
        else:
            if token:
                yield token, False
            token = piece
    if token:
        yield token, False
