"""Every numbered equation of M3D, of the flavour `paper`, against loops over single numbers."""

from dataclasses import replace
from itertools import combinations, pairwise, permutations, product

import pytest
import torch
from transformers import LongformerConfig, LongformerModel, ViTConfig, ViTModel

from openmie.model.extractor import Extractor
from openmie.model.features.encoded_document import Batch
from openmie.nn.decode.tags import bio_tags
from openmie.nn.encode.towers import VisionTower
from openmie.nn.streams import Stream
from openmie.papers import m3d
from tests.unit.papers.equations.slow_loops import (
    Given,
    add,
    affine,
    agree,
    attention,
    cross_entropy,
    dot,
    each,
    linear,
    mean,
    relu,
    rows,
    softmax,
    stacked,
    total,
)

D = 4
PAPER = m3d.recipe(flavour="paper")
CRF, CHAINS, RELATIONS, REGIONS = PAPER.heads
TYPES = ("PER", "LOC")
FUSION = replace(PAPER.fuse[0], latent=4, hidden=5, heads=2, ffn_width=3)  # the sizes alone
WIDTHS = {"text": D, "vision": D, "fused": D, "frames": D}


def built(config, widths=WIDTHS, seed=0):
    """With parameters that do not start at 0 or at the identity, where an error would not show."""
    torch.manual_seed(seed)
    module = config.build(dict(widths)).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    return module


def stream(seed, lengths, most, groups=None, present=None):
    """(B, N, D) tokens and three levels, right-padded."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(4, len(lengths), most, D, generator=generator, dtype=torch.float64).requires_grad_()
    mask = torch.arange(most) < torch.tensor(lengths)[:, None]
    groups = None if groups is None else torch.tensor(groups).expand(len(lengths), -1)
    return states, Stream(states[0], mask, groups, levels=states[1:], present=present)


def real(x, mask):
    return rows(x[mask])


# eq. 1 to 4, the outputs, and 15 to 17 as predictions


def best_tags(scores, module):
    """All tag sequences, the likeliest of them: eq. 15 by enumeration."""
    crf = module.crf
    return max(product(range(len(crf.start)), repeat=len(scores)), key=lambda y: float(path(crf, scores, y).detach()))


def path(crf, scores, y):
    found = crf.start[y[0]] + crf.end[y[-1]] + total(s[t] for s, t in zip(scores, y, strict=True))
    return found + total(crf.transitions[a, b] for a, b in pairwise(y))


def emissions(module, words):
    return [linear(module.emit.score[-1], w) for w in words]


def head(config, seed=0, **change):
    return built(replace(config, **change), seed=seed)


def mentions_of(tags):
    """[span, type] of BIO tags, an I without its B beginning none of its own kind here."""
    names, found = bio_tags(TYPES), []
    for i, t in enumerate(tags):
        prefix, _, label = names[t].partition("-")
        if prefix == "B" or (prefix == "I" and (not i or names[tags[i - 1]][2:] != label)):
            found.append([i, i, label])
        elif prefix == "I":
            found[-1][1] = i
    return found


def test_equation_15_the_likeliest_tags():
    module, (_, fused) = head(CRF, labels=TYPES), stream(1, (3, 2), 3)
    found = module.predict({"fused": fused}, {})["tags"]
    for b, n in enumerate((3, 2)):
        wanted = best_tags(emissions(module, rows(fused.tokens[b])[:n]), module)
        assert found[b, :n].tolist() == [*wanted]


def test_equations_1_to_4_what_is_given_out():
    """Entities are spans with a type; chains part them, single ones too; relations hold between chains; regions of a
    frame are (class, centre, width, height)."""
    torch.manual_seed(3)
    tags = torch.tensor([[1, 2, 0, 3, 1, 0, 3, 4]])
    _, fused = stream(1, (8,), 8)
    _, frames = stream(2, (2,), 2)
    streams, given = {"fused": fused, "frames": frames, "vision": frames}, {"tags": tags}
    given |= head(CHAINS, labels=TYPES).predict(streams, given)
    entities = mentions_of(tags[0].tolist())
    spans = [[*s, TYPES[k]] for s, k in zip(given["spans"][0].tolist(), given["span_labels"][0].tolist())]
    assert spans == entities and len(entities) == 4  # eq. 1
    chains = given["chain_of"][0].tolist()
    sizes = [chains.count(c) for c in range(max(chains) + 1)]
    assert min(chains) == 0 and min(sizes) >= 1 and sum(sizes) == len(entities)  # eq. 2
    links = head(RELATIONS, labels=("a", "b"), symmetric=()).predict(streams, given)["links"]
    assert links.shape == (1, len(sizes), len(sizes), 2) and not links[0].diagonal().any()  # eq. 3
    found = head(REGIONS, labels=TYPES, num_slots=3).predict(streams, given)
    assert found["boxes"].shape == (1, 2, 3, 4) and ((found["boxes"] >= 0) & (found["boxes"] <= 1)).all()  # eq. 4
    assert set(found["box_labels"].unique().tolist()) <= {-1, 0, 1}


# eq. 5 to 7


def encoder(layers=6):
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 8}
    text = LongformerConfig(vocab_size=20, attention_window=[4] * layers, max_position_embeddings=32, **sizes)
    vision = ViTConfig(image_size=8, patch_size=4, **sizes)
    towers = LongformerModel(text, add_pooling_layer=False), VisionTower(ViTModel(vision, add_pooling_layer=False))
    text, vision = (t.double().eval() for t in towers)
    return PAPER.encode.build(text, vision).double().eval()


def inputs(module):
    """Two documents, of three and two words, the first word of two pieces; three frames and one."""
    pixels = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    return {
        "input_ids": torch.tensor([[2, 5, 6, 7, 8, 3], [2, 9, 10, 4, 3, 1]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]),
        "word_ids": torch.tensor([[-1, 0, 0, 1, 2, -1], [-1, 0, 0, 1, -1, -1]]),
        "token_type_ids": torch.zeros(2, 6, dtype=torch.long),
        "owner": torch.tensor([0, 1]),
        "words": torch.tensor([[True, True, True], [True, True, False]]),
        "pixels": pixels,
        "image": torch.tensor([0, 0, 0, 1]),
        "slot": torch.tensor([0, 1, 2, 0]),
    }


def words_of(states, word_ids):
    """The largest value of a word's pieces, channel by channel (release)."""
    found = []
    for word in range(max(word_ids) + 1):
        pieces = [s for s, w in zip(states, word_ids) if w == word]
        found.append([max(channel, key=lambda x: float(x.detach())) for channel in zip(*pieces)])
    return found


def thirds(layers):
    """Eq. 7: the means of three groups of layers; the printed groups share two layers, these do not."""
    n = len(layers)
    assert n % 3 == 0
    return [[mean(list(same)) for same in zip(*layers[i : i + n // 3])] for i in range(0, n, n // 3)]


def test_equations_5_and_7_words_of_the_longformer():
    module = encoder()
    at = inputs(module)
    found, every = module(at)["text"], list(module.text.parameters())
    for b, n in enumerate((6, 5)):
        ids, word_ids = at["input_ids"][b : b + 1, :n], at["word_ids"][b, :n].tolist()
        alone = module.text(input_ids=ids, output_hidden_states=True)
        hidden = [rows(h[0, :n]) for h in alone.hidden_states]
        real_words = slice(0, max(word_ids) + 1)
        agree(found.tokens[b, real_words], words_of(hidden[-1], word_ids), every)
        wanted = [words_of(level, word_ids) for level in thirds(hidden[1:])]
        agree(found.levels[:, b, real_words], wanted, every)


def test_equations_6_and_7_patches_of_the_vit():
    module = encoder(layers=3)
    at = inputs(module)
    found, frames = module(at)["vision"], [rows_of_frame(module, p) for p in at["pixels"]]
    for b, own in enumerate((frames[:3], frames[3:])):
        n = sum(len(last) for last, _ in own)
        assert found.mask[b].sum() == n and found.groups[b, :n].tolist() == [k for k, f in enumerate(own) for _ in f[0]]
        agree(found.tokens[b, :n], [x for last, _ in own for x in last], [at["pixels"]])
        for k in range(3):
            agree(found.levels[k, b, :n], [x for _, levels in own for x in levels[k]], [at["pixels"]])


def rows_of_frame(module, picture):
    """H^g of a frame by itself, its class token first, and its levels."""
    made = module.vision.model(pixel_values=picture[None], output_hidden_states=True)
    return rows(made.last_hidden_state[0]), thirds([rows(h[0]) for h in made.hidden_states[1:]])


def test_equation_7_of_twelve_layers():
    from openmie.nn.encode.hierarchical import grouped

    states = [torch.full((1,), float(i)) for i in range(13)]
    assert [x.item() for x in grouped(states, PAPER.encode.as_released)] == [2.5, 6.5, 10.5]


# eq. 8 to 12


def encode(auto_encoder, x, noise=None, projection=None):
    """Enc(W x): the mean of the latent, and in training a draw around it; the KL has weight 0 (eq. 24 has none)."""
    x = x if projection is None else affine(rows(projection.weight), None, x)
    both = linear(auto_encoder.encoder2, each(relu, linear(auto_encoder.encoder1, x)))
    mu, log_variance = both[: len(both) // 2], both[len(both) // 2 :]
    if noise is None:
        return mu
    return [m + (s / 2).exp() * e for m, s, e in zip(mu, log_variance, noise, strict=True)]


def decode(auto_encoder, z):
    return linear(auto_encoder.decoder2, each(relu, linear(auto_encoder.decoder1[0], z)))


def latents(level, own, other, noise=None):
    """Eq. 8."""
    noise = noise or ([None] * len(own), [None] * len(other), [None] * len(other))
    coder = level.auto_encoder
    return (
        [encode(coder, x, e) for x, e in zip(own, noise[0], strict=True)],
        [encode(coder, x, e, level.key) for x, e in zip(other, noise[1], strict=True)],
        [encode(coder, x, e, level.value) for x, e in zip(other, noise[2], strict=True)],
    )


def attended(level, q, k, v):
    """Eq. 9."""
    a = level.attention
    mapped = ([linear(layer, x) for x in part] for layer, part in ((a.query, q), (a.key, k), (a.value, v)))
    return [add(x, linear(a.output, y)) for x, y in zip(q, attention(*mapped, heads=a.heads), strict=True)]


def fused_level(level, own, other, noise=None):
    """Eq. 8, 9, 10."""
    found = []
    for z in attended(level, *latents(level, own, other, noise)):
        ffn = linear(level.ffn.output, each(relu, linear(level.ffn.hidden, z)))
        found.append(decode(level.auto_encoder, add(z, ffn)))
    return found


def mixed(direction, own, levels, noise=(None,) * 3):
    """Eq. 11."""
    maps = direction.level_maps
    made = [fused_level(level, own, other, e) for level, other, e in zip(direction.levels, levels, noise, strict=True)]
    return [
        add(linear(maps[0], x), *(linear(w, h[i]) for w, h in zip(list(maps)[1:], made))) for i, x in enumerate(own)
    ]


FRAMES = [0, 0, 0, 1, 1, 2]  # the frame of each patch


@pytest.fixture
def two():
    """Two documents: (3, 2) words, and (6, 5) patches in frames of 3, 2, 1 and of 3, 2; and all tensors below."""
    (words, text), (patches, vision) = stream(1, (3, 2), 3), stream(2, (6, 5), 6, FRAMES)
    return text, vision, [words, patches]


def test_equation_8_queries_keys_and_values(two):
    text, vision, every = two
    module = built(FUSION)
    for level, states in zip(module.to_text.levels, vision.levels):
        coder, every_ = level.auto_encoder, [*level.parameters(), *every]
        made = (
            coder.encode(text.tokens, text.mask)[0],
            coder.encode(states, vision.mask, level.key)[0],
            coder.encode(states, vision.mask, level.value)[0],
        )
        for b in range(2):
            masks = text.mask[b], vision.mask[b], vision.mask[b]
            wanted = latents(level, real(text.tokens[b], masks[0]), real(states[b], masks[1]))
            for x, mask, slow in zip(made, masks, wanted):
                agree(x[b][mask], slow, every_)


def test_equation_9_attention_and_its_residual(two):
    """What comes before FFN and decoder: the input of the first norm, which `paper` has not."""
    text, vision, every = two
    module, seen = built(FUSION), []
    for level in module.to_text.levels:
        assert isinstance(level.norms[0], torch.nn.Identity) and isinstance(level.norms[1], torch.nn.Identity)
        level.norms[0].register_forward_hook(lambda _, __, out: seen.append(out))
    module({"text": text, "vision": vision})
    for k, level in enumerate(module.to_text.levels):
        for b in range(2):
            q, key, v = latents(level, real(text.tokens[b], text.mask[b]), real(vision.levels[k][b], vision.mask[b]))
            agree(seen[k][b][text.mask[b]], attended(level, q, key, v), [*module.parameters(), *every])


def test_equation_10_feed_forward_and_decoder(two):
    text, vision, every = two
    module = built(FUSION)
    for k, level in enumerate(module.to_text.levels):
        made, _ = level(text, vision.levels[k], vision, lambda x: x)
        for b in range(2):
            wanted = fused_level(level, real(text.tokens[b], text.mask[b]), real(vision.levels[k][b], vision.mask[b]))
            agree(made[b][text.mask[b]], wanted, [*module.parameters(), *every])


def levels_of(s, b):
    return [real(level[b], s.mask[b]) for level in s.levels]


def test_equation_11_words(two):
    text, vision, every = two
    module = built(FUSION)
    made, losses = module({"text": text, "vision": vision})
    assert not losses
    for b in range(2):
        wanted = mixed(module.to_text, real(text.tokens[b], text.mask[b]), levels_of(vision, b))
        agree(made["fused"].tokens[b][text.mask[b]], wanted, [*module.parameters(), *every])


def frames_of(module, s, b, read):
    """Eq. 12: the mean over a frame's patches and the frame's place in time."""
    where = s.groups[b][s.mask[b]].tolist()
    table = rows(module.to_frames.positions.table)
    each_frame = [[x for x, f in zip(read, where, strict=True) if f == frame] for frame in range(max(where) + 1)]
    return [add(mean(patches), table[f]) for f, patches in enumerate(each_frame)]


def test_equation_12_frames(two):
    text, vision, every = two
    module = built(FUSION)
    made = module({"text": text, "vision": vision})[0]["frames"]
    for b, frames in enumerate((3, 2)):
        read = mixed(module.to_frames.read, real(vision.tokens[b], vision.mask[b]), levels_of(text, b))
        assert made.mask[b].tolist() == [f < frames for f in range(3)]
        agree(made.tokens[b, :frames], frames_of(module, vision, b, read), [*module.parameters(), *every])


def test_equations_8_to_11_in_training_draw_the_latents(two, monkeypatch):
    """A VAE: each of Q, K, V is a draw, z = mu + sigma e; its KL is counted with weight 0."""
    text, vision, every = two
    module, drawn = built(replace(FUSION, dropout=0.0, frames=False)).train(), []

    def noise(x):
        drawn.append(torch.randn(x.shape, generator=torch.Generator().manual_seed(len(drawn)), dtype=x.dtype))
        return drawn[-1]

    monkeypatch.setattr(torch, "randn_like", noise)
    made, losses = module({"text": text, "vision": vision})
    assert losses["kl"][0] == 0.0 and losses["kl"][1] > 0 and len(drawn) == 9
    for b in range(2):
        masks = (text.mask[b], vision.mask[b], vision.mask[b])
        e = [[real(x[b], m) for x, m in zip(drawn[3 * k : 3 * k + 3], masks)] for k in range(3)]
        wanted = mixed(module.to_text, real(text.tokens[b], text.mask[b]), levels_of(vision, b), e)
        agree(made["fused"].tokens[b][text.mask[b]], wanted, [*module.parameters(), *every])


# eq. 13 and 14


def convolved(conv, x):
    """ReLU(Conv(x)), zeros beside the ends."""
    weight, bias, half = rows(conv.weight), rows(conv.bias), conv.kernel_size[0] // 2
    found = []
    for i in range(len(x)):
        out = bias
        for j in range(conv.kernel_size[0]):
            if 0 <= i + j - half < len(x):
                out = add(out, [dot([w[j] for w in row], x[i + j - half]) for row in weight])
        found.append(each(relu, out))
    return found


@pytest.mark.parametrize(("made", "of"), [("vision", "text"), ("text", "vision")])
def test_equations_13_and_14_the_missing_modality(made, of):
    """Text to image, and the other way: [P ; ReLU(Conv(H))], then a convolution a level; the second document alone."""
    (words, text), (patches, vision) = stream(1, (3, 3), 3), stream(2, (4, 4), 4, [0, 0, 1, 1])
    found = {"text": text, "vision": vision}
    gone = torch.tensor([False, True])
    found[made] = replace(found[made], mask=found[made].mask & ~gone[:, None], present=~gone)
    module = built(replace(PAPER.complete, prompt_length=2))
    completed = module(found)[0][made]
    constructor, every = module.constructors[made], [*module.parameters(), words, patches]
    states = convolved(constructor.input_conv, rows(found[of].tokens[1]))
    wanted = []
    for prompt, conv in zip(constructor.prompt, constructor.level_convs):
        wanted.append(convolved(conv, [*rows(prompt), *states]))  # eq. 13, then 14
    n = len(wanted[0])
    assert n == 2 + len(states) and completed.mask[1].sum() == n and not completed.present[1]
    agree(completed.levels[:, 1, :n], wanted, every)
    agree(completed.tokens[1, :n], [mean(list(same)) for same in zip(*wanted)], every)
    assert torch.equal(completed.tokens[0, : found[made].tokens.shape[1]], found[made].tokens[0])


def test_equation_13_lengths_and_kernels():
    assert (PAPER.complete.prompt_length, PAPER.complete.kernel, PAPER.complete.modality_dropout) == (64, 3, 0.0)


# eq. 15 to 23


def tags_loss(module, words, gold):
    """-log p of one document's tags, its sum over all sequences word by word."""
    crf, scores = module.crf, emissions(module, words)
    ahead = add(rows(crf.start), scores[0])
    for word in scores[1:]:
        from_all = [total((a + h).exp() for a, h in zip(ahead, hops)).log() for hops in rows(crf.transitions.t())]
        ahead = add(from_all, word)
    return total(x.exp() for x in add(ahead, rows(crf.end))).log() - path(crf, scores, gold)


def test_equations_15_and_19_likelihood_of_tags():
    """All sequences by enumeration: -log p of the gold one, by the number of the batch's words."""
    (states, fused), gold = stream(1, (3, 2), 3), torch.tensor([[1, 2, 0], [3, 0, 0]])
    module = head(CRF, labels=TYPES)
    found = module.loss({"fused": fused}, {}, {"tags": gold})
    terms = []
    for b, n in enumerate((3, 2)):
        scores = emissions(module, rows(fused.tokens[b])[:n])
        every = [path(module.crf, scores, y) for y in product(range(5), repeat=n)]
        terms.append(total(x.exp() for x in every).log() - path(module.crf, scores, gold[b, :n].tolist()))
        assert (
            abs(float((terms[-1] - tags_loss(module, rows(fused.tokens[b])[:n], gold[b, :n].tolist())).detach()))
            < 1e-12
        )
    agree(found, total(terms) / 5, [*module.parameters(), states])


SPANS = torch.tensor([[[0, 0], [1, 2], [3, 3], [4, 4]], [[0, 1], [2, 2], [0, 0], [0, 0]]])
GIVEN = {
    "spans": SPANS,
    "spans_mask": torch.tensor([[True] * 4, [True, True, False, False]]),
    "span_labels": torch.zeros(2, 4, dtype=torch.long),
    "chain_of": torch.tensor([[0, 1, 0, 2], [0, 1, -1, -1]]),
}
NUMBER = (4, 2)


def entity(fused, b, i):
    first, last = SPANS[b, i].tolist()
    return mean(rows(fused.tokens[b])[first : last + 1])


def kronecker(module, a, b):
    """W (a x b) + bias, the Kronecker product written out."""
    product_ = [x * y for x in a for y in b]
    weight = [[w for row in module.pair.weight[:, k] for w in row.unbind(0)] for k in range(len(module.pair.bias))]
    return affine(weight, rows(module.pair.bias), product_)


def chains_loss(module, fused, documents=(0, 1)):
    """Eq. 20 over all pairs, the earlier entity first."""
    terms = []
    for b in documents:
        for i, j in combinations(range(NUMBER[b]), 2):
            scores = kronecker(module, entity(fused, b, i), entity(fused, b, j))
            terms.append(cross_entropy(scores, int(GIVEN["chain_of"][b, i] == GIVEN["chain_of"][b, j])))
    return total(terms) / len(terms)


def test_equations_16_and_20_pairs_of_entities():
    (states, fused), module = stream(1, (5, 3), 5), head(CHAINS, labels=TYPES)
    found = module.loss({"fused": fused}, GIVEN, {"chain_of": GIVEN["chain_of"]})
    agree(found, chains_loss(module, fused), [*module.parameters(), states])


def test_equation_16_chains_are_what_links_connect():
    for seed in range(5):
        (_, fused), module = stream(seed, (5, 3), 5), head(CHAINS, seed=seed, labels=TYPES)
        found = module.predict({"fused": fused}, {k: v for k, v in GIVEN.items() if k != "chain_of"})["chain_of"]
        for b in range(2):
            chain = list(range(NUMBER[b]))
            for i, j in combinations(range(NUMBER[b]), 2):
                apart, together = kronecker(module, entity(fused, b, i), entity(fused, b, j))
                if together > apart:
                    chain = [chain[i] if c == chain[j] else c for c in chain]
            order = list(dict.fromkeys(chain))
            assert found[b, : NUMBER[b]].tolist() == [order.index(c) for c in chain]


LINKS = torch.zeros(2, 3, 3, 3, dtype=torch.bool)
LINKS[0, 0, 1, 0] = LINKS[0, 1, 2, 1] = LINKS[0, 1, 2, 0] = LINKS[1, 1, 0, 2] = True  # head, tail, label


def chain_vector(fused, b, c):
    return mean([entity(fused, b, i) for i in range(NUMBER[b]) if GIVEN["chain_of"][b, i] == c])


def relation_scores(module, fused, documents=(0, 1)):
    """Eq. 17: of each ordered pair of chains, None among the labels."""
    return {
        (b, i, j): kronecker(module, chain_vector(fused, b, i), chain_vector(fused, b, j))
        for b in documents
        for i, j in permutations(range((3, 2)[b]), 2)
    }


def relation_loss(module, fused, documents=(0, 1)):
    """Eq. 21: a label without direction (here the third) both ways; of two labels, half of each."""
    terms = []
    for (b, i, j), scores in relation_scores(module, fused, documents).items():
        gold = [r for r in range(3) if LINKS[b, i, j, r] or (r == 2 and LINKS[b, j, i, r])] or [3]
        terms.append(total(cross_entropy(scores, r) for r in gold) / len(gold))
    return total(terms) / len(terms)


def test_equations_17_and_21_pairs_of_chains():
    (states, fused), module = stream(1, (5, 3), 5), head(RELATIONS, labels=("a", "b", "c"), symmetric=("c",))
    found = module.loss({"fused": fused}, GIVEN, {"links": LINKS})
    agree(found, relation_loss(module, fused), [*module.parameters(), states])


def test_equation_17_one_label_a_pair():
    for seed in range(5):
        (_, fused), module = stream(seed, (5, 3), 5), head(RELATIONS, seed=seed, labels=("a", "b", "c"), symmetric=())
        found = module.predict({"fused": fused}, GIVEN)["links"]
        wanted = torch.zeros_like(found)
        for at, scores in relation_scores(module, fused).items():
            best = max(range(4), key=lambda r: float(scores[r].detach()))
            if best < 3:
                wanted[(*at, best)] = True
        assert torch.equal(found, wanted)


BOXES = torch.tensor([[[[0.5, 0.5, 0.2, 0.4], [0.3, 0.6, 0.1, 0.2]], [[0.4, 0.2, 0.3, 0.3], [0] * 4]]]).double()
BOX_LABELS = torch.tensor([[[1, 0], [0, -1]]])  # two regions in the first frame, one in the other
QUINTUPLES = {"boxes": BOXES, "box_labels": BOX_LABELS}


def slots(module, frame):
    """Eq. 18 of one frame: scores of the types, none last, and boxes, slot by slot."""
    wide = linear(module.slots.split, frame)
    parts = [wide[i : i + D] for i in range(0, len(wide), D)]
    sigmoid = [each(lambda x: 1 / (1 + (-x).exp()), linear(module.box, x)) for x in parts]
    return [linear(module.label, x) for x in parts], sigmoid


def regions_loss(module, frames):
    """Eq. 22 over all slots, empty ones of class none, and eq. 23 over the regions that are there."""
    kinds, places = [], []
    for f in range(2):
        scores, boxes = slots(module, frames[f])
        for q in range(3):
            label = BOX_LABELS[0, f, q].item() if q < 2 else -1
            kinds.append(cross_entropy(scores[q], label if label >= 0 else 2))
            if label >= 0:
                places.append(total((a - b).abs() for a, b in zip(boxes[q], rows(BOXES[0, f, q]), strict=True)))
    return total(kinds) / len(kinds) + total(places) / len(places)


def test_equation_18_types_and_boxes():
    (states, frames), module = stream(1, (2,), 2), head(REGIONS, labels=TYPES, num_slots=3)
    ((_, logits, boxes),) = module.found({"frames": frames, "vision": frames})
    for f in range(2):
        scores, places = slots(module, rows(frames.tokens[0, f]))
        agree(logits[0, f].softmax(-1), [softmax(s) for s in scores], [*module.parameters(), states])
        agree(boxes[0, f], places, [*module.parameters(), states])
    found = module.predict({"frames": frames, "vision": frames}, {})
    for f, q in product(range(2), range(3)):
        scores = [float(x.detach()) for x in slots(module, rows(frames.tokens[0, f]))[0][q]]
        best = scores.index(max(scores))
        assert int(found["box_labels"][0, f, q]) in ({-1} if best == 2 else {best, -1})  # -1: nearly the same box twice


def test_equations_22_and_23_types_and_places_of_regions():
    (states, frames), module = stream(1, (2,), 2), head(REGIONS, labels=TYPES, num_slots=3)
    found = module.loss({"frames": frames, "vision": frames}, {}, QUINTUPLES)
    agree(found, regions_loss(module, rows(frames.tokens[0])), [*module.parameters(), states])


# eq. 24


def test_equation_24_all_weights_are_one():
    """A whole document from its encoded streams on: four losses, their plain sum."""
    (words, text), (patches, vision) = stream(1, (5,), 5), stream(2, (3,), 3, [0, 0, 1])
    heads = [
        head(CRF, 1, labels=TYPES),
        head(CHAINS, 2, labels=TYPES),
        head(RELATIONS, 3, labels=("a", "b", "c"), symmetric=("c",)),
        head(REGIONS, 4, labels=TYPES, num_slots=3),
    ]
    fusion = built(FUSION, seed=5)
    system = Extractor(Given({"text": text, "vision": vision}), built(PAPER.complete), [fusion], [], heads)
    given = {k: v[:1] for k, v in GIVEN.items()}
    gold = {"tags": torch.tensor([[1, 1, 2, 3, 0]]), "chain_of": given["chain_of"], "links": LINKS[:1]} | QUINTUPLES
    out = system(Batch({"words": text.mask}, given, gold))
    assert set(out.weights.values()) == {1.0} and len(out.losses) == 4

    fused = mixed(fusion.to_text, rows(text.tokens[0]), levels_of(vision, 0))
    frames = frames_of(fusion, vision, 0, mixed(fusion.to_frames.read, rows(vision.tokens[0]), levels_of(text, 0)))
    made = Stream(stacked([fused]), text.mask)
    parts = [
        tags_loss(heads[0], fused, gold["tags"][0].tolist()) / 5,
        chains_loss(heads[1], made, (0,)),
        relation_loss(heads[2], made, (0,)),
        regions_loss(heads[3], frames),
    ]
    agree(out.total, total(parts), [*system.parameters(), words, patches])


# values


def test_printed_values():
    """Section VI-C, and V-G, as read from the text."""
    chinese = m3d.recipe(flavour="paper", language="zh")
    assert PAPER.encode.text.name.endswith("longformer-base-4096") and "xlm" not in PAPER.encode.text.name
    assert chinese.encode.text.name.endswith("xlm-roberta-longformer-base-4096")
    for recipe in (PAPER, chinese):
        assert recipe.encode.vision.name == "google/vit-base-patch16-224" and not recipe.encode.as_released
        training = recipe.training
        assert (training.epochs, training.batch_size) == (20, 1)
        rates = {g.match: g.lr for g in training.param_groups}
        assert rates == {"encode.text": 5e-6, "encode.vision": 5e-6, "": 1e-3}
        assert [h.weight for h in recipe.heads] == [1.0] * 4 and not recipe.align
        assert recipe.fuse[0].kl_weight == 0 and recipe.fuse[0].variational
