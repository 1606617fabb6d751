"""Numbers of a text model that concern labels it was not trained on, chosen on development splits of CrossNER.

Three numbers: how much generality weighs where spans overlap, one temperature, one threshold. No weight is trained on
CrossNER; the numbers are those of the highest F1, on average over its domains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from openmie.base import sources
from openmie.base.calibration import fit_temperature, sigmoid
from openmie.base.held_out import Gold, SpanCandidates, collect
from openmie.base.text_model import TextModel

DOMAINS: Mapping[str, Mapping[str, str]] = {  # with the names of labels that CrossNER writes as one word
    "politics": {"politicalparty": "political party"},
    "science": {
        "chemicalcompound": "chemical compound", "chemicalelement": "chemical element",
        "astronomicalobject": "astronomical object", "academicjournal": "academic journal",
    },
    "ai": {"programlang": "programming language"},
}  # fmt: skip
WEIGHTS = (1.0, 1.5, 2.0, 3.0)  # of generality
THRESHOLDS = np.arange(0.05, 0.9, 0.025)


@dataclass(frozen=True, kw_only=True)
class DevelopmentSet:
    """Sentences with all spans of some labels.

    Attributes:
        labels: that are annotated.
        sentences: words and gold spans.
    """

    labels: tuple[str, ...]
    sentences: Sequence[tuple[Sequence[str], Gold]]


def development_sets(corpora: Path) -> list[DevelopmentSet]:
    """Those of CrossNER, without the label "misc".

    Args:
        corpora: folder of the open corpora.
    """
    found = []
    for domain, names in DOMAINS.items():
        rows = [
            (words, {(a, b, names.get(kind, kind)) for a, b, kind in sources.runs(tags) if kind != "misc"})
            for words, tags in sources.columns(corpora / f"crossner/{domain}/dev.txt")
        ]
        labels = sorted({label for _, gold in rows for *_, label in gold})
        found.append(DevelopmentSet(labels=tuple(labels), sentences=rows))
    return found


def chosen(model: TextModel, sets: Sequence[DevelopmentSet]) -> dict[str, Any]:
    """`generality_weight`, `temperature` and `threshold` of the highest mean F1; the model stays as it is.

    Args:
        model: trained.
        sets: whose labels it was not trained on.
    """
    own, best, numbers = model.settings, -1.0, dict[str, Any]()
    try:
        for weight in WEIGHTS:
            model.settings = replace(own, generality_weight=weight)
            candidates = [_candidates(model, one) for one in sets]
            logits = np.concatenate([found.logits for found in candidates])
            temperature = fit_temperature(logits, np.concatenate([found.right for found in candidates]))
            for threshold in THRESHOLDS:
                mean = float(np.mean([f1(found, temperature, float(threshold)) for found in candidates]))
                if mean > best:
                    best = mean
                    numbers = {
                        "generality_weight": weight,
                        "temperature": round(temperature, 4),
                        "threshold": round(float(threshold), 4),
                    }
    finally:
        model.settings = own
    return numbers


def f1(found: SpanCandidates, temperature: float, threshold: float) -> float:
    """Strict F1 of the candidates that reach a threshold, in percent."""
    right = np.array(found.right, bool)
    predicted = sigmoid(np.array(found.logits) / temperature) >= threshold
    gold = right.sum() + found.missed.total()
    return float(200.0 * (right & predicted).sum() / max(1, predicted.sum() + gold))


def _candidates(model: TextModel, one: DevelopmentSet) -> SpanCandidates:
    found = SpanCandidates()
    collect(model, one.sentences, dict.fromkeys(one.labels, ""), found)
    return found
