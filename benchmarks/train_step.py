"""A training step beside its backbones alone: MiniLM, B 32, T 32 words, forward and backward, optimiser aside.

    python benchmarks/train_step.py

Prints the ratio of medians, step / backbone, measured interleaved in one run. The step is collate, encoder, word
pooling, CRF loss (and, for `cross`, vision tower, fusion, alignment) and backward; the backbones alone are what the
transformers library (and the vision tower) does on the same tensors.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from openmie.corpora.corpus import Corpus, Labels
from openmie.document import Document, Image
from openmie.model import Model
from openmie.papers import baseline

LABELS = Corpus("bench", {}, declared=Labels(mentions=("LOC", "MISC", "ORG", "PER")))


def documents(n: int = 32, words: int = 32) -> list[Document]:
    draw = np.random.default_rng(0)
    stock = ["the", "game", "city", "team", "new", "photo", "today", "river", "band", "star", "club", "road", "fans"]
    return [
        Document.from_words(
            f"d{i}",
            [stock[j] for j in draw.integers(0, len(stock), words)],
            images=(Image(id="main", pixels=draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)),),
        )
        for i in range(n)
    ]


def measure(name: str, model: Model, repeat: int = 15) -> None:
    examples = model.batcher.examples(documents(), gold=True)
    batch, encode = model.batcher.collate(examples), model.extractor.encode
    model.extractor.train()

    def step() -> None:
        model.extractor(model.batcher.collate(examples)).total.backward()

    def alone() -> None:
        total = encode.text_states(batch.inputs).square().mean()
        if encode.vision is not None:
            total = total + encode.vision_states(batch.inputs).square().mean()
        total.backward()

    times: dict[str, list[float]] = {"step": [], "alone": []}
    for round_ in range(repeat + 2):
        for key, work in (("step", step), ("alone", alone)):
            model.extractor.zero_grad(set_to_none=True)
            start = time.perf_counter()
            work()
            if round_ >= 2:
                times[key].append(time.perf_counter() - start)
    a, b = (statistics.median(times[k]) for k in ("step", "alone"))
    low, high = (min(times[k]) for k in ("step", "alone"))
    print(
        f"{name:14} step {1000 * a:.0f} ms, backbones alone {1000 * b:.0f} ms, "
        f"ratio {a / b:.3f} (of minima {low / high:.3f})"
    )


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads")
    torch.manual_seed(0)
    full = baseline.recipe(LABELS, text="minilm")
    measure("text", Model.new(baseline.ablations(full)["text"]))
    measure("text softmax", Model.new(baseline.ablations(full)["text softmax"]))
    measure("cross", Model.new(full))
