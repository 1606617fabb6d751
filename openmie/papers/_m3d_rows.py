"""Rows of M3D's tables that need many fields: the release's modules, the baselines of table III, other boxes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openmie.nn.complete.blank import Blank
from openmie.nn.complete.prompt_conv import PromptConv
from openmie.nn.decode.chain_relations import ChainRelations
from openmie.nn.decode.chains import Chains
from openmie.nn.decode.regions import Regions
from openmie.nn.decode.tags import Crf
from openmie.nn.encode.dual import Vision
from openmie.nn.fuse.denoised import Denoised
from openmie.nn.fuse.one_stream import OneStream
from openmie.nn.fuse.two_stream import TwoStream
from openmie.recipe import Recipe

RANDOM = ("tiny", "characters")  # text encoders that start at random
VIDEOS = {"VideoMAE": "MCG-NJU/videomae-base", "ViViT": "google/vivit-b-16x2-kinetics400"}
PRINTED_BOXES: dict[str, Any] = {  # eq. 18, 22-24
    "slots": "frame",
    "match": "order",
    "giou_weight": 0.0,
    "l1_weight": 1.0,
    "no_object_weight": 1.0,
    "links": False,
}
RELEASED_FUSION = Denoised(
    sigmoid=True,
    project=False,
    own_keys=True,
    mix="scalar",
    norm=False,
    residual_norm="released",
    word_ffn=True,
    frame_table=120,
    pool="sum",
    attention_dropout=0.5,
)


def heads_with(r: Recipe, kind: Any, **change: Any) -> tuple[Any, ...]:
    """The heads, those of one kind changed."""
    heads: tuple[Any, ...] = r.heads
    return tuple(replace(h, **change) if isinstance(h, kind) else h for h in heads)


def slots(r: Recipe) -> dict[str, dict[str, Any]]:
    """Boxes that look at patches, as a set, or the paper's slots; nothing where no frame's boxes are predicted."""
    if any(isinstance(h, Regions) and h.slots == "frame" for h in r.heads):
        return {
            "boxes by patches": {
                "heads": heads_with(r, Regions, slots="patches", match="set", l1_weight=5.0, giou_weight=2.0)
            }
        }
    return {"slots of the paper": {"heads": heads_with(r, Regions, slots="frame")}}


def baselines(r: Recipe) -> dict[str, dict[str, Any]]:
    """Table III: two fusions, over video towers or, with the built-in encoders, over these."""
    encode: Any = r.encode
    fusions = {"Os": OneStream(), "Ts": TwoStream()}
    if encode.text.name in RANDOM:
        return {f"tiny+{x}": {"complete": Blank(), "fuse": (fusion,)} for x, fusion in fusions.items()}
    return {
        f"{video}+Longformer+{x}": {
            "complete": Blank(),
            "fuse": (fusion,),
            "encode": replace(encode, vision=Vision(name=name), image_size=224),
        }
        for video, name in VIDEOS.items()
        for x, fusion in fusions.items()
    }


def released(r: Recipe) -> dict[str, Any]:
    """The release's groups of layers, DFFM, heads of chains, relations and regions, and selection; none of ours.

    Not its slips (pixels, shifted words, its scorer), nor its one label for both directions of a pair of mentions, its
    pairs that are skipped, and MMCM, which it never runs as shipped: here with its kernel of 1. It keeps how tags are
    counted, the encoders and how long they are trained.
    """
    heads: list[Any] = []
    encode: Any = r.encode
    types = next(h.labels for h in r.heads if isinstance(h, Crf))
    for head in r.heads:
        head = replace(head, weight=1.0)
        if isinstance(head, Chains):
            head = replace(head, similarity_init=0.0, norm=False, link="closure", dropout_of="scores")
        if isinstance(head, ChainRelations):
            plain: dict[str, Any] = {"norm": False, "joint": False, "dropout_of": "scores"}
            head = replace(head, mentions=types, decide="one", aggregation="vote", **plain)
        if isinstance(head, Regions):
            head = replace(head, **PRINTED_BOXES, box_loss="every")
        heads.append(head)
    return {
        "encode": replace(encode, as_released=True, conv_width=0, text=replace(encode.text, attention_dropout=None)),
        "complete": PromptConv(kernel=1),
        "fuse": (RELEASED_FUSION,),
        "heads": tuple(heads),
        "training": replace(r.training, selection_metric="released"),
    }
