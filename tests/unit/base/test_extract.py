"""openmie.extract: texts and images as people have them; openmie.load: base or a trained model, by name and folder."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

import openmie
from openmie.base import loading
from openmie.base.extract import extract, make_post
from openmie.base.predictor import Base
from openmie.data.images import load_image
from openmie.errors import DocumentError, ImageError, ModelError, OpenMIEError
from openmie.model.pretrained import Model
from tests.fixtures import small
from tests.fixtures.base_stub import stub_base


@pytest.fixture(autouse=True)
def base(monkeypatch):
    """What "base" names."""
    made = stub_base()
    monkeypatch.setattr(loading, "shipped", lambda: made)
    return made


def test_a_text():
    found = openmie.extract("Ada Lovelace spoke in Turin")
    assert [(m.text, m.label) for m in found.mentions] == [("Ada Lovelace", "PER"), ("Turin", "LOC")]
    assert openmie.extract is extract and found.id == "post"


def test_labels_relations_and_threshold_by_position():
    found = openmie.extract("Ada in Turin", None, {"PER": "a person", "CITY": "a city"}, {"in": "is there"}, 0.6)
    assert [m.label for m in found.mentions] == ["PER", "CITY"] and {r.label for r in found.relations} == {"in"}
    assert openmie.extract("Ada in Turin", relations=[]).relations == ()


def test_lists_give_lists(tmp_path):
    Picture.fromarray(small.picture(0)).save(tmp_path / "a.png")
    texts, images = ["Ada", "", "Bo"], [tmp_path / "a.png", None, small.picture(1)]
    found = openmie.extract(texts, images, batch_size=2)
    assert [d.text for d in found] == texts and [len(d.images) for d in found] == [1, 0, 1]
    assert len({d.id for d in found}) == 3 and openmie.extract([]) == []
    assert [d.mentions for d in openmie.extract(tuple(texts))] == [d.mentions for d in found]


def images(folder):
    pixels = small.picture(0)
    Picture.fromarray(pixels).save(folder / "a.png")
    rgba = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return {
        "str": str(folder / "a.png"),
        "path": folder / "a.png",
        "pil": Picture.fromarray(pixels),
        "opened": Picture.open(folder / "a.png"),
        "array": pixels,
        "rgba": rgba,
        "palette": Picture.fromarray(pixels).convert("P"),
        "image": openmie.Image(path=str(folder / "a.png")),
    }


@pytest.mark.parametrize("kind", ["str", "path", "pil", "opened", "array", "rgba", "image"])
def test_an_image_in_any_form_has_the_same_pixels(tmp_path, kind):
    (image,) = extract("Ada", images(tmp_path)[kind]).images
    assert np.array_equal(np.asarray(load_image(image)), small.picture(0))


def test_grey_palette_and_turned_images_become_upright_rgb(tmp_path):
    grey = make_post("", small.picture(0)[:, :, 0]).images[0]
    assert np.asarray(load_image(grey)).shape == small.picture(0).shape
    assert load_image(make_post("", images(tmp_path)["palette"]).images[0]).mode == "RGB"
    exif = Picture.Exif()
    exif[0x0112] = 6
    Picture.fromarray(small.picture(0)[:, :20]).save(tmp_path / "turned.jpg", exif=exif)
    picture = Picture.open(tmp_path / "turned.jpg")
    upright = load_image(make_post("", picture).images[0])
    assert upright.size == picture.size[::-1] == load_image(tmp_path / "turned.jpg").size


@pytest.mark.parametrize(
    "image",
    [3, [small.picture(0)], np.zeros((4, 4, 3)), np.zeros((0, 3, 3), np.uint8), np.zeros((4, 4, 2), np.uint8), b"x"],
    ids=str,
)
def test_an_image_of_another_kind(image):
    with pytest.raises(DocumentError, match="a path, a PIL image, or an array"):
        extract("Ada", image)


def test_texts_and_images_that_do_not_go_together():
    for text, image in ((["a", "b"], "one.png"), (["a", "b"], ["one.png"]), (["a"], small.picture(0))):
        with pytest.raises(DocumentError, match="as many images as texts"):
            extract(text, image)
    for text in (3, [3], [["a"]], None):
        with pytest.raises(DocumentError, match=r"Expected (a text|a str)"):
            extract(text)


def test_a_broken_image_in_memory(tmp_path):
    Picture.fromarray(small.picture(0)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match="a broken image"):
        extract("Ada", Picture.open(tmp_path / "a.png"))


def test_a_single_post_that_fails_is_an_error_and_one_of_a_list_a_record():
    with pytest.raises(OpenMIEError, match=r"(?i)poison"):
        extract("poison")
    found = extract(["Ada", "poison"])
    assert [len(d.errors) for d in found] == [0, 1] and found[0].mentions


def test_load_gives_base_or_a_trained_model(tmp_path, bert, base, monkeypatch):
    assert openmie.load("base") is base is openmie.load("base") and openmie.load is loading.load
    Model.new(small.recipe("ner", "text", encode__text__name=bert)).save_pretrained(tmp_path / "trained")
    assert isinstance(openmie.load(tmp_path / "trained"), Model)
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "text.json").write_text("{}")
    monkeypatch.setattr(Base, "load", classmethod(lambda cls, folder=None: ("tuned", folder)))
    assert openmie.load(tmp_path / "tuned") == ("tuned", tmp_path / "tuned")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    assert openmie.load("base") is base  # the name; the folder is ./base
    with pytest.raises(ModelError, match="Base lacks"):
        openmie.load("./base")
    with pytest.raises(ModelError, match="Base lacks"):
        openmie.load(Path("base"))
    with pytest.raises(ModelError, match="No folder"):
        openmie.load("./nowhere")


def test_extract_takes_models_that_labels_can_be_asked_of(tmp_path, bert, base):
    assert extract("Ada", model=base).mentions and extract("Ada", model="base").mentions
    Model.new(small.recipe("ner", "text", encode__text__name=bert)).save_pretrained(tmp_path / "trained")
    with pytest.raises(OpenMIEError, match="is no openmie-base"):
        extract("Ada", model=tmp_path / "trained")


def test_facts_of_a_folder(tmp_path):
    from openmie.base.facts import ModelFacts

    told = {"version": "2", "labels": {"a": "b"}, "measured": {"F1 on x": 71.234, "posts": 9}, "other": 1}
    (tmp_path / "text.json").write_text(json.dumps(told))
    facts = ModelFacts.read(tmp_path)
    assert facts.identity() == {"name": "openmie-base", "version": "2"} and facts.labels == {"a": "b"}
    assert "openmie-base 2" in facts.sentences() and "F1 on x 71.2; posts 9." in facts.sentences()
    assert "Measured" not in ModelFacts().sentences()
    for broken in ("[]", "{", ""):
        (tmp_path / "text.json").write_text(broken)
        with pytest.raises(ModelError, match=r"text\.json"):
            ModelFacts.read(tmp_path)


def test_importing_extract_and_load_is_light():
    code = (
        "import sys, openmie\nopenmie.extract, openmie.load\n"
        "import openmie.base.predictor, openmie.cli.base_options, openmie.inference.pipeline\n"
        "heavy = {'torch', 'transformers', 'huggingface_hub'} & sys.modules.keys()\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_entities_as_dictionaries_by_the_names_of_the_package():
    found = openmie.predict_entities("Ada in Turin", ["PER", "CITY"], 0.5, model=stub_base())
    assert found == [
        {"start": 0, "end": 3, "text": "Ada", "label": "PER", "score": 0.9},
        {"start": 7, "end": 12, "text": "Turin", "label": "CITY", "score": 0.85},
    ]
    assert openmie.predict_entities("", {"PER": "a person"}, model=stub_base()) == []
    with pytest.raises(DocumentError, match="a list"):
        openmie.predict_entities(["Ada"], ["PER"], model=stub_base())


def test_a_prediction_as_a_doc_of_spacy():
    pytest.importorskip("spacy", reason="the extra `pos` is not installed")
    doc = extract("Ada in Turin", model=stub_base()).to_spacy()
    assert [(e.text, e.label_) for e in doc.ents] == [("Ada", "PER"), ("Turin", "LOC")]
    assert [s.id_ for s in doc.spans["mentions"]] == ["m0", "m1"]
    assert doc.user_data["openmie"]["source"]["openmie"]["models"][0]["name"] == "stub"
