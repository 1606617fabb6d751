"""CAMIM: captions aligned with what the image shows, and mutual information between modalities, for relations.

Zhang, Zhang, Li, Bai: Caption-Aware Multimodal Relation Extraction with Mutual Information Maximization. MM 2024,
doi 10.1145/3664647.3681219. The module is put into two earlier systems, its hosts. The public release holds one, TMR,
reads whole images as BGR without normalising them, draws its training rows with replacement, and turns most
phrases into unknown words; this is a build from the text, of both.

    TMR          encode/dual.py + fuse/translate.py    original and generated image, each with objects (eq. 1, 2, 15-17)
    HVPNeT       encode/prefix.py                      pyramid of the images as gated prefix of every text layer
    eq. 5-14     fuse/caption.py                       the Caption-Aware Module (CAM), in either host
    eq. 18, 19   decode/relation.py                    entity markers, cross-entropy
    eq. 20-22    align/infonce.py                      mutual information (MI), one direction, no temperature

    recipe(corpus, flavour="paper")     the full system on TMR, its better host
    ablations(recipe)                   rows of table 1, of both hosts, and ours
    sweeps(recipe)                      figure 4, captions of table 2, and ours
    FLAVOURS                            small, improved, paper

Printed values, all in `paper`: BERT-base, ResNet-50 (section 4.1); m = 3 objects of either image, captions of at most
40 tokens, a warm-up of 0.1, linear decay, weight decay 0.01 (section 4.2); on TMR batch 16, 8 epochs, 2e-5, on HVPNeT
batch 32, 30 epochs, 3e-5, dev from the 8th epoch, a prompt of 16 tokens (section 4.2); alpha 0.1 (eq. 23, figure 4c);
one direction, no temperature (eq. 20-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from openmie.data.corpus import Corpus
from openmie.errors import RecipeError
from openmie.nn.align.align import Align
from openmie.nn.align.infonce import InfoNCE
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.encode.prefix import Prefix
from openmie.nn.fuse.caption import Caption
from openmie.nn.fuse.cross import Cross
from openmie.nn.fuse.translate import Translate
from openmie.papers._camim_tables import NAME, REPORTED, SETTINGS
from openmie.papers._figures import PaperFigure
from openmie.papers._flavours import LIGHT, MEAN_POOLED, PAPER, SMALL, checked, slug
from openmie.papers._labels import MNRE, labels_of
from openmie.papers._sweeps import FieldSweep, caption_generators, set_value
from openmie.recipe import Group, Recipe, Training

__all__ = ["FIGURES", "FLAVOURS", "NAME", "NOTES", "REPORTED", "SETTINGS", "ablations", "hvpnet", "recipe", "sweeps"]

BACKBONES = ("bert-base-uncased", "microsoft/resnet-50")
ALPHA = 0.1  # eq. 23, the peak of figure 4c
CAPTIONS = ("BLIP", "instruct", "llavanext", "caption", "cogvlm", "minicpm")  # of table 2, as MNRE's files are called
PAIRS = (("vision", "context"), ("objects", "context"), ("generated", "text"), ("generated_objects", "text"))

FIGURES = {f"figure 4{n}": PaperFigure(over=sweep) for n, sweep in (("a", "mi"), ("b", "levels"), ("c", "alpha"))}
FLAVOURS = {
    "small": "built-in encoders, for the generated corpus, whose candidate patches are the objects",
    "improved": "the paper's size; token states averaged where the release sums them, the gradient's norm clipped",
    "paper": "as printed, with its gaps filled from the release",
}
NOTES = """What the paper leaves open, and what stands here, each a field of the recipe:
One text encoder for words, caption and phrases, each in a pass of its own; the release has two.
The caption is cut at 40 tokens, as printed, and the document says so. Text is never cut; the printed 128 tokens are
more than any of MNRE's has. The captions are the corpus's main ones unless `context` names others (MiniCPM's on TMR,
those of QWenVL-Plus on HVPNeT).
F of figure 4a and of HVPNeT's mutual information: the mean of the words after the fusion.
eq. 15, 16: queries are the aligned tokens of the image, O_F; their results are summed in `paper`, as in the release,
elsewhere averaged (`pool`), and so are the tokens of an object in the module (`object_pool`) and the phrases in P.
eq. 17: words read O_final, G_final and the phrases; the two marked entities are classified, where eq. 18 speaks of a
class token. Objects ask the phrases that they were found by, and without these the words. MLP_final is the head in
`paper`: two linear layers over [h ; t ; P ; O_final ; G_final], 1536 between, dropout 0.5 before each, as released;
elsewhere every word passes a layer with a GELU, a residual and a norm first, and the head has a GELU.
eq. 22: G predicts O, negatives are the O of the batch, as the text and the release say; the printed sum runs over G.
tau 1: weaker than 0.1 on a two-view toy, and a sweep here.
HVPNeT's prompt stays 16 tokens in `paper` (section 4.2): of the module's O_F the regions stay, four of each of four
images. Elsewhere (ours, and a row in `paper`) the caption's words are in it as well, 12 to 47 tokens, so that every
layer of BERT reads them as keys, and an object is one token. Its mutual information reads what is in the prompt.
HVPNeT's head in `paper` is its own, one linear layer without dropout; elsewhere that of TMR. Phrases are read whole;
the release stops at six words. The gradient's norm is clipped at 1, in `paper` not at all; biases and norms are not
decayed (print: biases); dev is scored after each epoch, on HVPNeT in `paper` from the 8th on (section 4.2).
Without an image its caption, or the text for the generated one, stands in its branch alone and is read, but such a post
takes no part in the mutual information; without caption and image the branch is masked. The release feeds zeros.
An image and its objects share their branch by the corpus's relevance scores, evenly where it has none.
`small`: built-in encoders, 4 epochs, batch 32, dropout 0.1, a rate of 4e-4 (at 1e-3 the images are found late: 64.4 and
85.2 on dev after one epoch of 16,000 posts); objects are the candidate patches.
MiniLM: encoders at 5e-5, all else at 3e-4. Built-in vision learns at 1e-3.
"""


def recipe(
    corpus: Corpus | None = None,
    *,
    task: str = "",
    flavour: str = "small",
    text: str = "",
    vision: str = "",
    context: str = "",
) -> Recipe:
    """CAMIM on TMR for a corpus's relation labels.

    Args:
        corpus: whose labels are predicted; None: the 23 of MNRE.
        task: `re`, or "".
        flavour: a name of FLAVOURS.
        text: text encoder, a built-in name, hub id or folder; "": the flavour's.
        vision: vision encoder; "": the flavour's.
        context: generator of the captions; "": the corpus's main one, in `small` the noisy one.

    Raises:
        RecipeError: another task, a corpus without relation labels, an unknown flavour.
    """
    checked(flavour, FLAVOURS, "camim")
    labels, small, paper = labels_of(corpus, MNRE), flavour == SMALL, flavour == PAPER
    if task not in ("", "re") or not labels.relations:
        found = f"task {task!r}" if task not in ("", "re") else "a corpus without relation labels"
        raise RecipeError(found, expected="re: CAMIM finds relations", remedy="see `baseline` for other tasks")
    text, vision = text or ("tiny" if small else BACKBONES[0]), vision or ("tiny" if small else BACKBONES[1])
    words = Text(name=text, pool="mean" if text in MEAN_POOLED else "first")  # as in the baseline
    symmetric = tuple(sorted(labels.symmetric & set(labels.relations)))
    encode = Dual(
        text=words,
        vision=Vision(name=vision),
        context=context or ("noisy" if small else "*"),
        context_tokens=40,
        separate_context_pass=True,
        objects=3,
        generated=True,
        phrases=not small,
    )
    light = text == "tiny" and not paper
    dropout = 0.1 if light else 0.5
    host = Translate(object_words="text" if small else "phrases", dropout=dropout)
    caption = Caption(pairs=PAIRS, dropout=0.1 if light else 0.3)
    head = EntityMarkers(labels=labels.relations, symmetric=symmetric, dropout=dropout)
    if paper:
        host, caption = replace(host, pool="sum", final="concat"), replace(caption, object_pool="sum")
        head = replace(head, hidden=1536, activation="none")
    return Recipe(
        name=f"camim-{flavour}",
        encode=encode,
        fuse=(caption, host),
        align=(mutual_information(("generated",), ("original",)),),
        heads=(head,),
        training=_printed() if paper else _training(text, vision),
    )


def mutual_information(first: tuple[str, ...], second: tuple[str, ...], weight: float = ALPHA, **loss: Any) -> Align:
    """Eq. 20-22: `first` predicts `second`."""
    loss = {"tau": 1.0, "symmetric": False, **loss}
    return Align(loss=InfoNCE(**loss), first=first, second=second, stage="fused", width=0, weight=weight, name="mi")


TMR, HVPNET = (8, 16, 2e-5), (30, 32, 3e-5)  # epochs, batch and rate of section 4.2


def _printed() -> Training:
    epochs, batch, lr = TMR
    return Training(epochs=epochs, batch_size=batch, param_groups=(Group(lr=lr),), max_grad_norm=0.0)


def _training(text: str, vision: str) -> Training:
    """Section 4.2 with clipping; encoders that start at random learn at a higher rate, in few epochs."""
    if text == "tiny":
        return Training(epochs=4, batch_size=32, param_groups=(Group(lr=4e-4),))
    (epochs, batch, lr), small = TMR, text in LIGHT
    groups = (
        Group(match="encode.text", lr=5e-5 if small else lr),
        Group(match="encode.vision", lr=1e-3 if vision == "tiny" else lr),
        Group(lr=3e-4 if small else lr),
    )
    return Training(epochs=epochs, batch_size=batch, param_groups=groups)


def _on_hvpnet(training: Training) -> Training:
    """TMR's numbers exchanged for HVPNeT's; built-in encoders keep their own."""
    epochs, batch, lr = HVPNET
    groups = tuple(replace(g, lr=lr) if g.lr == TMR[2] else g for g in training.param_groups)
    if (training.epochs, training.batch_size) == TMR[:2]:
        return replace(training, epochs=epochs, batch_size=batch, param_groups=groups)
    return replace(training, param_groups=groups)


SIXTEEN: dict[str, Any] = {"keep": "image", "object_pool": "none"}  # prefix tokens: four of each of four images


def is_printed(r: Recipe) -> bool:
    """Whether a recipe on TMR is of the flavour `paper`, by what is not done as printed in the others."""
    return bool(_full(r).fuse[1].final == "concat")


def hvpnet(r: Recipe, prompt: dict[str, Any] | None = None) -> Recipe:
    """CAMIM on HVPNeT, from the recipe on TMR: captions refine the visual tokens before they become prefixes.

    Args:
        r: the full recipe.
        prompt: what stays of the refined tokens as fields of `Caption`; None: by the flavour. In `paper` the prompt is
            HVPNeT's, 16 tokens (section 4.2); elsewhere (ours) the caption's words are in it, and it has 12 to 47.

    Raises:
        RecipeError: another recipe than the full one.
    """
    encode: Any = _full(r).encode
    paper = is_printed(r)
    ours = {"keep": "both", "object_pool": "mean"}
    kept = prompt if prompt is not None else SIXTEEN if paper else ours
    prefix = Prefix(
        text=encode.text,
        vision=encode.vision,
        objects=encode.objects,
        context=encode.context,
        context_tokens=encode.context_tokens,
        refine=replace(r.fuse[0], pairs=PAIRS[:2], **kept),
    )
    training = _on_hvpnet(r.training)
    return replace(
        r,
        encode=prefix,
        fuse=(),
        align=(mutual_information(("fused",), ("vision",)),),
        heads=(replace(r.heads[0], single_layer=True, hidden=0, dropout=0.0),) if paper else r.heads,
        training=replace(training, first_dev_epoch=8) if paper else training,
    )


def _full(r: Recipe) -> Recipe:
    """The recipe, if it is the full system on TMR, which all others are made from."""
    if [type(part) for part in r.fuse] != [Caption, Translate] or not r.align:
        raise RecipeError(
            f"recipe {r.name!r}",
            expected="the full system on TMR",
            where="camim",
            remedy="start from camim.recipe(corpus)",
        )
    return r


def without_captions(r: Recipe) -> Recipe:
    """The host alone with what else it has: no caption is read, nothing is aligned with one."""
    encode: Any = r.encode
    bare = replace(encode, context="")
    if not r.fuse:  # HVPNeT, which reads captions before the text
        bare = replace(bare, refine=None)
    return replace(r, encode=bare, fuse=tuple(part for part in r.fuse if not isinstance(part, Caption)))


def ablations(r: Recipe) -> dict[str, Recipe]:
    """Rows of table 1: TMR's, of which `recipe` is the last, and HVPNeT's; below them ours."""
    encode: Any = r.encode
    other, (caption, host) = hvpnet(r), r.fuse
    both: tuple[Any, Any] = caption, host
    images = Dual(
        text=encode.text, vision=encode.vision, context=encode.context, context_tokens=40, separate_context_pass=True
    )
    one_image = (replace(both[0], pairs=PAIRS[:2]), replace(both[1], translated=()))
    whole = replace(both[1], original=("vision",), translated=("generated",), object_words="text")
    prompts = {"HVPNeT + CAM + MI, caption words in the prompt": {"keep": "both", "object_pool": "mean"}}
    if not is_printed(r):
        prompts = {"HVPNeT + CAM + MI, prompt of 16 tokens": SIXTEEN}
    plain = replace(r.heads[0], hidden=0, activation="gelu")  # for what is of neither host
    found = {
        "TMR": replace(without_captions(r), align=()),
        "TMR + MI": without_captions(r),
        "TMR + CAM": replace(r, align=()),
        "HVPNeT": replace(without_captions(other), align=()),
        "HVPNeT + MI": without_captions(other),
        "HVPNeT + CAM": replace(other, align=()),
        "HVPNeT + CAM + MI": other,
        **{row: hvpnet(r, prompt) for row, prompt in prompts.items()},
        "w/o generated image": replace(
            r,
            encode=replace(encode, generated=False),
            fuse=one_image,
            align=(mutual_information(("fused",), ("original",)),),
        ),
        "w/o objects": replace(
            r,
            encode=replace(encode, objects=0, phrases=False),
            fuse=(replace(both[0], pairs=PAIRS[::2]), whole),
        ),
        "cross + CAM": replace(
            r, encode=images, fuse=(replace(both[0], pairs=PAIRS[:1]), Cross()), align=(), heads=(plain,)
        ),
        "cross": replace(
            r,
            encode=replace(images, context="", separate_context_pass=False),
            fuse=(Cross(),),
            align=(),
            heads=(plain,),
        ),
        "text": replace(r, encode=Dual(text=encode.text), fuse=(), align=(), heads=(plain,)),
    }
    return {name: replace(x, name=f"{r.name}-{slug(name)}") for name, x in found.items()}


def sweeps(r: Recipe) -> dict[str, Mapping[str, Recipe]]:
    """Pairs of modalities, caption levels (on HVPNeT), alpha (figure 4), captions (table 2), temperature, direction."""
    other = hvpnet(r)
    caption: Any = other.encode.refine  # type: ignore[union-attr]
    visual = ("original", "generated")
    pairs = {
        "O&G": (("generated",), ("original",)),
        "(O+G)&F": (visual, ("fused",)),
        "T&F": (("text",), ("fused",)),
        "(O+G)&T": (visual, ("text",)),
    }
    levels = {"W&S": {}, "S": {"word": False}, "W": {"sentence": False}}
    directions = {"one": "false", "both": "true"}

    def leveled(**change: Any) -> Recipe:
        return replace(other, encode=replace(other.encode, refine=replace(caption, **change)))  # type: ignore[call-arg]

    return {
        "mi": {name: replace(r, align=(mutual_information(*sides),)) for name, sides in pairs.items()},
        "levels": {name: leveled(**change) for name, change in levels.items()},
        "alpha": FieldSweep(r, ("align.0.weight",), (0.05, 0.1, 0.3, 0.5)),
        "context": FieldSweep(r, ("encode.context",), CAPTIONS, caption_generators),
        "hvpnet context": FieldSweep(other, ("encode.context",), CAPTIONS, caption_generators),
        "tau": FieldSweep(r, ("align.0.loss.tau",), (0.1, 0.5, 1.0)),
        "direction": {name: set_value(r, "align.0.loss.symmetric", x) for name, x in directions.items()},
    }
