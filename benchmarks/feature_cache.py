"""A training step with a frozen vision tower: its states from the feature cache, beside the tower run each step.

    python benchmarks/feature_cache.py [HOST ...]

CAMIM on TMR (B 8) and on HVPNeT (B 8), MiniLM, ResNet-50 at 224 pixels of random weights, T 32 words, a caption of 20,
an image with three objects, on TMR as many of a generated image. Each step is collate, forward and backward; the cache
is a file that was filled before. The two take turns in one run. Target: at least 2.5 times faster.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from train_step import LABELS, documents, resnet

from openmie.model.pretrained import Model
from openmie.nn.encode.dual import Vision
from openmie.papers import camim
from openmie.train.feature_cache import cache_frozen


def measure(name: str, model: Model, folder: Path, repeat: int = 5) -> None:
    plain = model.featurizer.featurize(documents(8, 32), gold=True)
    cached = deepcopy(plain)
    cache_frozen(model, cached, folder / f"{name}.sqlite")
    model.extractor.train()
    times: dict[str, list[float]] = {"tower": [], "cache": []}
    for round_ in range(repeat + 1):
        for key, examples in (("tower", plain), ("cache", cached)):
            model.extractor.zero_grad(set_to_none=True)
            start = time.perf_counter()
            model.extractor(model.featurizer.collate(examples)).total.backward()
            if round_:
                times[key].append(time.perf_counter() - start)
    tower, cache = (statistics.median(times[k]) for k in ("tower", "cache"))
    print(f"{name:8} tower {1000 * tower:.0f} ms, cache {1000 * cache:.0f} ms, {tower / cache:.1f} times faster")


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as at:
        made = camim.recipe(LABELS, flavour="improved", text="minilm", vision=resnet(Path(at) / "resnet"))
        tmr = replace(made, encode=replace(made.encode, vision=Vision(name=made.encode.vision.name, freeze=True)))
        for host, recipe in {"TMR": tmr, "HVPNeT": camim.hvpnet(tmr)}.items():
            if host in (sys.argv[1:] or ("TMR", "HVPNeT")):
                torch.manual_seed(0)
                measure(host, Model.new(recipe), Path(at))
