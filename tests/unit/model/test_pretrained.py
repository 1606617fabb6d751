"""Model folders: what is saved comes back to the same bits, without network and without pickles."""

import json
import os
import pickle

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTModel,
)

import openmie
from openmie import recipe as recipes
from openmie.errors import ModelError, RecipeError
from openmie.model.backbones import load_vision
from openmie.model.pretrained import Model, load
from openmie.nn.encode.dual import Vision
from tests.fixtures import small


@pytest.fixture
def model(bert):
    torch.manual_seed(0)
    return Model.new(small.recipe("joint", encode__text__name=bert))


def test_a_folder_comes_back_to_the_same_bits(model, tmp_path, offline):
    docs = small.documents(5, every=2)
    model.save_pretrained(tmp_path / "m")
    again = openmie.load(tmp_path / "m")
    for name, value in model.extractor.state_dict().items():
        assert torch.equal(value, again.extractor.state_dict()[name]), name
    assert again.recipe == model.recipe
    a, b = model.predict(docs), again.predict(docs)
    assert a == b and [m.score for d in a for m in d.mentions] == [m.score for d in b for m in d.mentions]
    again.save_pretrained(tmp_path / "n")
    for name in ("recipe.json", "model.safetensors", "text/config.json", "vision/tiny.json"):
        assert (tmp_path / "m" / name).read_bytes() == (tmp_path / "n" / name).read_bytes()


def test_the_backbones_own_folder_is_not_needed_to_load(tmp_path):
    folder = small.save_bert(tmp_path / "bert")
    Model.new(small.recipe("ner", encode__text__name=folder)).save_pretrained(tmp_path / "m")
    for file in (tmp_path / "bert").iterdir():
        file.unlink()
    assert len(openmie.load(tmp_path / "m").predict(small.documents(2))) == 2


VISION = {
    "vit": (
        ViTModel,
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=16,
        ),
        "ViTImageProcessor",
        4,
        16,
    ),
    "clip": (
        CLIPVisionModel,
        CLIPVisionConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=16,
        ),
        "CLIPImageProcessor",
        4,
        16,
    ),
    "resnet": (
        ResNetModel,
        ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"),
        "ConvNextImageProcessor",
        16,
        16,
    ),
}


@pytest.mark.parametrize("kind", VISION)
def test_vision_backbones_of_the_library(kind, bert, tmp_path, offline):
    """The real loading code on small configs saved to disk: pixels to tokens, training to a folder and back."""
    cls, config, processor, tokens, width = VISION[kind]
    torch.manual_seed(0)
    cls(config).save_pretrained(tmp_path / "v")
    size = {"shortest_edge": 32} if kind == "resnet" else {"height": 32, "width": 32}
    settings = {
        "image_processor_type": processor,
        "size": size,
        "do_resize": True,
        "crop_size": {"height": 32, "width": 32},
    }
    (tmp_path / "v" / "preprocessor_config.json").write_text(json.dumps(settings))
    backbone = load_vision(Vision(name=str(tmp_path / "v")))
    pixels = backbone.process([model_picture() for _ in range(3)])
    first = 0 if kind == "resnet" else 1  # the class token, which stands for the whole image
    assert backbone.model.whole == bool(first)
    states = backbone.model(pixels)
    assert states.shape == (3, first + tokens if kind != "resnet" else states.shape[1], width)
    model = Model.new(small.recipe("ner", encode__text__name=bert, encode__vision__name=str(tmp_path / "v")))
    docs = small.documents(4)
    model.save_pretrained(tmp_path / "m")
    assert openmie.load(tmp_path / "m").predict(docs) == model.predict(docs)


def model_picture():
    from PIL import Image

    return Image.fromarray(small.picture(0))


class Boom:
    """Pickled, this runs a command when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("name", ["model.bin", "weights.pt", "x.pkl"])
def test_a_pickle_in_the_folder_is_refused_and_not_run(model, tmp_path, name):
    model.save_pretrained(tmp_path / "m")
    (tmp_path / "m" / name).write_bytes(pickle.dumps(Boom(tmp_path / "ran")))
    with pytest.raises(ModelError, match="safetensors"):
        load(tmp_path / "m")
    assert not (tmp_path / "ran").exists()


def test_a_backbone_with_pickled_weights_only_is_refused(tmp_path):
    folder = tmp_path / "bert"
    small.save_bert(folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Boom(tmp_path / "ran")))
    with pytest.raises(RecipeError, match="cannot be loaded"):
        Model.new(small.recipe("ner", encode__text__name=str(folder)))
    assert not (tmp_path / "ran").exists()


def test_damaged_folders_say_what_is_wrong(model, tmp_path):
    folder = tmp_path / "m"
    with pytest.raises(ModelError, match="No folder"):
        load(str(tmp_path / "nowhere"))
    model.save_pretrained(folder)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="damaged"):
        load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="lacks"):
        load(folder)


def test_weights_that_do_not_fit_are_not_taken_silently(model, tmp_path):
    """A missing tensor must not pass: the hub mixin's own default would let it."""
    from safetensors.torch import load_file, save_file

    model.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    save_file({k: v for k, v in state.items() if "crf" not in k}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="do not fit"):
        load(tmp_path)


def test_push_to_hub_uploads_the_folder(model, monkeypatch):
    """Through the library's own mixin, up to the call that would open a connection."""
    from huggingface_hub import HfApi

    seen = {}
    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo_id, **_: type("R", (), {"repo_id": repo_id})())

    def upload(self, *, repo_id, folder_path, **_):
        seen.update({str(p.relative_to(folder_path)): p.stat().st_size for p in folder_path.rglob("*") if p.is_file()})

    monkeypatch.setattr(HfApi, "upload_folder", upload)
    model.push_to_hub("someone/something")
    assert {"recipe.json", "model.safetensors", "card.md", "text/config.json"} <= set(seen)


def test_losses_are_named(model):
    assert set(model.losses(small.documents(4))) == {"tags", "relations", "infonce(text,vision)"}


@pytest.mark.parametrize("name", ["", "tiny", "minilm"])
def test_attention_without_dropout_draws_nothing_and_is_remembered(name, bert, tmp_path, monkeypatch):
    """Work counts: at 0 attention is asked for no dropout in training; the weights are those of the file."""
    changes = {"encode__text__name": name or bert}
    plain = Model.new(small.recipe("ner", "text", **changes))
    made = Model.new(small.recipe("ner", "text", **changes, encode__text__attention_dropout="0.0"))
    if name != "tiny":  # which starts at random
        key = "encode.text.embeddings.word_embeddings.weight"
        assert torch.equal(plain.extractor.state_dict()[key], made.extractor.state_dict()[key])
    made.save_pretrained(tmp_path)
    again, asked = openmie.load(tmp_path), []
    attend = torch.nn.functional.scaled_dot_product_attention

    def spy(*args, dropout_p=0.0, **more):
        asked.append(dropout_p)
        return attend(*args, dropout_p=dropout_p, **more)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    for model, dropout in ((plain, 0.1), (made, 0.0), (again, 0.0)):
        asked.clear()
        model.extractor.train()
        model.extractor(model.featurizer.collate(model.featurizer.featurize(small.documents(2), gold=True)))
        assert asked and set(asked) == {dropout}


def test_an_encoder_without_such_a_dropout_says_so(tmp_path):
    from openmie.model.backbones import _dropping
    from openmie.nn.encode.dual import Text

    with pytest.raises(RecipeError, match="attention_dropout"):
        _dropping(object(), Text(name="other", attention_dropout=0.0))


def test_unknown_backbones_say_so():
    with pytest.raises(RecipeError, match="a hub id, or a folder"):
        Model.new(small.recipe("ner", encode__text__name="./no/such/folder"))


def test_the_recipe_of_a_folder_is_json(model, tmp_path):
    model.save_pretrained(tmp_path)
    assert recipes.load((tmp_path / "recipe.json").read_text()) == model.recipe


@pytest.mark.parametrize("kind", ["roberta", "longformer"])
def test_byte_level_text_backbones_of_the_library(kind, tmp_path, offline):
    """Another tokenizer, another pad id, positions that start later, markers that the vocabulary lacks."""
    import transformers
    from tokenizers import ByteLevelBPETokenizer

    folder = tmp_path / "t"
    folder.mkdir()
    trained = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(small.NAMES + small.PLACES, vocab_size=300, special_tokens=special)
    trained.save_model(str(folder))
    transformers.RobertaTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    sizes = {
        "vocab_size": trained.get_vocab_size(),
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 66,
        "pad_token_id": 1,
        "type_vocab_size": 1,
    }
    config, cls = {
        "roberta": (transformers.RobertaConfig, transformers.RobertaModel),
        "longformer": (transformers.LongformerConfig, transformers.LongformerModel),
    }[kind]
    cls(config(**sizes, **({"attention_window": 16} if kind == "longformer" else {}))).save_pretrained(folder)
    model = Model.new(small.recipe("re", "text", encode__text__name=str(folder)))
    markers = set(model.text.markers)
    assert model.text.max_length == 64 and len(markers) == 4 and min(markers) >= sizes["vocab_size"]
    long = small.document(0).replace(relations=small.document(0).relations[:1])
    docs = [*small.documents(3), long]
    model.save_pretrained(tmp_path / "m")
    assert openmie.load(tmp_path / "m").predict(docs) == model.predict(docs)
    tagger = Model.new(small.recipe("ner", "text", encode__text__name=str(folder)))
    from openmie.data.document import Document

    assert len(tagger.predict([Document.from_words("l", ["Cairo"] * 90)])[0].words) == 90


def test_a_folder_takes_a_model_of_another_recipe(tmp_path):
    """The vision tower of the model that was there before is not read beside the new weights."""
    Model.new(small.recipe("ner")).save_pretrained(tmp_path / "m")
    other = Model.new(small.recipe("ner", "text"))
    other.save_pretrained(tmp_path / "m")
    found = openmie.load(tmp_path / "m")
    assert found.recipe == other.recipe and found.vision is None and not (tmp_path / "m" / "vision").exists()
