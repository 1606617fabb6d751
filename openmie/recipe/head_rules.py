"""Which heads can stand beside each other in a recipe, in which order, and what dev may be scored by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openmie.nn.limits import Problem

DOCUMENT_LAYERS = ("tags", "chain_of", "links", "boxes")  # in the order in which heads of a document predict
METRICS = {"joint": ("ner", "re", "joint"), "document": ("document", "own", "released")}


def head_problems(task: str, heads: Sequence[Any]) -> Iterator[Problem]:
    """At least one head, a name each, and an order in which each reads what those before it make."""
    if not heads:
        yield Problem(
            where="heads",
            found="no head",
            expected="at least one, such as Crf, EntityMarkers or WordPairs",
            remedy="add a head: a recipe predicts something",
        )
    names = [h.name for h in heads]
    if len(set(names)) < len(names):
        yield Problem(where="heads", found=f"heads named {names}", expected="one name each", remedy="set `name` of one")
    yield from _document_order(heads) if task == "document" else _post_order(heads)


def _post_order(heads: Sequence[Any]) -> Iterator[Problem]:
    """One head a layer; a relation head beside a tagger reads its entities, so it comes after it, without markers."""
    made = [x for h in heads for x in ("tags", "relations", "cells") if x in h.makes()]
    alone = any(getattr(h, "alone", False) for h in heads)
    if len(set(made)) < len(made) or made == ["relations", "tags"] or (alone and len(made) > 1):
        yield Problem(
            where="heads",
            found=f"heads {[type(h).__name__ for h in heads]}" + (", one of which must be alone" if alone else ""),
            expected="one head that makes tags, or one that makes relations, or both: tags first, then relations "
            "with markers=False; or WordPairs by itself",
            remedy="markers stand around entities that are given; beside a tagger set markers=False",
        )


def _document_order(heads: Sequence[Any]) -> Iterator[Problem]:
    """One head a layer, in the order of what reads what; chains between tags and links."""
    made = [x for h in heads for x in ("relations", "cells", *DOCUMENT_LAYERS) if x in h.makes()]
    ordered = [x for x in DOCUMENT_LAYERS if x in made]
    if made != ordered or (ordered[:1] == ["tags"] and "links" in made and "chain_of" not in made):
        yield Problem(
            where="heads",
            found=f"heads {[type(h).__name__ for h in heads]}",
            expected="entities, chains, relations between chains, regions: in this order, at most one of each, and "
            "chains wherever both entities and relations are found",
            remedy="reorder them; heads that are missing predict about what the document gives",
        )


def metric_problems(task: str, metric: str) -> Iterator[Problem]:
    """The best epoch is selected by something that the heads predict."""
    known = METRICS.get(task, (task,))
    if metric not in ("", *known):
        yield Problem(
            where="training.selection_metric",
            found=f"metric {metric!r}",
            expected=f"one of {', '.join(known)}, which the heads predict",
            remedy="leave it empty",
        )
