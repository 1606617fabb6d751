"""MGIPS-CL: mutual attention, multi-granularity interweave, and contrast with implicit positives, for names.

MGIPS-CL: Multimodal NER with Multi-Granularity Interweave and Implicit Positive Sample Contrastive Learning. The public
release takes test tweets into training, keeps the checkpoint that is best on test, and leaves its gates at random
values; this is a build from the text, and selects on dev.

    eq. 1-4      encode/mutual.py       two towers, each layer's keys and values extended by the other's
    eq. 5-11     fuse/interweave.py     row- and column-grained excavators, woven between the sides
    eq. 12, 13   fuse/interweave.py     pre-post gate between words before and after
    eq. 14-17    align/topk.py          implicit positives, and the standard contrast beside them
    eq. 18       decode/tags.py         CRF over words
    eq. 19       recipe/parts.py        sum of the three losses

    recipe(corpus=...)      the full system
    ablations(recipe)       rows of table 3, and ours
    sweeps(recipe)          figures 6, 7 and 8
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
from openmie.papers._tables import read_table
from openmie.recipe import Group, Recipe, Training

NAME = "MGIPS-CL"
BACKBONES = ("bert-base-uncased", "openai/clip-vit-base-patch32")

NOTES = """What the paper leaves open, and what stands here, each a field of the recipe:
tau 0.1: the release's 0.5 leaves its single ratio at chance on a two-view toy, and harms the printed sum of two losses.
K images a text, as printed; the release lets each image choose texts (`side="image"`).
f, g of eq. 14: tokens pooled by learned weights, then a linear layer and GELU, after the interweave; the release's
layers over the token axis fix the lengths 40 and 49.
Layer 1 sees the other side's embeddings through that side's own key and value projections; printed: unprojected.
After the towers have read each other every text tells its own image from the others, and eq. 17 is soon solved.
Batch 32, 40 epochs (section 4.6.1 names 40), linear schedule; learning rate 1e-2 for the CRF, 1e-4 for all else.
The gradient's norm is clipped at 10: eq. 18 is a sum over a sentence, and clipped at 1 nearly every step would be cut.
Without candidate objects the whole image is read, at the size of a crop. A missing image is masked, where the paper
puts a default picture.
Diorama: built-in towers of 2 layers of 128, one whole image of 64 pixels, a learning rate of 1e-3, 4 epochs.
Texts are read whole, in windows; the paper cuts them at 40 pieces. Dropout 0.1; beside built-in towers the interweave
is 128 wide inside, so that a step stays its towers'.
`as released` has the release's key for value, raised visual logits, padding that is read, order of the layers, raw
embeddings, scalar gate and single ratio of loss; not its gate that is never trained, its lengths baked into weights,
its column weights less 0.05, its noise on embeddings, nor its zero images and rates.
MiniLM: a vision tower of its size, untrained, beside it; crops of 64 pixels with patches of 16.
"""


def recipe(corpus: Corpus, *, task: str = "", text: str = "", vision: str = "") -> Recipe:
    """MGIPS-CL for a corpus's mention labels, with the paper's hyper-parameters.

    By default the backbones are the paper's, for Diorama the built-in ones; beside `text="minilm"` the vision tower is
    a `twin` of its size. Errors: another task than `ner`, a corpus without mention labels.
    """
    labels, generated = corpus.labels.mentions, corpus.name.startswith("diorama")
    if task not in ("", "ner") or not labels:
        found = f"task {task!r}" if task not in ("", "ner") else "a corpus without mention labels"
        raise RecipeError(found, expected="ner: MGIPS-CL finds names", remedy="see `baseline` for other tasks")
    text = text or ("tiny" if generated else BACKBONES[0])
    built_in = text in ("tiny", "minilm")
    vision = vision or ("twin" if built_in else BACKBONES[1])
    crops: dict[str, Any] = {"size": 64} if vision == "twin" else {}  # its patches are of 16 pixels: 4 x 4, as printed
    crops |= {"objects": 0, "full": True} if generated else {}
    words = Text(name=text, pool="mean" if text == "tiny" else "first")  # as in the baseline
    return Recipe(
        name="mgips-cl-ner",
        encode=Mutual(text=words, vision=Vision(name=vision), **crops),
        fuse=(Interweave() if built_in else Interweave(width=768, heads=12, expansion=4),),
        align=(
            Align(
                loss=TopK(),
                first=("fused",),
                second=("vision",),
                at="fused",
                learned=True,
                width=0,
                weight=1.0,
                name="ips-cl",
            ),
        ),
        heads=(Crf(labels=labels, per="document"),),
        training=_training(text, vision, generated),
    )


def _training(text: str, vision: str, generated: bool) -> Training:
    """Section 4.3; built-in towers that start at random learn at a higher rate, in few epochs."""
    rates = {
        "encode.text": 1e-3 if text == "tiny" else 5e-5,
        "encode.vision": 1e-3 if vision == "twin" else 3e-5,
        "crf": 1e-2,
    }
    if not generated:
        rates["encode.vision_positions"] = rates["encode.vision"]  # of the crops; on Diorama the rest has this rate
    groups = [Group(match=name, lr=lr, weight_decay=0.0 if name == "crf" else 0.01) for name, lr in rates.items()]
    rest = Group(lr=1e-3 if text == "tiny" else 1e-4)
    return Training(epochs=4 if generated else 40, batch=32, groups=(*groups, rest), warmup=0.06, clip=10.0)


def ablations(r: Recipe) -> dict[str, Recipe]:
    """Rows of table 3, each one change away from the full system, and below them ours."""
    encode: Any = r.encode
    (mgi,), (align,) = r.fuse, r.align

    def woven(**change: Any) -> dict[str, Any]:
        return {"fuse": (replace(mgi, **change),)}

    def aligned(**change: Any) -> dict[str, Any]:
        return {"align": (replace(align, loss=replace(align.loss, **change)),)}

    text = Dual(text=encode.text)
    released = replace(encode, as_released=True, order="vision_first", first="raw")
    found: dict[str, dict[str, Any]] = {
        "w/o IPS-CL": aligned(positives=0.0),
        "w/o MGI": {"fuse": ()},
        "w/o row-grained": woven(row=False),
        "w/o column-grained": woven(column=False),
        "w/o gate": woven(gate="none"),
        "scalar gate": woven(gate="scalar"),
        "w/o exchange": {"encode": replace(encode, exchange=False)},
        "w/o CL": aligned(own=0.0),
        "w/o alignment": {"align": ()},
        "text": {"encode": text, "fuse": (), "align": ()},
        "as released": {
            **woven(gate="scalar"),
            **aligned(as_released=True, side="image", tau=0.5),
            "encode": released,
        },
    }
    return {
        name: replace(r, name=f"{r.name}-{name.replace(' ', '-').replace('/', '')}", **change)
        for name, change in found.items()
    }


def sweeps(r: Recipe) -> dict[str, dict[str, Recipe]]:
    """K of figure 6 and the adaptive one, interweave encoders of figure 7, shares of training data of figure 8."""
    encode: Any = r.encode
    (mgi,), (align,) = r.fuse, r.align
    return {
        "k": {
            str(k): replace(r, align=(replace(align, loss=replace(align.loss, k=k)),))
            for k in (*range(1, 7), "adaptive")
        },
        "layers": {str(n): replace(r, fuse=(replace(mgi, layers=n),)) for n in range(1, 8)},
        "share": {f"{s:g}": replace(r, training=replace(r.training, share=s)) for s in (0.1, 0.2, 0.3, 0.4, 0.5, 1.0)},
        "order": {o: replace(r, encode=replace(encode, order=o)) for o in ("lagged", "vision_first")},
        "first": {f: replace(r, encode=replace(encode, first=f)) for f in ("projected", "raw", "none")},
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
