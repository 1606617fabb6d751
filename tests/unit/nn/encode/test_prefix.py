"""The visual prefix: a dense reference by hand, the library's cache, missing images, folders."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel, CLIPVisionConfig, CLIPVisionModel, DynamicCache

import openmie
from openmie import recipe as recipes
from openmie.data.document import Image
from openmie.errors import RecipeError
from openmie.model.backbones import register
from openmie.model.pretrained import Model
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.encode.dual import Text, Vision
from openmie.nn.encode.prefix import Prefix
from openmie.nn.encode.tiny import TinyVision
from openmie.nn.fuse.adaptive import Adaptive
from openmie.nn.fuse.caption import Caption
from openmie.nn.fuse.cross import Cross
from openmie.recipe import Recipe
from openmie.train.feature_cache import cache_frozen
from tests.fixtures import small

D, HEADS, LAYERS, SIDE = 24, 3, 3, 16  # SIDE: pixels of an image
TEXT_KEYS = ("input_ids", "token_type_ids", "attention_mask", "word_ids", "context")
TINY = TinyVision(size=SIDE, stem=(4, 6), width=8, heads=2)
BOTH = (("vision", "context"), ("objects", "context"))


def close(a, b, tolerance=1e-9):
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


# -- a small encoder and its inputs


def bert(seed=0):
    """In float64, away from its timid initial weights."""
    register()
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=50,
        hidden_size=D,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=40,
        max_position_embeddings=32,
    )
    made = BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    return made.double().eval()


def encoder(**config):
    text = bert()
    made = Prefix(**{"objects": 2, "hidden": 10, "groups": 3, **config}).build(text, TINY.build()).double()
    with torch.no_grad():
        for p in (*made.project.parameters(), *(made.gates.parameters() if made.gates else ())):
            p.add_(torch.randn_like(p) * 0.2)
    return made.eval()


def refined(**config):
    return encoder(context="*", refine=Caption(pairs=BOTH), **config)


def inputs(lengths=(5, 7, 3), slots=((0, 1, 2), (1,), (0, 2)), contexts=(4, 2, 3), width=0, seed=1):
    """Documents of so many pieces, each with images in these slots and so many pieces of context, 0: none."""
    g = torch.Generator().manual_seed(seed)
    b, w = len(lengths), max(width, *lengths)
    at, n = torch.arange(w).expand(b, -1), torch.tensor(lengths)[:, None]
    pieces = torch.randint(1, 50, (b, max(lengths)), generator=g)
    out = {
        "input_ids": torch.where(at < n, F.pad(pieces, (0, w - max(lengths))), 0),
        "token_type_ids": torch.zeros(b, w, dtype=torch.long),
        "attention_mask": (at < n).long(),
        "word_ids": torch.where((at > 0) & (at < n - 1), at - 1, -1),
        "context": torch.full((b, w), -1),
        "owner": torch.arange(b),
        "words": torch.arange(max(lengths) - 2) < n - 2,
    }
    owners = [i for i, c in enumerate(contexts) if c]
    if owners:
        long, real = max(contexts) + 2, torch.tensor([contexts[i] + 2 for i in owners])[:, None]
        out["context_attention_mask"] = (torch.arange(long) < real).long()
        out["context_input_ids"] = (
            torch.randint(1, 50, (len(owners), long), generator=g) * out["context_attention_mask"]
        )
        out["context_owner"] = torch.tensor(owners)
    where = [(i, s) for i, own in enumerate(slots) for s in own]
    if where:
        out["image"], out["slot"] = torch.tensor(where).T
        out["pixels"] = torch.randn(len(where), 3, SIDE, SIDE, generator=g, dtype=torch.float64)
    return out


def only(x, i):
    """Document i of a batch, without padding."""
    n = int(x["attention_mask"][i].sum())
    out = {k: x[k][i : i + 1, :n] for k in TEXT_KEYS}
    out |= {"owner": torch.tensor([0]), "words": x["words"][i : i + 1, : n - 2]}
    if "image" in x and (mine := x["image"] == i).any():
        out |= {"image": x["image"][mine] * 0, "slot": x["slot"][mine], "pixels": x["pixels"][mine]}
    if "context_owner" in x and (mine := x["context_owner"] == i).any():
        long = int(x["context_attention_mask"][mine].sum())
        out |= {f"context_{k}": x[f"context_{k}"][mine][:, :long] for k in ("input_ids", "attention_mask")}
        out["context_owner"] = torch.tensor([0])
    return out


def states(made, x):
    """Last states of the text tower (M, W, D)."""
    return made.read(x, made.prefix(made.modalities(x)) if "image" in x or made.refine is not None else None)


# -- a slow reference: one document, one image, one layer, one head at a time


def linear(module, x):
    return x @ module.weight.T + module.bias


def norm(module, x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + module.eps).sqrt() * module.weight + module.bias


def slow_tokens(made, x):
    """Image -> its tokens (V, C), of one document; as released, the map (C, 2, 2) as it lies in memory."""
    side = made.config.grid_size
    with torch.no_grad():
        cells = made.vision.pyramid(x["pixels"], side)
    if made.config.as_released:
        flat = [[v for channel in zip(*image) for v in channel] for image in cells.tolist()]
        cells = torch.tensor(flat, dtype=torch.float64).view(len(flat), side**2, -1)
    return dict(zip(x["slot"].tolist(), cells))


def slow_refined(made, x):
    sides = made.modalities(x)
    out = {0: sides["vision"].tokens[0][sides["vision"].mask[0]]} if sides["vision"].mask.any() else {}
    if "objects" in sides:
        for token, real, group in zip(sides["objects"].tokens[0], sides["objects"].mask[0], sides["objects"].groups[0]):
            if real:
                out[int(group) + 1] = torch.cat([out.get(int(group) + 1, token[:0][None].new_zeros(0, D)), token[None]])
    return out


def slow_mixed(made, tokens, layer):
    """[K ; V] of one image's tokens in a layer, (V, 2 D)."""
    groups = made.config.groups
    e = linear(made.project[2], torch.tanh(linear(made.project[0], tokens)))
    parts = [e[:, g * 2 * D : (g + 1) * 2 * D] for g in range(groups)]
    asked = (sum(parts) / groups).reshape(-1) if made.config.as_released else e.mean(0)
    if groups == 1:
        return e
    logits = linear(made.gates, asked)[layer * groups : (layer + 1) * groups]
    logits = torch.stack([z if z > 0 else 0.01 * z for z in logits])
    weights = logits.exp() / logits.exp().sum()
    return sum(w * p for w, p in zip(weights, parts))


def slow_heads(made, images, layer):
    """Keys and values of each head, lists of (D / h,)."""
    d = D // HEADS
    keys, values = [[] for _ in range(HEADS)], [[] for _ in range(HEADS)]
    if not made.config.as_released:
        for i in sorted(images):
            for row in slow_mixed(made, images[i], layer):
                for h in range(HEADS):
                    keys[h].append(row[h * d : (h + 1) * d])
                    values[h].append(row[D + h * d : D + (h + 1) * d])
        return keys, values
    missing = torch.full((4, 2 * D), torch.nan, dtype=torch.float64)
    rows = torch.cat([slow_mixed(made, images[i], layer) if i in images else missing for i in range(made.images)])
    for flat, out in ((rows[:, :D].reshape(-1), keys), (rows[:, D:].reshape(-1), values)):
        chunks = flat.view(-1, d)
        each = len(chunks) // HEADS
        for h in range(HEADS):
            out[h] += [c for c in chunks[h * each : (h + 1) * each] if not c.isnan().any()]
    return keys, values


def slow_text(made, x, images):
    """The text tower over one document, (W, D)."""
    e, pieces, d = made.text.embeddings, x["input_ids"][0], D // HEADS
    h = e.word_embeddings.weight[pieces] + e.position_embeddings.weight[: len(pieces)]
    h = norm(e.LayerNorm, h + e.token_type_embeddings.weight[0])
    for l, layer in enumerate(made.text.encoder.layer):
        own = layer.attention.self
        q, k, v = (linear(m, h) for m in (own.query, own.key, own.value))
        keys, values = slow_heads(made, images, l)
        read = torch.zeros_like(h)
        for head in range(HEADS):
            part = slice(head * d, (head + 1) * d)
            all_keys, all_values = ([*e, *o[:, part]] for e, o in ((keys[head], k), (values[head], v)))
            for i in range(len(h)):
                logits = torch.stack([q[i, part] @ key for key in all_keys]) / d**0.5
                weights = logits.exp() / logits.exp().sum()
                read[i, part] = sum(w * value for w, value in zip(weights, all_values))
        h = norm(layer.attention.output.LayerNorm, linear(layer.attention.output.dense, read) + h)
        inner = F.gelu(linear(layer.intermediate.dense, h))
        h = norm(layer.output.LayerNorm, linear(layer.output.dense, inner) + h)
    return h


WAYS = {
    "default": {},
    "one cell": {"grid_size": 1},
    "nine cells, one group": {"grid_size": 3, "groups": 1},
    "no objects": {"objects": 0},
    "as released": {"as_released": True, "groups": 4},
    "as released, no objects": {"as_released": True, "objects": 0},
    "refined": {"context": "*", "refine": Caption(pairs=BOTH)},
    "refined, no objects": {"context": "*", "refine": Caption(), "objects": 0},
    "refined, own half": {"context": "*", "refine": Caption(pairs=BOTH, keep="image", objects=())},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("slots", [(0, 1, 2), (2, 0), (1,), ()], ids=str)
def test_equals_the_dense_reference(way, slots):
    made = encoder(**way)
    slots = tuple(s for s in slots if s < made.images)
    x = inputs(lengths=(6,), slots=(slots,), contexts=(3,))
    with torch.no_grad():
        images = slow_refined(made, x) if made.refine is not None else slow_tokens(made, x) if slots else {}
        close(states(made, x)[0], slow_text(made, x, images))


@pytest.mark.parametrize("way", [WAYS["default"], WAYS["refined"]], ids=["default", "refined"])
def test_equals_the_librarys_cache(way):
    """Keys and values as a cache that BERT has already read, positions unshifted."""
    made, plain = encoder(**way), bert()
    x = inputs()
    with torch.no_grad():
        found = states(made, x)
        pairs, real = made.prefix(made.modalities(x))
        at = torch.arange(x["input_ids"].shape[1])[None]
        mask = torch.cat([real[:, 0, 0].long(), x["attention_mask"]], 1)
        cached = plain(x["input_ids"], attention_mask=mask, past_key_values=DynamicCache(pairs), position_ids=at)
    own = x["attention_mask"].bool()
    close(found[own], cached.last_hidden_state[own])


def test_the_ways_differ():
    x = inputs(lengths=(5,), slots=((0, 1, 2),), contexts=(3,))
    every = [{}, {"as_released": True}, {"grid_size": 1}, {"objects": 1}, {"refine": Caption(pairs=BOTH)}]
    every = [{"context": "*", **way} for way in every]
    last = {**x, **{k: x[k][:-1] for k in ("image", "slot", "pixels")}}
    with torch.no_grad():
        found = [states(encoder(**w, groups=4), last if w.get("objects") == 1 else x)[0] for w in every]
    assert min((a - b).abs().max() for i, a in enumerate(found) for b in found[:i]) > 1e-3


# -- what must change nothing


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_words_without_an_image_are_plain_berts(way):
    """Beside documents with images, and in a batch without any; a caption whose half is kept is read alone."""
    made, plain = encoder(**way), bert()
    x = inputs(slots=((), (0,), ()), contexts=(2, 2, 0))
    expected = plain(input_ids=x["input_ids"], attention_mask=x["attention_mask"]).last_hidden_state
    found, own = states(made, x), x["attention_mask"].bool()
    said = made.refine is not None and made.refine.both

    def plain_or_captioned(found, captioned):
        for i, caption in captioned.items():
            if caption and said:
                assert (found[i] - expected[i])[own[i]].abs().max() > 1e-3
            else:
                close(found[i][own[i]], expected[i][own[i]])

    plain_or_captioned(found, {0: True, 2: False})
    assert (found[1] - expected[1])[own[1]].abs().max() > 1e-3
    streams = made(x)
    assert streams["vision"].present.tolist() == [False, True, False]
    sum(s.tokens[s.mask].square().sum() for s in streams.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())
    bare = inputs(slots=((), (), ()), contexts=(2, 2, 0))
    plain_or_captioned(states(made, bare), {0: True, 1: True, 2: False})
    none = made.train()(bare)
    assert not none["vision"].present.any() and all(none[r].width == w for r, w in made.widths.items())


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_neither_padding_nor_other_documents_nor_their_order_change_anything(way):
    made = encoder(**way)
    slots = [tuple(s for s in own if s < made.images) for own in ((0, 1, 2), (1,), (2, 0), ())]
    x = inputs(lengths=(5, 7, 3, 4), slots=slots, contexts=(4, 2, 3, 1), width=12)
    dirty = {**x, "input_ids": torch.where(x["attention_mask"].bool(), x["input_ids"], 7)}
    dirty["context_input_ids"] = torch.where(x["context_attention_mask"].bool(), x["context_input_ids"], 9)
    if "image" in x:
        turn = torch.randperm(len(x["image"]))
        dirty |= {k: x[k][turn] for k in ("image", "slot", "pixels")}
    with torch.no_grad():
        together, other = made(x), made(dirty)
        for role, stream in together.items():
            close(stream.tokens[stream.mask], other[role].tokens[other[role].mask])
        for i in range(4):
            alone = made(only(x, i))
            assert alone.keys() == together.keys() == made.widths.keys()
            for role, stream in alone.items():
                found = together[role]
                close(found.tokens[i][found.mask[i]], stream.tokens[0][stream.mask[0]])
                assert bool(found.present[i]) == bool(stream.present[0])
                if stream.groups is not None:
                    assert found.groups[i][found.mask[i]].tolist() == stream.groups[0][stream.mask[0]].tolist()
        order = torch.tensor([2, 0, 3, 1])
        back = order.argsort()
        turned = {
            k: x[k][order] for k in ("input_ids", "token_type_ids", "attention_mask", "word_ids", "context", "words")
        }
        turned |= {k: x[k] for k in ("slot", "pixels", "context_input_ids", "context_attention_mask") if k in x}
        turned |= {"owner": x["owner"], "image": back[x["image"]], "context_owner": back[x["context_owner"]]}
        for role, stream in made(turned).items():
            here = together[role]
            close(stream.tokens[stream.mask], here.tokens[order][here.mask[order]])


def test_every_window_of_a_long_text_meets_its_documents_images():
    for made in (encoder(), refined(), encoder(as_released=True)):
        x = inputs(lengths=(6, 5, 4), slots=((0, 1), (2,), ()), contexts=(2, 3, 0))
        two = {**x, "owner": torch.tensor([0, 0, 1]), "words": torch.ones(2, 7, dtype=torch.bool)}
        two["word_ids"] = x["word_ids"].clone()
        two["word_ids"][1, 1:4] += 4  # the second window of document 0 holds its words 4 to 6
        first, second, third = (only(x, i) for i in range(3))

        def seen(rows, source):
            """The same rows with another document's images and context."""
            own = {k: v for k, v in rows.items() if k not in ("image", "slot", "pixels") and "context_" not in k}
            return own | {k: v for k, v in source.items() if k in ("image", "slot", "pixels") or "context_" in k}

        with torch.no_grad():
            text = made(two)["text"].tokens
            close(text[0, :4], made(first)["text"].tokens[0])
            close(text[0, 4:], made(seen(second, first))["text"].tokens[0])
            close(text[1, :2], made(seen(third, second))["text"].tokens[0])
            assert (text[0, 4:] - made(second)["text"].tokens[0]).abs().max() > 1e-3


# -- streams


def test_streams_hold_the_cells_and_the_context():
    made = encoder(context="*")
    x = inputs(contexts=(4, 0, 3)) | {"relevance": torch.tensor([[0.5, 0.2], [torch.nan] * 2, [1.0, 0.1]])}
    with torch.no_grad():
        streams, cells = made(x), made.vision.pyramid(x["pixels"], 2)
        plain = bert()(x["context_input_ids"], attention_mask=x["context_attention_mask"]).last_hidden_state
    assert {r: s.width for r, s in streams.items()} == made.widths
    assert made.widths == {"text": D, "context": D, "vision": 12, "objects": 12}
    assert streams["vision"].present.tolist() == [True, False, True]
    assert streams["objects"].mask.view(3, 2, 4).all(2).tolist() == [[True, True], [True, False], [False, True]]
    assert streams["objects"].groups[0].tolist() == [0] * 4 + [1] * 4
    close(streams["vision"].tokens[0], cells[0])
    close(streams["objects"].tokens[1, :4], cells[3])
    assert streams["context"].mask.sum(1).tolist() == [4, 0, 3]
    close(streams["context"].tokens[2, :3], plain[1, 1:4])
    assert streams["vision"].relevance[[0, 2]].tolist() == [0.5, 1.0]
    close(streams["objects"].relevance[0], x["relevance"][0, 1])


def test_a_dropped_context_is_none():
    made = refined(drop_context=1.0)
    for module in made.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    made.vision.eval()
    made.vision.train = lambda mode=True: made.vision  # its norms count batches
    x = inputs()
    kept, gone = made(x), made.train()(x)
    without = {k: v for k, v in x.items() if not k.startswith("context_")}
    never = made.float().eval()({**without, "pixels": x["pixels"].float()})
    assert kept["context"].mask.any(1).all() and not gone["context"].present.any()
    assert (kept["text"].tokens - gone["text"].tokens).abs().max() > 1e-3
    close(gone["text"].tokens.float(), never["text"].tokens, 1e-4)


# -- parameters


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_gradient_reaches_every_parameter(way):
    made = encoder(**way)
    slots = [tuple(s for s in own if s < made.images) for own in ((0, 1, 2), (0,), (2, 0))]
    made.train()(inputs(slots=slots))["text"].tokens.square().sum().backward()
    for name, p in made.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0, name


def test_runs_in_bfloat16():
    for made in (encoder(), encoder(as_released=True)):
        made, x = made.float(), inputs()
        x["pixels"] = x["pixels"].float()
        with torch.autocast("cpu", torch.bfloat16):
            low = made(x)["text"].tokens
        assert low.isfinite().all() and (low.float() - made(x)["text"].tokens).abs().max() < 0.3


@pytest.mark.parametrize("side", ["text", "vision"])
def test_a_frozen_tower_is_not_trained(side):
    made = encoder(**{side: {"text": Text, "vision": Vision}[side](freeze=True)}).train()
    other = "vision" if side == "text" else "text"
    assert made.cacheable == (("vision",) if side == "vision" else ())
    assert not any(p.requires_grad for p in getattr(made, side).parameters()) and not getattr(made, side).training
    assert all(p.requires_grad for p in getattr(made, other).parameters()) and getattr(made, other).training
    made(inputs())["text"].tokens.square().sum().backward()
    assert made.project[0].weight.grad.abs().sum() > 0


def test_learns_what_only_one_cell_shows():
    """The class is the colour of the lower left cell; the other cells, whose colours are drawn too, tell nothing."""
    register()
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=10,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=8,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    text = BertModel(config, add_pooling_layer=False)
    made = Prefix(objects=0, hidden=32, groups=2).build(text, replace(TINY, stem=(8, 8)).build())
    answer = torch.nn.Linear(32, 3)
    optimizer = torch.optim.Adam([*made.parameters(), *answer.parameters()], 3e-3)

    def batch(n=32):
        colours = torch.randint(3, (n, 2, 2))
        pixels = F.one_hot(colours.repeat_interleave(8, 1).repeat_interleave(8, 2), 3).permute(0, 3, 1, 2).float()
        x = inputs(lengths=(4,) * n, slots=((0,),) * n, contexts=(0,) * n)
        x["input_ids"] = torch.full_like(x["input_ids"], 5)  # all texts are one
        return {**x, "pixels": pixels + 0.2 * torch.randn_like(pixels)}, colours[:, 1, 0]

    def logits(x):
        return answer(made(x)["text"].tokens.mean(1))

    for _ in range(120):
        x, label = batch()
        optimizer.zero_grad()
        F.cross_entropy(logits(x), label).backward()
        optimizer.step()
    x, label = batch(200)
    with torch.no_grad():
        right = (logits(x).argmax(1) == label).float().mean()
        made.eval()
        bare = {k: v for k, v in x.items() if k not in ("pixels", "image", "slot")}
        assert logits(bare).unique(dim=0).shape[0] == 1  # without its image a text tells nothing
    assert right > 0.9


# -- documents


def recipe(**encode):
    heads = (EntityMarkers(labels=("None", "friend", "lives_in")),)
    return Recipe(name="prefix", encode=Prefix(**{"objects": 2, "hidden": 16, **encode}), heads=heads)


def post(i):
    found = small.document(i, image=i % 4 != 3)
    objects = [Image(id=f"o{n}", kind="object", pixels=small.picture(50 + i + n)) for n in range(i % 3)]
    return found.replace(images=[*found.images, *objects], captions={} if i % 4 == 2 else found.captions)


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    return Model.new(recipe(context="c", refine=Caption(pairs=BOTH)))


def test_deleting_gold_changes_no_prediction(made):
    docs = [post(i) for i in range(6)]
    asked = [d.replace(relations=[r.model_copy(update={"label": "None"}) for r in d.relations]) for d in docs]
    assert made.predict(docs) == made.predict(asked)
    scores = [[r.score for d in made.predict(x) for r in d.relations] for x in (docs, asked)]
    assert scores[0] == scores[1] and scores[0]


def test_the_batch_tells_of_a_context_apart(made):
    batch = made.featurizer.collate(made.featurizer.featurize([post(0), post(2)]))
    assert batch.inputs["context_owner"].unique().tolist() == [0, 1, 2]  # the pairs of the first document only
    assert (batch.inputs["context"] == -1).all()


def test_folder_round_trip_without_a_connection(made, tmp_path, offline):
    made.save_pretrained(tmp_path)
    again = openmie.load(tmp_path)
    assert again.recipe == made.recipe
    docs = [post(i) for i in range(5)]
    batch = made.featurizer.collate(made.featurizer.featurize(docs))
    with torch.no_grad():
        parts = [m.extractor.eval() for m in (made, again)]
        found = [part.predict(part.streams(batch.inputs).fused, batch.given) for part in parts]
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])
    assert made.predict(docs) == again.predict(docs)
    names = dict(made.extractor.named_parameters())
    assert any(n.startswith("encode.text.") for n in names) and any(n.startswith("encode.vision.") for n in names)


def test_a_frozen_vision_tower_runs_once(tmp_path):
    """The cells are kept, before the refining, and give the same words; the text is not cached."""
    torch.manual_seed(0)
    still = {"vision": Vision(freeze=True), "text": Text(freeze=True)}
    model = Model.new(recipe(**still, context="c", refine=Caption(pairs=BOTH)))
    docs, encode, calls = [post(i) for i in range(5)], model.extractor.encode, []
    model.extractor.eval()
    fresh, kept = model.featurizer.featurize(docs), model.featurizer.featurize(docs)
    encode.vision.stem[0].register_forward_hook(lambda *_: calls.append(1))
    assert cache_frozen(model, kept, tmp_path / "f.sqlite", batch_size=3) > 0
    assert all("text" not in e.cached for e in kept)
    once = len(calls)
    with torch.no_grad():
        a = encode(model.featurizer.collate(kept).inputs)
        assert len(calls) == once > 0
        b = encode(model.featurizer.collate(fresh).inputs)
    assert len(calls) > once and a.keys() == b.keys()
    for role in a:
        close(a[role].tokens, b[role].tokens, 1e-5)


# -- the recipe and its errors


def test_recipe_as_json():
    part = recipe(context="*", refine=Caption(pairs=BOTH), grid_size=3)
    assert recipes.load(recipes.dump(part)) == part and recipes.check(part)
    assert part.encode.inputs.separate_context_pass and "inputs" not in recipes.dump(part)["encode"]
    changed = recipes.set_field(part, "encode.refine.heads", "2")
    assert changed.encode.refine == Caption(pairs=BOTH, heads=2)
    assert Prefix(objects=0).makes() == {"text", "vision"}
    for name in ("grid_size", "hidden", "groups"):
        with pytest.raises(RecipeError, match=rf"encode\.{name}"):
            recipes.check(recipe(**{name: 0}))


def test_what_cannot_be_built_is_refused():
    text, vision = bert(), TINY.build()
    clip = CLIPVisionModel(CLIPVisionConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=32))
    with pytest.raises(RecipeError, match="BERT"):
        Prefix().build(clip, vision)
    for odd in (None, torch.nn.Linear(2, 2)):
        with pytest.raises(RecipeError, match="pyramid"):
            Prefix().build(text, odd)
    for odd in ({"grid_size": 3}, {"context": "*", "refine": Caption(pairs=BOTH)}):
        with pytest.raises(RecipeError, match=r"as_released.*grid_size=2"):
            recipes.check_part(Prefix(as_released=True, **odd))
    with pytest.raises(RecipeError, match=r"\['context'\].*encode\.context"):
        recipes.check_part(Prefix(refine=Caption(pairs=BOTH)))
    for part in (Cross(), Adaptive()):
        with pytest.raises(RecipeError, match="vision, objects and context only"):
            recipes.check_part(Prefix(context="*", refine=part))
    with pytest.raises(RecipeError, match=r"width 24, objects of 12.*encode\.objects=0"):
        Prefix(context="*", refine=Caption()).build(text, vision)
