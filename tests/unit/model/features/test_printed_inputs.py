"""MGIPS-CL as printed: texts cut at 40 tokens, and a default picture for a missing image; nothing of it silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from openmie.data.document import Document, Image, Mention
from openmie.errors import RecipeError
from openmie.model.pretrained import Model
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.decode.tags import Crf
from openmie.nn.encode.mutual import Mutual
from openmie.papers import mgips_cl
from openmie.recipe import Recipe

CUT = 12


def model(**encode: Any) -> Model:
    torch.manual_seed(0)
    recipe = Recipe(name="r", encode=Mutual(image_size=64, **encode), heads=(Crf(labels=("A",), input_stream="text"),))
    made = Model.new(recipe)
    made.extractor.eval()
    return made


def post(words: int, name: str = "d", **layers: Any) -> Document:
    return Document.from_words(name, ["cat"] * words).replace(**layers)


def mention(d: Document, id: str, first: int, last: int) -> Mention:
    return Mention(id=id, start=d.words[first].start, end=d.words[last].end, label="A")


def test_a_longer_text_is_cut_and_says_so() -> None:
    made, d = model(text_tokens=CUT), post(30)
    d = d.replace(mentions=[mention(d, "in", 8, 9), mention(d, "over", 9, 10), mention(d, "out", 20, 21)])
    d = d.replace(mentions=[m for m in d.mentions if m.id != "over"])
    (one,) = made.featurizer.featurize([d], gold=True)
    batch = made.featurizer.collate([one])
    assert batch.inputs["input_ids"].shape == (1, CUT) and batch.inputs["words"].sum() == CUT - 2 == one.words
    assert "32 tokens" in one.errors["text"].found and "at most 12" in one.errors["text"].expected
    assert {w for w in one.errors if w.startswith("mention")} == {"mention out"}
    assert batch.targets["tags"].tolist() == [[0] * 8 + [1, 2]]
    assert made.extractor(batch).total.isfinite()


def test_a_mention_over_the_cut_is_reported() -> None:
    d = post(30)
    (one,) = model(text_tokens=CUT).featurizer.featurize([d.replace(mentions=[mention(d, "over", 9, 10)])], gold=True)
    assert "mention over" in one.errors


def test_beyond_the_cut_nothing_is_read_and_nothing_predicted() -> None:
    """Predictions of a batch of a long and a short text: the long one's are those of its beginning."""
    made = model(text_tokens=CUT)
    long, short = made.predict([post(30, "long"), post(4, "short")])
    assert all(m.end <= long.words[CUT - 3].end for m in long.mentions)
    begin = made.predict([post(CUT - 2, "begin")])[0]
    assert [(m.start, m.end) for m in begin.mentions] == [(m.start, m.end) for m in long.mentions]
    assert any("12" in e.expected for e in long.errors) and not short.errors
    whole = model().featurizer.featurize([post(30)])[0]
    assert whole.words == 30 and not whole.errors


def test_the_cut_is_for_names_alone() -> None:
    with pytest.raises(RecipeError, match="text_tokens"):
        Model.new(
            Recipe(
                name="r",
                encode=Mutual(image_size=64, text_tokens=CUT),
                heads=(EntityMarkers(labels=("A", "None"), input_stream="text"),),
            )
        )
    assert [p.where for p in Mutual(text_tokens=2).problems()] == ["text_tokens"]


def test_a_missing_image_is_the_default_picture() -> None:
    """One colour in all three crops: tokens are there, the document takes part, and says that it had no image."""
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    shown = post(3, "shown", images=(Image(id="main", pixels=pixels),))
    made = model(missing_image="default")
    batch = made.featurizer.collate(made.featurizer.featurize([post(3), shown]))
    real = [s for i, s in zip(batch.inputs["image"].tolist(), batch.inputs["slot"].tolist()) if i == 0]
    assert real == [1, 2, 3] and (batch.inputs["pixels"][:3] == 0).all() and batch.inputs["pixels"][3].any()
    stream = made.extractor.streams(batch.inputs).encoded["vision"]
    assert stream.present.tolist() == [True, True] and stream.mask[0].sum() == 1 + 3 * 16
    alone = made.featurizer.collate(made.featurizer.featurize([post(3)]))
    assert torch.equal(alone.inputs["pixels"], batch.inputs["pixels"][:3])
    assert made.predict([post(3)])[0].source["masked"] == ["vision"]
    masked = model()
    assert "pixels" not in masked.featurizer.collate(masked.featurizer.featurize([post(3)])).inputs


def test_flavours() -> None:
    printed, ours = (mgips_cl.recipe(flavour=f).encode for f in ("paper", "improved"))
    assert (printed.text_tokens, printed.missing_image) == (40, "default")
    assert replace(printed, text_tokens=0, missing_image="masked", first_layer_prefix="projected") == ours
