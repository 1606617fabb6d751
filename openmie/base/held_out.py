"""What a text model finds in sentences that it was not trained on: candidates for temperatures and thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from openmie.base.calibration import (
    choose_thresholds,
    expected_calibration_error,
    fit_temperatures,
    sigmoid,
)
from openmie.base.settings import TextSettings
from openmie.base.text_model import TextModel

LEAST = -5.0  # logits below are no candidates
Gold = set[tuple[int, int, str]]  # start, end and label of spans, in words


@dataclass(frozen=True, kw_only=True)
class SpanCandidates:
    """Spans without overlap that could be predicted.

    Attributes:
        logits: of each, without a temperature.
        right: whether it is gold.
        labels: of each.
        missed: label -> gold spans that are no candidate.
    """

    logits: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)


@torch.inference_mode()
def collect(
    model: TextModel, sentences: Iterable[tuple[Sequence[str], Gold]], labels: Mapping[str, str], found: SpanCandidates
) -> None:
    """Add the candidates of some sentences.

    Args:
        model: trained.
        sentences: words and gold spans.
        labels: all that are annotated in them, name -> description.
        found: is added to.
    """
    words, golds = zip(*sentences)
    names, vectors = list(labels), model.spans.label_vectors(model.tower.encode_labels(labels))
    general = model.generality(labels)
    ones, least = torch.ones(len(names)), torch.full((len(names),), LEAST)
    for gold, states in zip(golds, model.encode(words)):
        left = set(gold)
        for start, end, column, logit in model.best_spans(states, vectors, general, ones, least):
            span = (start, end, names[column])
            found.logits.append(logit)
            found.right.append(span in left)
            found.labels.append(names[column])
            left.discard(span)
        found.missed.update(label for *_, label in left)


def fitted(settings: TextSettings, found: SpanCandidates) -> TextSettings:
    """Settings whose temperatures and thresholds are fitted on candidates; unchanged where nothing is right.

    `calibration` says what that does to the calibration error.
    """
    if not any(found.right):
        return settings
    temperatures = fit_temperatures(found.logits, found.right, found.labels)
    chances = temperatures.apply(found.logits, found.labels)
    shared, own = choose_thresholds(chances, found.right, found.labels, found.missed)
    raw = sigmoid(torch.tensor(found.logits).double().numpy())
    error: dict[str, float] = {
        "raw": round(expected_calibration_error(raw, found.right), 4),
        "calibrated": round(expected_calibration_error(chances, found.right), 4),
        "candidates": len(found.right),
    }
    return replace(
        settings,
        temperature=round(temperatures.shared, 4),
        temperatures={name: round(value, 4) for name, value in temperatures.by_label.items()},
        threshold=round(shared, 4),
        thresholds={name: round(value, 4) for name, value in own.items()},
        calibration=error,
    )
