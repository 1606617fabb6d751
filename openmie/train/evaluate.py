"""evaluate: score a trained model on a split, and write down all that the number depends on."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from openmie import metrics
from openmie import recipe as recipes
from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.errors import TrainError
from openmie.metrics import Scores
from openmie.metrics.report import Task
from openmie.metrics.span_edges import at_whole_words
from openmie.model.codec.word_pairs_ceiling import ceiling
from openmie.model.pretrained import Model
from openmie.model.tasks.task import CANDIDATE_SOURCES, CandidateSource
from openmie.train.document_scores import score_predictions


def evaluate(
    model: Model,
    documents: Iterable[Document],
    *,
    bootstrap: int = 1000,
    symmetric: Iterable[str] = (),
    candidates: CandidateSource = "predicted",
) -> tuple[dict[str, Scores], list[Document]]:
    """Scores by name (strict and lenient spans, relations, pairs: what the model's task has), and the predictions.

    Relations are symmetric that are named here or in the model's recipe: as in the selection on dev. Of a model that
    predicts chains also scores with gold candidates, see `score_predictions`; the predictions are end to end, or
    between gold mentions or chains as `candidates` says.

    Errors: no documents, an unknown source of candidates, and gold candidates for a model that predicts no chains.
    """
    if candidates not in CANDIDATE_SOURCES:
        raise TrainError.unknown("candidates", candidates, CANDIDATE_SOURCES)
    if candidates != "predicted" and model.recipe.task != "document":
        raise TrainError(
            f"candidates={candidates} for a model of {model.recipe.task}",
            expected="a model that predicts chains, such as m3d's",
            remedy="leave it out",
        )
    edges = model.recipe.training.span_edges
    gold = list(at_whole_words(given := list(documents), given, edges)[0])
    if not gold:
        raise TrainError("no documents", expected="a split with gold", remedy="check the corpus with `openmie doctor`")
    known = model.recipe.symmetric_labels.union(symmetric)
    if model.recipe.task == "document":
        found = model.predict_encoded(model.featurizer.featurize(gold, candidates="gold_chains"), CANDIDATE_SOURCES)
        return score_predictions(gold, found, known, bootstrap), found[candidates]
    predicted, task = model.predict(gold), cast(Task, model.recipe.task)
    return metrics.score(gold, predicted, task=task, bootstrap=bootstrap, symmetric=known, span_edges=edges), predicted


def scheme_ceiling(model: Model, gold: Iterable[Document]) -> dict[str, float]:
    """F1 of gold that went through the recipe's word-pair scheme and back: what a perfect model reaches with it."""
    head = next((h for h in model.recipe.heads if "cells" in h.makes()), None)
    if head is None:
        return {}
    documents = list(gold)
    whole, _, _ = at_whole_words(documents, documents, model.recipe.training.span_edges)
    found = ceiling(list(whole), head.mentions, head.labels, head.scheme, head.symmetric)
    return {"entities": found.entities.f1, "pairs": found.pairs.f1}


def record(model: Model, scores: Mapping[str, Scores], gold: Iterable[Document], **about: Any) -> dict[str, Any]:
    """One number's whole pedigree as JSON data: scores, intervals, data hash, recipe, versions, date."""
    digest, gold = hashlib.sha256(), list(gold)
    for document in gold:
        digest.update(document.to_json().encode("utf8", "surrogatepass"))
    ceiling = scheme_ceiling(model, gold)
    numbers = {name: score_data(s) for name, s in scores.items()}
    pins = {p: version(p) for p in ("openmie", "torch", "transformers", "accelerate")}
    return {
        **about,
        "scores": numbers,
        **({"scheme ceiling": ceiling} if ceiling else {}),
        "documents": len(gold),
        "data": digest.hexdigest(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "versions": pins,
        "recipe": recipes.dump(model.recipe),
    }


def score_data(scores: Scores) -> dict[str, Any]:
    """One score as JSON data: in percent, with counts (`gold` is the support), and the same for each label.

    The labels of chains are their measures, those of documents the tasks.
    """
    names = ("precision", "recall", "f1", "gold", "predicted", "correct")

    def numbers(one: Scores) -> dict[str, Any]:
        return {name: getattr(one, name) for name in names}

    labels = {label or "(none)": numbers(one) for label, one in scores.by_label.items()}
    return {**numbers(scores), "interval": scores.interval, "accuracy": scores.accuracy, "labels": labels}


def write_record(path: Path, data: Mapping[str, Any]) -> None:
    writing.make_folder(path.parent)
    writing.replace_text(path, json.dumps(data, indent=1, ensure_ascii=False, default=str))
