"""M3D: documents with video frames, four tasks at once, in English and Chinese, with missing modalities.

Liu, Li, Yang, Yang, Fei, Zhang, Li, Ji: M3D: A Multimodal, Multilingual and Multitask Dataset for Grounded
Document-level Information Extraction. The public release casts its pixels to integers, so that images are nearly
black, takes the states of the words one to the left, never runs the MMCM as it is shipped, and counts every relation
twice; this is a build from the text, with the release's other choices as options.

    eq. 5-7      encode/hierarchical.py     Longformer and ViT, three groups of layers each
    eq. 8-12     fuse/denoised.py           Denoised Feature Fusion Module (DFFM)
    eq. 13-14    complete/prompt_conv.py    Missing Modality Construction Module (MMCM)
    eq. 15, 19   decode/tags.py             entities by a CRF
    eq. 16, 20   decode/chains.py           chains by a bilinear form over pairs of mentions
    eq. 17, 21   decode/chain_relations.py  relations by one over pairs of chains
    eq. 18, 22-23  decode/regions.py        regions in frames
    table III    fuse/one_stream.py, fuse/two_stream.py, encode/video.py    baselines

    recipe(corpus, flavour="paper")     the full system, for the corpus's language
    ablations(recipe)                   tables III and IV, the release's choices, and ours
    sweeps(recipe)                      prompt length (figure 8), missing ratio (figure 9); latent width, kernel
    published(run)                      which runs stand beside the published numbers: protocol=paper
    FLAVOURS                            small, improved, paper

Printed values, all in `paper`: longformer-base-4096, xlm-roberta-longformer-base-4096, vit-base-patch16-224 (section
VI-C); a VAE with W^K and W^V (eq. 8), words that read the other modality alone (eq. 9), matrices (eq. 11), the mean
over patches (eq. 12); links closed into chains (eq. 16); one label a pair of chains (eq. 17, 21); one linear layer from
frames to classes and boxes (eq. 18); likelihoods a word (1 / n_x of eq. 19), no KL and all weights 1 (eq. 24); 20
epochs, batch 1, 5e-6 for the pretrained encoders, 1e-3 for all else (section VI-C).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openmie.data.corpus import Corpus, Labels
from openmie.errors import RecipeError
from openmie.nn.complete.blank import Blank
from openmie.nn.complete.prompt_conv import PromptConv
from openmie.nn.decode.chain_relations import ChainRelations
from openmie.nn.decode.chains import Chains
from openmie.nn.decode.regions import Regions
from openmie.nn.decode.tags import Crf
from openmie.nn.encode.dual import Text, Vision
from openmie.nn.encode.hierarchical import Hierarchical
from openmie.nn.fuse.denoised import Denoised
from openmie.nn.fuse.frames import Frames
from openmie.papers._figures import PaperFigure
from openmie.papers._flavours import LIGHT, PAPER, SMALL, checked, slug
from openmie.papers._labels import M3D, labels_of
from openmie.papers._m3d_notes import NOTES
from openmie.papers._m3d_protocol import CORPUS_SWEEPS, published, table_notes
from openmie.papers._m3d_rows import PRINTED_BOXES, RANDOM, baselines, heads_with, released, slots
from openmie.papers._m3d_tables import NAME, REPORTED, SETTINGS
from openmie.papers._sweeps import FieldSweep
from openmie.recipe import Group, Recipe, Training

__all__ = ["CORPUS_SWEEPS", "FLAVOURS", "NAME", "NOTES", "REPORTED", "SCORES", "SETTINGS", "ablations", "published"]
__all__ += ["FIGURES", "recipe", "sweeps", "table_notes"]

TEXTS = {"en": "allenai/longformer-base-4096", "zh": "markussagen/xlm-roberta-longformer-base-4096"}
VISION = "google/vit-base-patch16-224"
RELATIONS = ("relations", "directed relations", "undirected relations")
SCORES = (  # own: from the system's own candidates, not from gold
    *("entities", "chains", "own chains"),
    *(prefix + name for name in RELATIONS for prefix in ("", "own ")),
    *("relations as_released", "regions", "own", "own (entities, chains, relations)"),
    *("frame relations", "own frame relations"),
)
NONE = "none"  # vision=none: no frames are read

TASKS = ("document", "entities", "chains", "relations", "regions")  # the mean, then each
FIGURES = {
    "figure 8": PaperFigure(over="prompt", scores=TASKS),
    "figure 9": PaperFigure(over="missing", compared=("missing, w/o MMCM",), scores=TASKS),
}
FLAVOURS = {
    "small": "built-in encoders with a convolution over words, attention that heeds the time, weights of the losses of "
    "its own; for the generated corpus",
    "improved": "the paper's size; normed attention in the DFFM, boxes as a set that look at patches, best links in "
    "place of their closure, several labels a pair, labels weighed by the certainty of types",
    "paper": "as printed, with its gaps filled from the release",
}


def recipe(
    corpus: Corpus | None = None,
    *,
    task: str = "",
    flavour: str = "small",
    text: str = "",
    vision: str = "",
    language: str = "",
) -> Recipe:
    """M3D for a corpus's labels.

    Args:
        corpus: whose labels are predicted; None: those of M3D.
        task: `document`, or "".
        flavour: a name of FLAVOURS.
        text: text encoder, a built-in name, hub id or folder; "": the flavour's for the language.
        vision: vision encoder; `none`: no frames are read; "": the flavour's, and none without regions to learn from.
        language: `en` or `zh`; "": the corpus's, which its documents say where the corpus does not; else English.

    Raises:
        RecipeError: another task or language, a corpus without mentions, an unknown flavour.
    """
    checked(flavour, FLAVOURS, "m3d")
    labels = labels_of(corpus, M3D)
    if task not in ("", "document") or not labels.mentions:
        found = f"task {task!r}" if task not in ("", "document") else "a corpus without mention labels"
        raise RecipeError(
            found,
            expected="document: M3D finds entities, chains, relations and regions",
            remedy="see `baseline` for other tasks",
            where="m3d",
        )
    language = language or _language(corpus)
    if language not in TEXTS:
        raise RecipeError.unknown(
            "language", language, TEXTS, where="m3d", remedy="give text=NAME with an encoder for it, and language=en"
        )
    text = text or (RANDOM[language == "zh"] if flavour == SMALL else TEXTS[language])
    vision = vision or (NONE if not labels.regions else "tiny" if flavour == SMALL else VISION)
    printed = Text(name=text, pool="max")
    words = printed if flavour == PAPER else replace(printed, attention_dropout=0.0)
    random = text in RANDOM and flavour != PAPER
    encode, seen = Hierarchical(text=words, conv_width=7 if random else 0), vision != NONE
    plain = Recipe(
        name=f"m3d-{language}-{flavour}",
        encode=encode,
        heads=_printed_heads(labels, seen) if flavour == PAPER else _heads(labels, seen, flavour == SMALL),
        training=_printed() if flavour == PAPER else _training(text, vision, flavour == SMALL),
    )
    if not seen:
        return plain
    fusion = PRINTED_FUSION if flavour == PAPER else Denoised(heads=4 if random else 16, time_decay=random)
    return replace(
        plain,
        encode=replace(encode, vision=Vision(name=vision), frames_per_pass=512 if vision == "tiny" else 16),
        complete=PromptConv(prompt_length=8, modality_dropout=0.1) if random else PromptConv(),
        fuse=(fusion,),
    )


def _language(corpus: Corpus | None) -> str:
    """A corpus's, or that of the documents to learn from; of a mixture Chinese, whose encoder knows a hundred."""
    if corpus is None or corpus.language:
        return corpus.language if corpus else "en"
    split = next((s for s in ("train", "dev") if s in corpus.sources), "")
    found = {d.lang for d in corpus.split(split)} - {""} if split else set()
    return "zh" if {"en", "zh"} <= found else min(found, default="en")


PRINTED_FUSION = Denoised(  # eq. 8-12, 24
    variational=True, kl_weight=0.0, norm=False, residual_norm="none", frame_table=Hierarchical().max_frames
)


PLAIN: dict[str, Any] = {"joint": False, "norm": False, "dropout_of": "scores"}


def _printed_heads(labels: Labels, seen: bool) -> tuple[Any, ...]:
    """Eq. 15-24: no norms, no types, one label a pair, slots from the frame's vector, all weights 1."""
    found: list[Any] = [
        Crf(labels=labels.mentions, loss_per="word"),
        Chains(labels=labels.mentions, link="closure", similarity_init=0.0, norm=False, dropout_of="scores"),
    ]
    if relations := tuple(x for x in labels.relations if x != "None"):
        symmetric = tuple(sorted(labels.symmetric & set(relations)))
        found.append(ChainRelations(labels=relations, symmetric=symmetric, decide="one", **PLAIN))
    if seen and labels.regions:
        found.append(Regions(labels=labels.regions, **PRINTED_BOXES))
    return tuple(found)


def _heads(labels: Labels, seen: bool, small: bool) -> tuple[Any, ...]:
    """In the order in which one reads what the one before found."""
    tags = (
        Crf(labels=labels.mentions, loss_per="word", weight=10.0)
        if small
        else Crf(labels=labels.mentions, loss_per="document")
    )
    found: list[Any] = [tags, Chains(labels=labels.mentions, link="best", weight=5.0 if small else 1.0)]
    relations = tuple(x for x in labels.relations if x != "None")
    if relations:
        symmetric = tuple(sorted(labels.symmetric & set(relations)))
        found.append(
            ChainRelations(
                labels=relations, mentions=labels.mentions, symmetric=symmetric, weight=20.0 if small else 1.0
            )
        )
    if seen and labels.regions:
        found.append(Regions(labels=labels.regions))
    return tuple(found)


def _printed() -> Training:
    """Section VI-C, and of the release no warm-up, no weight decay and a clipped norm."""
    towers = (Group(match=f"encode.{tower}", lr=5e-6, weight_decay=0.0) for tower in ("text", "vision"))
    groups = (*towers, Group(lr=1e-3, weight_decay=0.0))
    return Training(epochs=20, batch_size=1, param_groups=groups, warmup_ratio=0.0, max_grad_norm=5.0)


def _training(text: str, vision: str, small: bool) -> Training:
    """Section VI-C and the release; encoders that start at random learn at a higher rate, in fewer epochs."""
    if text in RANDOM:
        few = (Group(match="crf", lr=1e-2, weight_decay=0.0), Group(lr=1e-3))
        return Training(epochs=12 if small else 20, batch_size=8 if small else 2, param_groups=few, max_grad_norm=5.0)
    light = text in LIGHT
    groups = (
        *([Group(match="crf", lr=1e-2, weight_decay=0.0)] if light else []),
        Group(match="encode.text", lr=5e-5 if light else 5e-6, weight_decay=0.0),
        Group(match="encode.vision", lr=1e-3 if vision == "tiny" else 5e-6, weight_decay=0.0),
        Group(lr=1e-3, weight_decay=0.0),
    )
    found = replace(_printed(), param_groups=groups)
    return replace(found, epochs=10, warmup_ratio=0.1) if light else found


def _full(r: Recipe) -> bool:
    return bool(r.fuse) and isinstance(r.fuse[0], Denoised)


def ablations(r: Recipe) -> dict[str, Recipe]:
    """Rows of table IV, of table III where its encoders are at hand, the release's choices, and ours."""
    types = next(h.labels for h in r.heads if isinstance(h, Crf))
    closed = any(isinstance(h, Chains) and h.link == "closure" for h in r.heads)
    one = any(isinstance(h, ChainRelations) and h.decide == "one" for h in r.heads)
    several = {"decide": "several", "mentions": types, "joint": True}
    found: dict[str, dict[str, Any]] = {
        "several labels a pair" if one else "one label a pair": {
            "heads": heads_with(r, ChainRelations, **(several if one else {"decide": "one"}))
        },
        "best links" if closed else "closure of links": {
            "heads": heads_with(r, Chains, link="best" if closed else "closure")
        },
        "votes of mentions": {"heads": heads_with(r, ChainRelations, aggregation="vote")},
    }
    if _full(r):
        encode: Any = r.encode
        made: Any = r.complete
        plain = {"complete": Blank()}
        bare, frames = r.fuse[0].residual_norm == "none", (Frames(frame_table=r.fuse[0].frame_table),)
        blind = tuple(h for h in r.heads if not isinstance(h, Regions))
        found = {
            "w/o MMCM": plain,
            "w/o DFFM": {"fuse": frames},
            "w/o both": {**plain, "fuse": frames},
            **found,
            "w/o times" if r.fuse[0].time_decay else "times": {
                "fuse": (replace(r.fuse[0], time_decay=not r.fuse[0].time_decay),)
            },
            "w/o norms" if r.fuse[0].norm else "norms": {"fuse": (replace(r.fuse[0], norm=not r.fuse[0].norm),)},
            "layer norms" if bare else "w/o layer norms": {
                "fuse": (replace(r.fuse[0], residual_norm="layer_norm" if bare else "none"),)
            },
            "auto-encoder" if r.fuse[0].variational else "true VAE": {
                "fuse": (replace(r.fuse[0], variational=not r.fuse[0].variational),)
            },
            "kernel 1": {"complete": replace(made, kernel=1)},
            **slots(r),
            "released DFFM and heads": released(r),
            "text": {**plain, "encode": replace(encode, vision=None), "fuse": (), "heads": blind},
            **baselines(r),
        }
    if r.heads[0].loss_per == "word":
        found["tags by document"] = {"heads": heads_with(r, Crf, loss_per="document")}
    return {row: replace(r, name=f"{r.name}-{slug(row)}", **change) for row, change in found.items()}


def sweeps(r: Recipe) -> dict[str, FieldSweep]:
    """Prompt length and missing ratio (figures 8 and 9, whose values are not legible), latent width, kernel, dropout.

    The missing ratio is an option of the corpus (`CORPUS_SWEEPS`): the recipe stays the same, or loses its MMCM.
    """
    if not _full(r):
        return {}
    blank, ratios = replace(r, name=f"{r.name}-wo-mmcm", complete=Blank()), (0, 0.2, 0.4, 0.6, 0.8)
    return {
        "prompt": FieldSweep(r, ("complete.prompt_length",), (4, 8, 16, 32, 64, 128)),
        "missing": FieldSweep(r, (), ratios),
        "missing, w/o MMCM": FieldSweep(blank, (), ratios),
        "kernel": FieldSweep(r, ("complete.kernel",), (1, 3, 5)),
        "drop": FieldSweep(r, ("complete.modality_dropout",), (0, 0.1, 0.3)),
        "latent": FieldSweep(r, ("fuse.0.latent",), (16, 32, 64, 128)),
    }
