"""Predictions for long documents, and for those with many pairs: in parts, so that memory does not grow with them.

A text longer than `WORDS` is read in segments (`openmie.data.segments`), each as a document of its own: mentions are
found as in the whole text but for what is further away than `OVERLAP` words, and what holds between two mentions where
they are at most that far apart, or in one segment. A recipe that labels given pairs encodes only the words around them.
Documents below these limits are not predicted here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from openmie.data import segments
from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.model.features.pairs import MARKED_AT_ONCE, PAIRS_AT_ONCE, merged, pair_blocks
from openmie.model.tasks.task import CandidateSource

if TYPE_CHECKING:
    from openmie.model.pretrained import Model

WORDS, OVERLAP = 4096, 256  # of a segment, and on either side of it
GRID_WORDS, GRID_OVERLAP = 1024, 128  # the same where a class is predicted for each pair of words

Way = Callable[["Model", Document, int, CandidateSource], Document]


def way_of(model: Model, document: Document) -> Way | None:
    """How a document is predicted in parts; None where it is short, and is predicted with others.

    Args:
        model: that predicts.
        document: with words.
    """
    relations = model.tasks.relations
    long = len(segments.cut(document, _words(model), 0)) > 1
    if model.recipe.encode.inputs.text_tokens:  # as its paper, it reads the beginning
        return None
    if relations is None or relations.tagger:
        return by_segments if long else None
    given = len(document.mentions)
    pairs = len(document.relations) or given * (given - 1)
    many = pairs > (MARKED_AT_ONCE if model.featurizer.markers else PAIRS_AT_ONCE)
    return by_pairs if long or many else None


def _words(model: Model) -> int:
    return GRID_WORDS if "cells" in model.tasks.by_output else WORDS


def by_segments(model: Model, document: Document, batch_size: int, candidates: CandidateSource) -> Document:
    """The prediction for a document whose text is read in segments; arguments as of `Model.predict`."""
    made = {*model.tasks.by_output}
    overlap = GRID_OVERLAP if "cells" in made else OVERLAP
    parts, found = segments.cut(document, _words(model), overlap), list[Document]()
    for part in parts:
        encoded = model.featurizer.featurize([segments.part(document, part)], candidates=candidates)
        found += model.predict_encoded(encoded, (candidates,), batch_size)[candidates]
    joined = segments.joined(
        document,
        parts,
        found,
        mentions_given=candidates != "predicted" or not made & {"tags", "cells"},
        chains_given=candidates == "gold_chains" or "chain_of" not in made,
        symmetric=model.recipe.symmetric_labels,
    )
    if made == {"tags"}:
        return joined
    note = ErrorRecord(
        where=f"document {document.id}, text",
        found=f"{len(document.words)} words",
        expected=f"about {_words(model)} words, which are read at once",
        remedy=f"read in {len(parts)} segments: what holds between two mentions was looked for within a segment, "
        f"and {overlap} words across its ends",
        note=True,
    )
    return joined.replace(errors=(*joined.errors, note))


def by_pairs(model: Model, document: Document, batch_size: int, candidates: CandidateSource) -> Document:
    """The prediction for a document with given mentions that is long, or has many pairs of them; arguments as above."""
    featurizer, task = model.featurizer, model.tasks.relations
    assert task is not None
    (base,) = featurizer.encode([document])
    featurizer.parts_of_speech([base])
    long = len(segments.cut(document, WORDS, 0)) > 1
    order, found = list[int](), list[Document]()
    for numbers, encoded in pair_blocks(base, task, featurizer.markers, long):
        order += numbers
        found += model.predict_encoded(featurizer.into_rows(encoded), (candidates,), batch_size)[candidates]
    if not found:
        return document.replace(relations=(), errors=(*document.errors, *base.errors.values()))
    whole = merged(found)
    relations = [relation for _, relation in sorted(zip(order, whole.relations), key=lambda x: x[0])]
    kept = {"relations": tuple(relations), "source": whole.source, "errors": whole.errors, "summary": ""}
    return document.replace(**kept, chains=(), regions=(), records=())
