"""Mutual attention: parity with plain towers, a dense reference by hand, padding, missing images, crops, folders."""

from dataclasses import replace
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel, CLIPVisionConfig, CLIPVisionModel, ViTConfig, ViTModel

from openmie.errors import RecipeError
from openmie.model.backbones import register
from openmie.nn.encode.extended_attention import NAME
from openmie.nn.encode.mutual import Mutual, interpolated
from openmie.nn.encode.tiny import TinyVision
from openmie.nn.encode.towers import VisionTower

D, HEADS, LAYERS, PATCH, SIDE = 24, 3, 3, 8, 16  # SIDE: pixels of the tower's own image, of 2 x 2 patches
ORDERS, FIRSTS = ("lagged", "vision_first"), ("projected", "raw", "none")
WAYS = list(product(ORDERS, FIRSTS))


def towers(seed=0, **vision):
    """A small BERT and a small CLIP vision tower in float64, away from their timid initial weights."""
    register()
    torch.manual_seed(seed)
    bert = BertConfig(
        vocab_size=50,
        hidden_size=D,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=40,
        max_position_embeddings=32,
    )
    sizes = {
        "hidden_size": D,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 32,
        "image_size": SIDE,
        "patch_size": PATCH,
    }
    text, clip = BertModel(bert, add_pooling_layer=False), CLIPVisionModel(CLIPVisionConfig(**sizes | vision))
    with torch.no_grad():
        for p in (*text.parameters(), *clip.parameters()):
            p.add_(torch.randn_like(p) * 0.1)
    return text.double().eval(), clip.double().eval()


def encoder(**config):
    """With each slot's positions its own, as after training."""
    text, clip = towers()
    made = Mutual(**{"image_size": SIDE, "objects": 2, **config}).build(text, VisionTower(clip)).double().eval()
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
        "input_ids": torch.where(real, F.pad(pieces, (0, w - max(lengths))), 0),
        "token_type_ids": torch.zeros(b, w, dtype=torch.long),
        "attention_mask": real.long(),
        "word_ids": word,
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
    n = int(x["attention_mask"][i].sum())
    out = {k: x[k][i : i + 1, :n] for k in ("input_ids", "token_type_ids", "attention_mask", "word_ids", "context")}
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
    made = Mutual(image_size=SIDE, exchange=False).build(text, VisionTower(clip)).double().eval()
    x = inputs(slots=((0,), (0,), (0,)))
    h, g, mask, slots = made.towers(x)
    plain_text, plain_clip = towers()
    words = plain_text(input_ids=x["input_ids"], attention_mask=x["attention_mask"]).last_hidden_state
    patches = plain_clip(pixel_values=x["pixels"]).last_hidden_state
    close(h[x["attention_mask"].bool()], words[x["attention_mask"].bool()])
    close(g, patches)
    assert mask.all() and slots.tolist() == [0] * 5
    ((h * x["attention_mask"][..., None]).square().sum() + g.square().sum()).backward()
    ((words * x["attention_mask"][..., None]).square().sum() + patches.square().sum()).backward()
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
    pieces = x["input_ids"][0]
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
    made = encoder(order=order, first_layer_prefix=first, as_released=released)
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
    every = [{"order": o, "first_layer_prefix": f} for o, f in WAYS]
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
    made = encoder(order=order, first_layer_prefix=first)
    x = inputs(lengths=(5, 7, 3, 4), slots=((0, 1, 2), (1,), (0, 2), ()), width=12)
    rubbish = torch.where(x["attention_mask"].bool(), x["input_ids"], 7)
    with torch.no_grad():
        together, dirty = made(x), made({**x, "input_ids": rubbish})
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
    "way", [{}, {"order": "vision_first", "first_layer_prefix": "none"}, {"as_released": True}, {"exchange": False}]
)
def test_words_without_an_image_are_plain_berts(way):
    """Alone, beside documents with images, and in training without an image: no NaN, forward or backward."""
    made = encoder(**way)
    x, plain = inputs(slots=((), (0, 1), ())), towers()[0]
    expected = plain(input_ids=x["input_ids"], attention_mask=x["attention_mask"]).last_hidden_state
    h = made.towers(x)[0]
    for i in (0, 2):
        close(h[i][x["attention_mask"][i].bool()], expected[i][x["attention_mask"][i].bool()])
    assert made.config.exchange == bool((h[1] - expected[1]).abs().max() > 1e-3)
    streams = made(x)
    assert streams["vision"].present.tolist() == [False, True, False]
    assert not streams["vision"].pooled[0].any()
    h, read, seen = h.detach(), x["attention_mask"].bool(), streams["vision"].mask
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
    two["word_ids"] = x["word_ids"].clone()
    two["word_ids"][1, 1:4] += 4  # the second window of document 0 holds its words 4 to 6
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
    x["word_ids"][0, 3:], x["context"][0, 3:6], x["words"][0, 2:] = -1, torch.arange(3), False
    kept = made(x)
    assert kept["context"].mask.tolist() == [[True] * 3, [False] * 3] and made.widths["context"] == D
    close(kept["context"].tokens[0], made.towers(x)[0][0, 3:6])
    made.text.config.hidden_dropout_prob = 0.0
    for module in made.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    without = made.train()(x)
    assert not without["context"].mask.any()
    shorter = {**x, "attention_mask": x["attention_mask"].clone()}
    shorter["attention_mask"][0, 3:] = 0
    close(without["text"].tokens[0, :2], made.eval()(shorter)["text"].tokens[0, :2])


# -- parameters


@pytest.mark.parametrize(("order", "first"), WAYS)
def test_gradient_reaches_every_parameter(order, first):
    made = encoder(order=order, first_layer_prefix=first)
    streams = made.train()(inputs())
    sum(s.tokens.square().sum() * (i + 1) for i, s in enumerate(streams.values())).backward()
    for name, p in made.named_parameters():
        used = p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0
        assert used, name


def test_positions_are_the_towers_own_interpolated():
    _, clip = towers(image_size=32)  # 4 x 4 patches
    table = clip.embeddings.position_embedding.weight[1:]
    assert torch.equal(interpolated(table, 4), table)
    theirs = clip.embeddings.interpolate_pos_encoding(torch.zeros(1, 10, D), 3 * PATCH, 3 * PATCH)[0, 1:]
    close(interpolated(table, 3), theirs)
    made = Mutual(image_size=24, objects=1).build(towers()[0], VisionTower(clip))
    assert made.vision_positions.shape == (2, 9, D)
    close(made.vision_positions[1], theirs)


# -- the registered attention


def test_a_coupled_backbone_called_as_usual_is_the_plain_one():
    """Padding is masked, for the mask function is registered beside the attention."""
    text, clip = towers()
    x = inputs()
    real = x["attention_mask"].bool()
    plain = text(input_ids=x["input_ids"], attention_mask=x["attention_mask"]).last_hidden_state, clip(x["pixels"])[0]
    text.set_attn_implementation(NAME)
    clip.set_attn_implementation(NAME)
    close(text(input_ids=x["input_ids"], attention_mask=x["attention_mask"]).last_hidden_state[real], plain[0][real])
    close(clip(x["pixels"])[0], plain[1])


def test_runs_in_bfloat16():
    made = encoder().float()
    x = inputs()
    x["pixels"] = x["pixels"].float()
    for config in (made.config, replace(made.config, first_layer_prefix="raw", as_released=True)):
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
        with pytest.raises(RecipeError, match=r"vision\.name=tiny-clip"):
            Mutual(image_size=SIDE).build(text, VisionTower(towers(**change)[1]))
    vit = ViTModel(ViTConfig(hidden_size=D, num_hidden_layers=LAYERS, num_attention_heads=HEADS, image_size=SIDE))
    for odd in (VisionTower(vit), TinyVision().build(), None):
        with pytest.raises(RecipeError, match=r"CLIP vision tower.*vision\.name=tiny-clip"):
            Mutual(image_size=SIDE).build(text, odd)
    with pytest.raises(RecipeError, match="BERT"):
        Mutual(image_size=SIDE).build(clip, tower)
    with pytest.raises(RecipeError, match=r"multiple of the patch.*image_size=24"):
        Mutual(image_size=30).build(text, tower)
