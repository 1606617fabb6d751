"""MGIPS-CL: mutual attention, multi-granularity interweave, and contrast with implicit positives, for names.

MGIPS-CL: Multimodal NER with Multi-Granularity Interweave and Implicit Positive Sample Contrastive Learning. The public
release takes test tweets into training, keeps the checkpoint that is best on test, and leaves its gates at random
values; this is a build from the text, and selects on dev.

    eq. 1-4      encode/mutual.py       two towers, each layer's keys and values extended by the other's
    eq. 5-11     fuse/interweave.py     row- and column-grained excavators, woven between the modalities
    eq. 12, 13   fuse/interweave.py     pre-post gate between words before and after
    eq. 14-17    align/topk.py          implicit positives, and the standard contrast beside them
    eq. 18       decode/tags.py         CRF over words
    eq. 19       recipe/parts.py        sum of the three losses

    recipe(corpus, flavour="paper")     the full system
    ablations(recipe)                   rows of table 3, and ours
    sweeps(recipe)                      figures 6, 7 and 8
    FLAVOURS                            small, improved, paper

Printed values, all in `paper`: three crops of 128 pixels, 48 patches and a class token (section 3.1); embeddings as
they are before layer 1 (eq. 3); a length-changing map and weights that sum to one in the excavator (eq. 5-7); one
interweave layer (section 3.3.2); a gate for each feature (eq. 12); K = 3, chosen by each text, beside the standard
contrast, all losses weighed alike (eq. 15-19); width 768, 12 heads and layers, warm-up 0.06, 5e-5 for BERT, 3e-5 for
CLIP, weight decay 0.01 (section 4.3); 40 epochs (section 4.6.1).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openmie.data.corpus import Corpus
from openmie.errors import RecipeError
from openmie.nn.align.align import Align
from openmie.nn.align.topk import TopK
from openmie.nn.decode.tags import Crf
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.encode.mutual import Mutual
from openmie.nn.fuse.interweave import Interweave
from openmie.papers._figures import PaperFigure
from openmie.papers._flavours import LIGHT, MEAN_POOLED, PAPER, SMALL, checked, slug
from openmie.papers._labels import TWITTER, labels_of
from openmie.papers._mgips_cl_tables import NAME, REPORTED, SETTINGS
from openmie.papers._sweeps import FieldSweep
from openmie.recipe import Group, Recipe, Training

__all__ = ["FIGURES", "FLAVOURS", "NAME", "NOTES", "REPORTED", "SETTINGS", "ablations", "recipe", "sweeps"]

BACKBONES = ("bert-base-uncased", "openai/clip-vit-base-patch32")

FIGURES = {f"figure {n}": PaperFigure(over=sweep) for n, sweep in ((6, "k"), (7, "layers"), (8, "share"))}
FLAVOURS = {
    "small": "built-in towers of two layers of 128 over one whole image of 64 pixels, for the generated corpus",
    "improved": "the paper's size; words bound to patches by attention in the excavator, with weights that keep a "
    "state's size, embeddings projected before layer 1, the gradient's norm clipped",
    "paper": "as printed, with its gaps filled from the release",
}
NOTES = """What the paper leaves open, and what stands here, each a field of the recipe:
tau 0.1: the release's 0.5 leaves its single ratio at chance on a two-view toy, and harms the printed sum of two losses.
K images a text, as printed; the release lets each image choose texts (`anchor="image"`).
f, g of eq. 14: tokens pooled by learned weights, then a linear layer and GELU, after the interweave; the release's
layers over the token axis fix the lengths 40 and 49.
f_1 of eq. 5 in `paper`: a linear layer over the token axis and GELU, from 40 words to 49 visual tokens and back, as in
the release (f_2 is none: the own side has its length); elsewhere attention. Of any length: real tokens take the map's
columns in their order, and beyond its lengths, to which section 4.3 and three crops keep, nothing is read. Padding and
not interpolation, because a place then means the same in every text, as in the release.
M_4 of eq. 6 contracts the tokens, in `paper` by a number for each place, as in the release (with R^(d x 1), as printed,
the softmax is over one entry), elsewhere by a softmax over tokens.
Weights of eq. 6 sum to one in `paper`; elsewhere their mean is one. f_3 of eq. 8: output, residual, norm and MLP.
Layer 1 sees the other side's embeddings as they are in `paper` (eq. 3), elsewhere through that side's own key and value
projections. Q^t of eq. 2 is made of the text. After the towers have read each other every text tells its own image from
the others, and eq. 17 is soon solved.
Batch 32, linear schedule, dropout 0.1. Rates that are not printed, in `paper` from the release: CRF and its linear
layer 5e-2, the contrast's encoders 4.484e-3 (with the printed decay, not the release's 5.73e-3), excavators that of
their side, gates (which the release leaves untrained) 5e-5; elsewhere 1e-2 for the CRF's own scores, 1e-4 for all else.
The gradient's norm is clipped at 10 (eq. 18 is a sum over a sentence, and clipped at 1 nearly every step would be cut),
in `paper` not at all.
Without candidate objects the whole image is read, at the size of a crop. Texts are read whole and a missing image is
masked, but in `paper` a text is cut at 40 tokens, marks included (section 4.3): words beyond get no label, and the
document's record says so; and a document without image has a default picture in its three crops (section 4.1): one
colour, the mean of the preprocessing, which is what the release gives for a missing crop; print does not say which.
The CRF reads words, by their first piece, where print and release tag all pieces and both marks. The row `text`, ours,
reads texts whole in all flavours.
`small`: built-in towers, a learning rate of 1e-3, 4 epochs; beside built-in towers the interweave is 128 wide inside,
so that a step stays its towers'.
`as released` has the release's key for value, raised visual logits, padding that is read, order of the layers, raw
embeddings, scalar gate and single ratio of loss; not its gate that is never trained, its pooling over the token axis,
its column weights less 0.05, its noise on embeddings, nor its zero images.
MiniLM: a vision tower of its size, untrained, beside it; crops of 64 pixels with patches of 16.
"""


def recipe(
    corpus: Corpus | None = None, *, task: str = "", flavour: str = "small", text: str = "", vision: str = ""
) -> Recipe:
    """MGIPS-CL for a corpus's mention labels.

    Args:
        corpus: whose labels are predicted; None: those of Twitter-2017.
        task: `ner`, or "".
        flavour: a name of FLAVOURS.
        text: text encoder, a built-in name, hub id or folder; "": the flavour's.
        vision: vision encoder; "": the flavour's, and beside a built-in text encoder a `tiny-clip` of its size.

    Raises:
        RecipeError: another task, a corpus without mention labels, an unknown flavour.
    """
    checked(flavour, FLAVOURS, "mgips_cl")
    labels, small, paper = labels_of(corpus, TWITTER).mentions, flavour == SMALL, flavour == PAPER
    if task not in ("", "ner") or not labels:
        found = f"task {task!r}" if task not in ("", "ner") else "a corpus without mention labels"
        raise RecipeError(found, expected="ner: MGIPS-CL finds names", remedy="see `baseline` for other tasks")
    text = text or ("tiny" if small else BACKBONES[0])
    built_in = text in ("tiny", *LIGHT)
    vision = vision or ("tiny-clip" if built_in else BACKBONES[1])
    crops: dict[str, Any] = (
        {"image_size": 64} if vision == "tiny-clip" else {}
    )  # 4 x 4 patches of 16 pixels, as printed
    crops |= {"objects": 0, "main_image_with_objects": True} if small else {}
    crops |= PRINTED_INPUTS if paper else {}
    words = Text(name=text, pool="mean" if text in MEAN_POOLED else "first")  # as in the baseline
    mgi = Interweave() if built_in else Interweave(width=768, heads=12, expansion=4)
    return Recipe(
        name=f"mgips-cl-ner-{flavour}",
        encode=Mutual(
            text=words, vision=Vision(name=vision), first_layer_prefix="raw" if paper else "projected", **crops
        ),
        fuse=(replace(mgi, **PRINTED_EXCAVATOR) if paper else mgi,),
        align=(
            Align(
                loss=TopK(),
                first=("fused",),
                second=("vision",),
                stage="fused",
                learned_pooling=True,
                width=0,
                weight=1.0,
                name="ips-cl",
            ),
        ),
        heads=(Crf(labels=labels, loss_per="document"),),
        training=_printed() if paper else _training(text, vision, small),
    )


PRINTED_EXCAVATOR: dict[str, Any] = {"binding": "token_map", "column_pooling": "position", "rescaled": False}  # eq. 5-7
OUR_EXCAVATOR: dict[str, Any] = {"binding": "attention", "column_pooling": "attention", "rescaled": True}
PRINTED_INPUTS: dict[str, Any] = {"text_tokens": 40, "missing_image": "default"}  # sections 4.3 and 4.1


def _printed() -> Training:
    """Section 4.3, and the release's rates for what is not printed."""
    groups = (
        Group(match="encode.text", lr=5e-5),
        Group(match="encode.vision", lr=3e-5),
        Group(match="encode.vision_positions", lr=3e-5),  # of the crops
        Group(match="image_guided", lr=3e-5),
        Group(match="align", lr=4.484e-3),
        Group(match="heads", lr=5e-2),
        Group(lr=5e-5),
    )
    return Training(epochs=40, batch_size=32, param_groups=groups, warmup_ratio=0.06, max_grad_norm=0.0)


def _training(text: str, vision: str, small: bool) -> Training:
    """Section 4.3 with clipping; built-in towers that start at random learn at a higher rate, in few epochs."""
    rates = {
        "encode.text": 1e-3 if text == "tiny" else 5e-5,
        "encode.vision": 1e-3 if vision == "tiny-clip" else 3e-5,
        "crf": 1e-2,
    }
    if not small:
        rates["encode.vision_positions"] = rates["encode.vision"]  # of the crops; in `small` the rest has this rate
    groups = [Group(match=name, lr=lr, weight_decay=0.0 if name == "crf" else 0.01) for name, lr in rates.items()]
    rest = Group(lr=1e-3 if text == "tiny" else 1e-4)
    return Training(
        epochs=4 if small else 40, batch_size=32, param_groups=(*groups, rest), warmup_ratio=0.06, max_grad_norm=10.0
    )


def ablations(r: Recipe) -> dict[str, Recipe]:
    """Rows of table 3, each one change away from the full system, and below them ours."""
    encode: Any = r.encode
    (mgi,), (align,) = r.fuse, r.align

    def woven(**change: Any) -> dict[str, Any]:
        return {"fuse": (replace(mgi, **change),)}

    def aligned(**change: Any) -> dict[str, Any]:
        return {"align": (replace(align, loss=replace(align.loss, **change)),)}

    text = Dual(text=encode.text)
    released = replace(encode, as_released=True, order="vision_first", first_layer_prefix="raw")
    found: dict[str, dict[str, Any]] = {
        "w/o IPS-CL": aligned(topk_weight=0.0),
        "w/o MGI": {"fuse": ()},
        "w/o row-grained": woven(row=False),
        "w/o column-grained": woven(column=False),
        "w/o gate": woven(gate="none"),
        "scalar gate": woven(gate="scalar"),
        "w/o exchange": {"encode": replace(encode, exchange=False)},
        "w/o CL": aligned(pair_weight=0.0),
        "w/o alignment": {"align": ()},
        "text": {"encode": text, "fuse": (), "align": ()},
        "as released": {
            **woven(gate="scalar"),
            **aligned(as_released=True, anchor="image", tau=0.5),
            "encode": released,
        },
    }
    if mgi.binding == "attention":
        found["printed excavator"] = woven(**PRINTED_EXCAVATOR)
    else:
        found["attention in the excavator"] = woven(**OUR_EXCAVATOR)
    return {name: replace(r, name=f"{r.name}-{slug(name)}", **change) for name, change in found.items()}


def sweeps(r: Recipe) -> dict[str, FieldSweep]:
    """K of figure 6 and the adaptive one, interweave encoders of figure 7, shares of training data of figure 8."""
    return {
        "k": FieldSweep(r, ("align.0.loss.k",), (*range(1, 7), "adaptive")),
        "layers": FieldSweep(r, ("fuse.0.layers",), (*range(1, 8),)),
        "share": FieldSweep(r, ("training.train_fraction",), (0.1, 0.2, 0.3, 0.4, 0.5, 1.0)),
        "order": FieldSweep(r, ("encode.order",), ("lagged", "vision_first")),
        "first": FieldSweep(r, ("encode.first_layer_prefix",), ("projected", "raw", "none")),
    }
