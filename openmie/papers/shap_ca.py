"""Shap-CA: text, image and a generated context between them, aligned by Shapley values.

Luo, Xia, Tianshu, Li: Shapley Value-based Contrastive Alignment for Multimodal Information Extraction. MM 2024,
doi 10.1145/3664647.3681367. No code was published; this is a build from the text.

    eq. 1, 2     encode/dual.py         text and context in one pass, image regions and whole
    eq. 3-7      align/shapley.py       context-text (alpha) and context-image (beta) alignment
    eq. 8-11     fuse/adaptive.py       words attend to regions, bent towards the context
    eq. 12, 13   decode/tags.py         CRF over words, parts of speech and positions: MNER
    eq. 14-18    decode/word_pairs.py   word-pair contrastive layer: MRE, joint extraction
    eq. 19       recipe/parts.py        weights of the three losses

    recipe(corpus, task="ner" | "re" | "joint", flavour="paper")     the full system
    ablations(recipe)                                                 rows of tables 1 and 2, and ours
    sweeps(recipe)                                                    figure 3, table 3, and ours
    FLAVOURS                                                          small, improved, paper

Printed values, all in `paper`: alpha 0.2, beta 0.4 (eq. 19, figure 3); lambda 1 (eq. 17, section 4.2); d1 100; BERT of
width 768, ResNet-152; spaCy's en_core_web_sm; AdamW, cosine after a warm-up of 0.05, batch 28, encoders 5e-5, all else
1e-4 (Twitter-2015: 3e-4), patience 7 (section 4.2); negatives summed (eq. 5), cyclic values (algorithm
1), tanh gates (eq. 10), an MLP over three channels (eq. 12), a sum over each sentence's cells (eq. 18).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openmie.data.corpus import Corpus, Labels
from openmie.datasets.audit import reference_stats
from openmie.errors import RecipeError
from openmie.nn.align.align import Align
from openmie.nn.align.infonce import InfoNCE
from openmie.nn.align.shapley import Estimator, Shapley
from openmie.nn.decode.channels import Channels
from openmie.nn.decode.tags import Crf
from openmie.nn.decode.word_pairs import WordPairs
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.fuse.adaptive import Adaptive
from openmie.nn.fuse.cross import Cross
from openmie.papers._figures import PaperFigure
from openmie.papers._flavours import IMPROVED, MEAN_POOLED, PAPER, SMALL, checked, slug
from openmie.papers._labels import JMERE, MNRE, TWITTER, labels_of
from openmie.papers._shap_ca_tables import NAME, REPORTED, SETTINGS
from openmie.papers._sweeps import FieldSweep, caption_generators
from openmie.recipe import Group, Recipe, Training
from openmie.text import pos

__all__ = [
    "ALPHA",
    "BETA",
    "FIGURES",
    "FLAVOURS",
    "NAME",
    "NOTES",
    "REPORTED",
    "SETTINGS",
    "ablations",
    "recipe",
    "sweeps",
]

ALPHA, BETA = 0.2, 0.4  # eq. 19, the peaks of figure 3
CAPTIONS = ("BU", "VinVL", "BLIP-2", "LLaVA-1.5", "GPT-4")  # of table 3
TOWERS = ("microsoft/resnet-152", "openai/clip-vit-base-patch32")  # section 4.2
BACKBONES = ("bert-base-uncased", TOWERS[0])
TAGGER = "spacy:en_core_web_sm"  # section 4.2

FIGURES = {f"figure 3, {x}": PaperFigure(over=x, scores=("pairs", "entities")) for x in ("alpha", "beta")}
FLAVOURS = {
    "small": "built-in encoders, two layers of fusion of 128, for the generated corpus; entities with channels that "
    "start small and go straight to the tags, and with the context left out of four in five training posts",
    "improved": "the paper's size; negatives of eq. 5 averaged, the fusion's attention in a transformer layer, gates "
    "that start open, the gradient's norm clipped",
    "paper": "as printed, with its gaps filled from what is known of its parts",
}
NOTES = """What the paper leaves open, and what stands here, each a field of the recipe:
tau 0.1: usual for cosines; small enough that one player can win a game, large enough that gradients reach the others.
D 256: the stated 170.7M parameters leave about 3.1M for all but the backbones, too few for D = 768. Four heads.
d2 200: twice the width of a channel; in `improved` 100 for joint extraction, whose grid of all pairs of words otherwise
takes two thirds of the time of the encoders beside it. `small`, whose encoders are 128 wide: D 128, d2 100, two layers.
x_t, x_c: means of each segment of the joint pass; one class token cannot stand for both.
x_v: projected to the text's width before its cosine with x_c, for the widths differ (2048, 768).
Context: that of LLaVA-1.5 in print; the corpus's first caption unless `context` names another. 96 tokens; a longer one
is cut and the document says so. Text is never cut.
Eq. 11: queries from words, keys and values from regions, for the printed Q_v, K_t, V_t has a row a region and cannot be
tagged. In `paper` that attention is all there is between the words and eq. 12: its values are the image's, and of the
words it keeps what its weights tell; a document without image has M^t = Q. Elsewhere it stands in a transformer layer
with residual and norms, which is not printed. The linear layers of eq. 10 start as any in `paper`; elsewhere their bias
starts at 2, so that gates start open.
Labels of MRE and MJERE are EEGA's (Yuan et al., 2023) in `paper`: upper triangle, no direction
(`scheme="as_released"`); elsewhere every relation has its direction (`exact`). In MRE the entities are given, and the
loss is a mean over pairs.
Context is left out of four in five training posts in `small` (ours): captions are easier to learn from than images, and
where there always is one the images are hardly looked at. Elsewhere never: relations lose by it on dev.
Values: cyclic, as printed and faster; exact ones are one field away (`estimator`). Diorama's relations, 16,000 posts,
one seed, dev: cyclic 89.39, exact 89.07; InfoNCE in their place 89.69 (no Shap-CA any more, so a row).
Rate of built-in encoders: 1e-3, for relations 5e-4, with which all three do better (87.42, 85.76 and 89.36 at 1e-3).
Negatives of eq. 5: summed, as printed, the loss drives all similarities to -1, own pairs too; averaged but in `paper`.
Epochs 30 at most, patience 7 as printed; weight decay 0.01; dropout 0.1. The gradient's norm is clipped but in `paper`,
which names no clipping: at 1, and at 10 where the loss is a sum over a sentence: at 1 nearly every step would be cut.
Eq. 12 in `small`: the three channels go straight to the tags, and start small. A hidden layer there learns the made-up
names by heart before it looks at the images (20,000 posts, two epochs, dev: 82.9 with it, 85.7 without).
"""


def recipe(
    corpus: Corpus | None = None,
    *,
    task: str = "",
    flavour: str = "small",
    text: str = "",
    vision: str = "",
    context: str = "",
    estimator: Estimator = "cyclic",
    head_lr: float | None = None,
) -> Recipe:
    """Shap-CA for a corpus's labels.

    Args:
        corpus: whose labels are predicted; None: those of Twitter-2017, or for other tasks of MNRE and JMERE.
        task: `ner`, `re` or `joint`; "": by the corpus's labels, `joint` where it has both but in `small` (`ner`).
        flavour: a name of FLAVOURS.
        text: text encoder, a built-in name, hub id or folder; "": the flavour's.
        vision: vision encoder; "openai/clip-vit-base-patch32" is the variant of section 4.2.
        context: generator of the captions that are the context; "": the first of a document, in `small` the noisy one.
        estimator: of the Shapley values: `cyclic` or `exact`.
        head_lr: learning rate of all but the encoders where these are pretrained; None: 1e-4, and 3e-4 for Twitter-2015
            (section 4.2), which is known by its posts: 4,000 tweets of train and 1,000 of dev.

    Raises:
        RecipeError: an unknown task or flavour.
    """
    checked(flavour, FLAVOURS, "shap_ca")
    labels, small = labels_of(corpus, {"re": MNRE, "joint": JMERE}.get(task, TWITTER)), flavour == SMALL
    task = task or (
        "joint" if labels.mentions and labels.relations and not small else "ner" if labels.mentions else "re"
    )
    text, vision = text or ("tiny" if small else BACKBONES[0]), vision or ("tiny" if small else BACKBONES[1])
    if head_lr is None:
        head_lr = 3e-4 if flavour != SMALL and is_twitter_2015(corpus) else 1e-4
    words = Text(name=text, pool="mean" if text in MEAN_POOLED else "first")  # as in the baseline
    drop = 0.8 if small and task == "ner" else 0.0
    encode = Dual(
        text=words, vision=Vision(name=vision), context=context or ("noisy" if small else "*"), drop_context=drop
    )
    loss = Shapley(estimator=estimator, negatives="sum" if flavour == PAPER else "mean")
    fusions = {
        SMALL: Adaptive(layers=2, width=128),
        IMPROVED: Adaptive(),
        PAPER: Adaptive(block="attention", gate_bias=0.0),
    }
    return Recipe(
        name=f"shap-ca-{task}-{flavour}",
        encode=encode,
        fuse=(fusions[flavour],),
        align=(
            Align(loss=loss, second=("text",), weight=ALPHA, name="semantic", **CONTEXT),
            Align(loss=loss, second=("vision",), weight=BETA, name="modality", **CONTEXT),
        ),
        heads=(_head(labels, task, flavour),),
        training=_printed(head_lr) if flavour == PAPER else _training(text, vision, task, head_lr),
    )


def is_twitter_2015(corpus: Corpus | None) -> bool:
    """Whether a corpus is Twitter-2015, by the tweets of its train and dev splits; its path says nothing."""
    if corpus is None or not {"train", "dev"} <= {*corpus.sources}:
        return False
    wanted = reference_stats.TWITTER_2015.table
    for split in ("dev", "train"):  # the smaller one first; the test split is not opened
        tweets = [d.source.get("corpus") for d in corpus.split(split)]
        if len(tweets) != wanted[split]["documents"] or {*tweets} != {"twitter"}:
            return False
    return True


CONTEXT: dict[str, Any] = {"first": ("context",), "width": 0}


def _head(labels: Labels, task: str, flavour: str) -> Crf | WordPairs:
    paper = flavour == PAPER
    taggers = [TAGGER] if paper else [pos.resolve(lang) for lang in ("en", "zh") if pos.covers(lang)]
    channels = Channels(tagger=",".join(taggers))
    symmetric = tuple(sorted(labels.symmetric & set(labels.relations)))
    width = 100 if flavour == SMALL or (task == "joint" and not paper) else 200  # d2
    if task == "ner" and flavour == SMALL:
        return Crf(labels=labels.mentions, channels=replace(channels, init_scale=0.1), loss_per="document")
    if task == "ner":
        return Crf(labels=labels.mentions, channels=channels, hidden=width, loss_per="document")
    if task in ("re", "joint"):
        mentions = labels.mentions if task == "joint" else ()
        return WordPairs(
            labels=labels.relations,
            mentions=mentions,
            symmetric=symmetric,
            scheme="as_released" if paper and mentions else "exact",
            channels=channels,
            width=width,
            loss_per="document" if task == "joint" else "word",
        )
    raise RecipeError.unknown("task", task, ("ner", "re", "joint"), where="shap_ca")


def _printed(head_lr: float) -> Training:
    """Section 4.2; 30 epochs and no clipping, which are not printed."""
    groups = (Group(match="encode.text", lr=5e-5), Group(match="encode.vision", lr=5e-5), Group(lr=head_lr))
    return Training(
        epochs=30,
        batch_size=28,
        param_groups=groups,
        lr_schedule="cosine",
        warmup_ratio=0.05,
        patience=7,
        max_grad_norm=0.0,
    )


def _training(text: str, vision: str, task: str, head_lr: float) -> Training:
    """Section 4.2 with clipping; built-in encoders learn at a higher rate, in few epochs."""
    small, clip = 5e-4 if task == "re" else 1e-3, 1.0 if task == "re" else 10.0
    rates = {"encode.text": text == "tiny", "encode.vision": vision == "tiny"}
    groups = [Group(match=name, lr=small if random else 5e-5) for name, random in rates.items()]
    if text == "tiny":
        groups += [Group(match="crf", lr=1e-2, weight_decay=0.0), Group(lr=small)]
    else:
        groups += [Group(lr=head_lr)]
    return replace(
        _printed(head_lr), epochs=4 if text == "tiny" else 30, param_groups=tuple(groups), max_grad_norm=clip
    )


def ablations(r: Recipe) -> dict[str, Recipe]:
    """Rows of tables 1 and 2, each one change away from the full system, and below them ours."""
    direct = replace(r.align[1], first=("text",), name="direct")
    mixed = r.fuse[0]
    plain = replace(mixed, gates="none")
    if mixed.block == "transformer":
        plain = Cross(width=mixed.width, heads=mixed.heads, layers=mixed.layers)
    encode: Any = r.encode
    found: dict[str, dict[str, Any]] = {
        "w/o context in alignment": {"align": (direct,)},
        "w/o context in fusion": {"fuse": (plain,)},
        "w/o Shapley": {"align": tuple(replace(a, loss=InfoNCE(tau=a.loss.tau)) for a in r.align)},
    }
    if isinstance(r.heads[0], WordPairs):
        found["w/o word-pair contrast"] = {"heads": (replace(r.heads[0], contrast=None),)}
    found |= {
        "w/o image": without_image(r),
        "baseline": {**without_image(r), "align": ()},  # table 2: text and context side by side; the head is ours
        "text": {"encode": replace(encode, vision=None, context=""), "fuse": (), "align": ()},
        "w/o alignment": {"align": ()},
        "w/o channels": {"heads": (replace(r.heads[0], channels=None),)},
    }
    averaged = r.align[0].loss.negatives == "mean"
    sums = tuple(replace(a, loss=replace(a.loss, negatives="sum" if averaged else "mean")) for a in r.align)
    found["printed sum" if averaged else "averaged negatives"] = {"align": sums}
    open_, opening = r.fuse[0].gate_bias > 0, replace(r.fuse[0], gate_bias=0.0 if r.fuse[0].gate_bias else 2.0)
    found["gates as they start" if open_ else "open gates"] = {"fuse": (opening,)}
    return {name: replace(r, name=f"{r.name}-{slug(name)}", **change) for name, change in found.items()}


def without_image(r: Recipe) -> dict[str, Any]:
    """What changes when the image goes: no tower, no fusion, which attends to it, and no context-image alignment.

    Nor is the context ever left out, since nothing is to be learnt in its place.
    """
    encode: Any = r.encode
    return {"encode": replace(encode, vision=None, drop_context=0.0), "fuse": (), "align": (r.align[0],)}


def sweeps(r: Recipe) -> dict[str, FieldSweep]:
    """alpha and beta of figure 3 (the other one fixed at its peak), captions of table 3, estimators of the values."""
    grid = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)

    def losses(field: str, *values: Any) -> FieldSweep:
        return FieldSweep(r, tuple(f"align.{i}.loss.{field}" for i in range(len(r.align))), values)

    return {
        "alpha": FieldSweep(r, ("align.0.weight",), grid),
        "beta": FieldSweep(r, ("align.1.weight",), grid),
        "estimator": losses("estimator", "cyclic", "exact"),
        "tau": losses("tau", 0.05, 0.1, 0.2, 0.5, 1.0),
        "context": FieldSweep(r, ("encode.context",), CAPTIONS, caption_generators),
        "vision": FieldSweep(r, ("encode.vision.name",), TOWERS),
    }
