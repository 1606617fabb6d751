"""Every numbered equation of CAMIM, of the flavour `paper` on both hosts, against loops over single numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel

from openmie.data.document import Document, Image
from openmie.model.extractor import Extractor
from openmie.model.features.encoded_document import Batch
from openmie.nn.complete.blank import Blank
from openmie.nn.encode.towers import VisionTower
from openmie.nn.streams import Stream
from openmie.papers import camim
from openmie.vlm import captions
from openmie.vlm.generate import Answer
from tests.unit.papers.equations.slow_loops import (
    Given,
    add,
    affine,
    agree,
    attention,
    cross_entropy,
    dot,
    each,
    elu,
    layer_norm,
    linear,
    mean,
    rows,
    scaled,
    softmax,
    total,
)

D, V = 4, 5  # widths of words and of images
TMR = camim.recipe(flavour="paper")
HVPNET = camim.hvpnet(TMR)
WIDTHS = {"text": D, "context": D, "phrases": D}
WIDTHS |= dict.fromkeys(("vision", "objects", "generated", "generated_objects"), V)


def stream(seed, width, lengths, most, groups=None, **more):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(len(lengths), most, width, generator=generator, dtype=torch.float64).requires_grad_()
    mask = torch.arange(most) < torch.tensor(lengths)[:, None]
    return Stream(tokens, mask, None if groups is None else groups.expand(len(lengths), -1), **more)


def streams(width=V):
    """Two documents: words and captions with padding, two regions an image, two objects of two regions each."""
    objects, share = torch.tensor([0, 0, 1, 1]), torch.tensor([0.25, 0.5], dtype=torch.float64)
    return {
        "text": stream(1, D, (3, 2), 3),
        "context": stream(2, D, (2, 3), 3),
        "phrases": stream(3, D, (2, 1), 2),
        "vision": stream(4, width, (2, 2), 2, relevance=share),
        "objects": stream(5, width, (4, 2), 4, objects, relevance=1 - share),
        "generated": stream(6, width, (2, 2), 2, relevance=share * 1.5),
        "generated_objects": stream(7, width, (4, 4), 4, objects, relevance=1 - share * 1.5),
    }


def built(config, widths=WIDTHS, seed=0):
    torch.manual_seed(seed)
    return config.build(dict(widths)).double().eval()


def leaves(module, found):
    return [*module.parameters(), *(s.tokens for s in found.values())]


def real(s, b):
    """The real tokens of document b, as lists of numbers."""
    return rows(s.tokens[b][s.mask[b]])


# eq. 1 and 2


def towers():
    torch.manual_seed(0)
    bert = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    net = ResNetConfig(embedding_size=4, hidden_sizes=[4, 4, 6, 8], depths=[1, 1, 1, 1], layer_type="basic")
    return BertModel(bert, add_pooling_layer=False).double().eval(), VisionTower(ResNetModel(net)).double().eval()


def encoded(slots):
    """What the encoder of `paper` makes of one document with images in these slots, and its pixels."""
    text, vision = towers()
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(len(slots), 3, 64, 64, generator=generator, dtype=torch.float64).requires_grad_()
    ids = torch.tensor([[2, 5, 6, 3]])
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
        "word_ids": torch.tensor([[-1, 0, 1, -1]]),
        "owner": torch.tensor([0]),
        "words": torch.ones(1, 2, dtype=torch.bool),
        "pixels": pixels,
        "image": torch.zeros(len(slots), dtype=torch.long),
        "slot": torch.tensor(slots),
    }
    return TMR.encode.build(text, vision).double().eval()(inputs), pixels, vision


def regions(vision, picture):
    """One image by itself through the network, its last map row by row."""
    last = vision.model(pixel_values=picture[None]).last_hidden_state[0]  # (C, h, w)
    return [[last[c, y, x] for c in range(len(last))] for y in range(last.shape[1]) for x in range(last.shape[2])]


@pytest.mark.parametrize(
    ("whole", "objects", "first"),
    [("vision", "objects", 0), ("generated", "generated_objects", 4)],
    ids=["equation 1", "equation 2"],
)
def test_equations_1_and_2_features_of_images_and_objects(whole, objects, first):
    found, pixels, vision = encoded(list(range(8)))
    wanted = [regions(vision, p) for p in pixels[first : first + 4]]
    agree(found[whole].tokens[0], wanted[0], [pixels])
    agree(found[objects].tokens[0], [x for one in wanted[1:] for x in one], [pixels])
    assert found[objects].groups[0].tolist() == [i for i, one in enumerate(wanted[1:]) for _ in one]


# eq. 3 and 4


def test_equations_3_and_4_the_caption_is_what_the_model_answers_to_the_prompt():
    class Backend:
        name, key = "model", "model"

        def answers(self, requests):
            for request in requests:
                self.asked = (request.prompt, len(request.images))
                yield Answer(text="a red kite")

    backend = Backend()
    post = Document.from_words("d", ["Ada"]).replace(images=[Image(id="m", pixels=np.zeros((8, 8, 3), np.uint8))])
    (made,) = captions.caption([post], backend)
    assert backend.asked == ("Please give me a detailed description of the picture", 1)
    assert made.captions == {"model": "a red kite"}


# eq. 5 to 14

PAIRS = (("vision", "context"), ("generated", "text"))


def mlp(module, x):
    return linear(module.output, each(torch.tanh, linear(module.hidden, x)))


def projected(module, x):
    """The image's features as wide as the words: the first layer of the MLP that reduces their dimension."""
    return linear(module.input_projection[str(V)], x)


def sentence_level(module, regions, words):
    """Eq. 5 and 6: the sentence, the mean of its words, beside each region, then an MLP."""
    s, joined = mean(words), module.sentence
    weight = [[*a, *b] for a, b in zip(rows(joined.region.weight), rows(joined.sentence.weight))]
    return [
        mlp(module.region_mlp, affine(weight, rows(joined.region.bias), [*projected(module, v), *s])) for v in regions
    ]


def parts(layer, x):
    """Query, key and value of a token, three matrices."""
    weight, bias = rows(layer.weight), rows(layer.bias)
    return [affine(weight[i * D : (i + 1) * D], bias[i * D : (i + 1) * D], x) for i in range(3)]


def self_attention(module, x):
    """Eq. 7."""
    q, k, v = zip(*(parts(module.attention.self_attention.query_key_value, t) for t in x))
    return attention(q, k, v)


def cross_attention(module, x, y):
    """Eq. 9: m asks n."""
    layer = module.attention.cross_attention.query_key_value
    queries = [parts(layer, t)[0] for t in x]
    keys, values = zip(*(parts(layer, t)[1:] for t in y))
    return attention(queries, keys, values)


def halves(module, regions, words):
    """H_S and H_W of eq. 8 and 10, or 12 and 13: both attentions of either side."""
    o, w = sentence_level(module, regions, words), [mlp(module.word_mlp, x) for x in words]
    return (
        (self_attention(module, o), cross_attention(module, o, w)),
        (self_attention(module, w), cross_attention(module, w, o)),
    )


def output(module, tokens):
    """MLP_H and LN of eq. 11 and 14."""
    return [each(elu, linear(module.output[0], layer_norm(x))) for x in tokens]


def final(module, regions, words, image_only=False):
    sides = halves(module, regions, words)
    made = [output(module, [add(*both) for both in zip(*side)]) for side in sides]
    return made[0] if image_only else [x for side in made for x in side]


@pytest.fixture
def caption():
    found = streams()
    return built(TMR.fuse[0]), found


@pytest.mark.parametrize("pair", PAIRS, ids=["equation 5", "equation 6"])
def test_equations_5_and_6_the_sentence_beside_each_region(caption, pair):
    module, found = caption
    seen = []
    module.region_mlp.register_forward_hook(lambda _, __, out: seen.append(out))
    module(found)
    index = [modality for modality, _ in TMR.fuse[0].pairs].index(pair[0])
    for b in range(2):
        wanted = sentence_level(module, real(found[pair[0]], b), real(found[pair[1]], b))
        agree(seen[index][b], wanted, leaves(module, found))


@pytest.mark.parametrize("side", [0, 1], ids=["equation 8", "equation 12"])
def test_equations_7_8_and_12_self_attention_of_either_level(caption, side):
    module, found = caption
    image, words = PAIRS[side]
    v, w = found[image], found[words]
    x = module.region_mlp(module.sentence(module._project(v.tokens), module._sentence(w)))
    made = module.attention.project(x, v.mask).self_attention[:, 0], module._words(w).self_attention[:, 0]
    for b in range(2):
        one, two = halves(module, real(v, b), real(w, b))
        agree(made[0][b], one[0], leaves(module, found))
        agree(made[1][b][w.mask[b]], two[0], leaves(module, found))


@pytest.mark.parametrize("side", [0, 1], ids=["equation 10", "equation 13"])
def test_equations_9_10_and_13_cross_attention_both_ways(caption, side):
    """The module gives the sum of both attentions; what is left without the self-attention is the other."""
    module, found = caption
    image, words = PAIRS[side]
    v, w = found[image], found[words]
    x = module.region_mlp(module.sentence(module._project(v.tokens), module._sentence(w)))
    one, two = module.attention.project(x, v.mask), module._words(w)
    made = [module.attention(a, b) - a.self_attention[:, 0] for a, b in ((one, two), (two, one))]
    for b in range(2):
        sides = halves(module, real(v, b), real(w, b))
        agree(made[0][b], sides[0][1], leaves(module, found))
        agree(made[1][b][w.mask[b]], sides[1][1], leaves(module, found))


@pytest.mark.parametrize("pair", PAIRS, ids=["equation 11", "equation 14"])
def test_equations_11_and_14_the_final_feature(caption, pair):
    module, found = caption
    made = module(found)[pair[0]]
    for b in range(2):
        wanted = final(module, real(found[pair[0]], b), real(found[pair[1]], b))
        agree(made.tokens[b][made.mask[b]], wanted, leaves(module, found))


def test_equations_11_and_14_of_each_object_by_itself(caption):
    """As released: the same module over one object after the other, the sum of what it makes."""
    module, found = caption
    made = module(found)
    for image, words in (("objects", "context"), ("generated_objects", "text")):
        for b in range(2):
            v = real(found[image], b)
            wanted = [add(*final(module, v[i : i + 2], real(found[words], b))) for i in range(0, len(v), 2)]
            agree(made[image].tokens[b][made[image].mask[b]], wanted, leaves(module, found))


def test_equations_5_to_11_on_hvpnet_leave_its_prompt_as_long_as_it_was():
    """The regions' half alone, of the image and of each object: 16 tokens of four images (section 4.2)."""
    module, found = built(HVPNET.encode.refine), streams()
    made = module(found)
    assert {k for k, v in made.items() if v is not found[k]} == {"vision", "objects"}
    for b in range(2):
        words = real(found["context"], b)
        wanted = final(module, real(found["vision"], b), words, image_only=True)
        agree(made["vision"].tokens[b], wanted, leaves(module, found))
        v = real(found["objects"], b)
        wanted = [x for i in range(0, len(v), 2) for x in final(module, v[i : i + 2], words, image_only=True)]
        agree(made["objects"].tokens[b][made["objects"].mask[b]], wanted, leaves(module, found))


# eq. 15 to 17


def asks(pool, image, words):
    """A(x, y) of the host: one head, queries of the image, keys and values of the words."""
    attend = pool.attention
    queries = [linear(attend.query, x) for x in image]
    both = [linear(attend.key_value, w) for w in words]
    return attention(queries, [x[:D] for x in both], [x[D:] for x in both])


def branch(module, image, objects, words, phrases, share):
    """Eq. 15 or 16: the aligned image asks the words, its objects the phrases; in sums, as released."""
    whole = add(*(each(torch.tanh, x) for x in asks(module.image_pool, image, words)), each(torch.tanh, add(*image)))
    things = [each(torch.tanh, x) for x in asks(module.object_pool, objects, phrases)]
    things = add(*things, each(torch.tanh, mean(objects)))
    a, c = (x / sum(share) for x in share)
    return each(torch.tanh, linear(module.branch_output, add(scaled(a, whole), scaled(c, things))))


def branch_of(module, found, side, b):
    image, objects = (real(found[role], b) for role in SIDES[side])
    share = [float(found[role].relevance[b]) for role in SIDES[side]]
    return branch(module, image, objects, real(found["text"], b), real(found["phrases"], b), share)


def host():
    """Streams as they come from the Caption-Aware Module: of one width, an object one token."""
    found = streams(D)
    for role in ("objects", "generated_objects"):
        s = found[role]
        found[role] = replace(
            s, mask=s.mask[:, ::2], tokens=s.tokens.detach()[:, ::2].clone().requires_grad_(), groups=None
        )
    widths = dict.fromkeys(WIDTHS, D)
    return built(TMR.fuse[1], widths), found


SIDES = {"original": ("vision", "objects"), "generated": ("generated", "generated_objects")}


@pytest.mark.parametrize("side", SIDES, ids=["equation 15", "equation 16"])
def test_equations_15_and_16_the_image_asks_the_words(side):
    module, found = host()
    made = module(found)[side].tokens
    for b in range(2):
        agree(made[b, 0], branch_of(module, found, side, b), leaves(module, found))


def final_scores(head, words, phrases, states, pair):
    """Eq. 17 as released: MLP_final over [head ; tail ; P ; O_final ; G_final], two linear layers.

    P, O_final and G_final stand beside either marker in the code, so the matrix of each is the sum of two blocks.
    """
    document = [x for vector in (add(*phrases), *states) for x in vector]
    weight, wide = rows(head.score[1].weight), 4 * D
    joined = [[*w[:D], *w[wide : wide + D], *add(w[D:wide], w[wide + D :])] for w in weight]
    hidden = affine(joined, rows(head.score[1].bias), [*words[pair[0]], *words[pair[2]], *document])
    return linear(head.score[4], hidden)


def scores_of(module, head, found, b):
    states = [branch_of(module, found, side, b) for side in SIDES]
    return final_scores(head, real(found["text"], b), real(found["phrases"], b), states, PAIR[b, 0].tolist())


def heads_of(recipe, width, labels=("None", "a", "b")):
    head = replace(recipe.heads[0], labels=labels, symmetric=())
    return built(replace(head, hidden=6) if head.hidden else head, {"fused": width}, seed=2)


PAIR = torch.tensor([[[0, 0, 2, 2]], [[1, 1, 0, 0]]])
GIVEN = {"pairs": PAIR, "pairs_mask": torch.ones(2, 1, dtype=torch.bool)}
GOLD = {"relations": torch.tensor([[2], [0]])}


def test_equation_17_mlp_final():
    module, found = host()
    head = heads_of(TMR, module.widths["fused"])
    scores = head.logits(module(found), PAIR)
    for b in range(2):
        agree(scores[b, 0], scores_of(module, head, found, b), [*leaves(module, found), *head.parameters()])


def test_equations_18_and_19_softmax_and_cross_entropy_on_tmr():
    module, found = host()
    head = heads_of(TMR, module.widths["fused"])
    made, every = module(found), [*leaves(module, found), *head.parameters()]
    scores = [scores_of(module, head, found, b) for b in range(2)]
    best = head.predict(made, GIVEN)
    for b in range(2):
        p = softmax(scores[b])
        likeliest = max(range(3), key=lambda r: float(p[r].detach()))
        assert best["relations"][b, 0] == likeliest
        agree(best["relation_scores"][b, 0], p[likeliest], every)
    agree(head.loss(made, GIVEN, GOLD), (cross_entropy(scores[0], 2) + cross_entropy(scores[1], 0)) / 2, every)


def test_equations_18_and_19_on_hvpnet():
    """Its own classifier: one linear layer over the states of the two start markers, no dropout."""
    found, head = {"fused": streams()["text"]}, heads_of(HVPNET, D)
    assert [type(m).__name__ for m in head.score] == ["Dropout", "Linear"] and head.score[0].p == 0
    words = found["fused"].tokens
    scores = [linear(head.score[1], [*rows(words[b, PAIR[b, 0, 0]]), *rows(words[b, PAIR[b, 0, 2]])]) for b in range(2)]
    every = leaves(head, found)
    best = head.predict(found, GIVEN)["relation_scores"]
    agree(best[:, 0], [max(softmax(s), key=lambda p: float(p.detach())) for s in scores], every)
    agree(head.loss(found, GIVEN, GOLD), (cross_entropy(scores[0], 2) + cross_entropy(scores[1], 0)) / 2, every)


# eq. 20 to 23


def unit(x):
    """Eq. 20."""
    return [y / dot(x, x).sqrt() for y in x]


def score(a, b):
    """Eq. 21."""
    return dot(unit(a), unit(b)).exp()


def noise_contrastive(anchors, others):
    """Eq. 22, the expectation over a batch."""
    n = len(anchors)
    terms = [-(score(anchors[i], others[i]) / total(score(anchors[i], x) for x in others)).log() for i in range(n)]
    return total(terms) / n


@pytest.mark.parametrize(
    ("recipe", "roles"), [(TMR, ("generated", "original")), (HVPNET, ("fused", "vision"))], ids=["TMR", "HVPNeT"]
)
def test_equations_20_to_22_mutual_information(recipe, roles):
    """G predicts O; on HVPNeT the words after the fusion predict the image in the prompt (section 4.4)."""
    (align,) = recipe.align
    assert (align.first, align.second) == ((roles[0],), (roles[1],))
    found = {roles[0]: stream(8, D, (2, 1, 2, 2), 2), roles[1]: stream(9, D, (1, 2, 2, 2), 2)}
    module = align.build(dict.fromkeys(roles, D)).double()
    assert not list(module.parameters())
    a, b = ([mean(real(found[role], i)) for i in range(4)] for role in roles)
    made = module(found)
    ((weight, loss),) = made.losses.values()
    assert weight == 0.1 and list(made.losses) == ["mi"]
    agree(loss, noise_contrastive(a, b), [s.tokens for s in found.values()])


def test_equation_21_lengths_do_not_count():
    (align,) = TMR.align
    a, b = (torch.randn(5, D, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in (1, 2))
    assert abs(float(align.loss(a * 7, b / 3) - align.loss(a, b))) < 1e-12


def total_of(recipe, encoded, fuse, widths):
    """L_r of a whole system of `paper` after its encoders, its weights and its parameters; and its head."""
    head, (align,) = heads_of(recipe, widths["fused"]), recipe.align
    system = Extractor(Given(encoded), Blank().build({}), fuse, [align.build(widths)], [head])
    out = system(Batch({"words": encoded["text"].mask}, GIVEN, GOLD))
    assert out.weights == {"relations": 1.0, "mi": 0.1}
    return out.total, [*system.parameters(), *(s.tokens for s in encoded.values())], head


def test_equation_23_on_tmr():
    """L_re + 0.1 L_ce from eq. 5 on, all of it by loops."""
    found, module, (module_, _) = streams(), built(TMR.fuse[0]), host()
    made, every, head = total_of(TMR, found, [module, module_], {**WIDTHS, **module_.widths})
    scores, states = [], {side: [] for side in SIDES}
    for b in range(2):
        words, phrases = real(found["text"], b), real(found["phrases"], b)
        for side, (image, objects) in SIDES.items():
            level = real(found["context" if side == "original" else "text"], b)
            each_object = real(found[objects], b)
            whole = final(module, real(found[image], b), level)
            things = [add(*final(module, each_object[i : i + 2], level)) for i in range(0, len(each_object), 2)]
            share = [float(found[role].relevance[b]) for role in (image, objects)]
            states[side].append(branch(module_, whole, things, words, phrases, share))
        both = [states[side][b] for side in SIDES]
        scores.append(final_scores(head, words, phrases, both, PAIR[b, 0].tolist()))
    wanted = (cross_entropy(scores[0], 2) + cross_entropy(scores[1], 0)) / 2
    agree(made, wanted + 0.1 * noise_contrastive(states["generated"], states["original"]), every)


def test_equation_23_on_hvpnet():
    """Its encoder gives words that have read the prompt, and the prompt's image."""
    found = {"text": stream(1, D, (3, 2), 3), "vision": stream(4, D, (2, 2), 2)}
    made, every, head = total_of(HVPNET, found, [], {"text": D, "fused": D, "vision": D})
    words, image = ([real(found[role], b) for b in range(2)] for role in ("text", "vision"))
    scores = [linear(head.score[1], [*words[b][PAIR[b, 0, 0]], *words[b][PAIR[b, 0, 2]]]) for b in range(2)]
    wanted = (cross_entropy(scores[0], 2) + cross_entropy(scores[1], 0)) / 2
    agree(made, wanted + 0.1 * noise_contrastive([mean(w) for w in words], [mean(v) for v in image]), every)


# values


def test_printed_values():
    """Section 3.1.1 to 4.2, of either host, as read from the text."""
    for recipe, batch, epochs, rate in ((TMR, 16, 8, 2e-5), (HVPNET, 32, 30, 3e-5)):
        encode, training = recipe.encode, recipe.training
        assert (encode.text.name, encode.vision.name) == ("bert-base-uncased", "microsoft/resnet-50")
        assert (encode.objects, encode.context_tokens, recipe.align[0].weight) == (3, 40, 0.1)
        assert (training.batch_size, training.epochs, training.warmup_ratio) == (batch, epochs, 0.1)
        assert [(g.match, g.lr, g.weight_decay) for g in training.param_groups] == [("", rate, 0.01)]
        assert (training.lr_schedule, recipe.align[0].loss.tau, recipe.align[0].loss.symmetric) == (
            "linear",
            1.0,
            False,
        )
    assert (TMR.training.first_dev_epoch, HVPNET.training.first_dev_epoch) == (1, 8)
    assert TMR.encode.generated and TMR.encode.phrases and TMR.encode.separate_context_pass
    assert HVPNET.encode.grid_size**2 * (1 + HVPNET.encode.objects) == 16 and HVPNET.encode.hidden == 800
    assert (HVPNET.encode.refine.keep, HVPNET.encode.refine.object_pool) == ("image", "none")
