"""A training step beside its backbones alone: MiniLM, forward and backward, optimiser aside.

    python benchmarks/train_step.py [NAME ...]

The baselines at B 32, T 32 words; Shap-CA at B 28, T 64 words and a context of 20; MGIPS-CL at B 32, T 40 words and
three crops of 4 x 4 patches (49 visual tokens), as printed; CAMIM on TMR at B 16 and on HVPNeT at B 32, T 32 words, a
caption of 20, an image and three objects, on TMR as many of a generated image, with the built-in vision tower, and at
B 4 with a ResNet-50 of random weights at 224 pixels, the paper's. Prints the ratio of medians, step /
backbone, measured interleaved in one run, and the share of the alignments in the step. The step is collate, encoder,
word pooling, fusion, alignments, the head's loss and backward; the backbones alone are what the transformers library
and the vision tower do on the same tensors, captions' own passes among them, for MGIPS-CL the two towers with each
other's keys and values.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import ResNetConfig, ResNetModel, ViTImageProcessor

from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document, Image, Mention, Relation
from openmie.model.features.encoded_document import Batch
from openmie.model.pretrained import Model
from openmie.nn.encode.dual import encode_separately
from openmie.nn.encode.mutual import MutualEncoder
from openmie.nn.encode.prefix import PrefixEncoder
from openmie.papers import baseline, camim, mgips_cl, shap_ca

KINDS = Labels(mentions=("LOC", "MISC", "ORG", "PER"), relations=("None", *(f"relation {i}" for i in range(22))))
LABELS = Corpus("bench", {}, declared=KINDS)


def documents(n: int = 32, words: int = 32) -> list[Document]:
    draw = np.random.default_rng(0)
    stock = ["the", "game", "city", "team", "new", "photo", "today", "river", "band", "star", "club", "road", "fans"]
    return [
        Document.from_words(
            f"d{i}",
            [stock[j] for j in draw.integers(0, len(stock), words)],
            images=[
                picture(draw, "main"),
                *(picture(draw, "object", f"object{n}") for n in range(3)),
                picture(draw, "generated", "made"),
                *(picture(draw, "object", f"made{n}", "made") for n in range(3)),
            ],
            captions={"made": " ".join(stock[j] for j in draw.integers(0, len(stock), 20))},
            mentions=[Mention(id="a", start=0, end=3, label="PER"), Mention(id="b", start=4, end=8, label="LOC")],
            relations=[Relation(head="a", tail="b", label="relation 3")],
        )
        for i in range(n)
    ]


def picture(draw: np.random.Generator, kind: Any, name: str = "", parent: str = "") -> Image:
    return Image(kind=kind, id=name, parent=parent, pixels=draw.integers(0, 256, (64, 64, 3), dtype=np.uint8))


def resnet(folder: Path) -> str:
    """A ResNet-50 of random weights, as a folder of the hub."""
    torch.manual_seed(0)
    ResNetModel(ResNetConfig()).save_pretrained(folder)
    ViTImageProcessor(size={"height": 224, "width": 224}).save_pretrained(folder)
    return str(folder)


def backbones_alone(model: Model, batch: Batch) -> torch.Tensor:
    """A scalar of what the backbones make of a batch, and of nothing else: its backward pass is theirs."""
    encode, inputs = model.extractor.encode, batch.inputs
    if isinstance(encode, MutualEncoder):
        text, vision, *_ = encode.towers(inputs)
        return text.square().mean() + vision.square().mean()
    if isinstance(encode, PrefixEncoder):  # whose text reads images as keys: its backbone alone does not
        read = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
        total = encode.text(**read).last_hidden_state.square().mean()
    else:
        total = encode.text_states(inputs).square().mean()
    for role in ("context", "phrases"):
        if f"{role}_input_ids" in inputs:
            total = total + encode_separately(encode.text, inputs, role, len(inputs["words"]), 1).tokens.square().mean()
    return total if encode.vision is None else total + encode.vision_states(inputs).square().mean()


def measure(name: str, model: Model, posts: list[Document], repeat: int = 15) -> None:
    examples = model.featurizer.featurize(posts, gold=True)
    batch = model.featurizer.collate(examples)
    model.extractor.train()

    def step() -> None:
        model.extractor(model.featurizer.collate(examples)).total.backward()

    def alone() -> None:
        backbones_alone(model, batch).backward()

    with torch.no_grad():
        taps = dict(zip(("encoded", "fused"), model.extractor.streams(batch.inputs)[:2]))

    def aligned() -> None:
        sides = {
            at: {k: v.with_tokens(v.tokens.clone().requires_grad_()) for k, v in streams.items()}
            for at, streams in taps.items()
        }
        total = sum(loss for a in model.extractor.align for _, loss in a(sides[a.stage]).losses.values())
        if torch.is_tensor(total):
            total.backward()

    works = {"step": step, "alone": alone, "align": aligned}
    times: dict[str, list[float]] = {key: [] for key in works}
    for round_ in range(repeat + 2):
        for key, work in works.items():
            model.extractor.zero_grad(set_to_none=True)
            start = time.perf_counter()
            work()
            if round_ >= 2:
                times[key].append(time.perf_counter() - start)
    a, b, c = (statistics.median(times[k]) for k in works)
    low, high = (min(times[k]) for k in ("step", "alone"))
    print(
        f"{name:14} step {1000 * a:.0f} ms, backbones alone {1000 * b:.0f} ms, "
        f"ratio {a / b:.3f} (of minima {low / high:.3f}), alignments {100 * c / a:.1f}% of the step"
    )


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads")
    torch.manual_seed(0)
    full = baseline.recipe(LABELS, task="ner", flavour="pretrained")
    shapley = {
        t: shap_ca.recipe(LABELS, task=t, flavour="improved", text="minilm", vision="tiny")
        for t in ("ner", "re", "joint")
    }
    systems = {"text": baseline.ablations(full)["text"], "text softmax": baseline.ablations(full)["text softmax"]}
    systems |= {"cross": full} | {f"Shap-CA {t}": r for t, r in shapley.items()}
    systems |= {"MGIPS-CL": mgips_cl.recipe(LABELS, flavour="improved", text="minilm")}
    where = tempfile.TemporaryDirectory()
    for vision, name in (("tiny", ""), (resnet(Path(where.name)), " ResNet-50")):
        tmr = camim.recipe(LABELS, flavour="improved", text="minilm", vision=vision)
        systems |= {f"CAMIM TMR{name}": tmr, f"CAMIM HVPNeT{name}": camim.hvpnet(tmr)}
    sizes = {"Shap-CA": (28, 64), "MGIPS-CL": (32, 40), "CAMIM TMR": (16, 32)}
    sizes = {**dict.fromkeys(("CAMIM TMR ResNet-50", "CAMIM HVPNeT ResNet-50"), (4, 32)), **sizes}
    for one in sys.argv[1:] or systems:
        size = next((found for name, found in sizes.items() if one.startswith(name)), (32, 32))
        measure(one, Model.new(systems[one]), documents(*size))
