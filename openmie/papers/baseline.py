"""Baselines: a text-only tagger or relation classifier, and the same with cross-attention over image patches.

Not a published system but the common ground under the published ones: encoder + CRF (Lample et al., 2016, with a
transformer in the LSTM's place), encoder + entity markers (Soares et al., 2019), cross-attention from words to patches
as in UMT (Yu et al., 2020), InfoNCE between the pooled modalities (Radford et al., 2021).

    recipe(corpus, task="ner" | "re" | "joint", flavour="small")    the full system, `cross`
    ablations(recipe)                   `text`: no image at all; `w/o alignment`; `softmax`: no CRF
    FLAVOURS                            small, pretrained
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openmie.data.corpus import Corpus
from openmie.errors import RecipeError
from openmie.nn.align.align import Align
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.decode.tags import Crf, Softmax
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.fuse.cross import Cross
from openmie.papers._flavours import MEAN_POOLED, checked
from openmie.papers._labels import JMERE, MNRE, TWITTER, labels_of
from openmie.recipe import Group, Recipe, Training

FLAVOURS = {
    "small": "built-in encoders that start at random; for the generated corpus",
    "pretrained": "MiniLM, a small pretrained text encoder; for real posts",
}
REPORTED: dict[str, float] = {}  # no paper, no published number
NOTES = """Selection on dev, strict F1. Learning rates follow the encoder: one that starts at random learns faster. It
reads a word as the mean of its pieces: made-up names share pieces, and seldom their first."""


def recipe(
    corpus: Corpus | None = None,
    *,
    task: str = "",
    flavour: str = "small",
    text: str = "",
    vision: str = "tiny",
    context: str = "",
) -> Recipe:
    """The `cross` baseline for a corpus's labels.

    Args:
        corpus: whose labels are predicted; None: those of Twitter-2017, or for other tasks of MNRE and JMERE.
        task: `ner`, `re` or `joint`; "": what the corpus has labels for, mentions before relations.
        flavour: a name of FLAVOURS.
        text: text encoder, a built-in name, hub id or folder; "": the flavour's.
        vision: vision encoder.
        context: generator of the captions that are read with the text; "": none.

    Raises:
        RecipeError: an unknown task or flavour.
    """
    small = checked(flavour, FLAVOURS, "baseline") == "small"
    labels = labels_of(corpus, {"re": MNRE, "joint": JMERE}.get(task, TWITTER))
    task = task or ("ner" if labels.mentions or not labels.relations else "re")
    text = text or ("tiny" if small else "minilm")
    symmetric = tuple(sorted(labels.symmetric & set(labels.relations)))
    links = EntityMarkers(labels=labels.relations, symmetric=symmetric)
    heads: dict[str, tuple[Any, ...]] = {
        "ner": (Crf(labels=labels.mentions),),
        "re": (links,),
        "joint": (Crf(labels=labels.mentions), replace(links, markers=False)),
    }
    if task not in heads:
        raise RecipeError.unknown("task", task, heads, where="baseline")
    tiny = text == "tiny"
    groups = (
        Group(match="encode.text", lr=1e-3 if tiny else 5e-5),
        Group(match="encode.vision", lr=1e-3 if vision == "tiny" else 5e-5),
        Group(match="crf", lr=1e-2, weight_decay=0.0),
        Group(match="", lr=1e-3 if tiny else 3e-4),
    )
    words = Text(name=text, pool="mean" if text in MEAN_POOLED else "first")
    return Recipe(
        name=f"baseline-{task}-{flavour}",
        encode=Dual(text=words, vision=Vision(name=vision), context=context),
        fuse=(Cross(),),
        align=(Align(),),
        heads=heads[task],
        training=Training(epochs=4 if tiny else 8, param_groups=groups),
    )


def ablations(r: Recipe) -> dict[str, Recipe]:
    """Name -> recipe, each one change away from the full system."""
    encode: Any = r.encode
    text = replace(r, name=r.name + "-text", encode=replace(encode, vision=None), fuse=(), align=())
    plain = tuple(Softmax(labels=h.labels) if isinstance(h, Crf) else h for h in r.heads)
    found = {"text": text, "w/o alignment": replace(r, name=r.name + "-noalign", align=())}
    if plain != r.heads:
        found["softmax"] = replace(r, name=r.name + "-softmax", heads=plain)
        found["text softmax"] = replace(text, name=r.name + "-text-softmax", heads=plain)
    return found
