"""Scores of a model that answers about documents: with gold mentions and chains as candidates, and with its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from openmie import diorama, metrics
from openmie.data.document import Document
from openmie.errors import CorpusError
from openmie.metrics import Scores
from openmie.metrics.documents import DocumentScores, documents
from openmie.metrics.region_links import region_links
from openmie.model.tasks.task import CandidateSource

KINDS: tuple[CandidateSource, ...] = ("predicted", "gold_mentions", "gold_chains")
RELEASED = ("entities", "MUC", "CEAF", "B3", "relations", "regions")  # what M3D's release selects by: the mean of six


def scored(
    gold: Sequence[Document],
    found: Mapping[CandidateSource, Sequence[Document]],
    symmetric: Collection[str] = (),
    bootstrap: int = 0,
) -> dict[str, Scores]:
    """All scores by name, from the predictions with each kind of candidates; the first is the one to report.

    `document` is the mean of the four tasks as the paper scores them: chains among gold mentions, relations among gold
    chains, entities and regions as found. `own` is the mean end to end, with `own chains` and `own relations`.
    `frame relations` are those that only a frame tells, where the corpus (Diorama) knows it, between gold chains, whose
    types tell a part of them; `own frame relations` are these end to end.
    """
    draws: dict[str, Any] = {"bootstrap": bootstrap}
    own, mentions, chains = (list(found[kind]) for kind in KINDS)
    whole = documents(gold, own, chained=mentions, related=chains, symmetric=symmetric, **draws)
    mine = documents(gold, own, symmetric=symmetric, **draws)
    scores: dict[str, Scores] = {"document": whole, **whole.by_label, "own": mine}
    scores |= {"own chains": mine.chains, "own relations": mine.relations}
    scores |= {"MUC": whole.chains.muc, "B3": whole.chains.b3, "CEAF": whole.chains.ceaf}
    scores["region links"] = region_links(gold, own, **draws)
    scores["relations as_released"] = metrics.chain_relations(gold, chains, "as_released", **draws)
    try:
        told, *said = ([diorama.keep_frame_relations(g, d) for g, d in zip(gold, side)] for side in (gold, chains, own))
    except CorpusError:
        return scores
    names = ("frame relations", "own frame relations")
    return scores | {n: metrics.chain_relations(told, s, symmetric=symmetric, **draws) for n, s in zip(names, said)}


def selected(scores: Mapping[str, Scores], metric: str) -> float:
    """What dev is selected by, in percent: `document` (also the default) and `own` as in `scored`, or `released`.

    A task of which there is nothing is left out of every mean.
    """
    if metric != "released":
        return scores[metric or "document"].f1
    whole = scores["document"]
    assert isinstance(whole, DocumentScores)
    kept = [n for n in RELEASED if (n if n in whole.by_label else "chains") in whole.tasks]
    return sum(scores[n].f1 for n in kept) / len(kept) if kept else 0.0
