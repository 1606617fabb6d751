"""M3D: documents with video frames, four tasks at once, in English and Chinese, with missing sides.

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

    recipe(corpus=...)      the full system, for the corpus's language
    ablations(recipe)       tables III and IV, the release's choices, and ours
    sweeps(recipe)          prompt length (figure 8); latent width, kernel and hidden sides
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openmie.data.corpus import Corpus
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
from openmie.nn.fuse.one_stream import OneStream
from openmie.nn.fuse.two_stream import TwoStream
from openmie.papers._m3d_tables import COLUMNS, NAME, REPORTED
from openmie.recipe import Group, Recipe, Training

__all__ = ["COLUMNS", "NAME", "NOTES", "REPORTED", "SCORES", "ablations", "recipe", "sweeps"]

TEXTS = {"en": "allenai/longformer-base-4096", "zh": "markussagen/xlm-roberta-longformer-base-4096"}
VISION = "google/vit-base-patch16-224"
VIDEOS = {"VideoMAE": "MCG-NJU/videomae-base", "ViViT": "google/vivit-b-16x2-kinetics400"}
SCORES = (
    "entities",
    "chains",
    "own chains",
    "relations",
    "own relations",
    "relations as_released",
    "regions",
    "own",
    "frame relations",
    "own frame relations",
)  # own: from the system's own candidates, not from gold
NONE = "none"  # vision=none: no frames are read
SMALL = ("tiny", "characters")  # text encoders that start at random

NOTES = """What the paper leaves open, and what stands here, each a field of the recipe:
eq. 7, whose printed sums share two layers: layers 1-4, 5-8, 9-12. The release begins with the embeddings and leaves the
last layer out (encode.as_released). Words are the largest value of their pieces, as in the release. The weights of the
text's attention have no dropout (ours), so that those of thousands of pieces are never held, which also is faster.
eq. 8: an auto-encoder, as released; fuse.variational makes it the VAE of the text, its KL weighed by fuse.kl.
eq. 12: the mean over patches, as printed; the release sums them.
eq. 13, 14: kernel 3, for the locality that the text speaks of; the release has 1. Prompt length 64 and latent width 64
are the release's. Its shipped setting never runs this module. In training no side is hidden but those that the corpus
lacks (complete.drop); on Diorama a part is, so that both ways are learnt at every missing ratio.
eq. 16, 17: W is printed too small for a Kronecker product: bilinear forms. A chain is the mean of its mentions; in the
release mentions vote. Several relations may hold for one pair, each asked for by itself; the paper's softmax with one
label a pair is `one label a pair`. Types that do not fit a label's prefix are never answered; where the
files store the ends the other way round, the reader turned them. Vectors are normed first.
The paper closes links into chains, where one wrong link joins two (`closure of links`); here each mention is linked to
its likeliest earlier one alone: on dev of Diorama chains 89.7 -> 91.4, own relations told by frames 59.4 -> 66.7.
Between chains of its own the system weighs a label by how sure it is of the types (links.joint, ours).
eq. 18 has one box a frame: a set of boxes by Hungarian matching, which look at the frame's patches; the paper's
slots from the frame's vector are `slots of the paper`. A region names its chain, which the paper does not ask for.
eq. 19 is a cross-entropy where eq. 15 is a CRF: the CRF's likelihood, of a document, as CRF libraries sum it: per word
it drowns in the other losses (M3D's English, MiniLM, one epoch, entities on dev: 77.0 and 31.1). On Diorama per word,
which does better there (72.9 and 62.9 on dev). eq. 24: all weights 1, and on Diorama, where the gradient that the
links of regions to chains send into the fusion is twenty times that of the tags, 10, 5 and 20 for tags, chains and
relations.
Training as released: 20 epochs, batch 1, AdamW at 5e-6 for both towers and 1e-3 for all else, no warm-up, linear decay,
the gradient's norm clipped at 5, no weight decay, seed 1898 (the trainer's: --seed 1898). Selection on dev by the mean
of four F1s, the paper's Avg., chains and relations among gold candidates; the release's mean of six, in which chains
count three times, is training.metric=released, the system's own candidates are training.metric=own.
The missing ratio of figure 9 is no recipe but a corpus: m3d:DIR?missing=0.5 and diorama:documents=true,missing=0.5 take
the text from a quarter and the frames from another of all documents, of all splits. Gold of the text goes with it.
One-stream and two-stream of table III are not described beyond two sentences; VideoMAE and ViViT are read in clips of
as many frames as they were made for, a last clip that is short by repeating its last frame.
Queries, keys and values of eq. 9 are normed first (ours; `w/o norms` as released): so each of two words learns to read
its own half of a frame in half the steps.
When a sentence is said and a frame seen the paper does not use. On Diorama the attention of eq. 9 heeds it (fuse.times,
ours): there a sentence's frame is told by its time, or by the colour of its flag alone.
Text encoders that start at random get a convolution over seven words (encode.local, ours), see `Neighbours`.
Diorama: `tiny` towers, Chinese by `characters`, whose vocabulary training makes; a rate of 1e-3, batch 8, 12 epochs; on
real files, of which there are few, batch 2 and 20 epochs. MiniLM: 5e-5, the CRF's own scores 1e-2, all else at 1e-3,
batch 1, 10 epochs. A corpus without regions is read without frames, unless vision=NAME asks for them.
"""


def recipe(corpus: Corpus, *, task: str = "", text: str = "", vision: str = "", language: str = "") -> Recipe:
    """M3D for a corpus's labels, with the paper's hyper-parameters.

    By default the backbones are the paper's for the corpus's language (which its documents say where the corpus does
    not), for Diorama the built-in ones; without regions to learn from no frames are read. `vision=none` says so too.
    Errors: another task, a corpus without mentions.
    """
    labels, made = corpus.labels, corpus.name.startswith("diorama")
    if task not in ("", "document") or not labels.mentions:
        found = f"task {task!r}" if task not in ("", "document") else "a corpus without mention labels"
        raise RecipeError(
            found,
            expected="document: M3D finds entities, chains, relations and regions",
            remedy="see `baseline` for other tasks",
            where="m3d",
        )
    language = language or corpus.language or _language(corpus)
    if language not in TEXTS:
        raise RecipeError(
            f"language {language!r}",
            expected=f"one of {', '.join(TEXTS)}",
            where="m3d",
            remedy="give text=NAME with an encoder for it, and language=en",
        )
    text = text or (SMALL[language == "zh"] if made else TEXTS[language])
    vision = vision or (NONE if not labels.regions else "tiny" if made else VISION)
    words, name = Text(name=text, pool="max", attention_dropout=0.0), f"m3d-{language}"
    small = text in SMALL
    encode = Hierarchical(text=words, local=7 if small else 0)
    if vision == NONE:
        return Recipe(name=name, encode=encode, heads=_heads(corpus, False), training=_training(text, vision, made))
    return Recipe(
        name=name,
        encode=replace(encode, vision=Vision(name=vision), chunk=512 if vision == "tiny" else 16),
        complete=PromptConv(prompt=8, drop=0.1) if small else PromptConv(),
        fuse=(Denoised(heads=4 if small else 16, times=small),),
        heads=_heads(corpus, True),
        training=_training(text, vision, made),
    )


def _language(corpus: Corpus) -> str:
    """That of the documents to learn from; of a mixture Chinese, whose encoder knows a hundred languages."""
    split = next((s for s in ("train", "dev") if s in corpus.sources), "")
    found = {d.lang for d in corpus.split(split)} - {""} if split else set()
    return "zh" if {"en", "zh"} <= found else min(found, default="en")


def _heads(corpus: Corpus, seen: bool) -> tuple[Any, ...]:
    """In the order in which one reads what the one before found."""
    labels, made = corpus.labels, corpus.name.startswith("diorama")
    tags = Crf(labels=labels.mentions, per="word", weight=10.0) if made else Crf(labels=labels.mentions, per="document")
    found: list[Any] = [tags, Chains(labels=labels.mentions, link="best", weight=5.0 if made else 1.0)]
    relations = tuple(x for x in labels.relations if x != "None")
    if relations:
        symmetric = tuple(sorted(labels.symmetric & set(relations)))
        found.append(
            ChainRelations(
                labels=relations, mentions=labels.mentions, symmetric=symmetric, weight=20.0 if made else 1.0
            )
        )
    if seen and labels.regions:
        found.append(Regions(labels=labels.regions))
    return tuple(found)


def _training(text: str, vision: str, made: bool) -> Training:
    """Section VI-C and the release; encoders that start at random learn at a higher rate, in fewer epochs."""
    if text in SMALL:
        few = (Group(match="crf", lr=1e-2, weight_decay=0.0), Group(lr=1e-3))
        return Training(epochs=12 if made else 20, batch=8 if made else 2, groups=few, clip=5.0)
    small = text == "minilm"
    groups = (
        *([Group(match="crf", lr=1e-2, weight_decay=0.0)] if small else []),
        Group(match="encode.text", lr=5e-5 if small else 5e-6, weight_decay=0.0),
        Group(match="encode.vision", lr=1e-3 if vision == "tiny" else 5e-6, weight_decay=0.0),
        Group(lr=1e-3, weight_decay=0.0),
    )
    if small:
        return Training(epochs=10, batch=1, groups=groups, clip=5.0)
    return Training(epochs=20, batch=1, groups=groups, warmup=0.0, clip=5.0)


def _full(r: Recipe) -> bool:
    return bool(r.fuse) and isinstance(r.fuse[0], Denoised)


def heads_with(r: Recipe, kind: Any, **change: Any) -> tuple[Any, ...]:
    """The heads, those of one kind changed."""
    heads: tuple[Any, ...] = r.heads
    return tuple(replace(h, **change) if isinstance(h, kind) else h for h in heads)


def ablations(r: Recipe) -> dict[str, Recipe]:
    """Rows of table IV, of table III where its encoders are at hand, the release's choices, and ours."""
    found: dict[str, dict[str, Any]] = {
        "one label a pair": {"heads": heads_with(r, ChainRelations, decide="one")},
        "closure of links": {"heads": heads_with(r, Chains, link="closure")},
        "votes of mentions": {"heads": heads_with(r, ChainRelations, chain="vote")},
    }
    if _full(r):
        encode: Any = r.encode
        made: Any = r.complete
        plain = {"complete": Blank()}
        blind = tuple(h for h in r.heads if not isinstance(h, Regions))
        found = {
            "w/o MMCM": plain,
            "w/o DFFM": {"fuse": (Frames(),)},
            "w/o both": {**plain, "fuse": (Frames(),)},
            **found,
            "w/o times" if r.fuse[0].times else "times": {"fuse": (replace(r.fuse[0], times=not r.fuse[0].times),)},
            "w/o norms": {"fuse": (replace(r.fuse[0], norm=False),)},
            "true VAE": {"fuse": (replace(r.fuse[0], variational=True),)},
            "kernel 1": {"complete": replace(made, kernel=1)},
            "slots of the paper": {"heads": heads_with(r, Regions, slots="frame")},
            "as released": _released(r),
            "text": {**plain, "encode": replace(encode, vision=None), "fuse": (), "heads": blind},
            **_baselines(r),
        }
    named = {row: f"{r.name}-{row.replace('w/o ', 'no').replace(' ', '-').lower()}" for row in found}
    return {row: replace(r, name=named[row], **change) for row, change in found.items()}


def _baselines(r: Recipe) -> dict[str, dict[str, Any]]:
    """Table III: two fusions, over video towers or, with the built-in encoders, over these."""
    encode: Any = r.encode
    fusions = {"Os": OneStream(), "Ts": TwoStream()}
    if encode.text.name in SMALL:
        return {f"tiny+{x}": {"complete": Blank(), "fuse": (fusion,)} for x, fusion in fusions.items()}
    return {
        f"{video}+Longformer+{x}": {
            "complete": Blank(),
            "fuse": (fusion,),
            "encode": replace(encode, vision=Vision(name=name), size=224),
        }
        for video, name in VIDEOS.items()
        for x, fusion in fusions.items()
    }


def _released(r: Recipe) -> dict[str, Any]:
    """All of the release's choices that can be had without its slips (pixels, shifted words, its scorer); none of ours.

    It keeps how tags are counted, the encoders and how long they are trained.
    """
    heads: list[Any] = []
    encode: Any = r.encode
    for head in r.heads:
        head = replace(head, weight=1.0)
        if isinstance(head, Chains):
            head = replace(head, alike=0.0, norm=False, link="closure")
        if isinstance(head, ChainRelations):
            head = replace(head, decide="one", chain="vote", norm=False, joint=False)
        if isinstance(head, Regions):
            head = replace(head, slots="frame", match="order", giou=0.0, l1=1.0, empty=1.0, links=False)
        heads.append(head)
    denoised = Denoised(sigmoid=True, project=False, own_keys=True, mix="scalar", norm=False, pool="sum", dropout=0.5)
    return {
        "encode": replace(encode, as_released=True, local=0, text=replace(encode.text, attention_dropout=None)),
        "complete": PromptConv(kernel=1),
        "fuse": (denoised,),
        "heads": tuple(heads),
        "training": replace(r.training, metric="released"),
    }


def sweeps(r: Recipe) -> dict[str, dict[str, Recipe]]:
    """Prompt length (figure 8, whose values are not legible), latent width, kernel, and sides hidden in training."""
    if not _full(r):
        return {}
    complete: Any = r.complete
    asked: dict[str, tuple[str, tuple[float, ...]]] = {
        "prompt": ("prompt", (4, 8, 16, 32, 64, 128)),
        "kernel": ("kernel", (1, 3, 5)),
        "drop": ("drop", (0, 0.1, 0.3)),
    }
    found = {
        name: {str(v): replace(r, complete=replace(complete, **{field: v})) for v in values}
        for name, (field, values) in asked.items()
    }
    latent = {str(v): replace(r, fuse=(replace(r.fuse[0], latent=v),)) for v in (16, 32, 64, 128)}
    return {**found, "latent": latent}
