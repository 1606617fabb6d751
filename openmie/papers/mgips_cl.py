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
from openmie.papers._flavours import PAPER, SMALL, checked, slug
from openmie.papers._labels import TWITTER, labels_of
from openmie.papers._sweeps import FieldSweep
from openmie.papers._tables import read_table
from openmie.recipe import Group, Recipe, Training

NAME = "MGIPS-CL"
BACKBONES = ("bert-base-uncased", "openai/clip-vit-base-patch32")

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
the release (f_2 is none: the own side has its length already). Elsewhere attention. M_4 of eq. 6 contracts the tokens.
Weights of eq. 6 sum to one in `paper`; elsewhere their mean is one. f_3 of eq. 8: output, residual, norm and MLP.
Layer 1 sees the other side's embeddings as they are in `paper` (eq. 3), elsewhere through that side's own key and value
projections. Q^t of eq. 2 is made of the text. After the towers have read each other every text tells its own image from
the others, and eq. 17 is soon solved.
Batch 32, linear schedule, dropout 0.1. Rates that are not printed, in `paper` from the release: CRF and its linear
layer 5e-2, the contrast's encoders 4.484e-3 with a decay of 5.73e-3, excavators that of their side, gates (which the
release leaves untrained) 5e-5; elsewhere 1e-2 for the CRF's own scores, 1e-4 for all else. The gradient's norm is
clipped at 10 (eq. 18 is a sum over a sentence, and clipped at 1 nearly every step would be cut), in `paper` not at all.
Without candidate objects the whole image is read, at the size of a crop. A missing image is masked, where the paper
puts a default picture. Texts are read whole, in all flavours; the paper cuts them at 40 tokens.
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
    built_in = text in ("tiny", "minilm")
    vision = vision or ("tiny-clip" if built_in else BACKBONES[1])
    crops: dict[str, Any] = (
        {"image_size": 64} if vision == "tiny-clip" else {}
    )  # 4 x 4 patches of 16 pixels, as printed
    crops |= {"objects": 0, "main_image_with_objects": True} if small else {}
    words = Text(name=text, pool="mean" if text == "tiny" else "first")  # as in the baseline
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


PRINTED_EXCAVATOR: dict[str, Any] = {"binding": "token_map", "rescaled": False}  # eq. 5-7
OUR_EXCAVATOR: dict[str, Any] = {"binding": "attention", "rescaled": True}


def _printed() -> Training:
    """Section 4.3, and the release's rates for what is not printed."""
    groups = (
        Group(match="encode.text", lr=5e-5),
        Group(match="encode.vision", lr=3e-5),
        Group(match="encode.vision_positions", lr=3e-5),  # of the crops
        Group(match="image_guided", lr=3e-5),
        Group(match="align", lr=4.484e-3, weight_decay=5.73e-3),
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


# Published numbers. Table 2: F1 of each type, then precision, recall and F1, for Twitter-2015 and for Twitter-2017.
COLUMNS = {"twitter2015": "T-15", "twitter2017": "T-17"}
MEASURES = [f"{corpus}{m}" for corpus in ("T-15", "T-17") for m in (" PER", " LOC", " ORG", " MISC", " P", " R", "")]
TABLE_2 = f"""
BiLSTM-CRF          76.77 72.56 41.33 26.80 68.14 61.09 64.42  85.12 72.68 72.5  52.56 79.42 73.43 76.31
CNN-BiLSTM-CRF      80.86 75.39 47.77 32.61 66.24 68.09 67.15  87.99 77.44 74.02 60.82 80.00 78.76 79.37
BERT                84.72 79.91 58.26 38.81 68.30 74.61 71.32  90.88 84.00 79.25 61.63 82.19 83.72 82.95
BERT-CRF            84.74 80.51 60.27 37.29 69.22 74.59 71.81  90.25 83.05 81.13 62.21 83.32 83.57 83.44
BERT-BiLSTM-CRF     84.32 79.31 61.66 37.53 71.03 73.57 72.27  90.29 84.55 80.97 64.85 83.20 84.68 83.93
ChatGPT             -     -     -     -     -     -     50.21  -     -     -     -     -     -     57.50
GPT-4               -     -     -     -     -     -     57.98  -     -     -     -     -     -     66.61
CoT (ChatGPT)       -     -     -     -     -     -     76.53  -     -     -     -     -     -     87.79
UMIE (Flan-T5)      -     -     -     -     -     -     76.10  -     -     -     -     -     -     88.10
AdaCAN              81.98 78.95 53.07 34.02 72.75 68.74 70.69  89.63 77.46 79.24 62.77 84.16 80.24 82.15
AdaCAN-BERT-CRF     85.28 80.64 59.39 38.88 69.87 74.59 72.15  90.20 82.97 82.67 64.83 85.13 83.20 84.10
UMT                 85.24 81.58 63.03 39.45 71.84 74.61 73.20  91.56 84.73 82.24 70.10 85.08 85.27 85.18
MEGA                -     -     -     -     70.35 74.58 72.35  -     -     -     -     84.03 84.75 84.39
UMGF                84.26 83.17 62.45 42.42 74.49 75.21 74.85  91.92 85.22 83.13 69.83 86.54 84.50 85.51
MAF                 84.67 81.18 63.35 41.82 71.86 75.10 73.42  91.51 85.80 85.10 68.79 86.13 86.38 86.25
M3S                 86.05 81.32 62.97 41.36 74.92 75.14 75.03  92.73 84.81 82.49 69.53 86.93 85.21 86.06
CAT-MNER            85.57 81.97 61.12 40.20 76.19 74.65 75.41  91.90 85.96 83.38 68.67 87.04 84.97 85.99
FMIT                86.77 83.93 64.88 42.97 75.11 77.43 76.25  93.14 86.52 83.93 70.90 87.51 86.08 86.79
HVPNet              -     -     -     -     73.87 76.82 75.32  -     -     -     -     85.84 87.93 86.87
MKGFormer           -     -     -     -     -     -     -      -     -     -     -     86.98 88.01 87.49
BFCL                85.60 81.77 63.81 40.30 74.02 75.07 74.54  91.17 86.43 83.97 66.67 85.99 85.42 85.70
MNER-QG             85.31 81.65 63.41 41.32 77.43 72.15 74.70  90.90 86.19 84.52 71.67 88.26 85.65 86.94
DebiasCL            85.97 81.84 64.02 43.38 74.45 76.13 75.28  93.46 84.15 84.42 67.88 87.59 86.11 86.84
MPMRC-MNER          85.88 83.06 66.60 42.99 77.15 75.39 76.26  92.80 86.80 83.40 72.79 87.10 87.16 87.13
BGA-MNER            86.80 83.62 63.60 42.65 78.60 74.16 76.31  93.71 85.55 85.71 71.05 87.71 87.71 87.71
MCG-MNER            -     -     -     -     76.00 77.32 76.65  -     -     -     -     87.59 88.52 88.05
TMR                 -     -     -     -     75.26 76.49 75.87  -     -     -     -     88.12 88.38 88.25
ICKA                87.01 83.85 65.87 48.28 72.36 78.75 75.42  93.99 87.24 86.24 75.76 85.13 89.19 87.12
VEC-MNER            86.11 81.03 62.86 40.60 74.56 75.23 74.89  93.88 81.27 85.49 73.40 87.42 87.61 87.51
{NAME}            86.83 82.72 66.20 46.02 77.70 76.04 76.86  94.87 85.88 85.68 73.31 88.29 88.75 88.52
"""
TABLE_3 = f"""
{NAME}              77.70 76.04 76.86  88.29 88.75 88.52
w/o IPS-CL            74.66 77.08 75.85  87.20 88.23 87.71
w/o MGI               75.09 76.81 75.94  86.87 87.92 87.39
w/o row-grained       76.03 76.70 76.36  88.25 87.92 88.08
w/o column-grained    76.12 76.70 76.41  87.79 88.52 88.15
"""


REPORTED: dict[str, dict[str, dict[str, float | None]]] = {
    "table 3": read_table(TABLE_3, [m for m in MEASURES if m[4:] in (" P", " R", "")]),
    "table 2": read_table(TABLE_2, MEASURES),
}
