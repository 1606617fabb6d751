"""`e5` and `lite0` in the recipes: rates of a small pretrained encoder, words as means, a frozen tower of images."""

import pytest

from openmie.bench import system
from openmie.papers import baseline, camim, m3d, mgips_cl, shap_ca

PAGES = (baseline, shap_ca, mgips_cl, camim, m3d)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.__name__.rpartition(".")[2])
def test_e5_is_trained_as_minilm_is(page):
    flavour = "pretrained" if page is baseline else "improved"
    made = {text: page.recipe(text=text, flavour=flavour) for text in ("minilm", "e5")}
    assert made["e5"].training == made["minilm"].training
    assert made["e5"].encode.text.name == "e5" and made["e5"].fuse == made["minilm"].fuse
    assert made["e5"].encode.text.pool == ("max" if page is m3d else "mean")


def test_a_recipe_takes_both_and_freezes_the_images():
    full = system.build("baseline", None, "ner", ["text=e5", "vision=lite0"], "pretrained")
    changed = system.change(full, ["encode.vision.freeze=true"])
    assert (changed.encode.text.name, changed.encode.vision.name, changed.encode.vision.freeze) == ("e5", "lite0", True)
