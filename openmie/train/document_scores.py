"""Scores of a model that predicts mentions, chains, links and regions of documents, with each candidate source."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from openmie import diorama, metrics
from openmie.data.document import Document
from openmie.errors import CorpusError
from openmie.metrics import Scores
from openmie.metrics.documents import DocumentScores, documents
from openmie.metrics.region_links import region_links
from openmie.model.tasks.task import CANDIDATE_SOURCES, CandidateSource

MODES: tuple[Literal["directed", "undirected"], ...] = ("directed", "undirected")
RELEASED = ("entities", "MUC", "CEAF", "B3", "relations", "regions")  # what M3D's release selects by: the mean of six


def score_predictions(
    gold: Sequence[Document],
    predicted: Mapping[CandidateSource, Sequence[Document]],
    symmetric: Collection[str] = (),
    bootstrap: int = 0,
) -> dict[str, Scores]:
    """All scores by name, the one to report first.

    `document` is the mean of the four tasks as the paper scores them: chains among gold mentions, relations among gold
    chains, entities and regions as predicted. `own` is the mean end to end, with `own chains` and `own relations`. A
    mean of fewer tasks, where gold and predictions have nothing of one, names them: `document (entities, chains)`.
    `relations` takes symmetric labels either way round, `directed relations` none, as the paper prints it, `undirected
    relations` all.
    `frame relations` are those that only a frame shows, where the corpus (Diorama) knows it, between gold chains, whose
    types tell a part of them; `own frame relations` are these end to end.

    Args:
        gold: the documents.
        predicted: for each candidate source the predictions, in the same order, as `Model.predict_encoded` returns.
        symmetric: relation labels without a direction.
        bootstrap: resamples for the confidence intervals; 0: none.
    """
    options: dict[str, Any] = {"bootstrap": bootstrap}
    own, by_mentions, by_chains = (list(predicted[source]) for source in CANDIDATE_SOURCES)
    paper = documents(gold, own, chained=by_mentions, related=by_chains, symmetric=symmetric, **options)
    end_to_end = documents(gold, own, symmetric=symmetric, **options)
    scores: dict[str, Scores] = {paper.name(): paper, **paper.by_label, end_to_end.name("own"): end_to_end}
    scores |= {"own chains": end_to_end.chains, "own relations": end_to_end.relations}
    scores |= {"MUC": paper.chains.muc, "B3": paper.chains.b3, "CEAF": paper.chains.ceaf}
    scores["region links"] = region_links(gold, own, **options)
    for mode in MODES:
        scores[f"{mode} relations"] = metrics.chain_relations(gold, by_chains, mode, **options)
        scores[f"own {mode} relations"] = metrics.chain_relations(gold, own, mode, **options)
    scores["relations as_released"] = metrics.chain_relations(gold, by_chains, "as_released", **options)
    try:
        kept = [[diorama.keep_frame_relations(g, d) for g, d in zip(gold, x)] for x in (gold, by_chains, own)]
    except CorpusError:
        return scores
    for name, frame_relations in zip(("frame relations", "own frame relations"), kept[1:]):
        scores[name] = metrics.chain_relations(kept[0], frame_relations, symmetric=symmetric, **options)
    return scores


def selection_score(scores: Mapping[str, Scores], metric: str) -> float:
    """The score that dev is selected by, in percent: `document` (the default), `own`, or `released`, a mean of six.

    A task of which there is nothing is left out of every mean.
    """
    whole, own = (mean_of(scores, kind) for kind in ("document", "own"))
    if metric != "released":
        return (own if metric == "own" else whole).f1
    kept = [n for n in RELEASED if (n if n in whole.by_label else "chains") in whole.tasks]
    return sum(scores[n].f1 for n in kept) / len(kept) if kept else 0.0


def mean_of(scores: Mapping[str, Scores], kind: str) -> DocumentScores:
    """The mean over tasks, however many they are: `kind` is `document` or `own`."""
    found = next(s for name, s in scores.items() if name == kind or name.startswith(f"{kind} ("))
    assert isinstance(found, DocumentScores)
    return found
