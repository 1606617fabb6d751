"""Mutual attention: parity with plain towers, a dense reference by hand, padding, missing images, crops, folders."""

import json
import socket
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel, CLIPVisionConfig, CLIPVisionModel, ViTConfig, ViTModel

import openmie
from openmie import images
from openmie.backbones import load_vision, register
from openmie.document import Document, Image, Mention, Region
from openmie.errors import ImageError, RecipeError
from openmie.model import Model
from openmie.nn.decode.tags import Softmax
from openmie.nn.encode.coupling import NAME
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.encode.mutual import Mutual, interpolated
from openmie.nn.encode.tiny import TinyVision
from openmie.nn.encode.towers import VisionTower
from openmie.recipe import Recipe
from openmie.train.features import cache_frozen

from . import small

D, HEADS, LAYERS, PATCH, SIDE = 24, 3, 3, 8, 16  # SIDE: pixels of the tower's own image, of 2 x 2 patches
ORDERS, FIRSTS = ("lagged", "vision_first"), ("projected", "raw", "none")
WAYS = list(product(ORDERS, FIRSTS))


def towers(seed=0, **vision):
    """A small BERT and a small CLIP vision tower in float64, away from their timid initial weights."""
    register()
    torch.manual_seed(seed)
    bert = BertConfig(vocab_size=50, hidden_size=D, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                      intermediate_size=40, max_position_embeddings=32)
    sizes = {"hidden_size": D, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": 32,
             "image_size": SIDE, "patch_size": PATCH}
    text, clip = BertModel(bert, add_pooling_layer=False), CLIPVisionModel(CLIPVisionConfig(**sizes | vision))
    with torch.no_grad():
        for p in (*text.parameters(), *clip.parameters()):
            p.add_(torch.randn_like(p) * 0.1)
    return text.double().eval(), clip.double().eval()


def encoder(**config):
    """With each slot's positions its own, as after training."""
    text, clip = towers()
    made = Mutual(**{"size": SIDE, "objects": 2, **config}).build(text, VisionTower(clip)).double().eval()
    with torch.no_grad():
        made.vision_positions.add_(torch.randn_like(made.vision_positions) * 0.1)
    return made


def inputs(lengths=(5, 7, 3), slots=((0, 1, 2), (1,), (0, 2)), size=SIDE, width=0, seed=1):
    """Documents of so many pieces, each with images in these slots; first and last piece belong to no word."""
    g = torch.Generator().manual_seed(seed)
    b, w = len(lengths), max(width, *lengths)
    at = torch.arange(w).expand(b, -1)
    n = torch.tensor(lengths)[:, None]
    real = at < n
    word = torch.where((at > 0) & (at < n - 1), at - 1, -1)
    pieces = torch.randint(1, 50, (b, max(lengths)), generator=g)
    out = {
        "pieces": torch.where(real, F.pad(pieces, (0, w - max(lengths))), 0),
        "types": torch.zeros(b, w, dtype=torch.long),
        "attention": real.long(),
        "word": word,
        "context": torch.full((b, w), -1),
        "owner": torch.arange(b),
        "words": torch.arange(max(lengths) - 2) < n - 2,
    }
    where = [(i, s) for i, own in enumerate(slots) for s in own]
    if where:
        out["image"], out["slot"] = torch.tensor(where).T
        out["pixels"] = torch.randn(len(where), 3, size, size, generator=g, dtype=torch.float64)
    return out


def only(x, i):
    """Document i of a batch, without padding."""
    n = int(x["attention"][i].sum())
    out = {k: x[k][i : i + 1, :n] for k in ("pieces", "types", "attention", "word", "context")}
    out |= {"owner": torch.tensor([0]), "words": x["words"][i : i + 1, : n - 2]}
    if "image" in x and (mine := x["image"] == i).any():
        out |= {"image": x["image"][mine] * 0, "slot": x["slot"][mine], "pixels": x["pixels"][mine]}
    return out


def close(a, b, tolerance=1e-9):
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


# -- the towers beside the library's, and beside a slow reference


def test_without_exchange_both_towers_are_the_plain_ones():
    """Point 1: padded text beside BertModel, the whole image alone beside CLIPVisionModel, forward and gradient."""
    text, clip = towers()
    made = Mutual(size=SIDE, exchange=False).build(text, VisionTower(clip)).double().eval()
    x = inputs(slots=((0,), (0,), (0,)))
    h, g, mask, slots = made.towers(x)
    plain_text, plain_clip = towers()
    words = plain_text(input_ids=x["pieces"], attention_mask=x["attention"]).last_hidden_state
    patches = plain_clip(pixel_values=x["pixels"]).last_hidden_state
    close(h[x["attention"].bool()], words[x["attention"].bool()])
    close(g, patches)
    assert mask.all() and slots.tolist() == [0] * 5
    ((h * x["attention"][..., None]).square().sum() + g.square().sum()).backward()
    ((words * x["attention"][..., None]).square().sum() + patches.square().sum()).backward()
    for ours, theirs in ((text, plain_text), (clip, plain_clip)):
        own = {n: p.grad for n, p in ours.named_parameters()}
        for name, p in theirs.named_parameters():
            if "position_embedding.weight" not in name:  # of patches: the encoder has its own
                close(own[name], p.grad)
    stream = made(x)["vision"]
    close(stream.pooled, plain_clip(pixel_values=x["pixels"]).pooler_output)
    close(stream.tokens, plain_clip.post_layernorm(patches))


def attend(query, key, value, bias=0.0):
    """One document, (N, D) each, head by head, with softmax as it is written; bias (M,) of the keys."""
    out, d = torch.zeros_like(query), D // HEADS
    for head in range(HEADS):
        part = slice(head * d, (head + 1) * d)
        for i in range(len(query)):
            logits = torch.stack([query[i, part] @ k[part] for k in key]) / d**0.5 + bias
            weights = logits.exp() / logits.exp().sum()
            out[i, part] = sum(w * v[part] for w, v in zip(weights, value))
    return out


def linear(module, x):
    return x @ module.weight.T + module.bias


def norm(module, x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + module.eps).sqrt() * module.weight + module.bias


def bert_layer(layer, h, extra, bias=0.0):
    """-> states, own keys and values."""
    own = layer.attention.self
    k, v = linear(own.key, h), linear(own.value, h)
    keys, values = (torch.cat([e, o]) for e, o in zip(extra, (k, v))) if extra else (k, v)
    read = attend(linear(own.query, h), keys, values, bias)
    h = norm(layer.attention.output.LayerNorm, linear(layer.attention.output.dense, read) + h)
    inner = F.gelu(linear(layer.intermediate.dense, h))
    return norm(layer.output.LayerNorm, linear(layer.output.dense, inner) + h), (k, v)


def clip_layer(layer, g, extra):
    own, x = layer.self_attn, norm(layer.layer_norm1, g)
    k, v = linear(own.k_proj, x), linear(own.v_proj, x)
    keys, values = (torch.cat([e, o]) for e, o in zip(extra, (k, v))) if extra else (k, v)
    g = g + linear(own.out_proj, attend(linear(own.q_proj, x), keys, values))
    inner = linear(layer.mlp.fc1, norm(layer.layer_norm2, g))
    return g + linear(layer.mlp.fc2, inner * torch.sigmoid(1.702 * inner)), (k, v)


def embedded(made, x):
    """Embeddings of one document, by hand: (W, D) and (N, D)."""
    e = made.text.embeddings
    pieces = x["pieces"][0]
    h = e.word_embeddings.weight[pieces] + e.position_embeddings.weight[: len(pieces)]
    h = norm(e.LayerNorm, h + e.token_type_embeddings.weight[0])
    v = made.vision.model.embeddings
    tokens = [v.class_embedding + v.position_embedding.weight[0]]
    for slot, pixels in sorted(zip(x["slot"].tolist(), x["pixels"]), key=lambda pair: pair[0]):
        n = pixels.shape[-1] // PATCH
        for place, (row, column) in enumerate(product(range(n), range(n))):
            patch = pixels[:, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]
            tokens.append((v.patch_embedding.weight * patch).sum((1, 2, 3)) + made.vision_positions[slot, place])
    return h, norm(made.vision.model.pre_layrnorm, torch.stack(tokens))


def reference(made, x, order, first, released=False):
    h, g = embedded(made, x)
    berts, clips = made.text.encoder.layer, made.vision.model.encoder.layers
    texts, visions = [], []  # keys and values that each layer made
    start = {
        "none": (None, None),
        "raw": ((h, h), (g, g)),
        "projected": (bert_layer(berts[0], h, None)[1], clip_layer(clips[0], g, None)[1]),
    }[first]
    for l in range(LAYERS):
        to_vision = texts[l - 1] if l else start[0]
        lagged = visions[l - 1] if l else start[1]
        g_next, made_here = clip_layer(clips[l], g, to_vision)
        to_text = made_here if order == "vision_first" else lagged
        bias = 0.0
        if released and to_text is not None:
            to_text = (to_text[0], to_text[0])
            bias = torch.cat([torch.ones(len(g)), torch.zeros(len(h))])
        h, own = bert_layer(berts[l], h, to_text, bias)
        g = g_next
        texts.append(own)
        visions.append(made_here)
    return h, g


@pytest.mark.parametrize("released", [False, True], ids=["printed", "as released"])
@pytest.mark.parametrize(("order", "first"), WAYS)
def test_equals_the_dense_reference(order, first, released):
    made = encoder(order=order, first=first, as_released=released)
    x = inputs(lengths=(5,), slots=((2, 0),))
    with torch.no_grad():
        h, g, _, _ = made.towers(x)
        expected = reference(made, x, order, first, released)
    close(h[0], expected[0])
    close(g[0], expected[1])


def test_the_ways_differ():
    """Each order, each first layer, the exchange itself and the release's slips change the words' states.

    The vision side of three layers is the same for both orders with projected embeddings: its first two layers see the
    same, and the third the text's second keys.
    """
    x = inputs(lengths=(5, 6), slots=((0, 1), (0, 1)))  # the first one is padded
    every = [{"order": o, "first": f} for o, f in WAYS]
    every += [{"exchange": False}, {"as_released": True}]
    with torch.no_grad():
        states = [encoder(**way).towers(x)[0][0, :5] for way in every]
    apart = [(states[a] - states[b]).abs().max() for a in range(len(states)) for b in range(a)]
    assert min(apart) > 1e-4


def test_the_release_reads_padding_and_we_do_not():
    x = inputs(lengths=(4,), slots=((0, 1),))
    longer = inputs(lengths=(4,), slots=((0, 1),), width=9)
    changed = {}
    with torch.no_grad():
        for released in (False, True):
            made = encoder(as_released=released)
            changed[released] = (made.towers(longer)[1] - made.towers(x)[1]).abs().max()
    assert changed[False] < 1e-9 < 1e-3 < changed[True]


# -- what must change nothing


@pytest.mark.parametrize(("order", "first"), WAYS)
def test_neither_padding_nor_other_documents_change_anything(order, first):
    made = encoder(order=order, first=first)
    x = inputs(lengths=(5, 7, 3, 4), slots=((0, 1, 2), (1,), (0, 2), ()), width=12)
    rubbish = torch.where(x["attention"].bool(), x["pieces"], 7)
    with torch.no_grad():
        together, dirty = made(x), made({**x, "pieces": rubbish})
        for role in ("text", "vision"):
            close(together[role].tokens, dirty[role].tokens)
        for i in range(4):
            alone = made(only(x, i))
            text, vision = alone["text"].tokens[0], alone["vision"]
            close(together["text"].tokens[i, : len(text)], text)
            assert not together["text"].tokens[i, len(text) :].any()
            mask = together["vision"].mask[i]
            assert mask.sum() == vision.mask.sum() and bool(together["vision"].present[i]) == (i < 3)
            close(together["vision"].tokens[i][mask], vision.tokens[0][vision.mask[0]])
            assert together["vision"].groups[i][mask].tolist() == vision.groups[0][vision.mask[0]].tolist()
            close(together["vision"].pooled[i], vision.pooled[0])
            assert not together["vision"].tokens[i][~mask].any()


def test_slots_that_no_document_fills_are_left_out():
    made = encoder()
    stream = made(inputs(slots=((2,), (2,), ())))["vision"]
    assert stream.tokens.shape[1] == 1 + 4 and stream.groups[0].tolist() == [0, 2, 2, 2, 2]
    assert stream.mask.sum(1).tolist() == [5, 5, 0]


@pytest.mark.parametrize(
    "way", [{}, {"order": "vision_first", "first": "none"}, {"as_released": True}, {"exchange": False}]
)
def test_words_without_an_image_are_plain_berts(way):
    """Alone, beside documents with images, and in training without an image: no NaN, forward or backward."""
    made = encoder(**way)
    x, plain = inputs(slots=((), (0, 1), ())), towers()[0]
    expected = plain(input_ids=x["pieces"], attention_mask=x["attention"]).last_hidden_state
    h = made.towers(x)[0]
    for i in (0, 2):
        close(h[i][x["attention"][i].bool()], expected[i][x["attention"][i].bool()])
    assert made.config.exchange == bool((h[1] - expected[1]).abs().max() > 1e-3)
    streams = made(x)
    assert streams["vision"].present.tolist() == [False, True, False]
    assert not streams["vision"].pooled[0].any()
    h, read, seen = h.detach(), x["attention"].bool(), streams["vision"].mask
    for alone, joint in made.masks(h, read, seen):  # a row without a key is NaN in some kernels
        assert alone.any(-1).all() and (joint > -torch.inf).any(-1).all()
    bare = inputs(slots=((), (), ()))
    close(made.towers(bare)[0], expected)
    empty = made(bare)["vision"]
    assert empty.width == D and not empty.mask.any()
    (streams["text"].tokens.square().sum() + streams["vision"].tokens.square().sum()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


def test_every_window_of_a_long_text_meets_its_documents_image():
    made = encoder()
    x = inputs(lengths=(6, 5, 4), slots=((0, 1), (2,), ()))
    two = {**x, "owner": torch.tensor([0, 0, 1]), "words": torch.ones(2, 7, dtype=torch.bool)}
    two["word"] = x["word"].clone()
    two["word"][1, 1:4] += 4  # the second window of document 0 holds its words 4 to 6
    pictures = {k: x[k] for k in ("image", "slot", "pixels")}
    mine, its = ({k: v[x["image"] == i] for k, v in pictures.items()} for i in (0, 1))
    with torch.no_grad():
        streams = made(two)
        first, second = made(only(x, 0)), made({**only(x, 1), **mine})
        other = made({**only(x, 2), **its, "image": torch.tensor([0])})
    text, vision = streams["text"].tokens, streams["vision"]
    close(text[0, :4], first["text"].tokens[0])
    close(text[0, 4:], second["text"].tokens[0])
    close(text[1, :2], other["text"].tokens[0])
    for found, mask, alone in zip(vision.tokens, vision.mask, (first, other)):
        close(found[mask], alone["vision"].tokens[0])


def test_context_is_read_and_may_be_left_out():
    made = encoder(context="*", drop_context=1.0)
    x = inputs(lengths=(7, 5), slots=((0, 1), (2,)))
    x["word"][0, 3:], x["context"][0, 3:6], x["words"][0, 2:] = -1, torch.arange(3), False
    kept = made(x)
    assert kept["context"].mask.tolist() == [[True] * 3, [False] * 3] and made.widths["context"] == D
    close(kept["context"].tokens[0], made.towers(x)[0][0, 3:6])
    made.text.config.hidden_dropout_prob = 0.0
    for module in made.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    without = made.train()(x)
    assert not without["context"].mask.any()
    shorter = {**x, "attention": x["attention"].clone()}
    shorter["attention"][0, 3:] = 0
    close(without["text"].tokens[0, :2], made.eval()(shorter)["text"].tokens[0, :2])


# -- parameters


@pytest.mark.parametrize(("order", "first"), WAYS)
def test_gradient_reaches_every_parameter(order, first):
    made = encoder(order=order, first=first)
    streams = made.train()(inputs())
    sum(s.tokens.square().sum() * (i + 1) for i, s in enumerate(streams.values())).backward()
    for name, p in made.named_parameters():
        used = p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0
        assert used, name


def test_gradient_reaches_every_parameter_of_the_twin():
    """In training mode, from the words and the patches: the stem, the positions of each slot, every layer."""
    model = Model.new(recipe(full=True, objects=1))
    batch = model.batcher.collate(model.batcher.examples([crops("a", n=1), crops("b", n=1)]))
    streams = model.extractor.encode.train()(batch.inputs)
    (streams["text"].tokens.square().sum() + streams["vision"].tokens.square().sum()).backward()
    lacking = [n for n, p in model.extractor.encode.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not lacking
    assert all(p.abs().sum(1).gt(0).all() for p in model.extractor.encode.vision_positions.grad)


@pytest.mark.parametrize("side", ["text", "vision"])
def test_a_frozen_tower_is_not_trained_and_not_cached(side, tmp_path):
    sides = {"text": Text(freeze=True)} if side == "text" else {"vision": Vision(name="twin", freeze=True)}
    model = Model.new(recipe(**sides))
    encode = model.extractor.encode.train()
    other = "vision" if side == "text" else "text"
    assert not any(p.requires_grad for p in getattr(encode, side).parameters())
    assert all(p.requires_grad for p in getattr(encode, other).parameters())
    assert not getattr(encode, side).training and getattr(encode, other).training
    assert encode.vision_positions.requires_grad == (side == "text")
    assert cache_frozen(model, model.batcher.examples(small.documents(2)), tmp_path / "f") == 0
    assert not (tmp_path / "f").exists()


def test_positions_are_the_towers_own_interpolated():
    _, clip = towers(image_size=32)  # 4 x 4 patches
    table = clip.embeddings.position_embedding.weight[1:]
    assert torch.equal(interpolated(table, 4), table)
    theirs = clip.embeddings.interpolate_pos_encoding(torch.zeros(1, 10, D), 3 * PATCH, 3 * PATCH)[0, 1:]
    close(interpolated(table, 3), theirs)
    made = Mutual(size=24, objects=1).build(towers()[0], VisionTower(clip))
    assert made.vision_positions.shape == (2, 9, D)
    close(made.vision_positions[1], theirs)


# -- the registered attention


def test_a_coupled_backbone_called_as_usual_is_the_plain_one():
    """Padding is masked, for the mask function is registered beside the attention."""
    text, clip = towers()
    x = inputs()
    real = x["attention"].bool()
    plain = text(input_ids=x["pieces"], attention_mask=x["attention"]).last_hidden_state, clip(x["pixels"])[0]
    text.set_attn_implementation(NAME)
    clip.set_attn_implementation(NAME)
    close(text(input_ids=x["pieces"], attention_mask=x["attention"]).last_hidden_state[real], plain[0][real])
    close(clip(x["pixels"])[0], plain[1])


def test_runs_in_bfloat16():
    made = encoder().float()
    x = inputs()
    x["pixels"] = x["pixels"].float()
    for config in (made.config, replace(made.config, first="raw", as_released=True)):
        made.config = config
        with torch.autocast("cpu", torch.bfloat16):
            low = made(x)
        high = made(x)
        for role in ("text", "vision"):
            assert low[role].tokens.isfinite().all()
            assert (low[role].tokens.float() - high[role].tokens).abs().max() < 0.3


# -- errors


def test_towers_that_cannot_be_coupled_are_refused():
    text, clip = towers()
    tower = VisionTower(clip)
    for change in ({"num_hidden_layers": 2}, {"hidden_size": 36}, {"num_attention_heads": 2}):
        with pytest.raises(RecipeError, match=r"vision\.name=twin"):
            Mutual(size=SIDE).build(text, VisionTower(towers(**change)[1]))
    vit = ViTModel(ViTConfig(hidden_size=D, num_hidden_layers=LAYERS, num_attention_heads=HEADS, image_size=SIDE))
    for odd in (VisionTower(vit), TinyVision().build(), None):
        with pytest.raises(RecipeError, match=r"CLIP vision tower.*vision\.name=twin"):
            Mutual(size=SIDE).build(text, odd)
    with pytest.raises(RecipeError, match="BERT"):
        Mutual(size=SIDE).build(clip, tower)
    with pytest.raises(RecipeError, match=r"multiple of the patch.*size=24"):
        Mutual(size=30).build(text, tower)


# -- documents: what is read


def recipe(**encode):
    return Recipe(name="mutual", encode=Mutual(**{"size": 32, **encode}), heads=(Softmax(labels=("LOC", "PER")),))


@pytest.fixture
def offline(monkeypatch):
    """Any connection is an error."""

    def refuse(*_, **__):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


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
    example = model.batcher.examples([document])
    with torch.no_grad():
        streams = model.extractor.eval().streams(model.batcher.collate(example).inputs)[0]
    return streams["text"].tokens


def test_slots(model):
    def slots(document, **change):
        model.batcher.recipe = recipe(**{"objects": 2, **change})
        found = [s for s, _ in model.batcher.pictures(model.batcher.examples([document])[0])]
        model.batcher.recipe = model.recipe
        return found

    assert slots(crops()) == [1, 2] and slots(crops(), full=True) == [0, 1, 2]
    assert slots(crops(n=1)) == [1] and slots(crops(n=0)) == [0] and slots(crops(), objects=0) == [0]
    assert slots(crops(images=())) == [] == slots(crops(images=()), full=True)
    assert slots(crops(images=crops().images[1:])) == []  # boxes in a picture that is not there
    plain = replace(model.recipe, encode=Dual(vision=Vision(), objects=2))
    model.batcher.recipe = plain
    assert [s for s, _ in model.batcher.wanted(model.batcher.examples([crops()])[0])] == [0, 1, 2]
    model.batcher.recipe = model.recipe


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
    read, load = [], images.load
    monkeypatch.setattr(images, "load", lambda image: read.append(image.id) or load(image))
    model.batcher.recipe = recipe(objects=3, full=True)
    example = model.batcher.examples([crops()])[0]
    assert len(model.batcher.pictures(example)) == 4 and read == ["main"]
    model.batcher.recipe = model.recipe


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
            images.crop(picture, Image(id="x", kind="object", box=box))


def test_candidates_that_cannot_be_read_leave_records_and_the_image_is_read(model):
    empty, nowhere = (60.0, 0.0, 70.0, 9.0), Image(id="n", kind="object", parent="gone", box=BOXES[0])
    bad = crops(boxes=(empty,))
    bad = bad.replace(images=(*bad.images, nowhere))
    found = model.predict([bad])[0]
    assert len(found.errors) == 2 and "60.0" in str(found.errors[0]) and "'gone'" in str(found.errors[1])
    assert torch.equal(scores(model, bad), scores(model, crops(n=0)))
    half = crops(boxes=(empty, BOXES[0]))
    assert len(model.predict([half])[0].errors) == 1
    example = model.batcher.examples([half])[0]
    assert [s for s, _ in model.batcher.pictures(example)] == [2]
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
    settings = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}, "do_resize": True,
                "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}
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
    model = Model.new(recipe(text=Text(name=bert), vision=Vision(name=clip), size=48))
    pixels = model.vision.process([images.load(Image(id="x", pixels=small.picture(1)))])
    assert pixels.shape == (1, 3, 48, 48)
    edge = np.zeros((40, 80, 3), np.uint8)
    edge[:, :8] = 255  # a square cut out of the middle would not show it
    seen = model.vision.process([images.load(Image(id="x", pixels=edge))])
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
    made = Recipe(name="d", encode=Dual(vision=Vision(name="twin")), heads=(Softmax(labels=("LOC", "PER")),))
    model = Model.new(made)
    batch = model.batcher.collate(model.batcher.examples(small.documents(2)))
    streams = model.extractor.encode.eval()(batch.inputs)
    assert streams["vision"].tokens.shape == (2, 64, 128) and streams["vision"].whole.shape == (2, 128)
    same_predictions(model, tmp_path / "m", small.documents(3))


def test_twin_of_an_encoder_from_disk(bert):
    made = load_vision(Vision(name="twin"), Text(name=bert), 64).model.model.config
    assert (made.hidden_size, made.num_hidden_layers, made.intermediate_size, made.image_size) == (32, 2, 64, 64)
