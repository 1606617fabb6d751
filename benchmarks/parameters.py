"""How many parameters Shap-CA has with the paper's backbones, built from their configs without weights (table 4).

python benchmarks/parameters.py
"""

from __future__ import annotations

import torch
from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel

from openmie.data.corpus import Corpus, Labels
from openmie.model.extractor import Extractor
from openmie.nn.encode.towers import VisionTower
from openmie.papers import shap_ca

CORPORA = {
    "twitter2017": Labels(mentions=("LOC", "MISC", "ORG", "PER")),
    "mnre": Labels(relations=("None", *(f"relation {i}" for i in range(22)))),
    "jmere": Labels(mentions=("loc", "misc", "org", "per"), relations=tuple(f"relation {i}" for i in range(21))),
}


def count(name: str) -> dict[str, float]:
    """Millions of parameters: text, vision, the rest, all."""
    recipe = shap_ca.recipe(Corpus(name, {}, declared=CORPORA[name]), flavour="paper")
    with torch.device("meta"):
        text = BertModel(BertConfig(), add_pooling_layer=False)
        vision = VisionTower(ResNetModel(ResNetConfig(depths=[3, 8, 36, 3])))
        whole = Extractor.build(recipe, text, vision)
    sizes = [sum(p.numel() for p in m.parameters()) / 1e6 for m in (text, vision, whole)]
    return {"text": sizes[0], "vision": sizes[1], "rest": sizes[2] - sizes[0] - sizes[1], "all": sizes[2]}


if __name__ == "__main__":
    reported = shap_ca.REPORTED["table 4"]["Shap-CA"]["parameters, M"]
    for corpus in CORPORA:
        print(corpus, {k: round(v, 2) for k, v in count(corpus).items()}, f"printed: {reported}")
