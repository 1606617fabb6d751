"""What the dual encoder reads beside text and image: the image made from the text, its objects, phrases, a caption in a
pass of its own, and the corpus's scores of relevance."""

import math

import numpy as np
import pytest
import torch

from openmie.data.document import Document, Image, Phrase
from openmie.model.features.images import select_images
from openmie.model.pretrained import Model
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.decode.tags import Softmax
from openmie.nn.encode.dual import Dual, Vision
from openmie.recipe import Recipe
from openmie.train.feature_cache import cache_frozen
from tests.fixtures import small

BOXES = [(0, 0, 20, 20), (10, 5, 40, 35), (25, 10, 50, 40)]


def recipe(**encode):
    options = {"vision": Vision(), "objects": 2, "generated": True, **encode}
    return Recipe(name="sides", encode=Dual(**options), heads=(Softmax(labels=("LOC", "PER")),))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Model.new(recipe(phrases=True))


def inside(parent, kind="object", n=2, first=0):
    return [Image(kind=kind, id=f"{parent} {kind} {i}", parent=parent, box=BOXES[(first + i) % 3]) for i in range(n)]


def post(id="d", original=0, translated=1, first=0, **layers):
    images = [Image(id="main", pixels=small.picture(original), relevance=(("strong", 0.25), ("weak", 0.75)))]
    made = Image(kind="generated", id="dream", pixels=small.picture(translated))
    images += [*inside("main", first=first), made, *inside("dream", first=first + 1)]
    return small.document(0).replace(**{"id": id, "images": images, **layers})


def streams(model, *documents, cached=False):
    examples = model.featurizer.featurize(documents)
    if cached:
        cache_frozen(model, examples, cached)
    with torch.no_grad():
        return model.extractor.eval().encode(model.featurizer.collate(examples).inputs)


def test_slots():
    both, encode = [0, 1, 2, 3, 4, 5], recipe().encode
    assert [s for s, _ in select_images(post(), encode.inputs)] == both
    assert [s for s, _ in select_images(post(), Dual(vision=Vision(), objects=2).inputs)] == [0, 1, 2]
    assert [s for s, _ in select_images(post(), Dual(vision=Vision(), generated=True).inputs)] == [0, 1]
    patches = [Image(id="main", pixels=small.picture(0)), *inside("main", "patch"), *inside("main", "object", 1, 2)]
    assert [i.kind for _, i in select_images(post(images=patches), encode.inputs)] == ["main", "object"]
    assert [i.kind for _, i in select_images(post(images=patches[:3]), encode.inputs)] == ["main", "patch", "patch"]
    second = Image(kind="generated", id="second", pixels=small.picture(2))  # whose objects are nobody's
    assert [
        s for s, _ in select_images(post(images=[*post().images[:4], second, *inside("second")]), encode.inputs)
    ] == [
        0,
        1,
        2,
        3,
    ]
    alone = [Image(kind="generated", id="dream", pixels=small.picture(1)), *inside("dream")]
    assert [s for s, _ in select_images(post(images=alone), encode.inputs)] == [3, 4, 5]


def test_both_sides_are_read_by_one_tower_as_they_would_be_alone(model):
    """The generated image and its objects as if they were the original ones, and the other way round."""
    two = streams(model, post(), Document(id="none", text="no image here"))
    dreams = [i for i in post().images if "main" not in i.id]
    turned = [i.model_copy(update={"kind": "main"}) if i.id == "dream" else i for i in dreams]
    alone = streams(model, post(images=turned))
    for here, there in (("generated", "vision"), ("generated_objects", "objects")):
        torch.testing.assert_close(two[here].tokens[:1], alone[there].tokens, rtol=1e-5, atol=1e-5)
        assert two[here].mask[0].all() and not two[here].mask[1].any() and not alone[here].mask.any()
        assert not torch.allclose(two[here].tokens[0], two[there].tokens[0])
    v = two["vision"].tokens.shape[1]
    assert two["generated_objects"].groups.tolist() == [[0] * v + [1] * v] * 2
    assert model.extractor.encode.widths == dict.fromkeys(two, 128)


def test_relevance_is_told_where_it_is_known(model):
    scored = post().images[3].model_copy(update={"relevance": (("weak", 0.5),)})
    images = [scored if i.id == "dream" else i for i in post().images]
    found = streams(model, post(images=images), post(images=[Image(id="main", pixels=small.picture(3))]))
    told = {role: found[role].relevance.tolist() for role in ("vision", "objects", "generated", "generated_objects")}
    assert told["vision"][0] == 0.25 and told["objects"][0] == 0.75 and told["generated_objects"][0] == 0.5
    assert math.isnan(told["generated"][0]) and all(math.isnan(x[1]) for x in told.values())
    none = streams(model, post(images=[Image(id="main", pixels=small.picture(3))]))
    assert all(none[role].relevance.isnan().all() for role in told)


def test_phrases_are_tokenised_as_words_are(model):
    documents = [
        post(phrases=[Phrase(text="ADA"), Phrase(text="a Lot", image="main object 0")]),
        post(phrases=[]),
        post(phrases=[Phrase(text="lot")]),
    ]
    tokenizer = model.featurizer.text.tokenizer
    found, examples = streams(model, *documents)["phrases"], model.featurizer.featurize(documents)
    expected = [tokenizer(x, add_special_tokens=False)["input_ids"] for x in ("ADA a Lot", "", "lot")]
    assert [e.phrases.tolist() for e in examples] == expected and tokenizer.unk_token_id not in expected[0]
    assert found.mask.sum(1).tolist() == [len(x) for x in expected]
    ids = torch.tensor([[tokenizer.cls_token_id, *expected[0], tokenizer.sep_token_id]])
    with torch.no_grad():
        plain = model.extractor.encode.text(input_ids=ids).last_hidden_state[0, 1:-1]
    torch.testing.assert_close(found.tokens[0][found.mask[0]], plain, rtol=1e-5, atol=1e-5)
    nothing = streams(model, post(phrases=[]))["phrases"]
    assert not nothing.mask.any() and nothing.tokens.shape == (1, 1, 128)


def test_too_many_phrases_leave_a_record(model):
    (example,) = model.featurizer.featurize([post(phrases=[Phrase(text="ada and bo")] * 300)])
    assert len(example.phrases) == model.featurizer.text.max_length - 2
    assert "tokens" in example.errors["phrases"].found and "d, phrases" in example.errors["phrases"].where
    assert streams(model, example.document)["phrases"].mask.sum() == len(example.phrases)


def test_a_context_apart_is_read_by_itself():
    torch.manual_seed(0)
    made = Model.new(recipe(context="*", separate_context_pass=True, context_tokens=4))
    bare = Model.new(recipe())
    bare.extractor.load_state_dict(made.extractor.state_dict())
    documents = [post(captions={"c": "a lot like Rome and Oslo"}), post(captions={}), post(captions={"c": "Ada"})]
    found, without = streams(made, *documents), streams(bare, *documents)
    torch.testing.assert_close(found["text"].tokens, without["text"].tokens, rtol=1e-5, atol=1e-5)
    assert "context" not in without and found["context"].mask.sum(1).tolist()[:2] == [4, 0]
    assert made.featurizer.featurize(documents)[0].errors["context"].found.endswith("tokens")
    (example,) = made.featurizer.featurize(documents[2:])
    ids = torch.tensor(
        [[*made.featurizer.text.special_tokens[:1], *example.context, *made.featurizer.text.special_tokens[1:]]]
    )
    with torch.no_grad():
        plain = made.extractor.encode.text(input_ids=ids).last_hidden_state[0, 1:-1]
    torch.testing.assert_close(found["context"].tokens[2][found["context"].mask[2]], plain, rtol=1e-5, atol=1e-5)


def test_a_context_apart_may_be_left_out_in_training():
    torch.manual_seed(0)
    made = Model.new(recipe(context="*", separate_context_pass=True, drop_context=0.5))
    batch = made.featurizer.collate(
        made.featurizer.featurize([post(id=str(i), captions={"c": "Rome"}) for i in range(40)])
    )
    mask = made.extractor.encode.train()(batch.inputs)["context"].mask.any(1)
    assert 5 < int(mask.sum()) < 35
    assert made.extractor.encode.eval()(batch.inputs)["context"].mask.any(1).all()


def test_frozen_vision_is_served_for_both_sides(tmp_path):
    torch.manual_seed(0)
    made = Model.new(recipe(vision=Vision(freeze=True)))
    documents = [post("a"), post("b", 2, 3, images=post("b", 2, 3).images[:4])]
    fresh, served = streams(made, *documents), streams(made, *documents, cached=tmp_path / "f.sqlite")
    for role in fresh:
        torch.testing.assert_close(fresh[role].tokens, served[role].tokens, rtol=1e-5, atol=1e-5)
        assert torch.equal(fresh[role].mask, served[role].mask)


def test_gold_changes_nothing():
    torch.manual_seed(0)
    heads = (EntityMarkers(labels=("None", "friend", "lives_in")),)
    made = Model.new(
        Recipe(name="r", encode=recipe(phrases=True, context="*", separate_context_pass=True).encode, heads=heads)
    )
    document = post(phrases=[Phrase(text="Ada")])
    hidden = document.replace(relations=[r.model_copy(update={"label": "None"}) for r in document.relations])
    a, b = (next(iter(made.predict([d]))).relations for d in (document, hidden))
    assert [(r.label, r.score) for r in a] == [(r.label, r.score) for r in b] and len(a) == 3
    assert np.isfinite([r.score for r in a]).all()
