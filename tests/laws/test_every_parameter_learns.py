"""Every trained parameter gets a gradient; those of a backbone that nothing reads are listed, and not trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel

from openmie import corpora
from openmie.model.backbones import _vision, load_text
from openmie.model.pretrained import Model
from openmie.model.unread_parameters import freeze_unread, unread
from openmie.nn.encode.dual import Text
from openmie.nn.encode.towers import VisionTower
from openmie.papers import baseline, camim, m3d, mgips_cl, shap_ca
from openmie.recipe import Recipe

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 100,
}
TEXTS: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {},
    "xlm-roberta": {},
    "electra": {"embedding_size": 32},
    "albert": {"embedding_size": 16},
    "mpnet": {},
    "longformer": {"attention_window": 8},
}
PATCHES = {k: v for k, v in SIZES.items() if k != "vocab_size"} | {"image_size": 32, "patch_size": 8}
STAGES: dict[str, Any] = {"hidden_sizes": [8, 16], "depths": [1, 1]}
IMAGES: dict[str, dict[str, Any]] = {
    "vit": PATCHES,
    "deit": PATCHES,
    "clip_vision_model": PATCHES,
    "siglip_vision_model": PATCHES,
    "dinov2": PATCHES,
    "beit": PATCHES,
    "resnet": STAGES | {"embedding_size": 8},
    "convnext": STAGES | {"num_stages": 2},
    "convnextv2": STAGES | {"num_stages": 2},
}


def learns(module: torch.nn.Module) -> dict[str, bool]:
    """Each parameter that is trained: whether it has a gradient."""
    return {name: p.grad is not None for name, p in module.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("kind", TEXTS)
def test_text_backbones(kind: str) -> None:
    model = AutoModel.from_config(AutoConfig.for_model(kind, **SIZES | TEXTS[kind]))
    freeze_unread(model, kind)
    tokens = torch.randint(5, 99, (2, 16))
    states = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).last_hidden_state
    states.square().sum().backward()
    assert all(learns(model).values()), [name for name, has in learns(model).items() if not has]
    assert all(model.get_parameter(name).grad is None for name in unread(model, kind))
    assert len(unread(model, kind)) == {"longformer": 2 * 6 + 2, "electra": 0}.get(kind, 2)


@pytest.mark.parametrize("kind", IMAGES)
def test_vision_backbones(kind: str) -> None:
    tower = VisionTower(AutoModel.from_config(AutoConfig.for_model(kind, **IMAGES[kind])))
    freeze_unread(tower.model, kind)
    tower(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(learns(tower).values()), [name for name, has in learns(tower).items() if not has]
    assert all(tower.model.get_parameter(name).grad is None for name in unread(tower.model, kind))


@pytest.mark.parametrize("kind", ["vit", "clip_vision_model", "siglip_vision_model", "dinov2", "resnet"])
def test_vision_backbones_read_as_a_pyramid(kind: str) -> None:
    """HVPNeT's prompt reads patches of several layers: the norm of CLIP's class token is not among them."""
    tower = VisionTower(AutoModel.from_config(AutoConfig.for_model(kind, **IMAGES[kind])))
    freeze_unread(tower.model, kind)
    tower.read_as_pyramid()
    tower.pyramid(torch.randn(2, 3, 32, 32), 2).square().sum().backward()
    assert all(learns(tower).values()), [name for name, has in learns(tower).items() if not has]


def test_loading_takes_them_out_and_keeps_them(tmp_path: Any) -> None:
    """A ViT's pooler and a Longformer's global projections are in the state as before, and are not trained."""

    class Whole:
        def to_dict(self) -> dict[str, Any]:
            return {}

    vit = AutoModel.from_config(AutoConfig.for_model("vit", **PATCHES))
    tower = _vision(vit, Whole()).model
    assert "model.pooler.dense.weight" in tower.state_dict()
    assert {n for n, p in tower.named_parameters() if not p.requires_grad} == {
        "model.pooler.dense.weight",
        "model.pooler.dense.bias",
    }
    text = load_text(Text()).model
    assert all(p.requires_grad for p in text.parameters()), "the built-in encoder has none that is unread"


def systems() -> list[tuple[str, str, Recipe]]:
    posts = "diorama:train=8,dev=2,test=2,translation=false"
    pairs = "diorama:paired=true,train=8,dev=2,test=2"
    documents = "diorama:documents=true,train=3,dev=2,test=2"
    names, links, long = (corpora.load(c) for c in (posts, pairs, documents))
    found = [(f"Shap-CA {t}", c, shap_ca.recipe(corpora.load(c), task=t)) for t, c in (("ner", posts), ("re", pairs))]
    printed = shap_ca.recipe(names, task="ner", flavour="paper", text="tiny", vision="tiny")
    head: Any = printed.heads[0]  # the tagger of the paper may not be installed
    return [
        *found,
        ("Shap-CA joint", pairs, shap_ca.recipe(links, task="joint")),
        ("Shap-CA paper", posts, replace(printed, heads=(replace(head, channels=replace(head.channels, tagger="")),))),
        ("MGIPS-CL", posts, mgips_cl.recipe(names)),
        ("MGIPS-CL paper", posts, mgips_cl.recipe(names, flavour="paper", text="tiny")),
        ("CAMIM TMR", pairs, camim.recipe(links)),
        ("CAMIM HVPNeT", pairs, camim.hvpnet(camim.recipe(links))),
        ("M3D", documents, m3d.recipe(long)),
        ("baseline", posts, baseline.recipe(names)),
    ]


@pytest.mark.parametrize("number", range(10))
def test_one_step_of_each_system(number: int) -> None:
    name, corpus, recipe = systems()[number]
    torch.manual_seed(0)
    model = Model.new(recipe)
    model.extractor.train()
    documents = list(corpora.load(corpus).split("train"))
    model.extractor(model.featurizer.collate(model.featurizer.featurize(documents, gold=True))).total.backward()
    found = learns(model.extractor)
    assert all(found.values()), (name, [n for n, has in found.items() if not has])
