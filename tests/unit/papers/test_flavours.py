"""Flavours of the papers' systems: `paper` has the printed values, and a corpus's name changes no recipe."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from openmie import recipe as recipes
from openmie.bench import system
from openmie.data.corpus import Corpus, Labels
from openmie.errors import RecipeError
from openmie.recipe import Recipe

BERT, RESNET = "bert-base-uncased", "microsoft/resnet-{}"
TAGGER = "spacy:en_core_web_sm"

# page and options -> field -> (value, where it is printed, or which gap it fills)
PRINTED: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, tuple[Any, str]]] = {
    ("shap_ca", (("task", "ner"),)): {
        "encode.text.name": (BERT, "section 4.2"),
        "encode.vision.name": (RESNET.format(152), "section 4.2"),
        "encode.drop_context": (0.0, "not printed: off"),
        "encode.separate_context_pass": (False, "eq. 1: [t; c]"),
        "fuse.0.gates": ("tanh", "eq. 10"),
        "fuse.0.block": ("attention", "eq. 11: attention, and no layer around it"),
        "fuse.0.bridge_pooling": ("sum", "eq. 8"),
        "fuse.0.gate_bias": (0.0, "eq. 10: linear layers as any"),
        "fuse.0.layers": (1, "section 3.5"),
        "align.0.first": (("context",), "eq. 4"),
        "align.0.second": (("text",), "eq. 4"),
        "align.1.second": (("vision",), "eq. 7"),
        "align.0.weight": (0.2, "eq. 19, figure 3: alpha"),
        "align.1.weight": (0.4, "eq. 19, figure 3: beta"),
        "align.0.loss.estimator": ("cyclic", "algorithm 1"),
        "align.0.loss.negatives": ("sum", "eq. 5"),
        "align.1.loss.negatives": ("sum", "eq. 7 as eq. 5"),
        "align.0.loss.symmetric": (True, "eq. 6"),
        "heads.0.channels.width": (100, "section 4.2: d1"),
        "heads.0.channels.init_scale": (1.0, "not printed: as they are"),
        "heads.0.channels.tagger": (TAGGER, "section 4.2"),
        "heads.0.hidden": (200, "eq. 12: an MLP; d2 is not printed"),
        "heads.0.loss_per": ("document", "eq. 13"),
        "training.batch_size": (28, "section 4.2"),
        "training.lr_schedule": ("cosine", "section 4.2"),
        "training.warmup_ratio": (0.05, "section 4.2"),
        "training.patience": (7, "section 4.2"),
        "training.max_grad_norm": (0.0, "not printed: off"),
        "training.param_groups.0.lr": (5e-5, "section 4.2: encoders"),
        "training.param_groups.1.lr": (5e-5, "section 4.2: encoders"),
        "training.param_groups.2.lr": (1e-4, "section 4.2: Twitter-2017, MJERE, MNRE"),
    },
    ("shap_ca", (("task", "joint"),)): {
        "heads.0.scale": (1.0, "section 4.2: lambda"),
        "heads.0.contrast": ("literal", "eq. 17"),
        "heads.0.loss_per": ("document", "eq. 18: a sum"),
        "heads.0.none_weight": (1.0, "eq. 18"),
        "heads.0.scheme": ("as_released", "labels of EEGA"),
        "heads.0.channels.tagger": (TAGGER, "section 4.2"),
    },
    ("mgips_cl", ()): {
        "encode.text.name": (BERT, "section 4.3"),
        "encode.vision.name": ("openai/clip-vit-base-patch32", "section 4.3; the patch from the release"),
        "encode.objects": (3, "section 3.1"),
        "encode.main_image_with_objects": (False, "section 3.1"),
        "encode.image_size": (128, "section 3.1: 3 x 4 x 4 patches"),
        "encode.order": ("lagged", "eq. 2"),
        "encode.first_layer_prefix": ("raw", "eq. 3"),
        "encode.text_tokens": (40, "section 4.3"),
        "encode.missing_image": ("default", "section 4.1"),
        "fuse.0.column_pooling": ("position", "eq. 6: n x 1, as in the release"),
        "encode.exchange": (True, "eq. 2"),
        "fuse.0.layers": (1, "section 3.3.2"),
        "fuse.0.binding": ("token_map", "eq. 5: to one length"),
        "fuse.0.rescaled": (False, "eq. 6: softmax"),
        "fuse.0.row": (True, "eq. 6"),
        "fuse.0.column": (True, "eq. 6"),
        "fuse.0.gate": ("vector", "eq. 12"),
        "fuse.0.width": (768, "section 4.3"),
        "align.0.loss.k": (3, "section 4.3"),
        "align.0.loss.anchor": ("text", "eq. 15"),
        "align.0.loss.topk_weight": (1.0, "eq. 19"),
        "align.0.loss.pair_weight": (1.0, "eq. 19"),
        "align.0.weight": (1.0, "eq. 19"),
        "heads.0.loss_per": ("document", "eq. 18"),
        "training.warmup_ratio": (0.06, "section 4.3"),
        "training.epochs": (40, "section 4.6.1"),
        "training.batch_size": (32, "the release's origin"),
        "training.max_grad_norm": (0.0, "the release"),
        "training.param_groups.0.lr": (5e-5, "section 4.3: BERT"),
        "training.param_groups.1.lr": (3e-5, "section 4.3: CLIP"),
        "training.param_groups.0.weight_decay": (0.01, "section 4.3"),
        "training.param_groups.5.lr": (5e-2, "the release: CRF"),
        "training.param_groups.5.weight_decay": (0.01, "section 4.3"),
    },
    ("camim", ()): {
        "encode.text.name": (BERT, "section 4.1"),
        "encode.vision.name": (RESNET.format(50), "section 4.1"),
        "encode.objects": (3, "section 4.2: m"),
        "encode.context_tokens": (40, "section 4.2"),
        "encode.generated": (True, "eq. 2"),
        "fuse.0.sentence": (True, "eq. 5"),
        "fuse.0.word": (True, "eq. 11"),
        "fuse.0.dropout": (0.3, "the release"),
        "fuse.1.pool": ("sum", "the release"),
        "fuse.1.object_words": ("phrases", "the release"),
        "fuse.1.dropout": (0.5, "the release"),
        "align.0.first": (("generated",), "section 3.4.2: G predicts O"),
        "align.0.second": (("original",), "section 3.4.2"),
        "align.0.weight": (0.1, "eq. 23, figure 4c: alpha"),
        "align.0.loss.tau": (1.0, "eq. 21: none"),
        "align.0.loss.symmetric": (False, "eq. 22"),
        "training.epochs": (8, "section 4.2"),
        "training.batch_size": (16, "section 4.2"),
        "training.warmup_ratio": (0.1, "section 4.2"),
        "training.lr_schedule": ("linear", "section 4.2"),
        "training.max_grad_norm": (0.0, "the release"),
        "training.param_groups.0.lr": (2e-5, "section 4.2"),
        "training.param_groups.0.weight_decay": (0.01, "section 4.2"),
    },
    ("m3d", ()): {
        "encode.text.name": ("allenai/longformer-base-4096", "section VI-C"),
        "encode.vision.name": ("google/vit-base-patch16-224", "section VI-C"),
        "encode.text.pool": ("max", "the release"),
        "encode.text.attention_dropout": (None, "not printed: the backbone's"),
        "encode.conv_width": (0, "not printed: off"),
        "encode.as_released": (False, "eq. 7"),
        "complete.prompt_length": (64, "the release"),
        "complete.modality_dropout": (0.0, "not printed: off"),
        "fuse.0.latent": (64, "the release"),
        "fuse.0.heads": (16, "the release"),
        "fuse.0.variational": (True, "section V-D: a VAE"),
        "fuse.0.kl_weight": (0.0, "eq. 24: no KL"),
        "fuse.0.project": (True, "eq. 8"),
        "fuse.0.own_keys": (False, "eq. 9"),
        "fuse.0.norm": (False, "eq. 9"),
        "fuse.0.time_decay": (False, "not printed: off"),
        "fuse.0.mix": ("matrix", "eq. 11"),
        "fuse.0.pool": ("mean", "eq. 12"),
        "fuse.0.sigmoid": (False, "eq. 10"),
        "heads.0.loss_per": ("word", "eq. 19: 1 / n_x"),
        "heads.0.weight": (1.0, "eq. 24"),
        "heads.1.link": ("closure", "eq. 16"),
        "heads.1.similarity_init": (0.0, "eq. 16"),
        "heads.1.norm": (False, "eq. 16"),
        "heads.1.weight": (1.0, "eq. 24"),
        "heads.2.decide": ("one", "eq. 17, 21"),
        "heads.2.aggregation": ("mean", "eq. 17"),
        "heads.2.mentions": ((), "not printed: types are not looked at"),
        "heads.2.joint": (False, "not printed: off"),
        "heads.2.norm": (False, "eq. 17"),
        "heads.2.weight": (1.0, "eq. 24"),
        "heads.3.slots": ("frame", "eq. 18"),
        "heads.3.match": ("order", "the release"),
        "heads.3.giou_weight": (0.0, "eq. 23"),
        "heads.3.l1_weight": (1.0, "eq. 23, 24"),
        "heads.3.no_object_weight": (1.0, "eq. 22"),
        "heads.3.links": (False, "not printed: off"),
        "heads.3.weight": (1.0, "eq. 24"),
        "training.epochs": (20, "section VI-C"),
        "training.batch_size": (1, "section VI-C"),
        "training.warmup_ratio": (0.0, "the release"),
        "training.max_grad_norm": (5.0, "the release"),
        "training.param_groups.0.lr": (5e-6, "section VI-C"),
        "training.param_groups.1.lr": (5e-6, "section VI-C"),
        "training.param_groups.2.lr": (1e-3, "section VI-C"),
    },
    ("pfa", ()): {
        "model": ("Qwen/Qwen2.5-VL-7B-Instruct", "section 4"),
        "tasks": (("summary", "ner"), "section 3.2"),
        "plain": (False, "section 3.2"),
        "patches": (True, "section 3.2"),
        "split": (0, "section 4: 7 to 3"),
        "dev": (0.0, "section 4: train and test alone"),
        "training.keep": ("last", "not printed: no selection"),
        "training.batch": (4, "section 4"),
        "training.lr": (1e-5, "section 4"),
        "training.vision_lr": (2e-6, "section 4"),
        "training.merger_lr": (2e-6, "section 4: unified"),
        "training.epochs": (3, "section 4"),
        "training.precision": ("bf16", "section 4"),
        "training.lora": (None, "section 4: full-parameter tuning"),
        "training.schedule": ("cosine", "the scripts"),
        "training.warmup": (0.03, "the scripts"),
        "training.decay": (0.1, "the scripts"),
        "training.checkpointing": (True, "the scripts"),
        "training.accumulate": (1, "section 4: batch 4"),
        "training.weights": ("float32", "the scripts: master weights"),
    },
}
PAGES = sorted(system.names())
NER = Labels(mentions=("A", "B"))
RE = Labels(relations=("None", "x", "y"), symmetric=frozenset({"y"}))
BOTH = replace(RE, mentions=NER.mentions, regions=("A",))


def field_of(part: Any, path: str) -> Any:
    for name in path.split("."):
        part = part[int(name)] if name.isdigit() else getattr(part, name)
    return part


def rows_of(page: Any, full: Any) -> dict[str, Any]:
    swept = page.sweeps(full) if hasattr(page, "sweeps") else {}
    return {**page.ablations(full), **{f"{n}={v}": r for n, values in swept.items() for v, r in values.items()}}


@pytest.mark.parametrize(("which", "printed"), PRINTED.items(), ids=lambda x: str(x)[:40])
def test_the_paper_flavour_has_the_printed_values(which, printed):
    page, options = which
    full = import_module(f"openmie.papers.{page}").recipe(flavour="paper", **dict(options))
    differs = {p: (field_of(full, p), v, where) for p, (v, where) in printed.items() if field_of(full, p) != v}
    assert not differs


def test_hvpnet_and_chinese_have_theirs():
    """CAMIM's other host (section 4.2), M3D's other language (section VI-C), Shap-CA's rate on Twitter-2015."""
    from openmie.papers import camim, m3d, shap_ca

    other = camim.hvpnet(camim.recipe(flavour="paper")).training
    assert (other.epochs, other.batch_size, other.param_groups[0].lr, other.max_grad_norm) == (30, 32, 3e-5, 0.0)
    chinese = m3d.recipe(flavour="paper", language="zh")
    assert chinese.encode.text.name == "markussagen/xlm-roberta-longformer-base-4096"
    assert shap_ca.recipe(flavour="paper", head_lr=3e-4).training.param_groups[-1].lr == 3e-4


@pytest.mark.parametrize("name", PAGES)
def test_every_flavour_builds_without_a_corpus_and_has_its_rows(name):
    page = import_module(f"openmie.papers.{name}")
    assert "small" in page.FLAVOURS and ("paper" in page.FLAVOURS) == bool(page.REPORTED)
    for flavour, told in page.FLAVOURS.items():
        full = page.recipe(flavour=flavour)
        assert full.name.endswith(f"-{flavour}") and told
        rows = rows_of(page, full)
        assert flavour in full.name and all(flavour in r.name for r in page.ablations(full).values())
        for row, variant in rows.items():
            assert not isinstance(variant, Recipe) or recipes.check(variant) == variant, row
        plain = [replace(r, name="") for r in page.ablations(full).values()]
        assert replace(full, name="") not in plain
    with pytest.raises(RecipeError, match="'nope'"):
        page.recipe(flavour="nope")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("labels", [NER, RE, BOTH], ids=["ner", "re", "both"])
def test_a_corpus_gives_labels_and_its_name_nothing(name, labels):
    page = import_module(f"openmie.papers.{name}")
    for flavour in page.FLAVOURS:
        found = []
        for called in ("diorama", "twitter:x/twitter2015", "jmere:x", "mine"):
            try:
                found.append(page.recipe(Corpus(called, {}, declared=labels), flavour=flavour))
            except RecipeError:
                found.append(None)
        assert all(r == found[0] for r in found)


def test_only_one_file_asks_how_a_corpus_is_called():
    root = Path(__file__).parents[3] / "openmie"
    asking = re.compile(r"(corpus|source|self)\.name\.(lower|startswith)")
    assert [p.name for p in sorted(root.rglob("*.py")) if asking.search(p.read_text(encoding="utf8"))] == ["corpus.py"]
    assert not [
        p.name for p in sorted((root / "papers").glob("*.py")) if re.search(r"^import re$", p.read_text(), re.M)
    ]


def test_the_labels_without_a_corpus_are_those_of_the_datasets():
    from openmie.papers import _labels

    assert len(_labels.MNRE.relations) == 23 and _labels.MNRE.symmetric < set(_labels.MNRE.relations)
    assert len(_labels.JMERE.relations) == 21 and _labels.JMERE.symmetric < set(_labels.JMERE.relations)
    assert _labels.M3D.mentions == ("LOC", "ORG", "PER", "TIME") and "PER-PER_couple" in _labels.M3D.relations
    assert _labels.TWITTER.mentions == ("LOC", "MISC", "ORG", "PER")
    assert _labels.GMNER.mentions == ("LOC", "ORG", "OTHER", "PER")
