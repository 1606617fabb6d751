"""Temperatures and thresholds of the shipped weights, on held-out sentences of the open corpora."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from openmie.base import new_labels, relation_sources, sources
from openmie.base.calibration import best_threshold, fit_temperature, sigmoid
from openmie.base.held_out import SpanCandidates, collect, fitted
from openmie.base.labels import LABELS
from openmie.base.settings import TextSettings
from openmie.base.text_model import TextModel

MOST = 1000  # sentences of a source
BUILT_IN = {key: name for name, key in sources.BUILT_IN.items()}


def calibrated(model: TextModel, corpora: Path) -> TextSettings:
    """The model's settings with temperatures and thresholds that are fitted on held-out sentences.

    Args:
        model: trained.
        corpora: folder of the open corpora.
    """
    found = SpanCandidates()
    for examples in sources.all_examples(corpora, held_out=True).values():
        keys = [key for key in sorted(examples[0].annotated) if key in BUILT_IN]
        gold = (
            (e.words, {(s.start, s.end, BUILT_IN[k]) for s in e.spans for k in s.labels if k in keys})
            for e in examples[:MOST]
        )
        collect(model, gold, {BUILT_IN[k]: LABELS[BUILT_IN[k]].text() for k in keys}, found)
    logits, right = _pairs(model, corpora)
    temperature = fit_temperature(logits, right)
    threshold, _ = best_threshold(sigmoid(logits / temperature), right)
    settings = replace(fitted(model.settings, found), **new_labels.chosen(model, new_labels.development_sets(corpora)))
    return replace(settings, relation_temperature=round(temperature, 4), relation_threshold=round(threshold, 4))


@torch.inference_mode()
def _pairs(model: TextModel, corpora: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits of all relations of held-out pairs with gold entities, and whether they hold."""
    held = list(relation_sources.conll04(corpora / "conll04/dev.txt"))
    texts = relation_sources.CONLL04
    found, right = [], []
    vectors = model.tower.encode_texts([own[1] for own in texts.values()])
    for example, states in zip(held, model.encode([e.words for e in held])):
        rows = torch.tensor([(0, *example.spans[h], *example.spans[t]) for h, t, _ in example.pairs])
        found.append(model.pairs(states[None], rows, vectors).flatten())
        right += [f"conll04:{name}" in holds for *_, holds in example.pairs for name in texts]
    return torch.cat(found).double().numpy(), np.array(right)
