"""Documents of a mutual encoder: crops and the records of what could not be read, gold, long texts; its folders."""

import json

import numpy as np
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

import openmie
from openmie.data import images
from openmie.data.document import Document, Image, Mention, Region
from openmie.errors import ImageError
from openmie.model.backbones import load_vision
from openmie.model.features.batching import Featurizer
from openmie.model.features.images import read_images, select_images
from openmie.model.pretrained import Model
from openmie.nn.decode.tags import Softmax
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.encode.extended_attention import NAME
from openmie.nn.encode.mutual import Mutual
from openmie.recipe import Recipe
from openmie.train.feature_cache import cache_frozen
from tests.fixtures import small

# -- documents: what is read


def recipe(**encode):
    return Recipe(name="mutual", encode=Mutual(**{"image_size": 32, **encode}), heads=(Softmax(labels=("LOC", "PER")),))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = Model.new(recipe(objects=2))
    with torch.no_grad():  # so that a picture tells
        made.extractor.encode.vision.model.embeddings.patch_embedding.project.weight.mul_(9.0)
    return made


BOXES = ((3.0, 4.0, 20.0, 30.0), (10.0, 0.0, 50.0, 25.5), (-5.0, 12.2, 18.0, 99.0))


def crops(id="d", n=3, boxes=BOXES, **layers):
    """A post with a main image and candidates that are boxes in it."""
    found = [Image(id=f"o{i}", kind="object", parent="main", box=box) for i, box in enumerate(boxes[:n])]
    base = Document.from_words(id, ["Ada", "likes", "Rome"], images=[Image(id="main", pixels=small.picture(5)), *found])
    return base.replace(**layers)


def scores(model, document):
    example = model.featurizer.featurize([document])
    with torch.no_grad():
        streams = model.extractor.eval().streams(model.featurizer.collate(example).inputs).encoded
    return streams["text"].tokens


def test_slots(model):
    def slots(document, **change):
        featurizer = Featurizer(recipe(**{"objects": 2, **change}), model.text, model.vision)
        return [s for s, _ in read_images(featurizer.featurize([document])[0], featurizer.inputs)]

    assert slots(crops()) == [1, 2] and slots(crops(), main_image_with_objects=True) == [0, 1, 2]
    assert slots(crops(n=1)) == [1] and slots(crops(n=0)) == [0] and slots(crops(), objects=0) == [0]
    assert slots(crops(images=())) == [] == slots(crops(images=()), main_image_with_objects=True)
    assert slots(crops(images=crops().images[1:])) == []  # boxes in a picture that is not there
    assert [s for s, _ in select_images(crops(), Dual(vision=Vision(), objects=2).inputs)] == [0, 1, 2]


def test_a_box_in_a_parent_is_the_crop_cut_before(model, tmp_path):
    """As pixels, as a file, with the parent named by id, by default the main image, and among several pictures."""
    whole = small.picture(5)
    cut = [whole[4:30, 3:20], whole[0:26, 10:50]]
    before = crops(images=[Image(kind="object", id=f"o{i}", pixels=c) for i, c in enumerate(cut)])
    from PIL import Image as Pillow

    for i, c in enumerate(cut):
        Pillow.fromarray(c).save(tmp_path / f"{i}.png")
    files = crops(images=[Image(kind="object", path=str(tmp_path / f"{i}.png")) for i in range(2)])
    Pillow.fromarray(whole).save(tmp_path / "main.png")
    nameless = [Image(id=f"o{i}", kind="object", box=b) for i, b in enumerate(BOXES[:2])]
    default = crops(images=[Image(path=str(tmp_path / "main.png")), *nameless])
    other = [Image(id=f"o{i}", kind="object", parent="b", box=b) for i, b in enumerate(BOXES[:2])]
    among = crops(images=[Image(id="main", pixels=small.picture(1)), Image(id="b", kind="frame", pixels=whole), *other])
    expected = scores(model, crops())
    for same in (before, files, default, among):
        assert torch.equal(scores(model, same), expected)
    assert not torch.allclose(scores(model, crops(boxes=BOXES[1:])), expected)
    assert not torch.allclose(scores(model, crops(n=0)), expected)


def test_a_parent_is_read_once(model, monkeypatch):
    read, load = [], images.load_small
    monkeypatch.setattr(images, "load_small", lambda image, min_size: read.append(image.id) or load(image, min_size))
    featurizer = Featurizer(recipe(objects=3, main_image_with_objects=True), model.text, model.vision)
    example = featurizer.featurize([crops()])[0]
    assert len(read_images(example, featurizer.inputs)) == 4 and read == ["main"]


def test_crop_is_clipped_to_the_picture():
    from PIL import Image as Pillow

    whole = small.picture(5)  # 50 x 40
    picture = Pillow.fromarray(whole)
    for box, (x0, y0, x1, y1) in {
        (0, 0, 50, 40): (0, 0, 50, 40),
        (-9.5, -1, 12.1, 7): (0, 0, 13, 7),
        (48.9, 39.2, 1e9, 41): (48, 39, 50, 40),
        (3.2, 5.7, 3.4, 5.9): (3, 5, 4, 6),
    }.items():
        found = np.asarray(images.crop(picture, Image(id="x", kind="object", box=box)))
        assert np.array_equal(found, whole[y0:y1, x0:x1]), box
    bad = [(5, 5, 5, 9), (9, 5, 5, 9), (50, 0, 60, 9), (-9, 0, -1, 9), (0, 0, float("nan"), 3), (0, 0, float("inf"), 3)]
    for box in bad:
        with pytest.raises(ImageError, match="image x"):
            images.crop(picture, Image(id="x", kind="object").model_copy(update={"box": box}))


def test_candidates_that_cannot_be_read_leave_records_and_the_image_is_read(model):
    empty, nowhere = (60.0, 0.0, 70.0, 9.0), Image(id="n", kind="object", parent="gone", box=BOXES[0])
    bad = crops(boxes=(empty,))
    bad = bad.replace(images=(*bad.images, nowhere))
    found = model.predict([bad])[0]
    assert len(found.errors) == 2 and "60.0" in str(found.errors[0]) and "'gone'" in str(found.errors[1])
    assert torch.equal(scores(model, bad), scores(model, crops(n=0)))
    half = crops(boxes=(empty, BOXES[0]))
    assert len(model.predict([half])[0].errors) == 1
    example = model.featurizer.featurize([half])[0]
    assert [s for s, _ in read_images(example, model.featurizer.inputs)] == [2]
    lost = crops(boxes=(BOXES[0],)).replace(images=crops(n=1).images[1:])
    assert "'main'" in str(model.predict([lost])[0].errors[0])


def test_gold_changes_no_prediction(model):
    """Regions and all other gold layers are never read, with candidates and without."""
    gold = {
        "mentions": [Mention(id="m", start=0, end=3, label="PER")],
        "regions": [Region(image="main", box=BOXES[0], label="PER", of="m")],
        "summary": "Ada",
    }
    for post in (crops(**gold), crops(n=0, **gold)):
        bare = post.without_gold()
        a, b = model.predict([post])[0], model.predict([bare])[0]
        assert a.mentions == b.mentions and [m.score for m in a.mentions] == [m.score for m in b.mentions]
        assert torch.equal(scores(model, post), scores(model, bare))


def test_batches_and_long_texts(model):
    docs = [crops(f"c{i}", n=i % 3) for i in range(5)] + small.documents(4, every=2)
    docs.append(Document.from_words("long", [f"w{i}" for i in range(700)], images=crops().images))
    once = model.predict(docs)
    for a, b in zip(once, model.predict(docs, batch_size=1)):
        assert a == b and np.allclose([m.score for m in a.mentions], [m.score for m in b.mentions], atol=1e-4)
    assert model.predict([Document(id="empty", text="")])[0].mentions == ()


# -- backbones and folders


def save_clip(folder, layers=2, width=32, heads=2):
    """A random CLIP tower on disk with a preprocessing that cuts the middle out, as published ones do."""
    torch.manual_seed(0)
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 64}
    CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=32, patch_size=16)).save_pretrained(folder)
    settings = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 32},
        "do_resize": True,
        "crop_size": {"height": 32, "width": 32},
        "do_center_crop": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return str(folder)


def same_predictions(model, folder, docs):
    model.save_pretrained(folder)
    again = openmie.load(folder)
    state = model.extractor.state_dict()
    assert state.keys() == again.extractor.state_dict().keys()
    assert all(torch.equal(state[k], v) for k, v in again.extractor.state_dict().items())
    for a, b in zip(model.predict(docs), again.predict(docs)):
        assert a == b and [m.score for m in a.mentions] == [m.score for m in b.mentions]
    for name in ("text", "vision"):
        assert NAME not in "".join(f.read_text() for f in (folder / name).glob("*.json"))


def test_towers_from_disk(bert, tmp_path, offline):
    """The real loading code: BERT and CLIP of one size, images resized whole to `size`, to a folder and back."""
    (tmp_path / "v").mkdir()
    clip = save_clip(tmp_path / "v")
    model = Model.new(recipe(text=Text(name=bert), vision=Vision(name=clip), image_size=48))
    pixels = model.vision.process([images.load_image(Image(id="x", pixels=small.picture(1)))])
    assert pixels.shape == (1, 3, 48, 48)
    edge = np.zeros((40, 80, 3), np.uint8)
    edge[:, :8] = 255  # a square cut out of the middle would not show it
    seen = model.vision.process([images.load_image(Image(id="x", pixels=edge))])
    assert seen[0, 0, :, :4].mean() > seen[0, 0, :, 24:].mean() + 1
    assert model.extractor.encode.vision_positions.shape == (4, 9, 32)
    same_predictions(model, tmp_path / "m", [crops(), *small.documents(3, every=2)])


@pytest.mark.parametrize("text", ["tiny", "minilm"])
def test_twin(text, tmp_path, offline):
    """As deep and wide as its text encoder; trained folders come back to the bit without the network."""
    model = Model.new(recipe(text=Text(name=text)))
    a, b = model.text.model.config, model.vision.model.model.config
    for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
        assert getattr(a, name) == getattr(b, name)
    assert (b.hidden_size, b.num_hidden_layers) == {"tiny": (128, 2), "minilm": (384, 6)}[text]
    assert (b.patch_size, b.image_size) == (16, 32)
    same_predictions(model, tmp_path / "m", [crops(), *small.documents(3, every=2)])


def test_twin_in_dual(tmp_path, offline):
    made = Recipe(name="d", encode=Dual(vision=Vision(name="tiny-clip")), heads=(Softmax(labels=("LOC", "PER")),))
    model = Model.new(made)
    batch = model.featurizer.collate(model.featurizer.featurize(small.documents(2)))
    streams = model.extractor.encode.eval()(batch.inputs)
    assert streams["vision"].tokens.shape == (2, 64, 128) and streams["vision"].whole.shape == (2, 128)
    same_predictions(model, tmp_path / "m", small.documents(3))


def test_twin_of_an_encoder_from_disk(bert):
    made = load_vision(Vision(name="tiny-clip"), Text(name=bert), 64).model.model.config
    assert (made.hidden_size, made.num_hidden_layers, made.intermediate_size, made.image_size) == (32, 2, 64, 64)


def test_gradient_reaches_every_parameter_of_the_twin():
    """In training mode, from the words and the patches: the stem, the positions of each slot, every layer."""
    model = Model.new(recipe(main_image_with_objects=True, objects=1))
    batch = model.featurizer.collate(model.featurizer.featurize([crops("a", n=1), crops("b", n=1)]))
    streams = model.extractor.encode.train()(batch.inputs)
    (streams["text"].tokens.square().sum() + streams["vision"].tokens.square().sum()).backward()
    lacking = [n for n, p in model.extractor.encode.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not lacking
    assert all(p.abs().sum(1).gt(0).all() for p in model.extractor.encode.vision_positions.grad)


@pytest.mark.parametrize("side", ["text", "vision"])
def test_a_frozen_tower_is_not_trained_and_not_cached(side, tmp_path):
    sides = {"text": Text(freeze=True)} if side == "text" else {"vision": Vision(name="tiny-clip", freeze=True)}
    model = Model.new(recipe(**sides))
    encode = model.extractor.encode.train()
    other = "vision" if side == "text" else "text"
    assert not any(p.requires_grad for p in getattr(encode, side).parameters())
    assert all(p.requires_grad for p in getattr(encode, other).parameters())
    assert not getattr(encode, side).training and getattr(encode, other).training
    assert encode.vision_positions.requires_grad == (side == "text")
    assert cache_frozen(model, model.featurizer.featurize(small.documents(2)), tmp_path / "f") == 0
    assert not (tmp_path / "f").exists()
