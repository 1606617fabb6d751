"""The encoder of documents: levels of three groups of layers, words of pieces, frames in chunks, any length."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie import recipe as recipes
from openmie.data.document import Document, Image
from openmie.errors import RecipeError
from openmie.model import char_tokenizer as characters
from openmie.model.backbones import load_text, load_vision, restore
from openmie.model.features import images
from openmie.model.pretrained import Model
from openmie.nn import ops
from openmie.nn.decode.tags import Crf
from openmie.nn.encode.dual import Text, Vision
from openmie.nn.encode.hierarchical import Hierarchical, HierarchicalEncoder, Neighbours, grouped
from openmie.nn.encode.tiny import TinyVision
from openmie.recipe import Recipe
from tests.fixtures import small


def states(n):
    """The embeddings and n layers, each all of its own number."""
    return [torch.full((1, 2, 4), float(i)) for i in range(n + 1)]


def means(n, as_released=False):
    return [float(x.mean()) for x in grouped(states(n), as_released)]


def test_groups_of_layers_are_disjoint_and_hold_all_of_them():
    assert means(12) == [2.5, 6.5, 10.5]  # layers 1-4, 5-8, 9-12
    assert means(12, as_released=True) == [1.5, 5.5, 9.5]  # entries 0-3, 4-7, 8-11 of 13
    assert means(6) == [1.5, 3.5, 5.5] and means(3) == [1, 2, 3]
    assert means(4) == [1, 2.5, 4] and means(5) == [1.5, 3, 4.5]
    assert means(2) == [0, 1, 2] and means(1) == [0, 1, 1]  # a shallow tower lends its embeddings
    for n in range(3, 30):
        bounds = [round(n * i / 3) for i in range(4)]
        assert bounds[0] == 0 and bounds[3] == n and all(a < b for a, b in pairwise(bounds))
        expected = [np.mean(range(a + 1, b + 1)) for a, b in pairwise(bounds)]
        assert means(n) == pytest.approx(expected)


def test_neighbours_are_those_beside_a_word_and_never_padding():
    module = Neighbours(3, 2, 5).double()
    x, mask = torch.randn(2, 6, 6, dtype=torch.float64), torch.arange(6) < torch.tensor([[6], [4]])
    x[1, 4:] = 1e6  # what stands at padding is not seen
    weight = module.mix.weight  # (G D, D, span)
    for b, n in enumerate((6, 4)):
        for t in range(n):
            for group in range(2):
                own = slice(3 * group, 3 * group + 3)
                want = x[b, t, own].clone()
                for k in range(5):
                    if 0 <= t + k - 2 < n:
                        want = want + weight[own, :, k] @ x[b, t + k - 2, own]
                torch.testing.assert_close(module(x, mask)[b, t, own], want)
    with pytest.raises(RecipeError, match="odd"):
        Model.new(recipe(vision="", conv_width=4))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 5), min_size=1, max_size=9), min_size=1, max_size=4))
def test_max_words_equals_a_loop(rows):
    rows = [[-1] * r.count(-1) + sorted(w for w in r if w >= 0) for r in rows]
    width = max(map(len, rows))
    word = torch.tensor([r + [-1] * (width - len(r)) for r in rows])
    x = torch.randn(len(rows), width, 3, dtype=torch.float64, requires_grad=True)
    owner = torch.arange(len(rows))
    got = ops.max_words(x, owner, word, (len(rows), 6))
    expected = torch.zeros(len(rows), 6, 3, dtype=torch.float64)
    for i in range(len(rows)):
        for w in range(6):
            pieces = [x[i, j] for j in range(width) if word[i, j] == w]
            if pieces:
                expected[i, w] = torch.stack(pieces).amax(0)
    torch.testing.assert_close(got, expected)
    torch.autograd.gradcheck(lambda s: ops.max_words(s, owner, word, (len(rows), 6)), x)


def recipe(text="tiny", vision="tiny", **changes):
    eyes = Vision(name=vision) if vision else None
    encode = Hierarchical(text=Text(name=text, pool="max"), vision=eyes, **changes)
    return Recipe(name="long", encode=encode, heads=(Crf(labels=("LOC", "PER")),))


def pictures_of(model, document):
    return images.read_images(model.featurizer.featurize([document])[0], model.recipe.encode.inputs)


def clip(id, frames, words=("Ada", "likes", "Rome"), times=True):
    images = [
        Image(id=f"f{i}", kind="frame", pixels=small.picture(i), time=float(i) if times else None) for i in frames
    ]
    return Document.from_words(id, list(words), images=images)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Model.new(recipe())


def streams(model, documents):
    batch = model.featurizer.collate(model.featurizer.featurize(documents))
    with torch.no_grad():
        return model.extractor.eval().encode(batch.inputs)


def test_streams_have_levels_groups_and_masks(model):
    s = streams(model, [clip("a", range(3)), clip("b", range(1)), clip("c", ())])
    text, vision = s["text"], s["vision"]
    assert text.tokens.shape == (3, 3, 128) and text.levels.shape == (3, 3, 3, 128)
    assert vision.tokens.shape == (3, 48, 128) and vision.levels.shape == (3, 3, 48, 128)
    assert vision.groups[0].tolist() == [0] * 16 + [1] * 16 + [2] * 16
    assert vision.mask.sum(1).tolist() == [48, 16, 0] and vision.present.tolist() == [True, True, False]
    assert (vision.tokens[~vision.mask] == 0).all() and (vision.levels[:, ~vision.mask] == 0).all()
    none = streams(model, [clip("c", ())])["vision"]
    assert none.levels.shape == (3, 1, 1, 128) and not none.mask.any()


def test_the_last_state_is_the_towers_own_and_levels_are_its_layers(model):
    """Against the library's model, called by hand for one document of one piece a word."""
    document = clip("a", (0,))
    s = streams(model, [document])
    ids = torch.tensor([model.text.tokenizer(document.text)["input_ids"]])
    with torch.no_grad():
        found = model.text.model(input_ids=ids, output_hidden_states=True)
        picture = model.vision.process([pictures_of(model, document)[0][1]])
        seen = model.vision.model(picture)
    torch.testing.assert_close(s["text"].tokens, found.last_hidden_state[:, 1:-1])
    torch.testing.assert_close(s["text"].levels[2], found.hidden_states[2][:, 1:-1])
    torch.testing.assert_close(s["vision"].tokens, seen)


def test_frames_are_read_in_the_order_of_time_and_too_many_leave_a_record():
    mixed = clip("a", (2, 0, 1))
    assert [i.id for _, i in images.select_images(mixed, Hierarchical(max_frames=9, vision=Vision()).inputs)] == [
        "f0",
        "f1",
        "f2",
    ]
    assert [i.id for i in images.frames(clip("a", (2, 0, 1), times=False))] == ["f2", "f0", "f1"]
    model = Model.new(recipe(max_frames=2))
    example = model.featurizer.featurize([clip("a", range(5))])[0]
    assert [i.id for _, i in images.select_images(example.document, model.recipe.encode.inputs)] == ["f0", "f2"]
    assert "5 frames" in str(example.errors["frames"]) and "encode.max_frames" in str(example.errors["frames"])
    assert "5 frames" in str(model.predict([clip("a", range(5))])[0].errors[0])
    post = Document.from_words("p", ["hi"], images=[Image(id="main", pixels=small.picture(1))])
    assert [i.id for _, i in images.select_images(post, model.recipe.encode.inputs)] == ["main"]


def test_words_and_patches_know_their_seconds(model):
    """From the document's time spans and its frames; NaN where neither says."""
    timed = clip("a", (2, 0)).replace(times=[(0, 3, 1.0, 2.0), (4, 13, 2.0, 5.0)])
    assert images.word_timestamps(timed).tolist() == [1.5, 3.5, 3.5]
    s = streams(model, [timed, clip("b", (1,), times=False)])
    assert s["text"].seconds[0].tolist() == [1.5, 3.5, 3.5] and s["text"].seconds[1].isnan().all()
    assert s["vision"].seconds[0].tolist() == [0.0] * 16 + [2.0] * 16
    assert s["vision"].seconds[1].isnan().all()
    assert images.word_timestamps(Document(id="e")).shape == (0,)


def test_attention_heeds_what_is_near_in_time():
    """Against plain attention with the distances taken off by hand, in chunks too; far things fade away."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 4) for n in (5, 7, 7))
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[1, 5:] = False
    when, there = torch.arange(5.0).expand(2, -1), torch.arange(7.0).expand(2, -1).clone()
    there[0, 3] = torch.nan
    cost = torch.tensor([0.0, 0.5, 50.0])
    gap = (when[:, None, :, None] - there[:, None, None]).abs().nan_to_num(0.0)
    scores = q @ k.transpose(2, 3) / 2 - gap * cost[:, None, None]
    want = scores.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1) @ v
    for chunk in (ops.MAX_ATTN_ELEMENTS, 40):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ops, "MAX_ATTN_ELEMENTS", chunk)
            got = ops.attend_in_chunks(q, k, v, mask, (when, there, cost))
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(got[1, 2], v[1, 2, :5], atol=1e-5, rtol=1e-4)  # only what is said at that second
    torch.testing.assert_close(got[:, 0], ops.attend(q, k, v, mask)[:, 0], atol=1e-5, rtol=1e-4)


def test_a_frame_that_cannot_be_read_is_masked_where_it_stands(model):
    images = [*clip("a", (0, 2)).images, Image(id="gone", kind="frame", path="no/such.png", time=1.0)]
    s = streams(model, [clip("a", ()).replace(images=images)])
    assert s["vision"].mask[0].tolist() == [True] * 16 + [False] * 16 + [True] * 16
    predicted = model.predict([clip("a", ()).replace(images=images)])[0]
    assert len(predicted.errors) == 1 and "no/such.png" in str(predicted.errors[0])


@pytest.mark.parametrize("train", [False, True])
def test_chunks_of_frames_change_nothing(train):
    """States and gradients are those of all frames at once; the built-in tower's batch norm is left out of it."""
    text = torch.nn.Module()
    text.config = SimpleNamespace(hidden_size=8)
    outs = []
    for chunk in (64, 2):
        torch.manual_seed(1)
        tower = TinyVision(size=32, stem=(4, 4, 4, 8), width=8).build().eval()
        encode = HierarchicalEncoder(Hierarchical(vision=Vision(), frames_per_pass=chunk), text, tower)
        encode.training = train  # the tower stays as it is at evaluation
        out = encode.vision_states({"pixels": torch.randn(5, 3, 32, 32)})
        out.square().mean().backward()
        outs.append([out.detach(), *(p.grad for p in tower.parameters())])
    torch.testing.assert_close(outs[0], outs[1], atol=1e-6, rtol=1e-4)


def test_a_long_text_has_the_gradient_of_a_short_one(model, monkeypatch):
    """Whether its states are made again in the backward pass or not; and they are, where it is long."""
    from openmie.nn.encode import hierarchical

    encode, made = model.extractor.encode, []
    batch = model.featurizer.collate(model.featurizer.featurize([clip("a", (), words=["a", "b", "c"])]))
    for long in (1 << 20, 0):
        monkeypatch.setattr(hierarchical, "LONG", long)
        encode.zero_grad()
        encode.train()
        torch.manual_seed(0)  # of the dropout, which is drawn alike again
        encode(batch.inputs)["text"].levels.square().mean().backward()
        assert encode.remade and all(m.gradient_checkpointing == (not long) for m in encode.remade)
        made.append([p.grad.clone() for p in encode.text.parameters() if p.grad is not None])
    encode.eval()
    torch.testing.assert_close(*made)


@pytest.mark.parametrize("words", [700, 4000])
def test_a_long_text_is_read_to_its_end_in_windows(model, words):
    document = clip("long", (), words=[f"w{i % 97}" for i in range(words)])
    s = streams(model, [document, clip("a", (1,))])
    assert s["text"].tokens.shape[1] == words and (s["text"].tokens[0].abs().sum(-1) > 0).all()
    assert (s["text"].levels[:, 0].abs().sum(-1) > 0).all() and s["text"].mask.sum(1).tolist() == [words, 3]


def test_hub_towers_of_a_longformer_and_a_vit_on_disk(tmp_path):
    """The real code path for a Longformer and a ViT, small ones; odd lengths, beside a short document."""
    from transformers import LongformerConfig, LongformerModel, ViTConfig, ViTImageProcessor, ViTModel

    text = small.save_bert(tmp_path / "text")
    shape = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    long = LongformerConfig(
        vocab_size=300,
        num_hidden_layers=6,
        attention_window=[8] * 6,
        max_position_embeddings=66,
        pad_token_id=0,
        type_vocab_size=1,
        **shape,
    )
    LongformerModel(long).save_pretrained(text)
    vit = ViTConfig(num_hidden_layers=3, image_size=32, patch_size=16, **shape)
    ViTModel(vit).save_pretrained(tmp_path / "vit")
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "vit")
    model = Model.new(recipe(text=text, vision=str(tmp_path / "vit"), frames_per_pass=2))
    assert model.text.max_length == 65
    words = ["a"] * 150
    s = streams(model, [clip("a", range(3), words=words), clip("b", range(1))])
    assert s["text"].levels.shape == (3, 2, 150, 32) and s["text"].mask.sum(1).tolist() == [150, 3]
    assert s["vision"].levels.shape == (3, 2, 15, 32)  # four patches behind a class token, three frames
    alone = streams(model, [clip("b", range(1))])
    torch.testing.assert_close(alone["text"].levels[:, 0], s["text"].levels[:, 1, :3], atol=1e-5, rtol=1e-4)
    model.save_pretrained(tmp_path / "model")
    import openmie

    again = openmie.load(tmp_path / "model")
    torch.testing.assert_close(streams(again, [clip("b", range(1))])["vision"].tokens, alone["vision"].tokens)


@pytest.mark.parametrize("kind", ["VideoMAE", "Vivit"])
def test_video_towers_read_the_frames_of_a_document_as_clips(tmp_path, kind):
    """Each frame has the tokens of its block of two; frames of other documents and of other clips change nothing."""
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        image_size=32,
        num_frames=4,
        tubelet_size=2 if kind == "VideoMAE" else [2, 16, 16],
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
    )
    tower = getattr(transformers, f"{kind}Model")(config).eval()
    tower.save_pretrained(tmp_path)
    getattr(transformers, f"{kind}ImageProcessor")().save_pretrained(tmp_path)
    model = Model.new(recipe(vision=str(tmp_path), image_size=32))
    s = streams(model, [clip("a", range(6)), clip("b", range(3))])
    assert s["vision"].levels.shape == (3, 2, 24, 32) and s["vision"].mask.sum(1).tolist() == [24, 12]
    tokens = s["vision"].tokens[0].unflatten(0, (6, 4))
    torch.testing.assert_close(tokens[0], tokens[1])
    assert not torch.allclose(tokens[1], tokens[2])
    alone = streams(model, [clip("b", range(3))])
    torch.testing.assert_close(alone["vision"].tokens[0], s["vision"].tokens[1, :12], atol=1e-5, rtol=1e-4)
    pictures = [p for _, p in pictures_of(model, clip("a", range(4)))]
    with torch.no_grad():
        want = tower(pixel_values=model.vision.process(pictures)[None]).last_hidden_state[0, kind == "Vivit" :]
    torch.testing.assert_close(tokens[0], want[:4], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(tokens[2], want[4:], atol=1e-5, rtol=1e-4)


def test_a_tower_of_maps_has_no_levels(tmp_path):
    from transformers import ConvNextImageProcessor, ResNetConfig, ResNetModel

    ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])).save_pretrained(tmp_path)
    ConvNextImageProcessor(size={"shortest_edge": 64}).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="ViT or CLIP"):
        Model.new(recipe(vision=str(tmp_path)))


def test_the_tiny_tower_takes_a_size():
    tower = load_vision(Vision(name="tiny"), size=128)
    assert tower.model(tower.process([_picture()])).shape == (1, 64, 128)


def _picture():
    from PIL import Image as Pictures

    return Pictures.fromarray(small.picture(0))


def test_pool_max_belongs_to_this_encoder():
    with pytest.raises(RecipeError, match="Hierarchical"):
        recipes.check(small.recipe("ner", encode__text__pool="max"))


# -- characters


def test_vocabulary_keeps_what_is_seen_twice():
    assert characters.vocabulary(["他是谁 他", "是 a1", "a"]) == "a他是"
    with pytest.raises(RecipeError, match=r"encode\.text\.vocabulary"):
        load_text(Text(name="characters"))


TEXTS = st.text(st.sampled_from("他在北京1976a👨‍👩‍👧🏽é\u0301中\u200d ﷺ"), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_each_character_is_a_piece_of_its_word_and_unknown_ones_keep_their_place(text):
    known = "他在北京1976a"
    tokenizer = characters.tokenizer(known)
    words = text.split() or ["他"]
    found = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    assert found.word_ids(0) == [i for i, w in enumerate(words) for _ in w]
    unknown = [c for w in words for c in w if c not in known]
    assert found["input_ids"].count(tokenizer.unk_token_id) == len(unknown)


def test_characters_come_back_with_the_model_folder(tmp_path):
    import openmie

    made = recipe(text="characters", vision="")
    made = replace(made, encode=replace(made.encode, text=replace(made.encode.text, vocabulary="他在北京")))
    model = Model.new(made)
    document = Document.from_words("zh", list("他在东京👍🏽")).replace(lang="zh")
    before = streams(model, [document])["text"].tokens
    model.save_pretrained(tmp_path / "m")
    again = openmie.load(tmp_path / "m")
    torch.testing.assert_close(streams(again, [document])["text"].tokens, before)
    assert again.recipe.encode.text.vocabulary == "他在北京"
    backbone, _ = restore(tmp_path / "m")
    assert backbone.tokenizer.get_vocab()["京"] == 11
    assert replace(made.encode.text, vocabulary="") == made.encode.text  # two trainings of one recipe are one recipe
